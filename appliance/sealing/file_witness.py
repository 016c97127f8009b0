"""A machine without a TPM: it has nothing to show, and opens a challenge by a key that lives as long as the process.

The challenge ties the answer to whoever asked for it. That it is this machine, nothing here says.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from appliance.errors import WrongMachineError
from appliance.ports import SecretBytes
from appliance.wire.batch import KeyProtection
from appliance.wire.enrollment import FileEvidence, HpkeChallenge, TpmChallenge, transport_info

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class FileWitness:
    """Implements ``ports.MachineWitness``."""

    key_protection: Final = KeyProtection.FILE

    def __init__(self) -> None:
        """Make the key; it is never written anywhere, so an enrollment ends in the process that began it."""
        self._key = X25519PrivateKey.generate()
        self.transport_key: Final = self._key.public_key().public_bytes_raw()

    def evidence(self, *, public_key: bytes, occasion: bytes, tpm_key: bytes | None = None) -> FileEvidence:
        """Say that there is nothing to show."""
        del public_key, occasion, tpm_key
        return FileEvidence()

    def open_challenge(self, challenge: TpmChallenge | HpkeChallenge, *, enrollment: str) -> SecretBytes:
        """Open what the receiver sealed to ``transport_key`` for ``enrollment``.

        Raises:
            WrongMachineError: it was made for another key, another enrollment or a TPM, or was altered.
        """
        if isinstance(challenge, TpmChallenge):
            raise WrongMachineError("the challenge is one for a TPM")
        try:
            return SecretBytes(_SUITE.decrypt(challenge.ciphertext, self._key, transport_info(enrollment)))
        except InvalidTag:
            raise WrongMachineError("the challenge was not made for this machine, or was altered") from None
