"""What a TPM answers, each code provoked in a real one, and the error that it becomes."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tpm2_pytss import (
    ESYS_TR,
    TPM2_EO,
    TPM2B_AUTH,
    TPM2B_OPERAND,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPM2B_SENSITIVE_DATA,
    TPMS_SENSITIVE_CREATE,
    TPMT_PUBLIC,
    TPMT_SIGNATURE,
    TSS2_Exception,
)

from appliance.errors import (
    RetryableError,
    SealedBlobRetiredError,
    SealedBlobTamperedError,
    SealingError,
    TpmAuthorisationError,
    TpmBusyError,
    TpmFailedError,
    TpmLockoutError,
    TpmMissingError,
    TpmPolicyError,
    TpmSignatureForgedError,
)
from appliance.sealing import tpm_policy
from appliance.sealing.vtpm.connection import Tpm, connected
from appliance.sealing.vtpm.counter import COUNTER_INDEX, count_up
from appliance.sealing.vtpm.response_codes import named_errors, plain_code, sealing_error
from appliance.sealing.vtpm.sealed_root import seal_root
from tests.support.swtpm import Swtpm
from tests.support.tpm_sealing import AT_POWER_ON, FOREIGN, SECRET, VENDOR, extend, on

PCR_11 = "sha256:11"
LITERAL = tpm_policy.policy_pcr({11: AT_POWER_ON})
WITH_PASSWORD = "fixedtpm|fixedparent|userwithauth"


def load(tpm: Tpm, public: bytes, private: bytes) -> ESYS_TR:
    """Load a sealed object."""
    area = TPM2B_PUBLIC(publicArea=TPMT_PUBLIC.unmarshal(public)[0])
    return tpm.esapi.load(tpm.storage_key, TPM2B_PRIVATE(private), area, session1=tpm.session)


def unseal_literal(tpm: Tpm, *, between: Callable[[], object] = lambda: None) -> None:
    """Unseal what is sealed to PCR 11 as it was at power on."""
    public, private = seal_root(tpm, SECRET, LITERAL)
    with tpm.policy_session() as session:
        tpm.esapi.policy_pcr(session, b"", PCR_11)
        between()
        with tpm.flushed(load(tpm, public, private)) as handle:
            tpm.esapi.unseal(handle, session1=session)


def pcr_differs(tpm: Tpm) -> None:
    """The machine booted something else."""
    extend(tpm)
    unseal_literal(tpm)


def pcr_changes(tpm: Tpm) -> None:
    """Something is measured between the check and the use."""
    unseal_literal(tpm, between=lambda: extend(tpm))


def digest_differs(tpm: Tpm) -> None:
    """PolicyPCR is told other values than there are."""
    with tpm.policy_session() as session:
        tpm.esapi.policy_pcr(session, bytes([1]) * 32, PCR_11)


def authorize(tpm: Tpm, signed: bytes, *, key: tpm_policy.PrivateKey = VENDOR) -> None:
    """PolicyAuthorize under the vendor's key, with a signature over ``signed``."""
    signature = tpm_policy.sign_pcr_policy(key, signed)
    public = TPM2B_PUBLIC(publicArea=TPMT_PUBLIC.unmarshal(tpm_policy.public_area(VENDOR.public_key()))[0])
    area = TPMT_SIGNATURE.unmarshal(tpm_policy.signature_area(VENDOR.public_key(), signature.sig))[0]
    approved = bytes.fromhex(signature.pol)
    with tpm.policy_session() as session, ExitStack() as stack:
        tpm.esapi.policy_pcr(session, b"", PCR_11)
        handle = stack.enter_context(tpm.flushed(tpm.esapi.load_external(public, hierarchy=ESYS_TR.OWNER)))
        ticket = tpm.esapi.verify_signature(handle, hashlib.sha256(approved).digest(), area)
        name = tpm_policy.key_name(VENDOR.public_key())
        tpm.esapi.policy_authorize(
            policy_session=session, approved_policy=approved, policy_ref=b"", key_sign=name, check_ticket=ticket
        )


def signed_for_other_values(tpm: Tpm) -> None:
    """The vendor's true signature, for another release."""
    authorize(tpm, bytes([1]) * 32)


def signature_forged(tpm: Tpm) -> None:
    """Somebody else's signature under the vendor's name."""
    authorize(tpm, AT_POWER_ON, key=FOREIGN)


def blob_edited(tpm: Tpm) -> None:
    """One bit of the private part."""
    public, private = seal_root(tpm, SECRET, LITERAL)
    load(tpm, public, private[:-1] + bytes([private[-1] ^ 1]))


def counter_elsewhere(tpm: Tpm) -> None:
    """A blob from before the counter went on."""
    counter = count_up(tpm)
    with tpm.policy_session() as session:
        tpm.esapi.policy_nv(
            auth_handle=counter.handle,
            nv_index=counter.handle,
            policy_session=session,
            operand_b=TPM2B_OPERAND(tpm_policy.counter_bytes(counter.value - 1)),
            operation=TPM2_EO.EQ,
        )


def password_for_policy(tpm: Tpm) -> None:
    """A password where only a policy opens."""
    with tpm.flushed(load(tpm, *seal_root(tpm, SECRET, LITERAL))) as handle:
        tpm.esapi.unseal(handle)


def with_password(tpm: Tpm, given: bytes) -> None:
    """Use a sealed object whose password counts against the lockout."""
    sensitive = TPMS_SENSITIVE_CREATE(userAuth=TPM2B_AUTH(b"right"), data=TPM2B_SENSITIVE_DATA(b"data"))
    public = TPM2B_PUBLIC.parse("keyedhash", objectAttributes=WITH_PASSWORD)
    private, made, *_ = tpm.esapi.create(tpm.storage_key, TPM2B_SENSITIVE_CREATE(sensitive), public)
    with tpm.flushed(tpm.esapi.load(tpm.storage_key, private, made)) as handle:
        tpm.esapi.tr_set_auth(handle, given)
        tpm.esapi.unseal(handle)


def password_wrong(tpm: Tpm) -> None:
    """Once."""
    with_password(tpm, b"wrong")


def locked_out(tpm: Tpm) -> None:
    """Three times, and then right."""
    for _ in range(3):
        with pytest.raises(TSS2_Exception):
            with_password(tpm, b"wrong")
    with_password(tpm, b"right")


def slots_taken(tpm: Tpm) -> None:
    """A fourth object in a TPM with three slots."""
    public, private = seal_root(tpm, SECRET, LITERAL)
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(tpm.flushed(load(tpm, public, private)))


def nothing_there(tpm: Tpm) -> None:
    """An index that is not defined."""
    tpm.esapi.tr_from_tpmpublic(COUNTER_INDEX)


PROVOKED: dict[str, tuple[Callable[[Tpm], None], int, type[SealingError]]] = {
    "pcr_differs": (pcr_differs, 0x99D, TpmPolicyError),
    "pcr_digest_differs": (digest_differs, 0x1C4, TpmPolicyError),
    "signed_for_other_values": (signed_for_other_values, 0x1C4, TpmPolicyError),
    "signature_forged": (signature_forged, 0x2DB, TpmSignatureForgedError),
    "blob_edited": (blob_edited, 0x1DF, SealedBlobTamperedError),
    "pcr_changes": (pcr_changes, 0x128, TpmBusyError),
    "counter_elsewhere": (counter_elsewhere, 0x126, SealedBlobRetiredError),
    "password_for_policy": (password_for_policy, 0x12F, TpmFailedError),
    "password_wrong": (password_wrong, 0x98E, TpmAuthorisationError),
    "locked_out": (locked_out, 0x921, TpmLockoutError),
    "slots_taken": (slots_taken, 0x902, TpmBusyError),
    "nothing_there": (nothing_there, 0x18B, TpmFailedError),
}


@pytest.mark.parametrize(("provoke", "code", "error"), PROVOKED.values(), ids=PROVOKED)
def test_each_answer_becomes_its_error(
    tpm: Swtpm, provoke: Callable[[Tpm], None], code: int, error: type[SealingError]
) -> None:
    """The class says what to do; the text holds the response code and nothing of the secret."""
    with pytest.raises(SealingError) as caught, connected(tpm.tcti) as open_tpm:
        provoke(open_tpm)
    assert type(caught.value) is error
    assert f"{code:#x}" in str(caught.value)
    assert SECRET.reveal().decode() not in str(caught.value)


def test_a_tpm_that_goes_away_is_missing(tpm: Swtpm) -> None:
    """The power goes within a conversation."""

    def use(open_tpm: Tpm) -> None:
        tpm.kill()
        open_tpm.esapi.get_random(8)

    with pytest.raises(TpmMissingError):
        on(tpm, use)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (0xA000A, TpmMissingError),
        (0xA0015, TpmMissingError),
        (0xA0009, TpmBusyError),
        (0xB0902, TpmBusyError),
        (0xC0921, TpmLockoutError),
        (0x7000F, TpmFailedError),
        (0x90001, TpmFailedError),
        (0x9A2, TpmAuthorisationError),
        (0x2C4, TpmFailedError),
        (0x922, TpmBusyError),
        (0x101, TpmFailedError),
        (0x1, TpmFailedError),
    ],
)
def test_codes_of_each_layer_are_told_apart(code: int, error: type[SealingError]) -> None:
    """TPM, its resource manager, the way to it, and the library around."""
    assert type(sealing_error(code)) is error


def every_code() -> Iterator[int]:
    """All codes of all layers."""
    return (layer << 16 | code for layer in range(16) for code in range(0x1000))


def test_no_code_is_without_an_error() -> None:
    """Each code gives an error of sealing with a hint; only a busy TPM is tried again."""
    for code in every_code():
        error = sealing_error(code)
        assert error.hint
        assert isinstance(error, RetryableError) == isinstance(error, TpmBusyError)


@pytest.mark.parametrize(
    ("code", "plain"), [(0x99D, 0x9D), (0x1DF, 0x9F), (0x2DB, 0x9B), (0x18B, 0x8B), (0xB018B, 0x8B), (0x921, 0x921)]
)
def test_the_place_is_taken_off_a_code(code: int, plain: int) -> None:
    """Handle, session or parameter, and the layer."""
    assert plain_code(code) == plain


def test_other_errors_pass() -> None:
    """A mistake of the program is no answer of the TPM."""
    with pytest.raises(TypeError), named_errors():
        raise TypeError
