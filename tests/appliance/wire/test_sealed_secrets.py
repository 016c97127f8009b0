"""Opening what an enrollment brings; sealed here as the contract says, not by the receiver's code."""

import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.wire.codec import WireError
from appliance.wire.enrollment import TenantSecrets, seal_key
from appliance.wire.sealed_secrets import open_tenant_secrets

TRANSPORT = bytes(range(32))
ENROLLMENT = "0123456789abcdef" * 4
TEXT = b'{"type":"tenant_secrets.v1","key_version":3,"tenant_secret":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}'


def sealed(text: bytes = TEXT, *, transport: bytes = TRANSPORT, enrollment: str = ENROLLMENT) -> bytes:
    """12 bytes of nonce, then AES-256-GCM with the enrollment as AAD."""
    nonce = os.urandom(12)
    return nonce + AESGCM(seal_key(transport)).encrypt(nonce, text, enrollment.encode())


def opened(content: bytes) -> TenantSecrets:
    """Open with the right secret for the right enrollment."""
    return open_tenant_secrets(content, transport_secret=TRANSPORT, enrollment=ENROLLMENT)


def test_what_was_sealed_opens() -> None:
    """Version and secret."""
    assert opened(sealed()) == TenantSecrets(3, bytes(range(32)))


@pytest.mark.parametrize("place", [0, 11, 12, 40, -1], ids=["nonce", "nonce's end", "text", "middle", "tag"])
def test_an_altered_byte_is_noticed(place: int) -> None:
    """In each part."""
    content = bytearray(sealed())
    content[place] ^= 1
    with pytest.raises(WireError, match="do not open"):
        opened(bytes(content))


def test_what_is_for_another_machine_or_enrollment_does_not_open() -> None:
    """Another transport secret, another enrollment."""
    for content in (sealed(transport=bytes(32)), sealed(enrollment="0" * 64)):
        with pytest.raises(WireError, match="do not open"):
            opened(content)


@pytest.mark.parametrize(
    "text", [b"", b"{}", TEXT[:-1], TEXT.replace(b"AAEC", b"AA")], ids=["none", "{}", "cut", "short"]
)
def test_what_opens_must_be_a_tenant_secret(text: bytes) -> None:
    """The message holds nothing of it."""
    with pytest.raises(WireError) as caught:
        opened(sealed(text))
    assert "AwQF" not in str(caught.value)
