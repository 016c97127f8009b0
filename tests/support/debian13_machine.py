"""A machine whose OpenSSL uses its TPM: run by tests within ``Debian13Tree``, and what comes of it is printed as JSON.

``python -m tests.support.debian13_machine WORK ARGUMENTS``; the environment is ``provider``'s.
"""

import asyncio
import ssl
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from appliance.clock import SystemClock
from appliance.daemon import identities_of
from appliance.ports import MachineIdentity
from appliance.renewal import Renewal
from appliance.sealing.anchor import open_secrets
from appliance.sealing.vtpm.tls_key import VtpmKey
from appliance.sealing.witness import witness_of
from appliance.tls_context import client_context
from appliance.uplink.https_uplink import HttpsUplink
from appliance.uplink.machine_desk import machine_desk
from tests.support.fake_clock import FakeClock
from tests.support.renewing_machine import Heard, here
from tests.support.tls_peer import Authority, TlsPeer, reply, server_context

AT_RENEWAL: Final = timedelta(days=5)
"""Within the certificate's last third."""
ROUNDS: Final = 60
_OPENSSL: Final = """\
openssl_conf = all
[all]
providers = both
[both]
default = on
tpm2 = on
[on]
activate = 1
"""


def provider(folder: Path, tcti: str) -> dict[str, str]:
    """What makes OpenSSL use the TPM at ``tcti``: the environment, and in ``folder`` the file that it names."""
    file = folder / "openssl.cnf"
    file.write_text(_OPENSSL, encoding="utf-8")
    return {"OPENSSL_CONF": str(file), "TPM2OPENSSL_TCTI": tcti}


async def renew(state: str, url: str) -> dict[str, object]:
    """Renew the certificate of an enrolled machine, twice; say what was in use before and after, and what hindered."""
    secrets, anchor = open_secrets(Path(state))
    store, clock, heard = identities_of(secrets, anchor), FakeClock(SystemClock().now() + AT_RENEWAL), Heard()
    used = [store.load()]
    async with HttpsUplink(url, used[0], clock) as uplink:
        for _ in range(2):
            renewal = Renewal(
                store=store,
                witness=witness_of(anchor),
                open_desk=lambda current: machine_desk(url, current, clock),
                user=uplink,
                run=here,
                clock=clock,
                draw=lambda: 0.5,
                heard=heard,
            )
            await renewal.step()
            await uplink.high_water()
            used.append(store.load())
    return {
        "in_tpm": [identity.key_in_tpm for identity in used],
        "keys": len({identity.private_key.reveal() for identity in used}),
        "hindered": heard.problems,
    }


async def handshakes(tcti: str) -> list[list[object]]:
    """Speak to a server that wants a certificate, with a key in the TPM: which version, and what the server saw."""
    authority = Authority()
    identity = in_tpm(authority, tcti)
    done = list[list[object]]()
    for newest in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        async with TlsPeer(server_context(authority, newest=newest), lambda _: reply(200)) as peer:
            reader, writer = await asyncio.open_connection("127.0.0.1", peer.port, ssl=client_context(identity))
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            line = await reader.readline()
            done.append([writer.get_extra_info("ssl_object").version(), line.decode().strip()])
            writer.transport.abort()
    return done


async def figures(tcti: str) -> list[float]:
    """Milliseconds a handshake, median, both sides in memory: with a key in the TPM, and with one in software."""
    authority = Authority()
    server = server_context(authority)
    clients = [client_context(identity) for identity in (in_tpm(authority, tcti), authority.identity())]
    taken = [[_timed(lambda client=client: _shake_hands(client, server)) for client in clients] for _ in range(ROUNDS)]
    return [median(times) for times in zip(*taken, strict=True)]


def in_tpm(authority: Authority, tcti: str) -> MachineIdentity:
    """A machine of ``authority`` whose key is in the TPM."""
    key = VtpmKey.generate(tcti)
    public = load_der_public_key(key.public_key)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    chain = authority.issue_machine(public)
    return msgspec.structs.replace(authority.identity(), certificate_chain=chain, private_key=key.pem)


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(down, up, server_hostname="127.0.0.1"),
        server.wrap_bio(up, down, server_side=True),
    ]
    while not all([_is_done(side) for side in sides]):  # noqa: C419 - each side in each turn
        pass


def _is_done(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _timed(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    """Do what was asked for."""
    works: dict[str, Callable[..., Any]] = {work.__name__: work for work in (renew, handshakes, figures)}
    sys.stdout.write(msgspec.json.encode(asyncio.run(works[sys.argv[1]](*sys.argv[2:]))).decode())


if __name__ == "__main__":
    main()
