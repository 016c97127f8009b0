"""Keep the receiver's own server certificate fit."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from receiver.domain.certificate_profile import general_name, server_builder
from receiver.errors import FileUnusableError
from receiver.kms.durable import replace_private
from receiver.kms.generation_files import key_to_pem, to_pem
from receiver.ports import CertificateAuthority, Clock
from receiver.settings import Settings, StateFolder


def ensure_server_certificate(
    state: StateFolder, *, settings: Settings, authority: CertificateAuthority, clock: Clock
) -> None:
    """Issue a server certificate where there is none, a third of its life is left, or names or authority changed.

    Key and chain are one file, so that a cut leaves the old pair or the new one.

    Raises:
        AuthorityEndedError: nothing can be issued any more.
        FileUnusableError: the state folder cannot be written.
    """
    if _is_fit(state, settings=settings, authority=authority, clock=clock):
        return
    key, chain = ec.generate_private_key(ec.SECP256R1()), authority.chain
    builder = server_builder(key.public_key(), hosts=list(settings.hosts), issuer=chain[0], now=clock.now())
    content = key_to_pem(key) + to_pem([authority.sign(builder), *chain])
    try:
        replace_private(state.server_certificate, content)
    except OSError:
        raise FileUnusableError("the server certificate cannot be written") from None


def _is_fit(state: StateFolder, *, settings: Settings, authority: CertificateAuthority, clock: Clock) -> bool:
    try:
        leaf, *chain = x509.load_pem_x509_certificates(state.server_certificate.read_bytes())
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    return (
        list(names) == [general_name(host) for host in settings.hosts]
        and chain == authority.chain
        and leaf.issuer == chain[0].subject
        and leaf.not_valid_after_utc - clock.now() > (leaf.not_valid_after_utc - leaf.not_valid_before_utc) / 3
    )
