"""A machine's TPM speaks for it, and the receiver believes it: both sides of the wire, a real TPM between them."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from tpm2_pytss import (
    ESYS_TR,
    TPM2B_SENSITIVE_CREATE,
)
from tpm2_pytss.utils import NoSuchIndex, create_ek_template

from appliance.sealing.vtpm.attestation import VtpmWitness
from appliance.sealing.vtpm.connection import connected
from appliance.wire.batch import KeyProtection
from receiver.domain.machine_evidence import verify_evidence
from receiver.domain.machine_facts import CloneFinding, compare
from receiver.domain.tpm_public import parse_endorsement_key
from receiver.errors import ProblemError
from tests.support.attested import (
    OCCASION,
    PUBLIC_KEY,
    define,
    evidence_of,
    report,
    verified,
)
from tests.support.swtpm import Swtpm
from tests.support.tpm_sealing import extend

P256_CERTIFICATE = 0x01C0000A


def certificate_over(key: ec.EllipticCurvePublicKey) -> bytes:
    """A certificate over ``key``, longer than what a TPM gives at once."""
    issuer, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ek")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key).serial_number(1)
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    long = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.25.1"), bytes(900))
    return builder.add_extension(long, critical=False).sign(issuer, hashes.SHA256()).public_bytes(Encoding.DER)


def p256_endorsement_key(tpm: Swtpm) -> ec.EllipticCurvePublicKey:
    """The endorsement key of template L-2, whether it is certified or not."""

    def nothing(index: int) -> bytes:
        raise NoSuchIndex(index)

    _, template = create_ek_template("EK-ECC256", nothing)
    with connected(tpm.tcti) as conversation:
        made, public, *_ = conversation.esapi.create_primary(TPM2B_SENSITIVE_CREATE(), template, ESYS_TR.ENDORSEMENT)
        conversation.esapi.flush_context(made)
    key = parse_endorsement_key(public.publicArea.marshal()).key
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def test_the_receiver_believes_a_tpm(tpm: Swtpm) -> None:
    """Evidence of a real TPM verifies, and its count goes up from report to report."""
    facts = [report(tpm) for _ in range(3)]
    assert [fact.counter - facts[0].counter for fact in facts] == [0, 1, 2]
    assert [compare(before, now) for before, now in pairwise(facts)] == [[], []]
    assert (facts[0].key_in_tpm, facts[0].ek_certified) == (False, False)
    assert facts[0].reset_count > 0


def test_the_certificate_of_the_smaller_key_comes_first(tmp_path: Path) -> None:
    """Where keys of both kinds are certified, the P-256 key is shown, with its certificate whole."""
    with Swtpm(tmp_path / "both", endorsement_certificate=True) as both:
        assert evidence_of(both).endorsement_certificate is not None
        certificate = certificate_over(p256_endorsement_key(both))
        define(both, P256_CERTIFICATE, "authread|authwrite|noda", size=len(certificate), content=certificate)
        evidence = evidence_of(both)
    assert evidence.endorsement_certificate == certificate
    assert verified(evidence).ek_certified


@pytest.mark.parametrize(
    ("attributes", "size", "content"),
    [
        ("authread|authwrite|noda", 600, b""),
        ("ownerread|authwrite|noda", 600, bytes(600)),
    ],
    ids=["never written", "not readable"],
)
def test_a_certificate_that_cannot_be_read_is_none(tpm: Swtpm, attributes: str, size: int, content: bytes) -> None:
    """An index of another program, or an empty one, does not stop the evidence."""
    define(tpm, P256_CERTIFICATE, attributes, size=size, content=content)
    evidence = evidence_of(tpm)
    assert evidence.endorsement_certificate is None
    assert not verified(evidence).ek_certified


def test_an_empty_certificate_is_none(tpm: Swtpm) -> None:
    """An index without room for anything, though written to, holds no certificate."""
    define(tpm, P256_CERTIFICATE, "authread|authwrite|noda", size=0)
    with connected(tpm.tcti) as conversation:
        index = conversation.esapi.tr_from_tpmpublic(P256_CERTIFICATE)
        conversation.esapi.nv_write(index, b"", auth_handle=index)
    assert evidence_of(tpm).endorsement_certificate is None


def test_the_keys_are_the_same_after_a_restart(tpm: Swtpm) -> None:
    """Both keys are made anew from the TPM's seed, and nothing is kept for them."""
    before = evidence_of(tpm)
    tpm.restart()
    after = evidence_of(tpm)
    assert (after.endorsement_key, after.attestation_key) == (before.endorsement_key, before.attestation_key)


def test_two_tpms_have_nothing_in_common(tpm: Swtpm, tmp_path: Path) -> None:
    """Another TPM shows other keys, which is found."""
    with Swtpm(tmp_path / "other") as other:
        assert compare(report(tpm), report(other)) == [CloneFinding.OTHER_ENDORSEMENT_KEY]


def test_a_quote_shows_what_was_booted(tpm: Swtpm) -> None:
    """The digest is over PCR 7 and 11, and changes with them."""
    assert report(tpm).pcr_digest == hashlib.sha256(bytes(64)).digest()
    with connected(tpm.tcti) as conversation:
        kernel = extend(conversation, pcr=11)
        firmware = extend(conversation, pcr=7)
    assert report(tpm).pcr_digest == hashlib.sha256(firmware + kernel).digest()


@pytest.mark.parametrize("again", [Swtpm.restart, Swtpm.cut_power], ids=["in order", "power cut"])
def test_a_restart_counts_up_and_is_no_finding(tpm: Swtpm, again: Callable[[Swtpm], None]) -> None:
    """Switched off in order or not, the machine is the same one, later."""
    before = report(tpm)
    again(tpm)
    after = report(tpm)
    assert after.reset_count > before.reset_count
    assert compare(before, after) == []


def test_a_copied_tpm_is_found(tpm: Swtpm, tmp_path: Path) -> None:
    """The copy has the same keys and is believed; the count gives the pair away once both have reported."""
    before = report(tpm)
    tpm.stop()
    tpm.copy_state(tmp_path / "copy")
    tpm.start()
    with Swtpm(tmp_path / "copy") as copy:
        first, second = report(tpm), report(copy)
    assert (first.ek_hash, first.ak_name) == (second.ek_hash, second.ak_name) == (before.ek_hash, before.ak_name)
    assert compare(before, first) == compare(before, second) == []
    assert CloneFinding.COUNTER_REPEATED in compare(first, second)


def test_a_machine_that_was_set_back_is_found(tpm: Swtpm, tmp_path: Path) -> None:
    """An older snapshot with its TPM falls behind in the count."""
    report(tpm)
    tpm.stop()
    tpm.copy_state(tmp_path / "snapshot")
    tpm.start()
    for _ in range(3):
        last = report(tpm)
    with Swtpm(tmp_path / "snapshot") as restored:
        assert CloneFinding.COUNTER_FELL in compare(last, report(restored))


def test_a_cleared_tpm_is_found_and_cannot_count_anew(tpm: Swtpm) -> None:
    """TPM2_Clear sets the resets back, which is found; the counter's successor goes on above the old count."""
    before = [report(tpm) for _ in range(4)][-1]
    tpm.restart()
    before = report(tpm)
    with connected(tpm.tcti) as conversation:
        conversation.esapi.clear(auth_handle=ESYS_TR.LOCKOUT)
    after = report(tpm)
    assert after.ek_hash == before.ek_hash
    assert after.counter > before.counter
    assert CloneFinding.RESET_COUNT_FELL in compare(before, after)


@pytest.mark.parametrize(
    ("public_key", "occasion"),
    [(PUBLIC_KEY, b"nte_another"), (ec.generate_private_key(ec.SECP256R1()).public_key(), OCCASION)],
    ids=["another occasion", "another key"],
)
def test_overheard_evidence_serves_nobody(
    tpm: Swtpm, public_key: bytes | ec.EllipticCurvePublicKey, occasion: bytes
) -> None:
    """Evidence is refused with another key or on another occasion than it was given for."""
    if not isinstance(public_key, bytes):
        public_key = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ProblemError, match="made for another key or another occasion"):
        verify_evidence(evidence_of(tpm), public_key=public_key, occasion=occasion)


def test_the_witness_says_what_guards_its_secrets(tpm: Swtpm) -> None:
    """As its sealer told it; and it wants a credential, not HPKE."""
    witness = VtpmWitness(tpm.tcti, key_protection=KeyProtection.TPM_MEASURED_BOOT)
    assert witness.key_protection is KeyProtection.TPM_MEASURED_BOOT
    assert witness.transport_key is None
