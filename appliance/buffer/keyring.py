"""The keys of one buffer: master keys by version, and the epoch keys derived from them.

A new version is taken into use with a new epoch; what was sealed before stays readable until it was delivered or sealed
anew, and only then may the older version be destroyed.
"""

from collections.abc import Mapping

from appliance.buffer.ledger import EpochRow
from appliance.buffer.sealed_blob import EpochKey
from appliance.errors import BufferTamperError
from appliance.ports import SecretBytes


class Keyring:
    """Derives each epoch's key once."""

    __slots__ = ("_appliance", "_keys", "_masters", "_tenant")

    def __init__(self, masters: Mapping[int, SecretBytes], *, tenant: str, appliance: str) -> None:
        """Take the master keys by version; the highest is the one in use."""
        self._masters = dict(masters)
        self._tenant = tenant
        self._appliance = appliance
        self._keys: dict[int, EpochKey] = {}

    @property
    def current(self) -> int:
        """The version that new epochs are opened under."""
        return max(self._masters)

    @property
    def versions(self) -> set[int]:
        """The versions that are known."""
        return set(self._masters)

    def add(self, version: int, master: SecretBytes) -> None:
        """Take a newer version into use."""
        self._masters[version] = master

    def drop(self, version: int) -> None:
        """Forget a version that nothing is sealed under any more."""
        self._masters.pop(version, None)

    def key(self, row: EpochRow | None) -> EpochKey:
        """Give an epoch's key.

        Raises:
            BufferTamperError: the epoch, or the version of its master key, is not known here.
        """
        if row is None or row.key_version not in self._masters:
            raise BufferTamperError("the key of a stored blob is unknown")
        key = self._keys.get(row.epoch)
        if key is None:
            master = self._masters[row.key_version]
            key = EpochKey(master, salt=row.salt, tenant=self._tenant, appliance=self._appliance)
            self._keys[row.epoch] = key
        return key

    def forget_after(self, epoch: int) -> None:
        """Drop the keys of epochs after ``epoch``: their salts were rolled back and never stored."""
        self._keys = {known: key for known, key in self._keys.items() if known <= epoch}
