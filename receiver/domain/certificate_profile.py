"""X.509 v3 profiles of the receiver's own certificates (RFC 5280): CA, cross-certificate, machine leaf, server leaf.

Python 3.13 verifies strictly: every CA carries critical basicConstraints and keyUsage and a subject key identifier,
every issued certificate an authority key identifier. Leaves name their single use in extendedKeyUsage. Nothing
outlives what signed it. Roots have no path length, so that one can vouch for the next; issuing CAs have 0.
"""

import ipaddress
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from receiver.domain.machine_name import MachineName, to_urn
from receiver.errors import AuthorityEndedError

MACHINE_LIFETIME: Final = timedelta(days=7)
SERVER_LIFETIME: Final = timedelta(days=90)
CA_LIFETIME: Final = timedelta(days=3650)
OLD_WITH_NEW_LIFETIME: Final = timedelta(days=60)
"""While it lasts, whoever trusts the new root trusts the old one too; no longer than a rollover takes."""
BACKDATE: Final = timedelta(minutes=5)
"""How far a peer's clock may be behind and still take a fresh certificate."""


def subject(common_name: str) -> x509.Name:
    """Give a name with one attribute; what a certificate is for stands in its alternative names."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def root_builder(key: ec.EllipticCurvePublicKey, *, name: x509.Name, now: datetime) -> x509.CertificateBuilder:
    """Profile of a root, self-signed."""
    builder = _validity(key, name=name, issuer=name, now=now, ends_at=now + CA_LIFETIME)
    return _ca(builder, path_length=None)


def issuing_builder(
    key: ec.EllipticCurvePublicKey, *, name: x509.Name, root: x509.Certificate, now: datetime
) -> x509.CertificateBuilder:
    """Profile of the CA that issues leaves; raises ``AuthorityEndedError``."""
    return _signed_by(_ca(_below(key, name=name, issuer=root, now=now, lifetime=CA_LIFETIME), path_length=0), root)


def new_with_old_builder(new: x509.Certificate, *, old: x509.Certificate, now: datetime) -> x509.CertificateBuilder:
    """Profile by which the root ``old`` vouches for the root ``new`` (RFC 4210 4.4), as long as ``old`` lasts.

    Raises:
        AuthorityEndedError: it does no more.
    """
    return _cross(new, issuer=old, now=now, lifetime=CA_LIFETIME)


def old_with_new_builder(old: x509.Certificate, *, new: x509.Certificate, now: datetime) -> x509.CertificateBuilder:
    """Profile by which the root ``new`` vouches for the root ``old`` (RFC 4210 4.4), for ``OLD_WITH_NEW_LIFETIME``."""
    return _cross(old, issuer=new, now=now, lifetime=OLD_WITH_NEW_LIFETIME)


def machine_builder(
    key: ec.EllipticCurvePublicKey, *, machine: MachineName, issuer: x509.Certificate, now: datetime
) -> x509.CertificateBuilder:
    """Profile of an appliance's client certificate; raises ``AuthorityEndedError``."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(to_urn(machine))]
    builder = _below(key, name=subject(machine.appliance), issuer=issuer, now=now, lifetime=MACHINE_LIFETIME - BACKDATE)
    return _leaf(builder, names=names, usage=ExtendedKeyUsageOID.CLIENT_AUTH, issuer=issuer)


def server_builder(
    key: ec.EllipticCurvePublicKey, *, hosts: list[str], issuer: x509.Certificate, now: datetime
) -> x509.CertificateBuilder:
    """Profile of the receiver's server certificate; ``hosts`` are DNS names or IP addresses, at least one.

    Raises:
        AuthorityEndedError: ``issuer`` is no longer valid.
    """
    builder = _below(key, name=subject(hosts[0]), issuer=issuer, now=now, lifetime=SERVER_LIFETIME - BACKDATE)
    names = [general_name(host) for host in hosts]
    return _leaf(builder, names=names, usage=ExtendedKeyUsageOID.SERVER_AUTH, issuer=issuer)


def general_name(host: str) -> x509.GeneralName:
    """Say whether a host is an address or a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _cross(
    root: x509.Certificate, *, issuer: x509.Certificate, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    """Certify another root's name and key; nobody gains a longer life by it."""
    lifetime = min(lifetime, root.not_valid_after_utc - now)
    builder = _below(root.public_key(), name=root.subject, issuer=issuer, now=now, lifetime=lifetime)
    return _signed_by(_ca(builder, path_length=None), issuer)


def _below(
    key: CertificatePublicKeyTypes, *, name: x509.Name, issuer: x509.Certificate, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    ends_at = min(now + lifetime, issuer.not_valid_after_utc)
    if ends_at <= now:
        raise AuthorityEndedError("the authority's own certificate has ended")
    return _validity(key, name=name, issuer=issuer.subject, now=now, ends_at=ends_at)


def _validity(
    key: CertificatePublicKeyTypes, *, name: x509.Name, issuer: x509.Name, now: datetime, ends_at: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - BACKDATE).not_valid_after(ends_at)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _ca(builder: x509.CertificateBuilder, *, path_length: int | None) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(_key_usage(ca=True), critical=True)


def _leaf(
    builder: x509.CertificateBuilder,
    *,
    names: list[x509.GeneralName],
    usage: x509.ObjectIdentifier,
    issuer: x509.Certificate,
) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(ca=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _signed_by(builder, issuer)


def _signed_by(builder: x509.CertificateBuilder, issuer: x509.Certificate) -> x509.CertificateBuilder:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    return builder.add_extension(authority, critical=False)


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
