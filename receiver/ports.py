"""The seams of the use cases: time, and the keys that never leave their keeper."""

from datetime import datetime
from typing import Protocol

from cryptography import x509


class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        ...


class CertificateAuthority(Protocol):
    """Keeps the issuing key and signs with it."""

    @property
    def anchors(self) -> list[x509.Certificate]:
        """All roots that are announced and trusted, newest last."""
        ...

    @property
    def issuing(self) -> x509.Certificate:
        """The certificate that issues leaves."""
        ...

    @property
    def chain(self) -> list[x509.Certificate]:
        """What is sent behind a leaf: ``issuing``, then what leads a peer that knows an older root to its own."""
        ...

    @property
    def published(self) -> list[x509.Certificate]:
        """What machines may know: ``anchors``, their issuing certificates, and the cross-certificates between."""
        ...

    def sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a certificate whose issuer is ``issuing``."""
        ...


class KeyWrapper(Protocol):
    """Encrypts small secrets under a key that never leaves its keeper."""

    def wrap(self, secret: bytes, *, context: bytes) -> bytes:
        """Encrypt ``secret``; ``context`` says whose and what it is, and is authenticated, not stored."""
        ...

    def unwrap(self, blob: bytes, *, context: bytes) -> bytes:
        """Give the secret back.

        Raises:
            WrappedSecretError: ``blob`` is damaged, or was wrapped for another context or under another key.
        """
        ...
