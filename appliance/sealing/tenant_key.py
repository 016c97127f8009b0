"""The secret that all pseudonyms of a tenant are made with, and its version: kept once, never replaced.

Another secret under the same tenant would cut the pseudonyms off from their past, so whoever brings one (enrollment,
``restore``) learns of the one that is there by an error.
"""

import os
from contextlib import suppress
from typing import Final

import msgspec

from appliance.errors import SealedBlobFormatError, SealedSecretMissingError, TenantSecretConflictError
from appliance.ports import SecretBytes
from appliance.sealing.secret_store import SecretStore
from appliance.wire.enrollment import TENANT_SECRET_BYTES, TenantSecrets

TENANT_KEY: Final = "tenant-secret"
FIRST_VERSION: Final = 1


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


def load_or_create_tenant_key(store: SecretStore) -> TenantSecrets:
    """Open it; make a random one at its first use, where none was brought.

    Raises:
        SealingError: it does not open, or cannot be kept.
    """
    with suppress(SealedSecretMissingError):
        return load_tenant_key(store)
    with suppress(FileExistsError):  # another process was faster: that one's counts
        _create(store, TenantSecrets(FIRST_VERSION, os.urandom(TENANT_SECRET_BYTES)))
    return load_tenant_key(store)


def install_tenant_key(store: SecretStore, brought: TenantSecrets) -> None:
    """Keep a secret that was brought, if none or the same one is kept.

    Raises:
        TenantSecretConflictError: another one, or another version of it, is kept; it was not touched.
        SealingError: the one that is kept does not open, or the new one cannot be kept.
    """
    try:
        _create(store, brought)
    except FileExistsError:
        if load_tenant_key(store) != brought:
            raise TenantSecretConflictError("another tenant secret is in use on this machine") from None


def _create(store: SecretStore, key: TenantSecrets) -> None:
    store.create(TENANT_KEY, SecretBytes(msgspec.json.encode(key)))
