"""TPM2_MakeCredential in plain Python (TPM 2.0 part 1, 24), so that the receiver needs no TPM and no TSS.

The endorsement key opens it only beside the key of the given Name: whoever answers has both in one TPM. Algorithms
are those of the endorsement key's template: OAEP or ECDH (part 1, B.10.4 and C.6), AES in CFB, HMAC by its nameAlg.
"""

import hmac
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from appliance.wire.enrollment import TRANSPORT_SECRET_BYTES, TpmChallenge
from receiver.domain.tpm_marshalling import sized
from receiver.domain.tpm_public import EndorsementKey

_IDENTITY: Final = b"IDENTITY\0"
_NO_IV: Final = bytes(16)
"""As part 1, 24.4 says: the key is used once."""


def make_credential(
    endorsement: EndorsementKey, *, name: bytes, secret: bytes, random: Callable[[int], bytes]
) -> TpmChallenge:
    """Seal ``secret`` to the TPM of ``endorsement``, on the condition that it also holds the key of ``name``.

    Args:
        endorsement: from verified evidence.
        name: the attestation key's Name.
        secret: ``TRANSPORT_SECRET_BYTES`` bytes.
        random: gives so many random bytes.
    """
    if len(secret) != TRANSPORT_SECRET_BYTES:
        raise ValueError("a transport secret has 32 bytes")
    seed, sealed_seed = _seed(endorsement, random)
    cipher = Cipher(AES(_kdfa(endorsement, seed, b"STORAGE", name, endorsement.symmetric_bits // 8)), CFB(_NO_IV))
    encryptor = cipher.encryptor()
    sealed = encryptor.update(sized(secret)) + encryptor.finalize()
    integrity = _kdfa(endorsement, seed, b"INTEGRITY", b"", endorsement.hash.digest_size)
    return TpmChallenge(
        credential=sized(hmac.digest(integrity, sealed + name, endorsement.hash.name)) + sealed,
        secret=sealed_seed,
    )


def _seed(endorsement: EndorsementKey, random: Callable[[int], bytes]) -> tuple[bytes, bytes]:
    """A fresh seed, and what only the endorsement key gets it from."""
    key, algorithm = endorsement.key, endorsement.hash
    if isinstance(key, rsa.RSAPublicKey):
        seed = random(algorithm.digest_size)
        return seed, key.encrypt(seed, padding.OAEP(padding.MGF1(algorithm), algorithm, _IDENTITY))
    ephemeral = ec.generate_private_key(key.curve)
    x, y = _coordinates(ephemeral.public_key())
    parties = _IDENTITY + x + _coordinates(key)[0]
    # KDFe (part 1, 11.4.10.3) is the concatenation KDF of NIST SP 800-56A.
    seed = ConcatKDFHash(algorithm, algorithm.digest_size, parties).derive(ephemeral.exchange(ec.ECDH(), key))
    return seed, sized(x) + sized(y)


def _kdfa(endorsement: EndorsementKey, seed: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """KDFa (part 1, 11.4.10.2): NIST SP 800-108 in counter mode, HMAC, both numbers of 32 bits."""
    return KBKDFHMAC(
        endorsement.hash,
        Mode.CounterMode,
        length,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=label,
        context=context,
        fixed=None,
    ).derive(seed)


def _coordinates(key: ec.EllipticCurvePublicKey) -> tuple[bytes, bytes]:
    size, numbers = (key.curve.key_size + 7) // 8, key.public_numbers()
    return numbers.x.to_bytes(size, "big"), numbers.y.to_bytes(size, "big")
