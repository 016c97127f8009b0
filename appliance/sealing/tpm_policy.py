"""TPM policies, computed in plain Python: what a policy session of a TPM arrives at, with no TPM.

For: the image build, which signs the PCR values of a release; the sealer, which must know a policy's digest before it
seals; checks, which compute it a second time. SHA-256 throughout. Source: TPM 2.0 part 1, 16 (Names) and 19.7
(policies), part 3, 23 (one section a command), numbers of part 2, 6. Signatures of PCR policies have the form of
systemd-measure(1), RSA-2048 and PKCS #1 v1.5, which is all that systemd 252 takes.

Not here: whether a policy holds on this machine. Only its TPM says so (``vtpm``).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from msgspec import Meta, Struct

from appliance.errors import PolicyKeyError, TpmPolicyError

DIGEST_BYTES: Final = 32
NAME_BYTES: Final = 34
EMPTY: Final = bytes(DIGEST_BYTES)
"""Where a policy session starts."""
KERNEL_PCR: Final = 11
"""What the kernel image measures of itself (UAPI group, Linux TPM PCR registry)."""
RECOVERY_REF: Final = b"natalia/recovery/v1"
"""policyRef of the recovery branch: a signature of the same key for something else does not open it."""
_SHA256: Final = 0x000B
_RSA: Final = 0x0001
_ECC: Final = 0x0023
_NULL: Final = 0x0010
_RSASSA: Final = 0x0014
_ECDSA: Final = 0x0018
_P256: Final = 0x0003
_RSA_BITS: Final = 2048
_RSA_EXPONENT: Final = 65537
_KEYED_HASH: Final = 0x0008
_SEALED_ATTRIBUTES: Final = 0x00000492
"""TPMA_OBJECT: fixedTPM, fixedParent, adminWithPolicy, noDA."""
_KEY_ATTRIBUTES: Final = 0x00040040
"""TPMA_OBJECT: sign, userWithAuth."""
_POLICY_NV: Final = 0x149
_POLICY_SIGNED: Final = 0x160
_POLICY_AUTHORIZE: Final = 0x16A
_POLICY_OR: Final = 0x171
_POLICY_PCR: Final = 0x17F
_PCR_SELECT_BYTES: Final = 3

PublicKey = RSAPublicKey | EllipticCurvePublicKey
PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey
Signer = Callable[[bytes], bytes]
"""Signs with SHA-256: PKCS #1 v1.5 of RSA, or ECDSA as DER."""
_Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class PcrSignature(Struct, frozen=True):
    """The vendor's signature of one set of PCR values; fields as systemd-measure(1) names them."""

    pcrs: list[int]
    pkfp: _Hex
    """SHA-256 of the public key, PKCS #1 DER."""
    pol: _Hex
    """What TPM2_PolicyPCR arrives at under these values."""
    sig: bytes


class _SignatureFile(Struct, frozen=True):
    sha256: list[PcrSignature] = []


def policy_pcr(values: Mapping[int, bytes], *, before: bytes = EMPTY) -> bytes:
    """TPM2_PolicyPCR (part 3, 23.7) for PCRs of the SHA-256 bank, by number."""
    digest = hashlib.sha256(b"".join(values[number] for number in sorted(values))).digest()
    return _extended(before, _POLICY_PCR, pcr_selection(values), digest)


def policy_authorize(key_name: bytes, *, ref: bytes = b"") -> bytes:
    """TPM2_PolicyAuthorize (part 3, 23.16); it forgets what was before."""
    return _with_ref(EMPTY, _POLICY_AUTHORIZE, key_name, ref)


def policy_signed(key_name: bytes, *, ref: bytes = b"", before: bytes = EMPTY) -> bytes:
    """TPM2_PolicySigned (part 3, 23.3)."""
    return _with_ref(before, _POLICY_SIGNED, key_name, ref)


def policy_counter(index_name: bytes, value: int, *, before: bytes = EMPTY) -> bytes:
    """TPM2_PolicyNV (part 3, 23.9): a counter's 8 bytes equal ``value``."""
    compared = hashlib.sha256(counter_bytes(value) + _number(0) + _number(0)).digest()
    return _extended(before, _POLICY_NV, compared, index_name)


def policy_or(branches: Sequence[bytes]) -> bytes:
    """TPM2_PolicyOR (part 3, 23.6) of 2 to 8 branches; it forgets what was before."""
    return _extended(EMPTY, _POLICY_OR, *branches)


def pcr_selection(pcrs: Mapping[int, bytes] | Sequence[int]) -> bytes:
    """TPML_PCR_SELECTION (part 2, 10.9.7) of one bank, SHA-256."""
    bits = sum(1 << number for number in pcrs).to_bytes(_PCR_SELECT_BYTES, "little")
    return (1).to_bytes(4, "big") + _number(_SHA256) + bytes([_PCR_SELECT_BYTES]) + bits


def counter_bytes(value: int) -> bytes:
    """A counter's value as the TPM compares it."""
    return value.to_bytes(8, "big")


def index_name(index: int, attributes: int, *, size: int) -> bytes:
    """The Name of an NV index without policy (part 1, 16; part 2, 13.6 and 13.7)."""
    return _name(
        index.to_bytes(4, "big") + _number(_SHA256) + attributes.to_bytes(4, "big") + _number(0) + _number(size)
    )


def public_area(key: PublicKey) -> bytes:
    """The TPMT_PUBLIC (part 2, 12.2.4) under which a foreign key is loaded to verify with.

    Raises:
        PolicyKeyError: neither RSA-2048 nor P-256.
    """
    start = _number(_SHA256) + _KEY_ATTRIBUTES.to_bytes(4, "big") + _number(0)
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        point = key.public_numbers()
        parameters = _number(_NULL) + _number(_NULL) + _number(_P256) + _number(_NULL)
        return _number(_ECC) + start + parameters + _sized(_coordinate(point.x)) + _sized(_coordinate(point.y))
    if isinstance(key, RSAPublicKey) and key.key_size == _RSA_BITS and key.public_numbers().e == _RSA_EXPONENT:
        parameters = _number(_NULL) + _number(_NULL) + _number(_RSA_BITS) + bytes(4)
        modulus = key.public_numbers().n.to_bytes(_RSA_BITS // 8, "big")
        return _number(_RSA) + start + parameters + _sized(modulus)
    raise PolicyKeyError("a key of this kind or length cannot stand in a policy")


def key_name(key: PublicKey) -> bytes:
    """The Name of a foreign key. Raises as ``public_area``."""
    return _name(public_area(key))


def sealed_area(policy: bytes) -> bytes:
    """How the TPMT_PUBLIC of a sealed object starts that opens under ``policy`` alone; 32 bytes of its own follow.

    KEYEDHASH without scheme; adminWithPolicy and no userWithAuth, so there is no password; noDA, so that no use of it
    and no power cut counts against the lockout.
    """
    return (
        _number(_KEYED_HASH)
        + _number(_SHA256)
        + _SEALED_ATTRIBUTES.to_bytes(4, "big")
        + _sized(policy)
        + _number(_NULL)
        + _number(DIGEST_BYTES)
    )


def signature_area(key: PublicKey, signature: bytes) -> bytes:
    """The TPMT_SIGNATURE (part 2, 11.3.4) of a signature that a ``Signer`` gave.

    Raises:
        ValueError: no signature of that kind of key.
    """
    if isinstance(key, RSAPublicKey):
        if len(signature) != _RSA_BITS // 8:
            raise ValueError("an RSA signature is as long as its key")
        return _number(_RSASSA) + _number(_SHA256) + _sized(signature)
    r, s = decode_dss_signature(signature)
    if max(r, s).bit_length() > DIGEST_BYTES * 8:
        raise ValueError("a number of an ECDSA signature is longer than its curve")
    return _number(_ECDSA) + _number(_SHA256) + _sized(_coordinate(r)) + _sized(_coordinate(s))


def recovery_message(nonce: bytes) -> bytes:
    """What the recovery key signs for one session (part 3, 23.3): its nonce, no expiry, any command, our reference."""
    return nonce + bytes(4) + RECOVERY_REF


def read_public_key(pem: bytes) -> PublicKey:
    """Read the key of a policy.

    Raises:
        PolicyKeyError: not the PEM of a public key, RSA-2048 or P-256.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise PolicyKeyError("not a public key as PEM") from None
    if not isinstance(key, PublicKey):
        raise PolicyKeyError("a key of this kind cannot stand in a policy")
    public_area(key)
    return key


def read_signer(pem: bytes) -> Signer:
    """Read the private half of a policy's key, to sign with.

    Raises:
        PolicyKeyError: not the PEM of a private key without passphrase, RSA-2048 or P-256.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise PolicyKeyError("not a private key as PEM without a passphrase") from None
    if not isinstance(key, PrivateKey):
        raise PolicyKeyError("a key of this kind cannot stand in a policy")
    public_area(key.public_key())
    if isinstance(key, RSAPrivateKey):
        return lambda message: key.sign(message, PKCS1v15(), SHA256())
    return lambda message: key.sign(message, ECDSA(SHA256()))


def fingerprint(key: RSAPublicKey) -> str:
    """How systemd-measure(1) names the vendor's key: SHA-256 of its PKCS #1 DER, in hex."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.PKCS1)).hexdigest()


def sign_pcr_policy(key: RSAPrivateKey, value: bytes) -> PcrSignature:
    """Sign the value that PCR 11 has after a release was booted.

    Args:
        key: the vendor's, RSA-2048.
        value: 32 bytes, SHA-256 bank.
    """
    policy = policy_pcr({KERNEL_PCR: value})
    signature = key.sign(policy, PKCS1v15(), SHA256())
    return PcrSignature([KERNEL_PCR], fingerprint(key.public_key()), policy.hex(), signature)


def write_signatures(signatures: Sequence[PcrSignature]) -> bytes:
    """The file as systemd-stub(7) carries it: ``tpm2-pcr-signature.json``."""
    return msgspec.json.encode(_SignatureFile(list(signatures)))


def read_signatures(content: bytes) -> list[PcrSignature]:
    """The signatures for the SHA-256 bank; those for other banks are passed over.

    Raises:
        TpmPolicyError: not such a file.
    """
    try:
        return msgspec.json.decode(content, type=_SignatureFile).sha256
    except (ValueError, RecursionError):
        raise TpmPolicyError("the file of PCR signatures is damaged") from None


def _extended(before: bytes, command: int, *parts: bytes) -> bytes:
    return hashlib.sha256(before + command.to_bytes(4, "big") + b"".join(parts)).digest()


def _with_ref(before: bytes, command: int, name: bytes, ref: bytes) -> bytes:
    """PolicyUpdate (part 3, 23.2.3): the reference is hashed in, also when it is empty."""
    return hashlib.sha256(_extended(before, command, name) + ref).digest()


def _name(public: bytes) -> bytes:
    return _number(_SHA256) + hashlib.sha256(public).digest()


def _number(value: int) -> bytes:
    return value.to_bytes(2, "big")


def _sized(part: bytes) -> bytes:
    return _number(len(part)) + part


def _coordinate(value: int) -> bytes:
    return value.to_bytes(32, "big")
