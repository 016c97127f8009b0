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
    def root(self) -> x509.Certificate:
        """The trust anchor."""
        ...

    @property
    def issuing(self) -> x509.Certificate:
        """The certificate that issues leaves, signed by the root."""
        ...

    def sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a certificate whose issuer is ``issuing``."""
        ...
