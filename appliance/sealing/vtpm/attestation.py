"""What this machine's TPM says of it, and the challenge that only this TPM opens.

Rules: both keys are primary keys of the endorsement hierarchy, made anew from fixed templates each time, so nothing
needs to be kept and a copied disk holds no part of them; the counter is counted up before each evidence, so that no
two of one TPM are alike; at most two objects are loaded at a time. What leaves is public; the challenge's secret
crosses the bus encrypted.

The endorsement key is the one that the TPM's maker certified, where a certificate lies in the TPM; P-256 otherwise.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tpm2_pytss import (
    ESYS_TR,
    TPM2_ALG,
    TPM2B_ENCRYPTED_SECRET,
    TPM2B_ID_OBJECT,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPMA_NV,
    TPMA_SESSION,
    TPMT_SIG_SCHEME,
    TSS2_Exception,
)
from tpm2_pytss.tsskey import TSSPrivKey
from tpm2_pytss.utils import NoSuchIndex, create_ek_template

from appliance.errors import WrongMachineError
from appliance.ports import SecretBytes
from appliance.sealing.vtpm.connection import Tpm, connected, found, patiently
from appliance.sealing.vtpm.counter import COUNTER_BYTES, define
from appliance.sealing.vtpm.response_codes import plain_code
from appliance.sealing.vtpm.tls_key import loaded, parse_key
from appliance.wire.batch import KeyProtection
from appliance.wire.enrollment import COUNTER_INDEX, HpkeChallenge, TpmChallenge, TpmEvidence, binding

_ATTESTATION_KEY: Final = "ecc256:ecdsa-sha256:null"
_ATTESTATION_ATTRIBUTES: Final = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign"
_PCRS: Final = "sha256:7,11"
_ENDORSEMENT_KEYS: Final = ("EK-ECC256", "EK-RSA2048")
"""TCG EK Credential Profile, templates L-2 and L-1: used by PolicySecret of the endorsement hierarchy alone."""
_NV_PART_BYTES: Final = 512
"""What every TPM gives at once (TCG PC Client Platform TPM Profile, MAX_NV_BUFFER_SIZE)."""
_READABLE: Final = TPMA_NV.AUTHREAD | TPMA_NV.WRITTEN
_CERTIFICATE_BYTES: Final = range(1, 8193)
"""What ``wire.enrollment.Der`` takes."""
_NOT_OPENED: Final = frozenset({0x084, 0x095, 0x09A, 0x09F, 0x0A7, 0x101})
"""TPM_RC_VALUE, SIZE, INSUFFICIENT, INTEGRITY, ECC_POINT of TPM2_ActivateCredential (part 3, 12.5).

FAILURE too: so libtpms calls an OAEP that does not decode. A TPM that failed would have said so before.
"""


class VtpmWitness:
    """Implements ``ports.MachineWitness``."""

    transport_key: Final = None

    def __init__(self, tcti: str, *, key_protection: KeyProtection, storage_key_name: bytes | None = None) -> None:
        """Speak for the TPM at ``tcti``.

        Args:
            tcti: as of ``connection.connected``.
            key_protection: what the sealer says.
            storage_key_name: the pinned Name; None before the first seal.
        """
        self.key_protection: Final = key_protection
        self._tcti = tcti
        self._storage_key_name = storage_key_name

    def evidence(self, *, public_key: bytes, occasion: bytes, tpm_key: bytes | None = None) -> TpmEvidence:
        """Give evidence, and count up; see ``ports.MachineWitness``.

        Raises:
            IdentityMismatchError: ``tpm_key`` is none.
            SealingError: the TPM does not give it, by class.
        """
        bound_to = binding(public_key, occasion)
        kept = None if tpm_key is None else parse_key(tpm_key)
        return patiently(lambda: self._evidence(bound_to, kept))

    def open_challenge(self, challenge: TpmChallenge | HpkeChallenge, *, enrollment: str) -> SecretBytes:
        """Open what the receiver sealed to this TPM.

        Raises:
            WrongMachineError: it was made for another TPM or another machine's key, or was altered.
            SealingError: the TPM does not work, by class.
        """
        del enrollment  # the credential is tied to this TPM's keys, and those to the enrollment by the evidence
        if isinstance(challenge, HpkeChallenge):
            raise WrongMachineError("the challenge is one for a machine without a TPM")
        return patiently(lambda: self._activate(challenge))

    def _evidence(self, bound_to: bytes, kept: TSSPrivKey | None) -> TpmEvidence:
        with connected(self._tcti, storage_key_name=self._storage_key_name) as tpm:
            certificate, template = _endorsement_template(tpm)
            with _primary(tpm, template) as (_, endorsement_key):
                pass
            counter = found(tpm.esapi, COUNTER_INDEX) or define(tpm, COUNTER_INDEX)
            tpm.esapi.nv_increment(counter, session1=tpm.session)
            with _primary(tpm, _attestation_template()) as (key, attestation_key):
                quote, quote_signature = tpm.esapi.quote(key, _PCRS, bound_to, session1=tpm.session)
                counted, counter_signature = tpm.esapi.nv_certify(
                    sign_handle=key,
                    nv_index=counter,
                    qualifying_data=bound_to,
                    in_scheme=TPMT_SIG_SCHEME(scheme=TPM2_ALG.NULL),
                    size=COUNTER_BYTES,
                    session1=tpm.session,
                )
                held, held_signature = (None, None) if kept is None else _certified(tpm, kept, key, bound_to)
            return TpmEvidence(
                endorsement_key=endorsement_key,
                endorsement_certificate=certificate,
                attestation_key=attestation_key,
                quote=bytes(quote),
                quote_signature=quote_signature.marshal(),
                counter=bytes(counted),
                counter_signature=counter_signature.marshal(),
                key=held,
                key_signature=held_signature,
            )

    def _activate(self, challenge: TpmChallenge) -> SecretBytes:
        with connected(self._tcti, storage_key_name=self._storage_key_name) as tpm:
            _, template = _endorsement_template(tpm)
            # The session first: its start needs a slot for the storage key, for a moment.
            with (
                tpm.policy_session() as policy,
                _primary(tpm, template) as (endorsement_key, _),
                _primary(tpm, _attestation_template()) as (key, _),
            ):
                tpm.esapi.policy_secret(
                    auth_handle=ESYS_TR.ENDORSEMENT, policy_session=policy, expiration=0, session1=tpm.session
                )
                # One session may encrypt the answer, and the other already does.
                tpm.esapi.trsess_set_attributes(policy, TPMA_SESSION.CONTINUESESSION)
                return _activated(tpm, challenge, key=key, endorsement_key=endorsement_key, policy=policy)


def _certified(tpm: Tpm, kept: TSSPrivKey, attestation_key: ESYS_TR, bound_to: bytes) -> tuple[bytes, bytes]:
    """TPM2_Certify (part 3, 18.2): the TPM says that it holds the key; the statement and its signature."""
    with loaded(tpm, kept) as handle:
        statement, signature = tpm.esapi.certify(
            object_handle=handle,
            sign_handle=attestation_key,
            qualifying_data=bound_to,
            in_scheme=TPMT_SIG_SCHEME(scheme=TPM2_ALG.NULL),
            session1=tpm.session,
            session2=ESYS_TR.PASSWORD,
        )
    return bytes(statement), bytes(signature.marshal())


def _activated(
    tpm: Tpm, challenge: TpmChallenge, *, key: ESYS_TR, endorsement_key: ESYS_TR, policy: ESYS_TR
) -> SecretBytes:
    try:
        opened = tpm.esapi.activate_credential(
            activate_handle=key,
            key_handle=endorsement_key,
            credential_blob=TPM2B_ID_OBJECT(challenge.credential),
            secret=TPM2B_ENCRYPTED_SECRET(challenge.secret),
            session1=tpm.session,
            session2=policy,
        )
    except IndexError:
        # The library's buffers are as long as the longest credential is.
        raise WrongMachineError("the challenge is longer than any that a TPM opens") from None
    except TSS2_Exception as refused:
        if plain_code(int(refused.rc)) not in _NOT_OPENED:
            raise
        raise WrongMachineError("the challenge was not made for this TPM, or was altered") from None
    return SecretBytes(bytes(opened))


def _endorsement_template(tpm: Tpm) -> tuple[bytes | None, TPM2B_PUBLIC]:
    """The first kind of endorsement key that is certified, with its certificate; the first kind where none is."""
    kinds: list[tuple[bytes | None, TPM2B_PUBLIC]] = [
        create_ek_template(kind, lambda index: _read(tpm, index)) for kind in _ENDORSEMENT_KEYS
    ]
    return next((kind for kind in kinds if kind[0] is not None), kinds[0])


def _read(tpm: Tpm, index: int) -> bytes:
    """Read an NV index whole. Raises ``NoSuchIndex``, as its caller in the library wants, where that cannot be done."""
    handle = found(tpm.esapi, index)
    if handle is None:
        raise NoSuchIndex(index)
    public = tpm.esapi.nv_read_public(handle)[0].nvPublic
    if public.attributes & _READABLE != _READABLE or public.dataSize not in _CERTIFICATE_BYTES:
        raise NoSuchIndex(index)
    return b"".join(
        bytes(tpm.esapi.nv_read(handle, min(_NV_PART_BYTES, public.dataSize - offset), offset, session1=tpm.session))
        for offset in range(0, public.dataSize, _NV_PART_BYTES)
    )


def _attestation_template() -> TPM2B_PUBLIC:
    return TPM2B_PUBLIC.parse(_ATTESTATION_KEY, objectAttributes=_ATTESTATION_ATTRIBUTES)


@contextmanager
def _primary(tpm: Tpm, template: TPM2B_PUBLIC) -> Iterator[tuple[ESYS_TR, bytes]]:
    """A primary key of the endorsement hierarchy, and its TPMT_PUBLIC."""
    handle, public, *_ = tpm.esapi.create_primary(
        in_sensitive=TPM2B_SENSITIVE_CREATE(),
        in_public=template,
        primary_handle=ESYS_TR.ENDORSEMENT,
        session1=tpm.session,
    )
    with tpm.flushed(handle):
        yield handle, public.publicArea.marshal()
