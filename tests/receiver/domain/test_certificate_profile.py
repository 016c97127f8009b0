"""The certificates' profiles (RFC 5280), and that a strict verifier takes the chain."""

import ipaddress
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import given
from hypothesis import strategies as st

from receiver.domain.certificate_profile import (
    BACKDATE,
    CA_LIFETIME,
    MACHINE_LIFETIME,
    OLD_WITH_NEW_LIFETIME,
    SERVER_LIFETIME,
    issuing_builder,
    new_with_old_builder,
    old_with_new_builder,
    root_builder,
    subject,
)
from receiver.domain.machine_name import to_urn
from receiver.errors import AuthorityEndedError
from receiver.kms.local_authority import LocalFileAuthority
from tests.receiver.authorities import DAY, MACHINE, START, issue_machine, issue_server


@pytest.fixture
def authority(tmp_path: Path) -> LocalFileAuthority:
    """A fresh authority."""
    return LocalFileAuthority.ensure(tmp_path / "ca", now=START)


class Root:
    """A root with its key."""

    def __init__(self, name: str, *, age: timedelta = timedelta()) -> None:
        """Sign itself, ``age`` ago."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        builder = root_builder(self.key.public_key(), name=subject(name), now=START - age)
        self.certificate = builder.sign(self.key, SHA256())

    def sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign another CA."""
        return builder.sign(self.key, SHA256())


def _key_identifier(certificate: x509.Certificate) -> bytes:
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def _authority_identifier(certificate: x509.Certificate) -> bytes | None:
    return certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier


def _criticality(certificate: x509.Certificate) -> dict[str, bool]:
    return {extension.oid._name: extension.critical for extension in certificate.extensions}


def test_a_machines_chain_verifies(authority: LocalFileAuthority) -> None:
    """A strict verifier takes leaf and issuing certificate up to the root, for clients."""
    policy = PolicyBuilder().store(Store(authority.anchors)).time(START)
    verified = policy.build_client_verifier().verify(issue_machine(authority).certificate, authority.chain)
    assert verified.subjects == [x509.UniformResourceIdentifier(to_urn(MACHINE))]


def test_a_machine_is_no_server(authority: LocalFileAuthority) -> None:
    """A stolen machine certificate cannot stand in for the receiver."""
    policy = PolicyBuilder().store(Store(authority.anchors)).time(START)
    with pytest.raises(VerificationError):
        policy.build_server_verifier(x509.DNSName("hq")).verify(issue_machine(authority).certificate, authority.chain)


@pytest.mark.parametrize("host", ["receiver.test", "127.0.0.1", "::1"])
def test_a_servers_chain_verifies(authority: LocalFileAuthority, host: str) -> None:
    """A strict verifier takes the server's chain for each of its names."""
    name = x509.DNSName(host) if "test" in host else x509.IPAddress(ipaddress.ip_address(host))
    policy = PolicyBuilder().store(Store(authority.anchors)).time(START)
    policy.build_server_verifier(name).verify(issue_server(authority).certificate, authority.chain)


def test_leaves_are_short(authority: LocalFileAuthority) -> None:
    """From its backdated beginning to its end a machine's leaf lives 7 days at most, a server's 90."""
    for leaf, most in ((issue_machine(authority), MACHINE_LIFETIME), (issue_server(authority), SERVER_LIFETIME)):
        lifetime = leaf.certificate.not_valid_after_utc - leaf.certificate.not_valid_before_utc
        assert lifetime == most
    assert (timedelta(days=7), timedelta(days=90)) == (MACHINE_LIFETIME, SERVER_LIFETIME)


def test_each_leaf_has_one_use(authority: LocalFileAuthority) -> None:
    """Leaves sign handshakes for their side and nothing else."""
    uses = {issue_machine: ExtendedKeyUsageOID.CLIENT_AUTH, issue_server: ExtendedKeyUsageOID.SERVER_AUTH}
    for issue, use in uses.items():
        extensions = issue(authority).certificate.extensions
        assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [use]
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        assert (usage.digital_signature, usage.key_cert_sign, usage.crl_sign) == (True, False, False)
        assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False


def test_the_extensions_are_those_of_rfc_5280(authority: LocalFileAuthority) -> None:
    """The basicConstraints and keyUsage are critical (4.2.1.9, 4.2.1.3), key identifiers are not (4.2.1.1, 4.2.1.2)."""
    ca = {"basicConstraints": True, "keyUsage": True, "subjectKeyIdentifier": False}
    issued = ca | {"authorityKeyIdentifier": False}
    leaf = issued | {"extendedKeyUsage": False, "subjectAltName": False}
    assert _criticality(authority.anchors[0]) == ca
    assert _criticality(authority.issuing) == issued
    assert _criticality(issue_machine(authority).certificate) == leaf
    assert _criticality(issue_server(authority).certificate) == leaf


def test_the_key_identifiers_chain(authority: LocalFileAuthority) -> None:
    """Each certificate names the key that signed it by that key's identifier."""
    leaf, issuing, root = issue_machine(authority).certificate, authority.issuing, authority.anchors[0]
    assert _authority_identifier(leaf) == _key_identifier(issuing)
    assert _authority_identifier(issuing) == _key_identifier(root)
    assert len({_key_identifier(each) for each in (leaf, issuing, root)}) == 3


def test_an_issuing_ca_has_none_below_it(authority: LocalFileAuthority) -> None:
    """A root may vouch for roots, so its path has no bound; the issuing CA's is 0. Both sign certificates alone."""
    for certificate, depth in ((authority.anchors[0], None), (authority.issuing, 0)):
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        assert (constraints.ca, constraints.path_length) == (True, depth)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)


def test_serials_and_keys_are_fresh(authority: LocalFileAuthority) -> None:
    """No two certificates share a serial number of at least 64 bits (and at most 20 bytes, RFC 5280 4.1.2.2)."""
    serials = {issue_machine(authority).certificate.serial_number for _ in range(20)}
    assert len(serials) == 20
    assert all(64 < serial.bit_length() < 160 for serial in serials)


def test_a_cross_certificate_has_the_other_roots_name_and_key() -> None:
    """Each root vouches for the other (RFC 4210 4.4): same subject, same key, another signer, a CA of any depth."""
    old, new = Root("old"), Root("new")
    new_with_old = old.sign(new_with_old_builder(new.certificate, old=old.certificate, now=START))
    old_with_new = new.sign(old_with_new_builder(old.certificate, new=new.certificate, now=START))
    for cross, of, signer in ((new_with_old, new, old), (old_with_new, old, new)):
        assert (cross.subject, cross.issuer) == (of.certificate.subject, signer.certificate.subject)
        assert _key_identifier(cross) == _key_identifier(of.certificate)
        assert _authority_identifier(cross) == _key_identifier(signer.certificate)
        assert cross.public_key() == of.key.public_key()
        cross.verify_directly_issued_by(signer.certificate)
        constraints = cross.extensions.get_extension_for_class(x509.BasicConstraints)
        assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, None)


def test_the_new_root_is_vouched_for_as_long_as_the_old_one_lasts() -> None:
    """A machine that sleeps for years finds its way as long as the root that it knows is valid."""
    old, new = Root("old", age=1000 * DAY), Root("new")
    rung = old.sign(new_with_old_builder(new.certificate, old=old.certificate, now=START))
    assert rung.not_valid_after_utc == old.certificate.not_valid_after_utc < new.certificate.not_valid_after_utc


@pytest.mark.parametrize(
    ("age", "lasts"), [(0 * DAY, OLD_WITH_NEW_LIFETIME), (CA_LIFETIME - 10 * DAY, 10 * DAY)], ids=["young", "old"]
)
def test_the_old_root_is_vouched_for_briefly(age: timedelta, lasts: timedelta) -> None:
    """Whoever trusts the new root alone trusts the old one no longer than a rollover takes, nor beyond its end."""
    old, new = Root("old", age=age), Root("new")
    bridge = new.sign(old_with_new_builder(old.certificate, new=new.certificate, now=START))
    assert bridge.not_valid_after_utc == START + lasts


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> LocalFileAuthority:
    """An authority for many leaves."""
    return LocalFileAuthority.ensure(tmp_path_factory.mktemp("lasting") / "ca", now=START)


@given(age=st.timedeltas(timedelta(), CA_LIFETIME - timedelta(minutes=1)))
def test_nothing_outlives_its_issuer(lasting: LocalFileAuthority, age: timedelta) -> None:
    """At any time of the authority's life leaves begin and end within it, and are as long as they may be."""
    root, now = lasting.anchors[0], START + age
    assert lasting.issuing.not_valid_after_utc <= root.not_valid_after_utc
    for issue, most in ((issue_machine, MACHINE_LIFETIME), (issue_server, SERVER_LIFETIME)):
        leaf = issue(lasting, now=now).certificate
        assert leaf.not_valid_before_utc >= lasting.issuing.not_valid_before_utc
        wanted = min((now - BACKDATE + most).replace(microsecond=0), lasting.issuing.not_valid_after_utc)
        assert leaf.not_valid_after_utc == wanted


def test_an_authority_that_has_ended_issues_nothing(tmp_path: Path) -> None:
    """From its last moment on each profile is refused, with what is to be done."""
    authority = LocalFileAuthority.ensure(tmp_path / "ca", now=START - CA_LIFETIME)
    key, root, new = ec.generate_private_key(ec.SECP256R1()).public_key(), authority.anchors[0], Root("new")
    with pytest.raises(AuthorityEndedError):
        issue_machine(authority)
    with pytest.raises(AuthorityEndedError):
        issue_server(authority)
    with pytest.raises(AuthorityEndedError):
        issuing_builder(key, name=subject("issuing"), root=root, now=START)
    with pytest.raises(AuthorityEndedError):
        new_with_old_builder(new.certificate, old=root, now=START)
    with pytest.raises(AuthorityEndedError, match="ended") as refusal:
        old_with_new_builder(root, new=new.certificate, now=START)
    assert "ca announce" in refusal.value.hint
