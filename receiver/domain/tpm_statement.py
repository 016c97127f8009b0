"""What a TPM states and signs: TPMS_ATTEST (TPM 2.0 part 2, 10.12) with its TPMT_SIGNATURE (11.3.4).

Rules, in this order: the statement reads to its last byte; a TPM made it (its magic: a restricted key signs nothing
else that begins so); it is of the kind that was asked for; the attestation key signed it, and says so; its extraData
is what it was to be bound to. What is stated is then read by ``quote``, ``counter`` and ``certified``.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from msgspec import Struct

from receiver.domain.tpm_marshalling import TpmReader, refused
from receiver.domain.tpm_public import COUNTER_BYTES, AttestationKey, counter_name

_MAGIC: Final = bytes.fromhex("ff544347")
_NV: Final = bytes.fromhex("8014")
_CERTIFY: Final = bytes.fromhex("8017")
_QUOTE: Final = bytes.fromhex("8018")
_ECDSA_SHA256: Final = bytes.fromhex("0018 000b")
_PCR_7_AND_11: Final = bytes.fromhex("00000001 000b 03 800800")
"""TPML_PCR_SELECTION: one bank, SHA-256."""
_NAME_BYTES: Final = 34
_DIGEST_BYTES: Final = 32
_DATA_BYTES: Final = 64


class Moment(Struct, frozen=True):
    """When it was stated, by the TPM's own count (TPMS_CLOCK_INFO, part 2, 10.11.1), and by which firmware."""

    clock: int
    """Milliseconds that the TPM was on, since it was last cleared."""
    reset_count: int
    restart_count: int
    """Since the last reset."""
    safe: bool
    """No greater ``clock`` was stated before."""
    firmware_version: int


class SignedStatement(Struct, frozen=True):
    """A TPMS_ATTEST and its TPMT_SIGNATURE, as they came; ``what`` names it in a refusal."""

    statement: bytes
    signature: bytes
    what: str


class Trust(Struct, frozen=True):
    """What each statement must show: whose it is, and what it is bound to."""

    key: AttestationKey
    binding: bytes


def quote(signed: SignedStatement, trust: Trust) -> tuple[Moment, bytes]:
    """Read a TPM2_Quote over PCR 7 and 11 of the SHA-256 bank: when, and the digest of both.

    Raises:
        ProblemError: ``evidence_invalid``.
    """
    reader, moment = _proven(signed, trust, _QUOTE)
    if reader.take(len(_PCR_7_AND_11)) != _PCR_7_AND_11:
        raise refused("the quote is not over PCR 7 and 11 of the SHA-256 bank")
    digest = reader.sized(most=_DIGEST_BYTES)
    reader.end()
    return moment, digest


def counter(signed: SignedStatement, trust: Trust) -> tuple[Moment, int]:
    """Read a TPM2_NV_Certify over the whole counter: when, and how far it had counted. Raises as ``quote``."""
    reader, moment = _proven(signed, trust, _NV)
    name, offset, content = reader.sized(most=_NAME_BYTES), reader.number(2), reader.sized(most=COUNTER_BYTES)
    reader.end()
    if name != counter_name():
        raise refused("the counter is not the one that evidence is made with")
    if offset != 0 or len(content) != COUNTER_BYTES:
        raise refused("the counter is not shown whole")
    return moment, int.from_bytes(content, "big")


def certified(signed: SignedStatement, trust: Trust) -> tuple[Moment, bytes]:
    """Read a TPM2_Certify: when, and the Name of the key that is in the TPM. Raises as ``quote``."""
    reader, moment = _proven(signed, trust, _CERTIFY)
    name = reader.sized(most=_NAME_BYTES)
    reader.sized(most=_NAME_BYTES)
    reader.end()
    return moment, name


def _proven(signed: SignedStatement, trust: Trust, kind: bytes) -> tuple[TpmReader, Moment]:
    """A reader that stands at what is stated."""
    reader = TpmReader(signed.statement, signed.what)
    if reader.take(len(_MAGIC)) != _MAGIC or reader.take(len(kind)) != kind:
        raise refused(f"the {signed.what} is no such statement of a TPM")
    signer, bound_to = reader.sized(most=_NAME_BYTES), reader.sized(most=_DATA_BYTES)
    moment = Moment(reader.number(8), reader.number(4), reader.number(4), _flag(reader), reader.number(8))
    _check_signature(signed, trust.key.key)
    if signer != trust.key.qualified_name:
        raise refused(f"the {signed.what} names another key than the attestation key as its signer")
    if bound_to != trust.binding:
        raise refused(f"the {signed.what} was made for another key or another occasion")
    return reader, moment


def _flag(reader: TpmReader) -> bool:
    """TPMI_YES_NO (part 2, 9.2)."""
    value = reader.number(1)
    if value > 1:
        raise reader.malformed()
    return value == 1


def _check_signature(signed: SignedStatement, key: ec.EllipticCurvePublicKey) -> None:
    reader = TpmReader(signed.signature, f"signature of the {signed.what}")
    if reader.take(len(_ECDSA_SHA256)) != _ECDSA_SHA256:
        raise refused(f"the {signed.what} is not signed by ECDSA with SHA-256")
    r, s = (int.from_bytes(reader.sized(most=_DIGEST_BYTES), "big") for _ in range(2))
    reader.end()
    try:
        key.verify(encode_dss_signature(r, s), signed.statement, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise refused(f"the {signed.what} is not signed by the attestation key") from None
