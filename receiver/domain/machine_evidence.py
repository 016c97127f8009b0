"""Verify what a machine's TPM says of itself: ``verify_evidence`` raises on the first broken rule.

1. The endorsement key is a restricted decryption key of the TCG's making, the attestation key a restricted signing
   key; neither leaves its TPM.
2. Quote, counter and, where it is there, the request key's certification are each stated by that attestation key, as
   a primary key of the endorsement hierarchy, and bound to the request's key and the occasion.
3. The quote is over PCR 7 and 11; the counter is the one of evidence, whole; the certified key is the request's.
4. All are of one boot.

It does not prove that the endorsement key is of the same TPM: the challenge does, which only that TPM opens for that
attestation key (``tpm_credential``). It does not tell a TPM from a program that plays one: a maker's certificate could,
and a virtual TPM has none that leads to a public root; so what is pinned at the enrollment is what later evidence must
come from. It judges neither the PCRs' value nor an endorsement certificate's issuer.
"""

import hashlib

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from appliance.wire.batch import KeyProtection
from appliance.wire.enrollment import Evidence, FileEvidence, TpmEvidence, binding
from receiver.domain import tpm_statement
from receiver.domain.machine_facts import MachineFacts
from receiver.domain.tpm_marshalling import refused
from receiver.domain.tpm_public import (
    EndorsementKey,
    parse_attestation_key,
    parse_endorsement_key,
    request_key_name,
)
from receiver.domain.tpm_statement import Moment, SignedStatement, Trust


def believe_evidence(
    evidence: Evidence, *, key_protection: KeyProtection, public_key: bytes, occasion: bytes
) -> MachineFacts | None:
    """Give what a machine's evidence proves; None for one without a TPM.

    Args:
        evidence: as it came.
        key_protection: what the machine says guards its keys.
        public_key: as of ``verify_evidence``.
        occasion: as of ``verify_evidence``.

    Raises:
        ProblemError: ``evidence_invalid``.
    """
    if isinstance(evidence, FileEvidence) is not (key_protection is KeyProtection.FILE):
        raise refused("evidence and key protection are not those of one kind of machine")
    if isinstance(evidence, FileEvidence):
        return None
    return verify_evidence(evidence, public_key=public_key, occasion=occasion)


def verify_evidence(evidence: TpmEvidence, *, public_key: bytes, occasion: bytes) -> MachineFacts:
    """Give what ``evidence`` proves.

    Args:
        evidence: as it came.
        public_key: the request's key, SubjectPublicKeyInfo in DER.
        occasion: as of ``wire.enrollment.binding``.

    Raises:
        ProblemError: ``evidence_invalid``, with the rule that is broken.
    """
    endorsement = parse_endorsement_key(evidence.endorsement_key)
    attestation = parse_attestation_key(evidence.attestation_key)
    trust = Trust(attestation, binding(public_key, occasion))
    quoted, pcr_digest = tpm_statement.quote(SignedStatement(evidence.quote, evidence.quote_signature, "quote"), trust)
    counted, counter = tpm_statement.counter(
        SignedStatement(evidence.counter, evidence.counter_signature, "counter's certification"), trust
    )
    certified = _certified(evidence, trust, public_key)
    _check_one_boot([quoted, counted] if certified is None else [quoted, counted, certified])
    return MachineFacts(
        ek_hash=hashlib.sha256(evidence.endorsement_key).digest(),
        ek_certified=_is_certified(endorsement, evidence.endorsement_certificate),
        ak_name=attestation.name,
        clock=counted.clock,
        reset_count=counted.reset_count,
        restart_count=counted.restart_count,
        safe=counted.safe,
        counter=counter,
        pcr_digest=pcr_digest,
        firmware_version=counted.firmware_version,
        key_in_tpm=certified is not None,
    )


def _certified(evidence: TpmEvidence, trust: Trust, public_key: bytes) -> Moment | None:
    if evidence.key is None and evidence.key_signature is None:
        return None
    if evidence.key is None or evidence.key_signature is None:
        raise refused("the request key's certification and its signature come together or not at all")
    signed = SignedStatement(evidence.key, evidence.key_signature, "request key's certification")
    moment, name = tpm_statement.certified(signed, trust)
    key = load_der_public_key(public_key)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise refused("the request's key is not one of P-256")
    if name != request_key_name(key):
        raise refused("the certified key is not the request's, or may leave the TPM")
    return moment


def _check_one_boot(moments: list[Moment]) -> None:
    if len({(moment.reset_count, moment.restart_count, moment.firmware_version) for moment in moments}) != 1:
        raise refused("the statements are not of one boot")


def _is_certified(endorsement: EndorsementKey, certificate: bytes | None) -> bool:
    if certificate is None:
        return False
    try:
        return x509.load_der_x509_certificate(certificate).public_key() == endorsement.key
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        return False
