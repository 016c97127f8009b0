"""A credential opened the plain way: a TPM's own command, without the product and without an encrypted session."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tpm2_pytss import (
    ESAPI,
    ESYS_TR,
    TPM2_ALG,
    TPM2_SE,
    TPM2_SU,
    TPM2B_ENCRYPTED_SECRET,
    TPM2B_ID_OBJECT,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPMA_SESSION,
    TPMT_SYM_DEF,
)

from appliance.wire.enrollment import TpmChallenge
from tests.support.software_tpm import HIGH_POLICY, POLICY

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
    endorsement_key: bytes
    """TPMT_PUBLIC."""
    attestation_key: bytes
    """TPMT_PUBLIC."""

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
        self.esapi.trsess_set_attributes(session, TPMA_SESSION.CONTINUESESSION)
        return session


@contextmanager
def opener_at(tcti: str, kind: str) -> Iterator[Opener]:
    """Make both keys in a TPM that was not started yet, and take them away in the end."""
    with ESAPI(tcti) as esapi:
        esapi.startup(TPM2_SU.CLEAR)
        algorithm, attributes, policy, name_algorithm = KINDS[kind]
        templates = [
            TPM2B_PUBLIC.parse(algorithm, objectAttributes=attributes, authPolicy=policy, nameAlg=name_algorithm),
            TPM2B_PUBLIC.parse(
                "ecc256:ecdsa-sha256:null",
                objectAttributes="fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign",
            ),
        ]
        made = [
            esapi.create_primary(
                in_sensitive=TPM2B_SENSITIVE_CREATE(), in_public=template, primary_handle=ESYS_TR.ENDORSEMENT
            )[:2]
            for template in templates
        ]
        try:
            yield Opener(esapi, kind, *(handle for handle, _ in made), *(key.publicArea.marshal() for _, key in made))
        finally:
            for handle, _ in made:
                esapi.flush_context(handle)
