"""Both steps of an enrollment over TLS: what a machine gets, and what everybody else is told."""

import base64
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store

from appliance.sealing.vtpm.attestation import VtpmWitness
from appliance.wire.batch import KeyProtection
from appliance.wire.codec import CONTENT_TYPE, encode_enrollment
from appliance.wire.enrollment import (
    ENROLLMENTS_PATH,
    EnrollmentState,
    HpkeChallenge,
    Return,
    TpmChallenge,
    TpmEvidence,
)
from appliance.wire.limits import MAX_ENROLLMENT_BYTES
from appliance.wire.problem import ProblemCode
from receiver.domain.invitation import compose
from tests.receiver.deliveries import Machine, client_context, key_pem
from tests.receiver.newcomer import (
    DISBELIEVED,
    EXPIRED,
    MALFORMED,
    UNKNOWN,
    UNPROVEN,
    UNSUPPORTED,
    USED,
    Newcomer,
    answer_of,
    post_enrollment,
    refusal_of,
    simple_enroll,
)
from tests.receiver.office import Office
from tests.support.receiver_process import ReceiverProcess
from tests.support.swtpm import Swtpm

_TOKEN: Final = f"nte_{'a' * 32}_{'b' * 32}_{'0' * 8}"
_NOBODYS: Final = f"{uuid4().hex}{uuid4().hex}"


def _connect(receiver: ReceiverProcess, machine: Newcomer, chain: list[x509.Certificate], folder: Path) -> httpx.Client:
    """Connect with the certificate that a machine was given."""
    (folder / "own.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chain))
    (folder / "own.key").write_bytes(key_pem(machine.key))
    context = client_context(receiver.trust_anchors)
    context.load_cert_chain(folder / "own.pem", folder / "own.key")
    return httpx.Client(base_url=receiver.url, verify=context, trust_env=False, timeout=30)


def test_a_machine_without_a_tpm_is_enrolled(
    receiver: ReceiverProcess, office: Office, door: httpx.Client, tenant_id: UUID, token: str, tmp_path: Path
) -> None:
    """With its token and two requests a machine has the tenant secret, and a certificate that opens the door."""
    machine = Newcomer()
    answer = answer_of(machine.apply(door, token))
    assert (answer.tenant, answer.appliance, answer.state) == (str(tenant_id), "hq", EnrollmentState.READY)
    assert isinstance(answer.challenge, HpkeChallenge)
    _, brought = machine.open(answer)
    assert (brought.key_version, len(brought.tenant_secret)) == (1, 32)
    chain = machine.chain_of(machine.enroll(door, answer))
    verifier = PolicyBuilder().store(Store(office.authority.anchors)).build_client_verifier()
    verified = verifier.verify(chain[0], chain[1:])
    assert verified.subjects == [x509.UniformResourceIdentifier(f"urn:natalia:tenant:{tenant_id}:appliance:hq")]
    with _connect(receiver, machine, chain, tmp_path) as own:
        assert own.get("/v1/ingest/high-water").json() == {"epoch": 0, "sequence": 0}


def test_a_machine_with_a_tpm_is_enrolled(door: httpx.Client, token: str, witness: VtpmWitness) -> None:
    """A real TPM's evidence is believed, and its credential gives the secret and the certificate."""
    machine = Newcomer(witness)
    answer = answer_of(machine.apply(door, token))
    assert isinstance(answer.challenge, TpmChallenge)
    assert len(machine.open(answer)[1].tenant_secret) == 32
    assert machine.chain_of(machine.enroll(door, answer))[0].public_key() == machine.key.public_key()


def test_the_same_key_may_come_again(door: httpx.Client, token: str) -> None:
    """After a lost answer either step is taken again; the newest challenge counts, under the same id."""
    machine = Newcomer()
    first, second = (answer_of(machine.apply(door, token)) for _ in range(2))
    assert (first.enrollment, first.challenge != second.challenge) == (second.enrollment, True)
    assert machine.open(first)[1] == machine.open(second)[1]
    assert refusal_of(machine.enroll(door, first)) == UNPROVEN
    chains = [machine.chain_of(machine.enroll(door, second)) for _ in range(2)]
    assert chains[0][0].public_key() == chains[1][0].public_key() == machine.key.public_key()
    assert machine.certify(door, token)[0].public_key() == machine.key.public_key()


def test_another_machine_with_the_token_is_refused_and_remembered(
    office: Office, door: httpx.Client, tenant_id: UUID, token: str
) -> None:
    """The first key owns the invitation; that a second one came stays written, as one of the two is a thief."""
    first = Newcomer()
    answer = answer_of(first.apply(door, token))
    assert refusal_of(Newcomer().apply(door, token)) == USED
    assert office.value(tenant_id, "SELECT contested_at IS NOT NULL FROM natalia.invitation") is True
    assert first.chain_of(first.enroll(door, answer))
    assert refusal_of(Newcomer().apply(door, token)) == USED


def test_a_token_that_is_not_believed_is_not_used_up(door: httpx.Client, token: str) -> None:
    """A machine whose evidence is refused does not burn the invitation for another."""
    assert refusal_of(Newcomer().apply(door, token, transport_key=None)) == DISBELIEVED
    assert Newcomer().certify(door, token)


def test_a_token_too_late_is_refused(office: Office, door: httpx.Client, tenant_id: UUID, token: str) -> None:
    """After its end an invitation opens nothing, for its owner neither."""
    machine = Newcomer()
    answer = answer_of(machine.apply(door, token))
    office.execute(tenant_id, "UPDATE natalia.invitation SET expires_at = now()")
    assert refusal_of(machine.apply(door, token)) == EXPIRED
    assert refusal_of(Newcomer().apply(door, token)) == EXPIRED
    assert refusal_of(machine.enroll(door, answer)) == EXPIRED


def test_a_token_that_was_withdrawn_is_unknown(office: Office, door: httpx.Client, tenant_id: UUID, token: str) -> None:
    """A withdrawal ends what was begun with the invitation too."""
    machine = Newcomer()
    answer = answer_of(machine.apply(door, token))
    assert office.withdraw(tenant_id) == 1
    assert refusal_of(machine.apply(door, token)) == UNKNOWN
    assert refusal_of(machine.enroll(door, answer)) == UNKNOWN


def test_every_token_that_opens_nothing_gets_the_same_answer(
    office: Office, door: httpx.Client, tenant_id: UUID, token: str
) -> None:
    """Mistyped, of no tenant, of another tenant's id, with a wrong secret: one answer, byte for byte."""
    head, identifier, secret, _ = token.split("_")
    _, other_id = office.tenant()
    mistyped = f"{head}_{identifier}_{secret}_00000000"
    nowhere = compose(tenant_id=uuid4(), id_bytes=bytes(4), secret_bytes=bytes(20))[1]
    elsewhere = compose(tenant_id=other_id, id_bytes=bytes(4), secret_bytes=bytes(20))[1]
    known = compose(tenant_id=tenant_id, id_bytes=bytes(4), secret_bytes=bytes(20))[0]
    wrong = msgspec.structs.replace(known, identifier=identifier).spell(head="nte")
    answers = [Newcomer().apply(door, text) for text in (mistyped, nowhere, elsewhere, wrong)]
    assert {refusal_of(answer) for answer in answers} == {UNKNOWN}
    assert len({answer.content for answer in answers}) == 1


def test_a_tenants_token_makes_no_other_tenants_appliance(
    office: Office, door: httpx.Client, tenant_id: UUID, token: str
) -> None:
    """What a machine is named follows from the invitation's tenant; another tenant's rows stay as they were."""
    _, other_id = office.tenant()
    Newcomer().certify(door, token)
    count = "SELECT count(*) FROM natalia.machine_certificate"
    assert (office.value(tenant_id, count), office.value(other_id, count)) == (1, 0)


def test_one_tenant_has_one_secret_and_no_other_has_it(office: Office, door: httpx.Client, tenant_id: UUID) -> None:
    """All appliances of a tenant make equal pseudonyms, those of two tenants never do."""
    _, other_id = office.tenant()
    invited = [(tenant_id, "hq"), (tenant_id, "branch"), (other_id, "hq")]
    secrets = []
    for owner, name in invited:
        machine = Newcomer()
        secrets.append(machine.open(answer_of(machine.apply(door, office.invite(owner, name=name).token)))[1])
    assert secrets[0] == secrets[1]
    assert secrets[0].tenant_secret != secrets[2].tenant_secret


def test_what_the_machine_showed_is_pinned(
    office: Office, door: httpx.Client, tenant_id: UUID, token: str, witness: VtpmWitness
) -> None:
    """With the certificate the appliance is held to its machine and to what guards its keys; not before."""
    machine = Newcomer(witness)
    pinned = "SELECT key_protection FROM natalia.appliance"
    answer = answer_of(machine.apply(door, token))
    assert office.value(tenant_id, pinned) is None
    machine.enroll(door, answer)
    assert office.value(tenant_id, pinned) == "tpm"
    assert office.value(tenant_id, "SELECT length(ek_hash) FROM natalia.machine_state") == 32
    assert office.value(tenant_id, "SELECT enrolled_at IS NOT NULL FROM natalia.invitation") is True


def test_a_machine_may_take_anothers_place(
    office: Office, door: httpx.Client, tenant_id: UUID, witness: VtpmWitness
) -> None:
    """A second invitation of the same name replaces the machine of an appliance, and what it is held to."""
    Newcomer(witness).certify(door, office.invite(tenant_id).token)
    Newcomer().certify(door, office.invite(tenant_id).token)
    assert office.value(tenant_id, "SELECT count(*) FROM natalia.appliance") == 1
    assert office.value(tenant_id, "SELECT key_protection FROM natalia.appliance") == "file"
    assert office.value(tenant_id, "SELECT facts IS NULL AND ek_hash IS NULL FROM natalia.machine_state") is True


def test_evidence_of_another_occasion_is_refused(
    office: Office, door: httpx.Client, tenant_id: UUID, token: str, witness: VtpmWitness
) -> None:
    """What a TPM said for one token does not serve another."""
    machine = Newcomer(witness)
    earlier = machine.request(office.invite(tenant_id, name="branch").token)
    assert refusal_of(machine.apply(door, token, evidence=earlier.evidence)) == DISBELIEVED


def test_evidence_for_another_key_is_refused(door: httpx.Client, token: str, witness: VtpmWitness) -> None:
    """What a TPM said for one key does not serve another's request."""
    evidence = Newcomer(witness).request(token).evidence
    assert refusal_of(Newcomer(witness).apply(door, token, evidence=evidence)) == DISBELIEVED


def test_broken_evidence_is_refused(door: httpx.Client, token: str, witness: VtpmWitness) -> None:
    """One altered byte in what the TPM signed ends the enrollment."""
    machine = Newcomer(witness)
    evidence = machine.request(token).evidence
    assert isinstance(evidence, TpmEvidence)
    altered = evidence.quote[:-1] + bytes([evidence.quote[-1] ^ 1])
    broken = msgspec.structs.replace(evidence, quote=altered)
    assert refusal_of(machine.apply(door, token, evidence=broken)) == DISBELIEVED


def test_another_tpm_does_not_take_over_a_request(
    door: httpx.Client, token: str, witness: VtpmWitness, tmp_path: Path
) -> None:
    """Whoever copied a machine's first message does not get its tenant secret sealed to a TPM of their own."""
    machine = Newcomer(witness)
    copied = machine.request(token)
    answer_of(post_enrollment(door, encode_enrollment(copied)))
    with Swtpm(tmp_path / "thief") as tpm:
        thief = VtpmWitness(tpm.tcti, key_protection=KeyProtection.TPM)
        own = thief.evidence(public_key=machine.public_key, occasion=token.encode())
        stolen = msgspec.structs.replace(copied, evidence=own)
        assert refusal_of(post_enrollment(door, encode_enrollment(stolen))) == DISBELIEVED


def _csr_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    machine = Newcomer()
    machine.key = key
    return machine.csr()


def _forged() -> bytes:
    """A request that holds one key and is signed by another: the public point is exchanged."""
    mine, theirs = Newcomer(), Newcomer()
    return mine.csr().replace(mine.public_key, theirs.public_key)


_BAD_REQUESTS: Final = {
    "no PKCS #10": b"hello",
    "P-384": _csr_of(ec.generate_private_key(ec.SECP384R1())),
    "signed by another key": _forged(),
    "more behind it": Newcomer().csr() + b"\x00",
}


@pytest.mark.parametrize("kind", _BAD_REQUESTS)
def test_a_request_without_a_proven_key_is_malformed(door: httpx.Client, token: str, kind: str) -> None:
    """Only a P-256 key that signed its own request is enrolled; the token stays unused."""
    assert refusal_of(Newcomer().apply(door, token, request=_BAD_REQUESTS[kind])) == MALFORMED
    assert Newcomer().certify(door, token)


def test_a_key_to_which_nothing_can_be_sealed_is_malformed(door: httpx.Client, token: str) -> None:
    """A transport key of low order is told so."""
    assert refusal_of(Newcomer().apply(door, token, transport_key=bytes(32))) == MALFORMED


_BODIES: Final = {
    "nothing": b"",
    "no JSON": b"hello",
    "another message": b'{"type":"batch.v1"}',
    "deep": b"[" * 30_000,
    "an unknown field": encode_enrollment(Newcomer().request(_TOKEN))[:-1] + b',"admin":true}',
    "a token of another form": encode_enrollment(Newcomer().request("nte_x")),
    "token and return": encode_enrollment(
        Newcomer().request(_TOKEN, returning=Return(certificate=b"x", signature=bytes(8)))
    ),
    "neither token nor return": encode_enrollment(msgspec.structs.replace(Newcomer().request(_TOKEN), token=None)),
}


@pytest.mark.parametrize("kind", _BODIES)
def test_another_body_is_malformed(door: httpx.Client, kind: str) -> None:
    """What is no message of the contract is refused, wherever it breaks."""
    assert refusal_of(post_enrollment(door, _BODIES[kind])) == MALFORMED


def test_a_body_too_long_is_refused(door: httpx.Client) -> None:
    """A body is bounded, whether its length is declared or not."""
    long = b" " * (MAX_ENROLLMENT_BYTES + 1)
    assert refusal_of(post_enrollment(door, long)) == MALFORMED
    headers = {"Content-Type": CONTENT_TYPE}
    assert refusal_of(door.post(ENROLLMENTS_PATH, content=iter([long]), headers=headers)) == MALFORMED
    assert refusal_of(simple_enroll(door, _NOBODYS, "p", long)) == MALFORMED


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "text/plain"}, {"Content-Type": "application/json; charset=x"}, {"Content-Encoding": "zstd"}],
    ids=["text", "with a parameter", "encoded"],
)
def test_another_media_type_is_unsupported(door: httpx.Client, headers: dict[str, str]) -> None:
    """The first step takes plain JSON."""
    assert refusal_of(post_enrollment(door, b"{}", **headers)) == UNSUPPORTED


def test_an_address_that_guesses_must_wait(door: httpx.Client, token: str) -> None:
    """After ten refused guesses an address is told how long to wait, the right token's holder there too."""
    nowhere = compose(tenant_id=uuid4(), id_bytes=bytes(4), secret_bytes=bytes(20))[1]
    for _ in range(5):
        assert refusal_of(Newcomer().apply(door, nowhere)) == UNKNOWN
        assert refusal_of(simple_enroll(door, _NOBODYS, "p", b"x")) == UNPROVEN
    for response in (Newcomer().apply(door, token), simple_enroll(door, _NOBODYS, "p", b"x")):
        assert refusal_of(response) == (429, ProblemCode.RATE_LIMITED)
        assert 0 < int(response.headers["retry-after"]) <= 60


def test_refusals_for_another_reason_are_no_guesses(door: httpx.Client, token: str) -> None:
    """A machine with a true token may be refused often and still be enrolled."""
    for _ in range(12):
        assert refusal_of(Newcomer().apply(door, token, transport_key=None)) == DISBELIEVED
    assert Newcomer().certify(door, token)


def test_no_secret_is_written_anywhere(
    receiver: ReceiverProcess, office: Office, door: httpx.Client, tenant_id: UUID, token: str
) -> None:
    """Token, transport secret, proof and tenant secret stand in no log, no refusal and no row."""
    machine, thief = Newcomer(), Newcomer()
    answer, csr = answer_of(machine.apply(door, token)), machine.csr()
    opened, brought = machine.open(answer)
    password = machine.password(answer, csr)
    refusals = [
        thief.apply(door, token),
        machine.apply(door, token, transport_key=None),
        simple_enroll(door, answer.enrollment, password, csr + b"\x00"),
        machine.apply(door, token, request=b"x"),
    ]
    assert machine.chain_of(simple_enroll(door, answer.enrollment, password, csr))
    log = (receiver.state_dir.parent / f"{receiver.state_dir.name}.serve.log").read_bytes()
    written = log + b"".join(response.content for response in refusals)
    for table in ("invitation", "enrollment", "tenant_secret", "machine_state"):
        rows = office.value(tenant_id, "SELECT string_agg(t::text, ' ') FROM natalia.TABLE t".replace("TABLE", table))
        written += str(rows).encode()
    secret = token.split("_")[2]
    for kept in (opened, brought.tenant_secret):
        assert kept.hex().encode() not in written
        assert base64.b64encode(kept) not in written
    assert password.encode() not in written
    assert secret.encode() not in written
    assert base64.b32decode(secret.upper()).hex().encode() not in written


def test_a_certified_machine_is_let_in_beside_an_invited_one(
    receiver: ReceiverProcess, machine: Machine, office: Office, door: httpx.Client
) -> None:
    """An appliance that the operator certified by hand and one that was enrolled work side by side."""
    newcomer = Newcomer()
    newcomer.certify(door, office.invite(UUID(machine.tenant_id)).token)
    with machine.connect(receiver) as own:
        assert own.get("/v1/ingest/high-water").status_code == 200
