"""The credential, opened by a real TPM: TPM2_ActivateCredential is the judge of what plain Python made."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from tpm2_pytss import (
    ESAPI,
    ESYS_TR,
    TPM2_ALG,
    TPM2_SE,
    TPM2_SU,
    TPM2B_DIGEST,
    TPM2B_ENCRYPTED_SECRET,
    TPM2B_ID_OBJECT,
    TPM2B_NAME,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPMT_SYM_DEF,
    TSS2_Exception,
)

from appliance.wire.enrollment import TpmChallenge
from receiver.domain.tpm_credential import make_credential
from receiver.domain.tpm_public import EndorsementKey, parse_attestation_key, parse_endorsement_key
from tests.support.software_tpm import HIGH_POLICY, POLICY, attestation, endorsement_p256
from tests.support.swtpm import Swtpm

SECRET = bytes(range(32))
BY_POLICY = "fixedtpm|fixedparent|sensitivedataorigin|adminwithpolicy|restricted|decrypt"
KINDS = {
    "P-256": ("ecc256:aes128cfb", BY_POLICY, POLICY, TPM2_ALG.SHA256),
    "P-384": ("ecc384:aes256cfb", f"{BY_POLICY}|userwithauth", HIGH_POLICY, TPM2_ALG.SHA384),
    "RSA-2048": ("rsa2048:aes128cfb", BY_POLICY, POLICY, TPM2_ALG.SHA256),
}


@dataclass(frozen=True)
class Opener:
    """A TPM with an endorsement key and an attestation key in it."""

    esapi: ESAPI
    kind: str
    endorsement: ESYS_TR
    attestation: ESYS_TR
    endorsement_key: EndorsementKey
    name: bytes

    def open(self, challenge: TpmChallenge) -> bytes:
        """TPM2_ActivateCredential."""
        session = self.policy_session() if self.kind != "P-384" else ESYS_TR.PASSWORD
        try:
            opened = self.esapi.activate_credential(
                activate_handle=self.attestation,
                key_handle=self.endorsement,
                credential_blob=TPM2B_ID_OBJECT(challenge.credential),
                secret=TPM2B_ENCRYPTED_SECRET(challenge.secret),
                session1=ESYS_TR.PASSWORD,
                session2=session,
            )
            return bytes(opened)
        finally:
            if session != ESYS_TR.PASSWORD:
                self.esapi.flush_context(session)

    def policy_session(self) -> ESYS_TR:
        """A session that may use the endorsement key."""
        session = self.esapi.start_auth_session(
            tpm_key=ESYS_TR.NONE,
            bind=ESYS_TR.NONE,
            session_type=TPM2_SE.POLICY,
            symmetric=TPMT_SYM_DEF(algorithm=TPM2_ALG.NULL),
            auth_hash=TPM2_ALG.SHA256,
        )
        self.esapi.policy_secret(auth_handle=ESYS_TR.ENDORSEMENT, policy_session=session, expiration=0)
        self.esapi.trsess_set_attributes(session, 1)
        return session


@pytest.fixture(scope="module", params=KINDS)
def opener(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opener]:
    """A TPM for each kind of endorsement key."""
    folder = tmp_path_factory.mktemp("credential")
    with Swtpm(folder / "state") as tpm, ESAPI(tpm.tcti) as esapi:
        esapi.startup(TPM2_SU.CLEAR)
        algorithm, attributes, policy, name_algorithm = KINDS[request.param]
        template = TPM2B_PUBLIC.parse(algorithm, objectAttributes=attributes, authPolicy=policy, nameAlg=name_algorithm)
        endorsement, endorsement_public, *_ = esapi.create_primary(
            in_sensitive=TPM2B_SENSITIVE_CREATE(), in_public=template, primary_handle=ESYS_TR.ENDORSEMENT
        )
        template = TPM2B_PUBLIC.parse(
            "ecc256:ecdsa-sha256:null",
            objectAttributes="fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign",
        )
        key, key_public, *_ = esapi.create_primary(
            in_sensitive=TPM2B_SENSITIVE_CREATE(), in_public=template, primary_handle=ESYS_TR.ENDORSEMENT
        )
        yield Opener(
            esapi=esapi,
            kind=request.param,
            endorsement=endorsement,
            attestation=key,
            endorsement_key=parse_endorsement_key(endorsement_public.publicArea.marshal()),
            name=parse_attestation_key(key_public.publicArea.marshal()).name,
        )


def test_the_right_tpm_opens_it(opener: Opener) -> None:
    """With every kind of endorsement key, several times: no padding or seed goes wrong now and then."""
    for _ in range(8):
        challenge = make_credential(opener.endorsement_key, name=opener.name, secret=SECRET, random=os.urandom)
        assert opener.open(challenge) == SECRET


def test_a_tpm_names_the_key_as_the_receiver_does(opener: Opener) -> None:
    """The Name that the receiver derives is the TPM's own."""
    assert bytes(opener.esapi.tr_get_name(opener.attestation)) == opener.name


def test_a_tpm_makes_credentials_of_the_same_form(opener: Opener) -> None:
    """TPM2_MakeCredential's outputs are as long as ours, part for part."""
    theirs, their_secret = opener.esapi.make_credential(
        handle=opener.endorsement, credential=TPM2B_DIGEST(SECRET), object_name=TPM2B_NAME(opener.name)
    )
    ours = make_credential(opener.endorsement_key, name=opener.name, secret=SECRET, random=os.urandom)
    assert (len(bytes(theirs)), len(bytes(their_secret))) == (len(ours.credential), len(ours.secret))
    assert opener.open(TpmChallenge(credential=bytes(theirs), secret=bytes(their_secret))) == SECRET


def test_it_does_not_open_for_another_key(opener: Opener) -> None:
    """The right TPM refuses where the attestation key is not the named one."""
    other = parse_attestation_key(attestation(ec.generate_private_key(ec.SECP256R1()).public_key()).marshal())
    challenge = make_credential(opener.endorsement_key, name=other.name, secret=SECRET, random=os.urandom)
    with pytest.raises(TSS2_Exception, match="integrity check failed"):
        opener.open(challenge)


def test_it_does_not_open_in_another_tpm(opener: Opener) -> None:
    """Another endorsement key's credential is refused."""
    other = parse_endorsement_key(endorsement_p256(ec.generate_private_key(ec.SECP256R1()).public_key()).marshal())
    challenge = make_credential(other, name=opener.name, secret=SECRET, random=os.urandom)
    with pytest.raises(TSS2_Exception):
        opener.open(challenge)


def test_two_credentials_have_nothing_in_common(opener: Opener) -> None:
    """The seed is fresh each time."""
    first, second = (
        make_credential(opener.endorsement_key, name=opener.name, secret=SECRET, random=os.urandom) for _ in range(2)
    )
    assert first.secret != second.secret
    assert first.credential != second.credential


def test_the_secret_is_not_in_it(opener: Opener) -> None:
    """Nothing of it goes in clear."""
    challenge = make_credential(opener.endorsement_key, name=opener.name, secret=SECRET, random=os.urandom)
    assert SECRET[:8] not in challenge.credential + challenge.secret


@given(secret=st.binary(max_size=64).filter(lambda secret: len(secret) != 32))
def test_only_a_transport_secret_is_sealed(secret: bytes) -> None:
    """Another length is the caller's mistake."""
    key = parse_endorsement_key(endorsement_p256(ec.generate_private_key(ec.SECP256R1()).public_key()).marshal())
    with pytest.raises(ValueError, match="32 bytes"):
        make_credential(key, name=bytes(34), secret=secret, random=os.urandom)
