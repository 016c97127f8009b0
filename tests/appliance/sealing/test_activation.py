"""The challenge that only this machine's TPM opens."""

import os
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec.structs import replace

from appliance.errors import WrongMachineError
from appliance.wire.enrollment import HpkeChallenge
from receiver.domain.tpm_credential import make_credential
from receiver.domain.tpm_public import parse_endorsement_key
from tests.support.attested import ENROLLMENT, SECRET, challenge_for, evidence_of, report, verified, witness_at
from tests.support.credential_opener import opener_at
from tests.support.software_tpm import attestation, name_of
from tests.support.swtpm import Swtpm, recorded_bus
from tests.support.tpm_sealing import left_behind


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swtpm]:
    """A TPM with an endorsement certificate of its maker, over an RSA key."""
    with Swtpm(tmp_path_factory.mktemp("certified") / "state", endorsement_certificate=True) as started:
        yield started


def test_the_machine_opens_its_challenge(tpm: Swtpm) -> None:
    """From evidence to the transport secret, once around."""
    assert witness_at(tpm).open_challenge(challenge_for(evidence_of(tpm)), enrollment=ENROLLMENT).reveal() == SECRET


def test_a_certified_endorsement_key_is_shown(certified: Swtpm) -> None:
    """Where the TPM's maker certified an RSA key, evidence is of that key, with the certificate; and it opens."""
    evidence = evidence_of(certified)
    assert isinstance(parse_endorsement_key(evidence.endorsement_key).key, rsa.RSAPublicKey)
    assert verified(evidence).ek_certified
    opened = witness_at(certified).open_challenge(challenge_for(evidence), enrollment=ENROLLMENT)
    assert opened.reveal() == SECRET


def test_a_challenge_for_another_key_does_not_open(tpm: Swtpm) -> None:
    """The right TPM refuses a credential for an attestation key that it does not have."""
    other = name_of(attestation(ec.generate_private_key(ec.SECP256R1()).public_key()).marshal())
    with pytest.raises(WrongMachineError, match="not made for this TPM"):
        witness_at(tpm).open_challenge(challenge_for(evidence_of(tpm), name=other), enrollment=ENROLLMENT)


def test_a_challenge_for_another_tpm_does_not_open(tpm: Swtpm, certified: Swtpm) -> None:
    """Neither TPM opens the other's, whatever kind of key they have."""
    for theirs, ours in ((tpm, certified), (certified, tpm)):
        challenge = challenge_for(evidence_of(theirs), name=report(ours).ak_name)
        with pytest.raises(WrongMachineError, match="not made for this TPM"):
            witness_at(ours).open_challenge(challenge, enrollment=ENROLLMENT)


@pytest.mark.parametrize("field", ["credential", "secret"])
def test_an_altered_challenge_does_not_open(certified: Swtpm, tpm: Swtpm, field: str) -> None:
    """Any byte of it, or its length; with both kinds of key."""
    for each in (certified, tpm):
        challenge = challenge_for(evidence_of(each))
        content: bytes = getattr(challenge, field)
        places = [0, 1, 2, len(content) // 2, len(content) - 1]
        flipped = [content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] for at in places]
        for altered in [*flipped, content[:-1], content[:1], bytes(len(content)), bytes(4096)]:
            with pytest.raises(WrongMachineError) as caught:
                witness_at(each).open_challenge(replace(challenge, **{field: altered}), enrollment=ENROLLMENT)
            assert content.hex() not in str(caught.value)


def test_a_challenge_of_the_other_kind_does_not_open(tpm: Swtpm) -> None:
    """A machine with a TPM takes no challenge for one without."""
    with pytest.raises(WrongMachineError, match="without a TPM"):
        witness_at(tpm).open_challenge(HpkeChallenge(ciphertext=bytes(80)), enrollment=ENROLLMENT)


def test_nothing_stays_in_the_tpm(tpm: Swtpm) -> None:
    """After many evidences and challenges, opened and not, no key and no session is left behind."""
    for _ in range(5):
        challenge = challenge_for(evidence_of(tpm))
        witness_at(tpm).open_challenge(challenge, enrollment=ENROLLMENT)
        with pytest.raises(WrongMachineError):
            witness_at(tpm).open_challenge(replace(challenge, credential=b"\0"), enrollment=ENROLLMENT)
    assert left_behind(tpm) == []


def test_the_secret_does_not_cross_the_bus(tpm: Swtpm) -> None:
    """Whoever listens sees the sealed seed and not the secret; in a plain conversation he sees the secret too."""
    challenge = challenge_for(evidence_of(tpm))
    with recorded_bus(tpm) as bus:
        listened = witness_at(tpm, tcti=bus.tcti)
        assert listened.open_challenge(challenge, enrollment=ENROLLMENT).reveal() == SECRET
        assert SECRET not in bus.recorded
        assert challenge.secret in bus.recorded
    with recorded_bus(tpm) as bus, opener_at(bus.tcti, "P-256") as plain:
        key, name = parse_endorsement_key(plain.endorsement_key), name_of(plain.attestation_key)
        assert plain.open(make_credential(key, name=name, secret=SECRET, random=os.urandom)) == SECRET
        assert SECRET in bus.recorded
