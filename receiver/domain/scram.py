"""The SCRAM-SHA-256 verifier of a password (RFC 5802, RFC 7677), as PostgreSQL stores it.

Setting a verifier instead of a password keeps the password out of statements and of the server's log.
"""

import base64
import hashlib
import hmac
from typing import Final

ITERATIONS: Final = 4096
"""RFC 7677's minimum and PostgreSQL's default; the passwords are random, 256 bits."""


def verifier(password: str, *, salt: bytes) -> str:
    """Give ``SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>``."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(part).decode("ascii") for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"
