"""X.509 v3 profiles of the receiver's own certificates (RFC 5280): CA, machine leaf, server leaf.

Python 3.13 verifies strictly: every CA carries critical basicConstraints and keyUsage and a subject key identifier,
every issued certificate an authority key identifier. Leaves name their single use in extendedKeyUsage.
"""

import ipaddress
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from receiver.domain.machine_name import MachineName, to_urn

MACHINE_LIFETIME: Final = timedelta(days=7)
SERVER_LIFETIME: Final = timedelta(days=365)
CA_LIFETIME: Final = timedelta(days=3650)
BACKDATE: Final = timedelta(minutes=5)
"""How far a peer's clock may be behind and still take a fresh certificate."""


def subject(common_name: str) -> x509.Name:
    """Give a name with one attribute; what a certificate is for stands in its alternative names."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def ca_builder(
    key: ec.EllipticCurvePublicKey, *, name: x509.Name, issuer: x509.Certificate | None, path_length: int, now: datetime
) -> x509.CertificateBuilder:
    """Profile of a CA; ``issuer`` None is the self-signed root."""
    issuer_name = name if issuer is None else issuer.subject
    builder = _validity(key, name=name, issuer=issuer_name, now=now, lifetime=CA_LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(_key_usage(ca=True), critical=True)
    return builder if issuer is None else _signed_by(builder, issuer=issuer)


def machine_builder(
    key: ec.EllipticCurvePublicKey, *, machine: MachineName, issuer: x509.Certificate, now: datetime
) -> x509.CertificateBuilder:
    """Profile of an appliance's client certificate."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(to_urn(machine))]
    builder = _validity(
        key, name=subject(machine.appliance), issuer=issuer.subject, now=now, lifetime=MACHINE_LIFETIME - BACKDATE
    )
    return _leaf(builder, names=names, usage=ExtendedKeyUsageOID.CLIENT_AUTH, issuer=issuer)


def server_builder(
    key: ec.EllipticCurvePublicKey, *, hosts: list[str], issuer: x509.Certificate, now: datetime
) -> x509.CertificateBuilder:
    """Profile of the receiver's server certificate; ``hosts`` are DNS names or IP addresses, at least one."""
    builder = _validity(key, name=subject(hosts[0]), issuer=issuer.subject, now=now, lifetime=SERVER_LIFETIME)
    names = [general_name(host) for host in hosts]
    return _leaf(builder, names=names, usage=ExtendedKeyUsageOID.SERVER_AUTH, issuer=issuer)


def general_name(host: str) -> x509.GeneralName:
    """Say whether a host is an address or a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _validity(
    key: ec.EllipticCurvePublicKey, *, name: x509.Name, issuer: x509.Name, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - BACKDATE).not_valid_after(now + lifetime)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


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
    return _signed_by(builder, issuer=issuer)


def _signed_by(builder: x509.CertificateBuilder, *, issuer: x509.Certificate) -> x509.CertificateBuilder:
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
