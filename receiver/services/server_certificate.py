"""Keep the receiver's own server certificate fit."""

from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from receiver.domain.certificate_profile import general_name, server_builder
from receiver.kms.local_authority import key_to_pem, write_private
from receiver.ports import CertificateAuthority, Clock
from receiver.settings import Settings, StateFolder

_RENEW_BEFORE: Final = timedelta(days=120)
"""A third of its lifetime; checked at every start of the service."""


def ensure_server_certificate(
    state: StateFolder, *, settings: Settings, authority: CertificateAuthority, clock: Clock
) -> None:
    """Issue a server certificate where there is none, it ends soon, or it bears other names than the settings."""
    if _is_fit(state, settings=settings, authority=authority, clock=clock):
        return
    key = ec.generate_private_key(ec.SECP256R1())
    builder = server_builder(key.public_key(), hosts=list(settings.hosts), issuer=authority.issuing, now=clock.now())
    chain = authority.sign(builder).public_bytes(Encoding.PEM) + authority.issuing.public_bytes(Encoding.PEM)
    write_private(state.server_key, key_to_pem(key))
    state.server_certificate.write_bytes(chain)


def _is_fit(state: StateFolder, *, settings: Settings, authority: CertificateAuthority, clock: Clock) -> bool:
    if not (state.server_key.exists() and state.server_certificate.exists()):
        return False
    certificate = x509.load_pem_x509_certificates(state.server_certificate.read_bytes())[0]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        list(names) == [general_name(host) for host in settings.hosts]
        and certificate.issuer == authority.issuing.subject
        and certificate.not_valid_after_utc - clock.now() > _RENEW_BEFORE
    )
