"""What tests of the TPM's anchor share: keys, boot states, anchors, and a look at what is left in the TPM."""

import socket
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from tpm2_pytss import (
    ESAPI,
    ESYS_TR,
    TPM2_ALG,
    TPM2_CAP,
    TPM2_SU,
    TPML_DIGEST_VALUES,
    TPMT_HA,
    TPMU_HA,
    TCTILdr,
    TSS2_Exception,
)

from appliance.ports import SecretBytes
from appliance.sealing import tpm_policy
from appliance.sealing.boot_state import BootState
from appliance.sealing.durable import SYSTEM_DISK, Disk
from appliance.sealing.tpm_policy import PrivateKey, Signer
from appliance.sealing.vtpm.connection import Tpm, connected
from appliance.sealing.vtpm.sealer import VtpmAnchor
from tests.support.fake_clock import FakeClock
from tests.support.swtpm import Swtpm, message

VENDOR: RSAPrivateKey = generate_rsa_key(65537, 2048)
FOREIGN: RSAPrivateKey = generate_rsa_key(65537, 2048)
RECOVERY: EllipticCurvePrivateKey = generate_ec_key(SECP256R1())
SECRET = SecretBytes(b"thirty-two bytes of a secret ...")
PURPOSE = "tenant-secret"
AT_POWER_ON = bytes(32)
"""What PCR 11 shows before anything is measured."""
_FLUSH_CONTEXT = bytes.fromhex("8001 0000000e 00000165")
"""TPM2_FlushContext (TPM 2.0 part 3, 28.4), but for the handle."""
PLAIN_BOOT = BootState(secure_boot=None, public_key=None, signatures=None)


def public_pem(key: PrivateKey) -> bytes:
    """The public half."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: PrivateKey) -> bytes:
    """The private half, without passphrase."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def signer(key: PrivateKey = RECOVERY) -> Signer:
    """What signs with a key, as the product reads it."""
    return tpm_policy.read_signer(private_pem(key))


def measured_boot(*values: bytes, key: RSAPrivateKey = VENDOR) -> BootState:
    """A boot with Secure Boot, and the vendor's signature for each value of PCR 11."""
    signatures = [tpm_policy.sign_pcr_policy(key, value) for value in values or (AT_POWER_ON,)]
    return BootState(secure_boot=True, public_key=public_pem(key), signatures=tpm_policy.write_signatures(signatures))


def anchor_in(
    folder: Path,
    tpm: Swtpm | str,
    *,
    boot: BootState = PLAIN_BOOT,
    recovery_key: bytes | None = None,
    disk: Disk = SYSTEM_DISK,
) -> VtpmAnchor:
    """The anchor in ``folder`` of a machine with this TPM."""
    tcti = tpm if isinstance(tpm, str) else tpm.tcti
    return VtpmAnchor(folder, tcti=tcti, boot=boot, clock=FakeClock(), recovery_key=recovery_key, disk=disk)


def extend(tpm: Tpm, value: bytes = b"\1" * 32, *, pcr: int = tpm_policy.KERNEL_PCR) -> bytes:
    """Measure something into a PCR; give what the PCR shows then."""
    digests = TPML_DIGEST_VALUES([TPMT_HA(hashAlg=TPM2_ALG.SHA256, digest=TPMU_HA(sha256=value))])
    tpm.esapi.pcr_extend(ESYS_TR(int(ESYS_TR.PCR0) + pcr), digests)
    return bytes(tpm.esapi.pcr_read(f"sha256:{pcr}")[2][0])


def on(tpm: Swtpm, work: Callable[[Tpm], object]) -> None:
    """Do something with the TPM in a conversation of its own."""
    with connected(tpm.tcti) as open_tpm:
        work(open_tpm)


def left_behind(tpm: Swtpm) -> list[int]:
    """The sessions and transient objects that are in the TPM while nobody talks to it."""
    handles = list[int]()
    with closing(TCTILdr.parse(tpm.tcti)) as way, closing(ESAPI(way)) as esapi:
        with suppress(TSS2_Exception):  # it was started before
            esapi.startup(TPM2_SU.CLEAR)
        for kind in (0x02000000, 0x03000000, 0x80000000):
            _, capability = esapi.get_capability(TPM2_CAP.HANDLES, kind, 64)
            found = capability.data.handles
            handles += [int(found[place]) for place in range(len(found))]
    return handles


def flush_left_behind(tpm: Swtpm) -> None:
    """Do what the kernel does when a program that used ``/dev/tpmrm0`` ends, however it ends."""
    left = left_behind(tpm)
    with socket.create_connection(("127.0.0.1", tpm.port)) as line:
        for handle in left:
            line.sendall(_FLUSH_CONTEXT + handle.to_bytes(4, "big"))
            message(line)
