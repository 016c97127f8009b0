"""The credential, opened by a real TPM: TPM2_ActivateCredential is the judge of what plain Python made."""

import os
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from tpm2_pytss import TPM2B_DIGEST, TPM2B_NAME, TSS2_Exception

from appliance.wire.enrollment import TpmChallenge
from receiver.domain.tpm_credential import make_credential
from receiver.domain.tpm_public import parse_attestation_key, parse_endorsement_key
from tests.support.credential_opener import KINDS, Opener, opener_at
from tests.support.software_tpm import attestation, endorsement_p256
from tests.support.swtpm import Swtpm

SECRET = bytes(range(32))


@pytest.fixture(scope="module", params=KINDS)
def opener(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opener]:
    """A TPM for each kind of endorsement key."""
    with (
        Swtpm(tmp_path_factory.mktemp("credential") / "state") as tpm,
        opener_at(tpm.tcti, request.param) as made,
    ):
        yield made


def challenge_to(opener: Opener, *, name: bytes | None = None) -> TpmChallenge:
    """A credential for the TPM's endorsement key, and its own attestation key or another."""
    own = parse_attestation_key(opener.attestation_key).name
    key = parse_endorsement_key(opener.endorsement_key)
    return make_credential(key, name=name or own, secret=SECRET, random=os.urandom)


def test_the_right_tpm_opens_it(opener: Opener) -> None:
    """With every kind of endorsement key, several times: no padding or seed goes wrong now and then."""
    for _ in range(8):
        assert opener.open(challenge_to(opener)) == SECRET


def test_a_tpm_names_the_key_as_the_receiver_does(opener: Opener) -> None:
    """The Name that the receiver derives is the TPM's own."""
    name = parse_attestation_key(opener.attestation_key).name
    assert bytes(opener.esapi.tr_get_name(opener.attestation)) == name


def test_a_tpm_makes_credentials_of_the_same_form(opener: Opener) -> None:
    """TPM2_MakeCredential's outputs are as long as ours, part for part."""
    name = parse_attestation_key(opener.attestation_key).name
    theirs, their_secret = opener.esapi.make_credential(
        handle=opener.endorsement, credential=TPM2B_DIGEST(SECRET), object_name=TPM2B_NAME(name)
    )
    ours = challenge_to(opener)
    assert (len(bytes(theirs)), len(bytes(their_secret))) == (len(ours.credential), len(ours.secret))
    assert opener.open(TpmChallenge(credential=bytes(theirs), secret=bytes(their_secret))) == SECRET


def test_it_does_not_open_for_another_key(opener: Opener) -> None:
    """The right TPM refuses where the attestation key is not the named one."""
    other = parse_attestation_key(attestation(ec.generate_private_key(ec.SECP256R1()).public_key()).marshal())
    with pytest.raises(TSS2_Exception, match="integrity check failed"):
        opener.open(challenge_to(opener, name=other.name))


def test_it_does_not_open_in_another_tpm(opener: Opener) -> None:
    """Another endorsement key's credential is refused."""
    other = parse_endorsement_key(endorsement_p256(ec.generate_private_key(ec.SECP256R1()).public_key()).marshal())
    name = parse_attestation_key(opener.attestation_key).name
    challenge = make_credential(other, name=name, secret=SECRET, random=os.urandom)
    with pytest.raises(TSS2_Exception):
        opener.open(challenge)


def test_two_credentials_have_nothing_in_common(opener: Opener) -> None:
    """The seed is fresh each time."""
    first, second = challenge_to(opener), challenge_to(opener)
    assert first.secret != second.secret
    assert first.credential != second.credential


def test_the_secret_is_not_in_it(opener: Opener) -> None:
    """Nothing of it goes in clear."""
    challenge = challenge_to(opener)
    assert SECRET[:8] not in challenge.credential + challenge.secret


@given(secret=st.binary(max_size=64).filter(lambda secret: len(secret) != 32))
def test_only_a_transport_secret_is_sealed(secret: bytes) -> None:
    """Another length is the caller's mistake."""
    key = parse_endorsement_key(endorsement_p256(ec.generate_private_key(ec.SECP256R1()).public_key()).marshal())
    with pytest.raises(ValueError, match="32 bytes"):
        make_credential(key, name=bytes(34), secret=secret, random=os.urandom)
