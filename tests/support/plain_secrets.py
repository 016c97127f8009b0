"""Looks for secrets that lie in clear in a folder: as bytes, in hexadecimal digits, in base64 at any place of it."""

import base64
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from appliance.clock import SystemClock
from appliance.identity.file_identity import FileIdentityStore
from appliance.sealing.buffer_keys import BufferKeys
from appliance.sealing.secret_store import SecretStore
from appliance.sealing.tenant_key import load_tenant_key

_SHIFTS = (0, 1, 2)


def forms(secret: bytes) -> set[bytes]:
    """How the bytes may be written; of base64 the part that does not depend on what stands around them."""
    encoded = {base64.b64encode(bytes(shift) + secret)[4 if shift else 0 : -4] for shift in _SHIFTS}
    safe = {text.translate(bytes.maketrans(b"+/", b"-_")) for text in encoded}
    return {secret, secret.hex().encode(), secret.hex().upper().encode()} | encoded | safe


def secrets_of(store: SecretStore) -> dict[str, bytes]:
    """What an appliance keeps: the tenant's secret, the buffer's keys, the number that is the machine's TLS key."""
    identity = FileIdentityStore(store, SystemClock()).load()
    key = load_pem_private_key(identity.private_key.reveal(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    number = key.private_numbers().private_value.to_bytes(32, "big")
    masters = BufferKeys(store, SystemClock()).masters()
    return {"tenant secret": load_tenant_key(store).tenant_secret, "machine key": number} | {
        f"buffer key {version}": master.reveal() for version, master in masters.items()
    }


def found_in(folder: Path, secrets: Mapping[str, bytes]) -> set[tuple[str, str]]:
    """Which secret lies in which file below ``folder``; there must be files."""
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files
    return {
        (name, str(path.relative_to(folder)))
        for name, secret in secrets.items()
        for path, content in files.items()
        if any(form in content for form in forms(secret))
    }
