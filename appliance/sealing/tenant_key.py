"""The secret that all pseudonyms of a tenant are made with, and its version: kept once, never replaced.

Another secret under the same tenant would cut the pseudonyms off from their past, so whoever brings one (enrollment,
``restore``) learns of the one that is there by an error.

One that an enrollment brought is provisional until that enrollment has its certificate: nothing was made with it yet,
so where a power cut ended the enrollment there, another may take its place.
"""

from contextlib import suppress
from typing import Final

import msgspec

from appliance.errors import SealedBlobFormatError, SealedSecretMissingError, TenantSecretConflictError
from appliance.ports import SecretBytes
from appliance.sealing.secret_store import SecretStore
from appliance.wire.enrollment import TENANT_SECRET_BYTES, TenantSecrets

TENANT_KEY: Final = "tenant-secret"
PROVISIONAL: Final = "tenant-secret-provisional"
"""Holds the same as ``TENANT_KEY`` while that is provisional."""
FIRST_VERSION: Final = 1


class TenantKeyStore:
    """Implements ``machine_ports.TenantKeyStore``: the door for an enrollment."""

    def __init__(self, store: SecretStore) -> None:
        """Keep the tenant secret in ``store``."""
        self._store = store

    def is_kept(self) -> bool:
        """Whether there is one.

        Raises:
            SealingError: it does not open.
        """
        try:
            load_tenant_key(self._store)
        except SealedSecretMissingError:
            return False
        return True

    def require_room(self, brought: TenantSecrets) -> None:
        """Refuse ``brought`` if another one is in use; nothing is changed.

        Raises:
            TenantSecretConflictError: it is.
            SealingError: the one that is kept does not open.
        """
        _find_or_refuse(self._store, brought)

    def install(self, brought: TenantSecrets) -> None:
        """Keep ``brought``, provisionally if none was kept. Raises as ``require_room``, or it cannot be kept."""
        install_tenant_key(self._store, brought, provisional=True)

    def settle(self) -> None:
        """The enrollment is complete: what is kept stays. Raises ``SealingError``."""
        self._store.discard(PROVISIONAL)


def load_tenant_key(store: SecretStore) -> TenantSecrets:
    """Open it.

    Raises:
        SealedSecretMissingError: there is none yet.
        SealedBlobFormatError: what was sealed is not of a version that this release reads.
        SealingError: it does not open.
    """
    kept = store.get(TENANT_KEY).reveal()
    if len(kept) == TENANT_SECRET_BYTES:  # as it was kept before it had a version
        return TenantSecrets(FIRST_VERSION, kept)
    try:
        return msgspec.json.decode(kept, type=TenantSecrets)
    except msgspec.MsgspecError:
        raise SealedBlobFormatError("the tenant secret is not of a version that this release reads") from None


def install_tenant_key(store: SecretStore, brought: TenantSecrets, *, provisional: bool = False) -> None:
    """Keep a secret that was brought, if none, a provisional one or the same one is kept.

    Raises:
        TenantSecretConflictError: another one, or another version of it, is in use; it was not touched.
        SealingError: the one that is kept does not open, or the new one cannot be kept.
    """
    if _find_or_refuse(store, brought) != brought:
        store.discard(TENANT_KEY)
        if provisional:
            store.put(PROVISIONAL, SecretBytes(msgspec.json.encode(brought)))
        with suppress(FileExistsError):  # another process was faster: that one's counts
            _create(store, brought)
        _find_or_refuse(store, brought)
    if not provisional:
        store.discard(PROVISIONAL)


def _find_or_refuse(store: SecretStore, brought: TenantSecrets) -> TenantSecrets | None:
    """The secret that is kept, which ``brought`` must not differ from unless it is provisional."""
    try:
        kept = load_tenant_key(store)
    except SealedSecretMissingError:
        return None
    if kept != brought and not _is_provisional(store, kept):
        raise TenantSecretConflictError("another tenant secret is in use on this machine")
    return kept


def _is_provisional(store: SecretStore, kept: TenantSecrets) -> bool:
    try:
        return msgspec.json.decode(store.get(PROVISIONAL).reveal(), type=TenantSecrets) == kept
    except SealedSecretMissingError:
        return False


def _create(store: SecretStore, key: TenantSecrets) -> None:
    store.create(TENANT_KEY, SecretBytes(msgspec.json.encode(key)))
