"""age v1 files made and opened without the library that the product uses: a second reading of the specification.

Source: C2SP age (age-encryption.org/v1), X25519 recipients; RFC 7468 armour; BIP 173 Bech32. One recipient, one chunk
(64 KiB), which is all that an escrow needs.
"""

import base64
import hmac
import os
import textwrap
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BEGIN: Final = "-----BEGIN AGE ENCRYPTED FILE-----"
_END: Final = "-----END AGE ENCRYPTED FILE-----"
_LAST_CHUNK: Final = bytes(11) + b"\x01"


def key_bytes(text: str) -> bytes:
    """The 32 bytes of a recipient (``age1…``) or an identity (``AGE-SECRET-KEY-1…``); the checksum is not looked at."""
    digits = [_CHARSET.index(letter) for letter in text.lower().rpartition("1")[2][:-6]]
    bits = "".join(f"{digit:05b}" for digit in digits)
    return int(bits[:256], 2).to_bytes(32, "big")


def encrypt(plaintext: bytes, recipient: str) -> bytes:
    """Make an armoured file."""
    file_key, ephemeral = os.urandom(16), X25519PrivateKey.generate()
    theirs = X25519PublicKey.from_public_bytes(key_bytes(recipient))
    share = ephemeral.public_key().public_bytes_raw()
    wrap = _derive(ephemeral.exchange(theirs), share + theirs.public_bytes_raw(), b"age-encryption.org/v1/X25519")
    body = ChaCha20Poly1305(wrap).encrypt(bytes(12), file_key, None)
    head = f"age-encryption.org/v1\n-> X25519 {_base64(share)}\n{_base64(body)}\n---".encode()
    mac = hmac.digest(_derive(file_key, b"", b"header"), head, "sha256")
    nonce = os.urandom(16)
    payload = ChaCha20Poly1305(_derive(file_key, nonce, b"payload")).encrypt(_LAST_CHUNK, plaintext, None)
    return _armoured(head + b" " + _base64(mac).encode() + b"\n" + nonce + payload)


def decrypt(armoured: bytes, identity: str) -> bytes:
    """Open an armoured file; a wrong MAC, tag or form is an error of the library or an assertion."""
    content = _bare(armoured)
    head, _, rest = content.partition(b"\n---")
    line, _, payload = rest.partition(b"\n")
    secret = X25519PrivateKey.from_private_bytes(key_bytes(identity))
    mine = secret.public_key().public_bytes_raw()
    file_key = _unwrap(head.decode().split("\n"), secret, mine)
    mac = hmac.digest(_derive(file_key, b"", b"header"), head + b"\n---", "sha256")
    assert hmac.compare_digest(_base64(mac).encode(), line.strip())
    chunk = ChaCha20Poly1305(_derive(file_key, payload[:16], b"payload"))
    return chunk.decrypt(_LAST_CHUNK, payload[16:], None)


def _unwrap(lines: list[str], secret: X25519PrivateKey, mine: bytes) -> bytes:
    assert lines[0] == "age-encryption.org/v1"
    place = next(number for number, line in enumerate(lines) if line.startswith("-> X25519 "))
    share = base64.b64decode(lines[place].split()[2] + "=")
    exchanged = secret.exchange(X25519PublicKey.from_public_bytes(share))
    wrap = _derive(exchanged, share + mine, b"age-encryption.org/v1/X25519")
    return ChaCha20Poly1305(wrap).decrypt(bytes(12), base64.b64decode(lines[place + 1] + "="), None)


def _derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=salt, info=info).derive(secret)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode().rstrip("=")


def _armoured(content: bytes) -> bytes:
    lines = textwrap.wrap(base64.b64encode(content).decode(), 64)
    return "\n".join([_BEGIN, *lines, _END, ""]).encode()


def _bare(armoured: bytes) -> bytes:
    first, *lines, last = armoured.decode().split()[3:-3]
    assert (first, last) == (_BEGIN.split()[-1], _END.split()[0])
    return base64.b64decode("".join(lines))
