"""The machine's TLS key, in the TPM: P-256, made there, and it never leaves (TPM 2.0 part 1, 27).

What is kept of it is a TSS2 PEM: its public area and what only this TPM loads, below the storage key. It is no secret.
Signatures are made in the TPM, from a digest that is computed here; so a request is never twice the same bytes, and who
asks again is known by the key. Reading a PEM asks no TPM.

It is of no use to TLS unless OpenSSL has a provider for the TPM; whether it has, ``sealing.tls_keys`` tries.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Self, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tpm2_pytss import ESYS_TR, TPM2B_PUBLIC, TPM2B_SENSITIVE_CREATE, TSS2_Exception
from tpm2_pytss.cryptography import tpm_ecc_private_key
from tpm2_pytss.tsskey import TSSPrivKey

from appliance.errors import IdentityMismatchError
from appliance.ports import SecretBytes
from appliance.sealing.vtpm.connection import STORAGE_KEY_HANDLE, Tpm, connected, patiently
from appliance.wire.enrollment import EVIDENCE_ATTRIBUTE

PROBE_HOST: Final = "key.invalid"
"""Whom ``VtpmKey.own_certificate`` is for (RFC 2606): nobody."""
_TEMPLATE: Final = "ecc256:null:null"
_ATTRIBUTES: Final = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign"
"""As ``wire.enrollment.TpmEvidence.key`` wants it."""
_FOR_ANY_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The second is how RFC 5280, 4.1.2.5 spells that there is no end."""
_EVIDENCE: Final = x509.ObjectIdentifier(EVIDENCE_ATTRIBUTE)
T = TypeVar("T")


class VtpmKey:
    """Implements ``machine_ports.KeptKey``."""

    def __init__(self, kept: TSSPrivKey, tcti: str, *, storage_key_name: bytes | None) -> None:
        """Use ``kept`` in the TPM at ``tcti``; arguments as of ``connection.connected``."""
        self._kept = kept
        self._tcti = tcti
        self._storage_key_name = storage_key_name

    @classmethod
    def generate(cls, tcti: str, *, storage_key_name: bytes | None = None) -> Self:
        """Make a fresh key in the TPM; arguments as of ``connection.connected``.

        Raises:
            SealingError: the TPM does not make it, by class.
        """
        return cls(patiently(lambda: _made(tcti, storage_key_name)), tcti, storage_key_name=storage_key_name)

    @classmethod
    def load(cls, pem: SecretBytes, tcti: str, *, storage_key_name: bytes | None = None) -> Self:
        """Read a key. Whether this TPM loads it shows when it signs.

        Raises:
            IdentityMismatchError: none, or of another kind.
        """
        return cls(parse_key(pem.reveal()), tcti, storage_key_name=storage_key_name)

    @property
    def tpm_key(self) -> bytes:
        """TSS2 PRIVATE KEY, PEM."""
        return bytes(self._kept.to_pem())

    @property
    def pem(self) -> SecretBytes:
        """The same, as OpenSSL's provider for the TPM reads it."""
        return SecretBytes(self.tpm_key)

    @property
    def public_key(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        return bytes(self._kept.public.to_der())

    def request(self, *, evidence: bytes | None = None) -> bytes:
        """Give a certificate request, PKCS #10 in DER (RFC 2986), with ``evidence`` as its attribute.

        Raises:
            SealingError: the TPM does not sign, by class.
        """
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        if evidence is not None:
            builder = builder.add_attribute(_EVIDENCE, evidence)
        return self._with(lambda key: builder.sign(key, SHA256()).public_bytes(Encoding.DER))

    def sign(self, message: bytes) -> bytes:
        """ECDSA with SHA-256, DER. Raises as ``request``."""
        return self._with(lambda key: key.sign(message, ec.ECDSA(SHA256())))

    def own_certificate(self) -> bytes:
        """A certificate that the key signs itself, PEM, to try it with; nobody trusts it. Raises as ``request``."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, PROBE_HOST)])
        start, end = _FOR_ANY_TIME
        builder = x509.CertificateBuilder(
            issuer_name=name, subject_name=name, serial_number=1, not_valid_before=start, not_valid_after=end
        )
        host = x509.SubjectAlternativeName([x509.DNSName(PROBE_HOST)])
        builder = builder.add_extension(host, critical=False)

        def signed(key: ec.EllipticCurvePrivateKey) -> bytes:
            return builder.public_key(key.public_key()).sign(key, SHA256()).public_bytes(Encoding.PEM)

        return self._with(signed)

    def _with(self, work: Callable[[ec.EllipticCurvePrivateKey], T]) -> T:
        return patiently(lambda: self._with_once(work))

    def _with_once(self, work: Callable[[ec.EllipticCurvePrivateKey], T]) -> T:
        with connected(self._tcti, storage_key_name=self._storage_key_name) as tpm, loaded(tpm, self._kept) as handle:
            return work(tpm_ecc_private_key(tpm.esapi, handle, tpm.session))


def parse_key(pem: bytes) -> TSSPrivKey:
    """Read a TSS2 PEM of a key as it is made here.

    Raises:
        IdentityMismatchError: none, or of another kind.
    """
    try:
        kept = TSSPrivKey.from_pem(pem)
        wanted = _template()
        wanted.publicArea.unique = kept.public.publicArea.unique
        as_made_here = bytes(kept.public.marshal()) == bytes(wanted.marshal())
    except (ValueError, TypeError, TSS2_Exception):
        raise IdentityMismatchError("the stored key is none") from None
    if not as_made_here or kept.parent != STORAGE_KEY_HANDLE:
        raise IdentityMismatchError("the stored key is of another kind")
    return kept


@contextmanager
def loaded(tpm: Tpm, kept: TSSPrivKey) -> Iterator[ESYS_TR]:
    """Have a key in one of the TPM's slots."""
    with tpm.flushed(tpm.esapi.load(tpm.storage_key, kept.private, kept.public, session1=tpm.session)) as handle:
        yield handle


def _made(tcti: str, storage_key_name: bytes | None) -> TSSPrivKey:
    with connected(tcti, storage_key_name=storage_key_name) as tpm:
        private, public, *_ = tpm.esapi.create(
            tpm.storage_key, TPM2B_SENSITIVE_CREATE(), in_public=_template(), session1=tpm.session
        )
    return TSSPrivKey(private, public, empty_auth=True, parent=STORAGE_KEY_HANDLE)


def _template() -> TPM2B_PUBLIC:
    return TPM2B_PUBLIC.parse(_TEMPLATE, objectAttributes=_ATTRIBUTES)
