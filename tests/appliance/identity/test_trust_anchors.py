"""Which CA certificates may be trusted."""

import base64
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import CertificateUntrustedError, ClockOffError, IdentityMismatchError
from appliance.identity.trust_anchors import MAX_ANCHORS, select_anchors
from tests.support.records import START
from tests.support.tls_peer import DAY, Authority, key_pem

OLD, NEW, STRANGER = Authority(now=START), Authority(now=START), Authority(now=START)
YEARS = timedelta(days=3650)


def root_without(*, ca: bool = True, critical: bool = True, usage: bool = True, identifier: bool = True) -> bytes:
    """A certificate signed by itself that lacks one thing a CA needs."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(START - DAY).not_valid_after(START + DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=critical)
    uses = OLD.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    leaf_uses = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=False,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = builder.add_extension(uses if usage else leaf_uses, critical=True)
    if identifier:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def cross_signed(subject: Authority, issuer: Authority) -> bytes:
    """``subject``'s key and name, signed by ``issuer``."""
    builder = x509.CertificateBuilder().subject_name(subject.name).issuer_name(issuer.name)
    builder = builder.public_key(subject.key.public_key()).serial_number(2)
    builder = builder.not_valid_before(START - DAY).not_valid_after(START + DAY)
    for extension in subject.certificate.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.sign(issuer.key, SHA256()).public_bytes(Encoding.PEM)


def refused(offered: bytes, *, now: datetime = START) -> str:
    """Offer what must be refused; give the message."""
    with pytest.raises(CertificateUntrustedError) as caught:
        select_anchors(offered, now=now)
    return str(caught.value)


def test_roots_are_taken_as_they_stand() -> None:
    """Old and new beside one another, each once."""
    assert select_anchors(OLD.pem + NEW.pem + OLD.pem, now=START) == OLD.pem + NEW.pem


def test_what_helps_to_build_chains_is_no_anchor() -> None:
    """RFC 7030 4.1.3: new with old, old with new, and the CAs that issue."""
    issuing = Authority(now=START, issuer=NEW)
    below = Authority(now=START, issuer=issuing)
    offered = OLD.pem + NEW.pem + cross_signed(NEW, OLD) + cross_signed(OLD, NEW) + issuing.pem + below.pem
    assert select_anchors(offered, now=START) == OLD.pem + NEW.pem


@pytest.mark.parametrize("issuer", [OLD, STRANGER], ids=["a retired root", "a stranger"])
def test_one_whose_issuer_is_not_there_is_no_anchor(issuer: Authority) -> None:
    """Machines that were off for long need it for their chains; whoever signed it, it is dropped."""
    assert select_anchors(NEW.pem + cross_signed(NEW, issuer), now=START) == NEW.pem


def test_a_forged_signature_makes_no_root() -> None:
    """Names of a root, another's signature."""
    forged = x509.CertificateBuilder().subject_name(OLD.name).issuer_name(OLD.name)
    forged = forged.public_key(OLD.key.public_key()).serial_number(3)
    forged = forged.not_valid_before(START - DAY).not_valid_after(START + DAY)
    for extension in OLD.certificate.extensions:
        forged = forged.add_extension(extension.value, critical=extension.critical)
    signed = forged.sign(STRANGER.key, SHA256()).public_bytes(Encoding.PEM)
    with pytest.raises(CertificateUntrustedError):
        select_anchors(signed, now=START)


@pytest.mark.parametrize(
    "root",
    [
        root_without(ca=False),
        root_without(critical=False),
        root_without(usage=False),
        root_without(identifier=False),
        Authority(now=START, strict=False).pem,
    ],
    ids=["no CA", "constraints not critical", "may not sign", "no key identifier", "no key usage"],
)
def test_a_root_that_is_no_proper_ca_is_refused(root: bytes) -> None:
    """RFC 5280 4.2.1: what a strict verifier would refuse later, and what a leaf has not."""
    assert "no CA" in refused(NEW.pem + root)


def test_a_leaf_is_no_anchor() -> None:
    """Not even one of a trusted CA."""
    leaf = OLD.issue_machine(ec.generate_private_key(ec.SECP256R1()).public_key())
    assert "no CA" in refused(OLD.pem + leaf)


def test_a_set_without_a_root_is_refused() -> None:
    """An intermediate alone could not be verified to its end."""
    assert "signed by itself" in refused(Authority(now=START, issuer=OLD).pem)


def test_an_expired_root_is_dropped() -> None:
    """The end of a rollover."""
    past = Authority(now=START - 5 * DAY)
    assert select_anchors(past.pem + NEW.pem, now=START) == NEW.pem


def test_a_root_that_begins_later_is_kept_beside_one_that_is_valid() -> None:
    """The beginning of a rollover."""
    future = Authority(now=START + 5 * DAY)
    assert select_anchors(NEW.pem + future.pem, now=START) == NEW.pem + future.pem


@pytest.mark.parametrize("now", [START - YEARS, START + YEARS], ids=["far behind", "far ahead"])
def test_if_no_root_is_valid_the_clock_is_off(now: datetime) -> None:
    """The message names this machine's date."""
    with pytest.raises(ClockOffError, match=f"{now:%Y-%m-%d}"):
        select_anchors(OLD.pem + NEW.pem, now=now)


def test_there_are_not_many() -> None:
    """As many as allowed pass, one more does not; what only helps to build chains is not counted."""
    roots = [Authority(now=START).pem for _ in range(MAX_ANCHORS + 1)]
    assert select_anchors(OLD.pem + b"".join(cross_signed(NEW, OLD) for _ in roots), now=START) == OLD.pem
    assert select_anchors(b"".join(roots[:-1]), now=START) == b"".join(roots[:-1])
    assert "more than" in refused(b"".join(roots))


@pytest.mark.parametrize("offered", [b"", b"no PEM", key_pem(OLD.key)], ids=["empty", "no PEM", "a key"])
def test_what_is_no_certificate_is_no_anchor(offered: bytes) -> None:
    """Its own error."""
    with pytest.raises(IdentityMismatchError):
        select_anchors(offered, now=START)


@pytest.mark.filterwarnings("ignore")  # the library's, of odd serial numbers
@given(st.dictionaries(st.integers(0, 380), st.integers(1, 255), min_size=1, max_size=4))
def test_a_damaged_anchor_is_one_of_our_errors(changes: dict[int, int]) -> None:
    """Whatever bytes are changed, beside a sound one: never another exception, and never an anchor."""
    damaged = bytearray(NEW.certificate.public_bytes(Encoding.DER))
    for place, change in changes.items():
        damaged[place] ^= change
    lines = base64.encodebytes(bytes(damaged)).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n".encode()
    with suppress(CertificateUntrustedError, IdentityMismatchError):
        assert select_anchors(OLD.pem + pem, now=START) == OLD.pem
