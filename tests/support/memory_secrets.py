"""Secrets in a dictionary: sealed by nothing, cut off or failing where a test says so."""

from appliance.errors import SealDiskError, SealedSecretMissingError, SealingError
from appliance.ports import SecretBytes


class MemorySecrets:
    """Implements ``appliance.ports.Secrets``; names in ``broken`` do not open, for the error given there."""

    def __init__(self) -> None:
        self.kept: dict[str, SecretBytes] = {}
        self.broken: dict[str, SealingError] = {}
        self.full = False

    def get(self, name: str) -> SecretBytes:
        """Give one."""
        if name in self.broken:
            raise self.broken[name]
        if name not in self.kept:
            raise SealedSecretMissingError(name)
        return self.kept[name]

    def put(self, name: str, secret: SecretBytes) -> None:
        """Keep one."""
        if self.full:
            raise SealDiskError(name)
        self.broken.pop(name, None)
        self.kept[name] = secret

    def discard(self, name: str) -> None:
        """Forget one."""
        self.kept.pop(name, None)
