"""What evidence must show before the receiver believes it; every broken rule is refused, and by name."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.wire.enrollment import TpmEvidence
from appliance.wire.problem import ProblemCode
from receiver.domain.machine_evidence import verify_evidence
from receiver.errors import ProblemError
from tests.support.software_tpm import (
    ATTESTING,
    KEPT,
    PCR_DIGEST,
    Counter,
    Ecc,
    Said,
    SoftwareTpm,
    attestation,
    attributes,
    endorsement_p256,
    endorsement_p384,
    endorsement_rsa,
    name_of,
    request_key,
    tpm2b,
)

TPM = SoftwareTpm()
OTHER = SoftwareTpm()
OCCASION = b"nte_token"
STATEMENTS = ["quote", "counter", "key"]
FIELDS = ["attestation_key", "quote", "quote_signature", "counter", "counter_signature", "key", "key_signature"]
WHOLE = TPM.evidence(OCCASION, key=TPM.key())
WHAT = {"quote": "quote", "counter": "counter's certification", "key": "request key's certification"}


def refusal(evidence: TpmEvidence, *, public_key: bytes = TPM.public_key, occasion: bytes = OCCASION) -> str:
    """What the refusal of ``evidence`` says."""
    with pytest.raises(ProblemError) as caught:
        verify_evidence(evidence, public_key=public_key, occasion=occasion)
    assert caught.value.problem is ProblemCode.EVIDENCE_INVALID
    return caught.value.detail


def saying(statement: str, change: Callable[[Said], Said]) -> TpmEvidence:
    """Evidence with one statement changed, and then properly signed."""
    said = {"quote": TPM.quote(), "counter": TPM.counter(), "key": TPM.key()}
    return TPM.evidence(OCCASION, **(said | {statement: change(said[statement])}))


def certificate(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey) -> bytes:
    """A certificate over ``key`` by somebody."""
    issuer, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ek")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key).serial_number(1)
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(issuer, hashes.SHA256()).public_bytes(Encoding.DER)


def test_proper_evidence_gives_its_facts() -> None:
    """Everything that is kept of a machine comes out of the statements, the count from the counter's."""
    quote = TPM.quote().but(clock=1000)
    counter = TPM.counter(Counter(content=(77).to_bytes(8, "big"))).but(clock=1001)
    evidence = TPM.evidence(OCCASION, quote=quote, counter=counter)
    facts = verify_evidence(evidence, public_key=TPM.public_key, occasion=OCCASION)
    assert facts.ek_hash == hashlib.sha256(evidence.endorsement_key).digest()
    assert facts.ak_name == name_of(evidence.attestation_key)
    assert (facts.clock, facts.reset_count, facts.restart_count, facts.safe) == (1001, 3, 1, True)
    assert (facts.counter, facts.pcr_digest, facts.firmware_version) == (77, PCR_DIGEST, 7)
    assert (facts.key_in_tpm, facts.ek_certified) == (False, False)


def test_a_certified_key_is_in_the_tpm() -> None:
    """With the key's certification the facts say that the request's key lives in the TPM."""
    assert verify_evidence(WHOLE, public_key=TPM.public_key, occasion=OCCASION).key_in_tpm


def test_an_unsafe_clock_is_a_fact_and_no_fault() -> None:
    """After a power cut a TPM says that its clock is not safe; it is believed."""
    evidence = TPM.evidence(OCCASION, counter=TPM.counter().but(safe=0))
    assert not verify_evidence(evidence, public_key=TPM.public_key, occasion=OCCASION).safe


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"magic": 0xFF544348}, "the {} is no such statement of a TPM"),
        ({"kind": 0x8019}, "the {} is no such statement of a TPM"),
        ({"signer": name_of(b"another")}, "the {} names another key than the attestation key as its signer"),
        ({"signer": bytes(35)}, "the {} is not marshalled as the TPM 2.0 standard says"),
        ({"bound_to": bytes(32)}, "the {} was made for another key or another occasion"),
        ({"bound_to": b""}, "the {} was made for another key or another occasion"),
        ({"bound_to": bytes(65)}, "the {} is not marshalled as the TPM 2.0 standard says"),
        ({"safe": 2}, "the {} is not marshalled as the TPM 2.0 standard says"),
        ({"trailer": b"\0"}, "the {} is not marshalled as the TPM 2.0 standard says"),
        ({"attested": b""}, "the {} is not marshalled as the TPM 2.0 standard says"),
        ({"scheme": bytes.fromhex("0018000c")}, "the {} is not signed by ECDSA with SHA-256"),
        ({"scheme": bytes.fromhex("0014000b")}, "the {} is not signed by ECDSA with SHA-256"),
        ({"reset_count": 4}, "the statements are not of one boot"),
        ({"restart_count": 2}, "the statements are not of one boot"),
        ({"firmware_version": 8}, "the statements are not of one boot"),
    ],
    ids=str,
)
def test_a_statement_that_breaks_a_rule_is_refused(statement: str, change: dict[str, int | bytes], rule: str) -> None:
    """Each rule holds for each statement, also where the attestation key signed it."""
    assert refusal(saying(statement, lambda said: said.but(**change))) == rule.format(WHAT[statement])


@pytest.mark.parametrize("statement", STATEMENTS)
def test_another_keys_signature_is_refused(statement: str) -> None:
    """A statement that another TPM signed is not taken, whatever it says."""
    theirs = SoftwareTpm(endorsement=TPM.endorsement, attestation=OTHER.attestation, request=TPM.request)
    foreign = theirs.evidence(OCCASION, key=theirs.key())
    mixed = replace(WHOLE, **{field: getattr(foreign, field) for field in (statement, f"{statement}_signature")})
    assert refusal(mixed) == f"the {WHAT[statement]} is not signed by the attestation key"


def test_one_statement_does_not_stand_for_another() -> None:
    """A proper quote in the counter's place is refused."""
    swapped = replace(WHOLE, counter=WHOLE.quote, counter_signature=WHOLE.quote_signature)
    assert refusal(swapped) == "the counter's certification is no such statement of a TPM"


@pytest.mark.parametrize("numbers", [(0, 0), (1, 1), (2**256 - 1, 2**256 - 1)], ids=str)
def test_a_signature_of_special_numbers_is_refused(numbers: tuple[int, int]) -> None:
    """Zero, one and all ones are no signature."""
    r, s = (tpm2b(number.to_bytes(32, "big")) for number in numbers)
    forged = replace(WHOLE, quote_signature=bytes.fromhex("0018000b") + r + s)
    assert refusal(forged) == "the quote is not signed by the attestation key"


def test_evidence_for_another_key_is_refused() -> None:
    """Evidence that was overheard serves no other certificate request."""
    rule = "the quote was made for another key or another occasion"
    assert refusal(WHOLE, public_key=OTHER.public_key) == rule


def test_evidence_of_another_occasion_is_refused() -> None:
    """Evidence of one enrollment serves no other, and no renewal."""
    assert refusal(WHOLE, occasion=b"nte_another") == "the quote was made for another key or another occasion"


@pytest.mark.parametrize(
    "selection",
    ["00000001000b03800000", "00000001000b03000800", "00000001000b03ffffff", "00000001000403800800", "00000000"],
)
def test_a_quote_of_other_pcrs_is_refused(selection: str) -> None:
    """PCR 7 and 11, both, of SHA-256, and no others."""
    attested = (bytes.fromhex(selection) + tpm2b(PCR_DIGEST)).ljust(44, b"\0")
    evidence = saying("quote", lambda said: said.but(attested=attested))
    assert refusal(evidence) == "the quote is not over PCR 7 and 11 of the SHA-256 bank"


@pytest.mark.parametrize(
    "counter",
    [
        Counter(index=0x01844E46),
        Counter(attributes=Counter().attributes & ~(1 << 4)),
        Counter(attributes=Counter().attributes & ~(1 << 29)),
        Counter(attributes=Counter().attributes | 1 << 1),
        Counter(attributes=Counter().attributes | 1 << 26),
        Counter(policy=bytes(32)),
        Counter(size=16),
    ],
    ids=["index", "no counter", "never written", "owner writes", "orderly", "policy", "size"],
)
def test_another_counter_is_refused(counter: Counter) -> None:
    """An index that somebody may set at will, or another one, does not count."""
    rule = "the counter is not the one that evidence is made with"
    assert refusal(TPM.evidence(OCCASION, counter=TPM.counter(counter))) == rule


@pytest.mark.parametrize("counter", [Counter(offset=4), Counter(content=bytes(4)), Counter(content=b"")], ids=str)
def test_a_part_of_the_counter_is_refused(counter: Counter) -> None:
    """The lower half alone, or the upper, could hide that it fell."""
    assert refusal(TPM.evidence(OCCASION, counter=TPM.counter(counter))) == "the counter is not shown whole"


@pytest.mark.parametrize(
    "public",
    [
        request_key(OTHER.request.public_key()),
        Ecc(TPM.request.public_key(), attributes("userWithAuth", "noDA", "sign")),
        Ecc(TPM.request.public_key(), KEPT | attributes("userWithAuth", "noDA", "sign", "decrypt")),
        Ecc(TPM.request.public_key(), KEPT | attributes("userWithAuth", "noDA", "sign"), policy=bytes(32)),
    ],
    ids=["another key", "may be duplicated", "also decrypts", "has a policy"],
)
def test_a_certified_key_that_is_not_the_requests_is_refused(public: Ecc) -> None:
    """The certified Name must be the one that the request's key has if it never leaves the TPM."""
    rule = "the certified key is not the request's, or may leave the TPM"
    assert refusal(TPM.evidence(OCCASION, key=TPM.key(public))) == rule


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()])
def test_only_a_p256_key_can_be_certified(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
    """A request's key of another kind has no Name to compare with."""
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    class OfAnotherKind(SoftwareTpm):
        public_key = spki

    tpm = OfAnotherKind()
    evidence = tpm.evidence(OCCASION, key=tpm.key())
    assert refusal(evidence, public_key=spki) == "the request's key is not one of P-256"


@pytest.mark.parametrize("missing", ["key", "key_signature"])
def test_half_a_certification_is_refused(missing: str) -> None:
    """Dropping the statement or its signature is no way to be judged as if there were neither."""
    rule = "the request key's certification and its signature come together or not at all"
    assert refusal(replace(WHOLE, **{missing: None})) == rule


@pytest.mark.parametrize("bit", range(32))
def test_each_attribute_of_the_attestation_key_is_fixed(bit: int) -> None:
    """Whatever attribute is added or missing, the key is refused: it could leave, decrypt, or sign what it is given."""
    changed = Ecc(TPM.attestation.public_key(), ATTESTING ^ 1 << bit, scheme=bytes.fromhex("0018000b"))
    evidence = replace(WHOLE, attestation_key=changed.marshal())
    assert refusal(evidence) == "the attestation key is not a restricted P-256 signing key that never leaves its TPM"


def test_an_endorsement_key_does_not_attest() -> None:
    """The endorsement key in the attestation key's place is refused."""
    evidence = replace(WHOLE, attestation_key=WHOLE.endorsement_key)
    assert refusal(evidence) == "the attestation key is not a restricted P-256 signing key that never leaves its TPM"


def test_an_attestation_key_endorses_nothing() -> None:
    """The attestation key in the endorsement key's place is refused."""
    evidence = replace(WHOLE, endorsement_key=attestation(TPM.attestation.public_key()).marshal())
    assert refusal(evidence) == ("the endorsement key is not made from one of the TCG's templates L-1, L-2 and H-3")


@given(data=st.data())
def test_no_byte_that_is_signed_can_be_changed(data: st.DataObject) -> None:
    """One flipped bit anywhere in the attestation key, in a statement or in a signature is refused, without an echo."""
    field = data.draw(st.sampled_from(FIELDS))
    content = bytearray(getattr(WHOLE, field))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert content.hex() not in refusal(replace(WHOLE, **{field: bytes(content)}))


@given(data=st.data())
def test_no_byte_of_a_p256_endorsement_key_can_be_changed(data: st.DataObject) -> None:
    """A flipped bit leaves the template or the curve."""
    content = bytearray(WHOLE.endorsement_key)
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert "endorsement key" in refusal(replace(WHOLE, endorsement_key=bytes(content)))


@given(field=st.sampled_from(["endorsement_key", *FIELDS]), content=st.binary(max_size=400))
def test_any_bytes_are_refused_by_one_error(field: str, content: bytes) -> None:
    """Whatever stands in a part, it ends in the one refusal."""
    assert refusal(replace(WHOLE, **{field: content}))


@given(data=st.data())
def test_a_part_that_ends_early_is_refused(data: st.DataObject) -> None:
    """Every prefix of every part is refused."""
    field = data.draw(st.sampled_from(["endorsement_key", *FIELDS]))
    content: bytes = getattr(WHOLE, field)
    assert refusal(replace(WHOLE, **{field: content[: data.draw(st.integers(0, len(content) - 1))]}))


@pytest.mark.parametrize("field", ["endorsement_key", *FIELDS])
def test_a_part_that_goes_on_is_refused(field: str) -> None:
    """One byte too many is refused in every part."""
    assert refusal(replace(WHOLE, **{field: getattr(WHOLE, field) + b"\0"}))


def test_the_endorsement_keys_of_three_templates_are_taken() -> None:
    """P-256, P-384 and RSA-2048; each gives its own hash."""
    publics = [
        endorsement_p256(TPM.endorsement.public_key()).marshal(),
        endorsement_p384(ec.generate_private_key(ec.SECP384R1()).public_key()).marshal(),
        endorsement_rsa(rsa.generate_private_key(65537, 2048).public_key()).marshal(),
    ]
    all_evidence = [replace(WHOLE, endorsement_key=public) for public in publics]
    facts = [verify_evidence(evidence, public_key=TPM.public_key, occasion=OCCASION) for evidence in all_evidence]
    assert [fact.ek_hash for fact in facts] == [hashlib.sha256(public).digest() for public in publics]


@pytest.mark.parametrize(
    ("der", "certified"),
    [
        (certificate(TPM.endorsement.public_key()), True),
        (certificate(OTHER.endorsement.public_key()), False),
        (certificate(ed25519.Ed25519PrivateKey.generate().public_key()), False),
        (b"\x30\x00", False),
        (certificate(TPM.endorsement.public_key())[:-1], False),
        (None, False),
    ],
    ids=["own key", "another key", "another kind", "no certificate", "cut", "none"],
)
def test_a_certificate_counts_only_for_its_own_key(der: bytes | None, certified: bool) -> None:  # noqa: FBT001 - a table's column
    """Whether the endorsement key came with a certificate over it; a certificate that does not fit changes nothing."""
    evidence = replace(WHOLE, endorsement_certificate=der)
    assert verify_evidence(evidence, public_key=TPM.public_key, occasion=OCCASION).ek_certified is certified


@given(content=st.binary(max_size=200))
def test_any_bytes_for_a_certificate_are_none(content: bytes) -> None:
    """A certificate that cannot be read is no certificate, and no error of another kind."""
    evidence = replace(WHOLE, endorsement_certificate=content)
    assert not verify_evidence(evidence, public_key=TPM.public_key, occasion=OCCASION).ek_certified
