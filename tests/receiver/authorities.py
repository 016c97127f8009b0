"""An authority through its rollovers, what it issues, and OpenSSL's own program to judge it."""

import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from receiver.domain.certificate_profile import machine_builder, server_builder
from receiver.domain.machine_name import MachineName
from receiver.kms.durable import replace_private
from receiver.kms.local_authority import LocalFileAuthority
from receiver.kms.local_rollover import LocalRollover

START: Final = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY: Final = timedelta(days=1)
MACHINE: Final = MachineName(tenant_id=UUID(int=5), appliance="hq")
HOSTS: Final = ["receiver.test", "127.0.0.1", "::1"]


class Leaf(NamedTuple):
    """A leaf with its key, and what was sent behind it."""

    certificate: x509.Certificate
    chain: list[x509.Certificate]
    key: ec.EllipticCurvePrivateKey


def issue_machine(authority: LocalFileAuthority, *, now: datetime = START) -> Leaf:
    """A machine's leaf under the generation that issues."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = machine_builder(key.public_key(), machine=MACHINE, issuer=authority.issuing, now=now)
    return Leaf(authority.sign(builder), authority.chain, key)


def issue_server(authority: LocalFileAuthority, *, now: datetime = START) -> Leaf:
    """A server's leaf under the generation that issues."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = server_builder(key.public_key(), hosts=HOSTS, issuer=authority.issuing, now=now)
    return Leaf(authority.sign(builder), authority.chain, key)


def roll_over(folder: Path, *, times: int = 1, start: datetime = START, every: timedelta = 30 * DAY) -> datetime:
    """Announce and switch, ``times`` over, ``every`` so long; give the time of the last switch."""
    rollover, now = LocalRollover(folder), start
    for _ in range(times):
        now += every / 2
        rollover.announce(now=now)
        now += every / 2
        rollover.switch(now=now)
    return now


def bring_date_forward(folder: Path) -> None:
    """Let the date of retirement have come: the ledger is edited, for want of two months."""
    ledger = folder / "authority.json"
    past = f"{datetime.now(tz=UTC) - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
    edited, count = re.subn(r'(?<="retire_from":")[^"]+', past, ledger.read_text())
    assert count == 1
    replace_private(ledger, edited.encode())


def openssl_verify(
    folder: Path, leaf: Leaf, *, anchors: list[x509.Certificate], purpose: str, now: datetime
) -> subprocess.CompletedProcess[str]:
    """Let ``openssl verify`` judge a chain strictly, with ``anchors`` alone."""
    files = {"leaf.pem": [leaf.certificate], "chain.pem": leaf.chain, "anchors.pem": anchors}
    for name, certificates in files.items():
        (folder / name).write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))
    strict = ["-x509_strict", "-check_ss_sig", "-auth_level", "2", "-no-CApath", "-no-CAstore"]
    when = ["-purpose", purpose, "-attime", str(int(now.timestamp()))]
    trust = ["-CAfile", str(folder / "anchors.pem"), "-untrusted", str(folder / "chain.pem")]
    command = ["openssl", "verify", *strict, *when, *trust, str(folder / "leaf.pem")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
