"""A machine's report and its challenge, from the appliance's side to the receiver's."""

import os

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tpm2_pytss import TPM2_ALG, TPM2B_NV_PUBLIC, TPMA_NV, TPMS_NV_PUBLIC

from appliance.sealing.vtpm.attestation import VtpmWitness
from appliance.sealing.vtpm.connection import connected
from appliance.wire.batch import KeyProtection
from appliance.wire.enrollment import TpmChallenge, TpmEvidence
from receiver.domain.machine_evidence import verify_evidence
from receiver.domain.machine_facts import MachineFacts
from receiver.domain.tpm_credential import make_credential
from receiver.domain.tpm_public import parse_endorsement_key
from tests.support.swtpm import Swtpm

_KEY = ec.generate_private_key(ec.SECP256R1()).public_key()
PUBLIC_KEY = _KEY.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
OCCASION = b"nte_token"
ENROLLMENT = "0" * 64
SECRET = bytes(range(1, 33))


def witness_at(tpm: Swtpm, *, tcti: str | None = None) -> VtpmWitness:
    """The appliance's side."""
    return VtpmWitness(tcti or tpm.tcti, key_protection=KeyProtection.TPM)


def evidence_of(tpm: Swtpm) -> TpmEvidence:
    """Evidence for the one key on the one occasion."""
    return witness_at(tpm).evidence(public_key=PUBLIC_KEY, occasion=OCCASION)


def verified(evidence: TpmEvidence) -> MachineFacts:
    """The receiver's side."""
    return verify_evidence(evidence, public_key=PUBLIC_KEY, occasion=OCCASION)


def report(tpm: Swtpm) -> MachineFacts:
    """What the receiver knows after a report."""
    return verified(evidence_of(tpm))


def challenge_for(evidence: TpmEvidence, *, name: bytes | None = None) -> TpmChallenge:
    """The receiver's challenge."""
    key = parse_endorsement_key(evidence.endorsement_key)
    own = verified(evidence).ak_name
    return make_credential(key, name=name or own, secret=SECRET, random=os.urandom)


def define(tpm: Swtpm, index: int, attributes: str, *, size: int, content: bytes = b"") -> None:
    """Put something into the TPM's memory, as another program might."""
    with connected(tpm.tcti) as conversation:
        public = TPMS_NV_PUBLIC(
            nvIndex=index, nameAlg=TPM2_ALG.SHA256, attributes=TPMA_NV.parse(attributes), dataSize=size
        )
        handle = conversation.esapi.nv_define_space(b"", TPM2B_NV_PUBLIC(nvPublic=public))
        for offset in range(0, len(content), 512):
            conversation.esapi.nv_write(handle, content[offset : offset + 512], offset, auth_handle=handle)
