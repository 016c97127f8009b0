"""The root secret in the TPM's keeping: sealed, and opened by a policy session that satisfies one of its branches.

Source: TPM 2.0 part 1, 19.7; part 3, 12.1 (Create), 12.2 (Load), 12.7 (Unseal), 23 (policies).
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from tpm2_pytss import (
    ESYS_TR,
    TPM2_EO,
    TPM2B_DIGEST,
    TPM2B_OPERAND,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPML_DIGEST,
    TPMS_SENSITIVE_CREATE,
    TPMT_PUBLIC,
    TPMT_SIGNATURE,
)

from appliance.errors import (
    SealedBlobTamperedError,
    TpmBusyError,
    TpmFailedError,
    TpmPolicyError,
    TpmSignatureForgedError,
)
from appliance.ports import SecretBytes
from appliance.sealing import tpm_policy
from appliance.sealing.tpm_policy import KERNEL_PCR, PcrSignature, PublicKey, Signer
from appliance.sealing.vtpm.anchor import Anchor
from appliance.sealing.vtpm.connection import Tpm
from appliance.sealing.vtpm.counter import Counter
from appliance.sealing.vtpm.response_codes import named_errors

_PCR_BANK: Final = f"sha256:{KERNEL_PCR}"
_UNIQUE_BYTES: Final = 32


def seal_root(tpm: Tpm, root: SecretBytes, policy: bytes) -> tuple[bytes, bytes]:
    """Seal ``root`` under a policy's digest; give the object's public and private part."""
    public = TPM2B_PUBLIC(publicArea=_unmarshalled(tpm_policy.sealed_area(policy) + bytes(_UNIQUE_BYTES)))
    sensitive = TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(data=root.reveal()))
    sealed, made, *_ = tpm.esapi.create(
        parent_handle=tpm.storage_key, in_sensitive=sensitive, in_public=public, session1=tpm.session
    )
    return bytes(made.publicArea.marshal()), bytes(sealed)


@contextmanager
def loaded(tpm: Tpm, anchor: Anchor) -> Iterator[ESYS_TR]:
    """Load an anchor's object.

    Raises:
        SealedBlobTamperedError: the TPM, whose storage key is the pinned one, finds it altered.
    """
    try:
        with named_errors():
            handle = tpm.esapi.load(
                parent_handle=tpm.storage_key,
                in_private=TPM2B_PRIVATE(anchor.private),
                in_public=TPM2B_PUBLIC(publicArea=_unmarshalled(anchor.public)),
                session1=tpm.session,
            )
    except (TpmFailedError, TpmPolicyError):
        # A private part of the wrong form has other codes than one with the wrong integrity value.
        raise SealedBlobTamperedError("the TPM does not take the sealed object") from None
    with tpm.flushed(handle):
        yield handle


def open_root(
    tpm: Tpm, anchor: Anchor, counter: Counter, *, vendor: RSAPublicKey | None, signatures: list[PcrSignature]
) -> SecretBytes:
    """Have the root opened by what this machine is and has booted.

    Args:
        tpm: an open conversation.
        anchor: what to open.
        counter: as it stands now.
        vendor: the key of the anchor's policy; None where that needs none.
        signatures: what the vendor signed.

    Raises:
        TpmPolicyError: no signature is for what was booted.
        TpmSignatureForgedError: the signature for it is not of the vendor's key.
        SealedBlobRetiredError: the counter stands elsewhere.
        SealedBlobTamperedError: the anchor was altered.
        TpmBusyError: PCR 11 changed meanwhile; try again.
    """
    with tpm.policy_session() as session:
        if vendor is not None:
            _satisfy_signed_pcr(tpm, session, vendor, signatures)
        tpm.esapi.policy_nv(
            auth_handle=counter.handle,
            nv_index=counter.handle,
            policy_session=session,
            operand_b=TPM2B_OPERAND(tpm_policy.counter_bytes(anchor.counter)),
            operation=TPM2_EO.EQ,
            session1=tpm.session,
        )
        return _unseal(tpm, anchor, session)


def recover_root(tpm: Tpm, anchor: Anchor, *, key: PublicKey, sign: Signer) -> SecretBytes:
    """Have the root opened by the customer's recovery key, whatever was booted and counted.

    Args:
        tpm: an open conversation.
        anchor: what to open.
        key: the recovery key.
        sign: signs with its private half, for this session alone: the TPM's nonce is in it.

    Raises:
        TpmSignatureForgedError: the signature is not of that key.
        SealedBlobTamperedError: the anchor was altered.
    """
    with tpm.policy_session() as session:
        nonce = bytes(tpm.esapi.trsess_get_nonce_tpm(session))
        signature = sign(tpm_policy.recovery_message(nonce))
        with _external(tpm, key) as handle:
            tpm.esapi.policy_signed(
                auth_object=handle,
                policy_session=session,
                auth=_signature(key, signature),
                nonce_tpm=nonce,
                policy_ref=tpm_policy.RECOVERY_REF,
                expiration=0,
            )
        return _unseal(tpm, anchor, session)


def _satisfy_signed_pcr(tpm: Tpm, session: ESYS_TR, vendor: RSAPublicKey, signatures: list[PcrSignature]) -> None:
    _, _, values = tpm.esapi.pcr_read(_PCR_BANK)
    policy = tpm_policy.policy_pcr({KERNEL_PCR: bytes(values[0])}) if len(values) else tpm_policy.EMPTY
    wanted = (tpm_policy.fingerprint(vendor), policy.hex())
    signed = next((item for item in signatures if (item.pkfp, item.pol) == wanted), None)
    if signed is None:
        raise TpmPolicyError("the vendor signed nothing for what PCR 11 shows")
    tpm.esapi.policy_pcr(policy_session=session, pcr_digest=b"", pcrs=_PCR_BANK)
    if bytes(tpm.esapi.policy_get_digest(session)) != policy:
        raise TpmBusyError("PCR 11 changed between two commands")
    with _external(tpm, vendor) as handle:
        digest = hashlib.sha256(policy).digest()
        ticket = tpm.esapi.verify_signature(handle, digest, _signature(vendor, signed.sig))
        tpm.esapi.policy_authorize(
            policy_session=session,
            approved_policy=policy,
            key_sign=tpm_policy.key_name(vendor),
            check_ticket=ticket,
            policy_ref=b"",
        )


def _unseal(tpm: Tpm, anchor: Anchor, session: ESYS_TR) -> SecretBytes:
    if anchor.branches:
        tpm.esapi.policy_or(session, TPML_DIGEST([TPM2B_DIGEST(branch) for branch in anchor.branches]))
    with loaded(tpm, anchor) as handle:
        root = SecretBytes(bytes(tpm.esapi.unseal(handle, session1=session)))
    anchor.verify(root)
    return root


@contextmanager
def _external(tpm: Tpm, key: PublicKey) -> Iterator[ESYS_TR]:
    """A foreign key; in the owner's hierarchy, because the null hierarchy gives no tickets."""
    public = TPM2B_PUBLIC(publicArea=_unmarshalled(tpm_policy.public_area(key)))
    with tpm.flushed(tpm.esapi.load_external(in_public=public, hierarchy=ESYS_TR.OWNER)) as handle:
        yield handle


def _signature(key: PublicKey, signature: bytes) -> TPMT_SIGNATURE:
    try:
        area = tpm_policy.signature_area(key, signature)
    except ValueError:
        raise TpmSignatureForgedError("what is given as a signature is none") from None
    return TPMT_SIGNATURE.unmarshal(area)[0]


def _unmarshalled(public: bytes) -> TPMT_PUBLIC:
    return TPMT_PUBLIC.unmarshal(public)[0]
