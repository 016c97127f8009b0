"""Every code that the TPM or its library answers with, as an error of this package.

Source: TPM 2.0 part 2, 6.6 (response codes) and the TSS 2.0 overview, 3.12 (the layers). A code of format one says
beside its number which handle, session or parameter it means; that place does not change the class, but for one code.

Not here: what a code means to one step alone (an index that is not defined, a blob that does not load).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tpm2_pytss import TSS2_Exception

from appliance.errors import (
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

_LAYER: Final = 0xFF0000
_TPM_LAYERS: Final = frozenset({0x000000, 0x0B0000, 0x0C0000})
"""The TPM itself, and the resource managers that speak for it."""
_TCTI_LAYER: Final = 0x0A0000
"""The way to the TPM, and what looks for its library."""
_TCTI_TRY_AGAIN: Final = 0x0A0009
_FORMAT_ONE: Final = 0x080
_FORMAT_ONE_CODE: Final = 0x0BF
WRONG_PCR_DIGEST: Final = 0x1C4
"""TPM_RC_VALUE for parameter 1: TPM2_PolicyPCR and TPM2_PolicyAuthorize, and nothing else that is called here."""
NO_HANDLE: Final = 0x08B
"""TPM_RC_HANDLE: nothing is there, as of an NV index that is not defined."""
NOT_STARTED: Final = 0x100
"""TPM_RC_INITIALIZE: TPM2_Startup is wanted first."""

_MEANINGS: Final[dict[int, tuple[type[SealingError], str]]] = {
    0x082: (TpmFailedError, "an attribute is not allowed"),
    0x08E: (TpmAuthorisationError, "an authorisation is wrong, and the TPM has counted it"),
    0x09B: (TpmSignatureForgedError, "the signature is not of the key that it should be of"),
    0x09D: (TpmPolicyError, "what was booted does not satisfy the policy"),
    0x09F: (SealedBlobTamperedError, "the blob's integrity value is wrong"),
    0x0A2: (TpmAuthorisationError, "an authorisation is wrong"),
    0x126: (SealedBlobRetiredError, "the counter is not at the value that the blob is sealed to"),
    0x128: (TpmBusyError, "PCRs have changed since they were checked"),
    0x12F: (TpmFailedError, "the object takes no authorisation of that kind"),
    0x901: (TpmBusyError, "the gap of context numbers is too large"),
    0x902: (TpmBusyError, "all slots for objects are taken"),
    0x903: (TpmBusyError, "all slots for sessions are taken"),
    0x904: (TpmBusyError, "out of memory"),
    0x905: (TpmBusyError, "all session handles are taken"),
    0x906: (TpmBusyError, "all object handles are taken"),
    0x908: (TpmBusyError, "the command was suspended"),
    0x909: (TpmBusyError, "the command was cancelled"),
    0x90A: (TpmBusyError, "the self-test is running"),
    0x920: (TpmBusyError, "writing is slowed down to spare the memory"),
    0x921: (TpmLockoutError, "the TPM is in lockout"),
    0x922: (TpmBusyError, "the command could not be started"),
    0x923: (TpmBusyError, "the memory cannot be written now"),
}


def plain_code(response_code: int) -> int:
    """The code without its layer, and without the handle, session or parameter that it is about."""
    code = response_code & ~_LAYER
    return code & _FORMAT_ONE_CODE if code & _FORMAT_ONE else code


def sealing_error(response_code: int) -> SealingError:
    """The error for a code: its text holds the code and nothing else of the exchange."""
    text = f"response code {response_code:#x}"
    layer = response_code & _LAYER
    if layer == _TCTI_LAYER:
        kind: type[SealingError] = TpmBusyError if response_code == _TCTI_TRY_AGAIN else TpmMissingError
        return kind(f"no answer from a TPM: {text}")
    if layer not in _TPM_LAYERS:
        return TpmFailedError(f"the TPM's library refuses: {text}")
    if response_code & ~_LAYER == WRONG_PCR_DIGEST:
        return TpmPolicyError(f"the signed policy is for other PCR values: {text}")
    found = _MEANINGS.get(plain_code(response_code))
    if found is None:
        return TpmFailedError(f"the TPM refuses: {text}")
    return found[0](f"{found[1]}: {text}")


@contextmanager
def named_errors() -> Iterator[None]:
    """Raise what the TPM answers within as an error of this package.

    Raises:
        SealingError: the class says what to do.
    """
    try:
        yield
    except TSS2_Exception as refused:
        raise sealing_error(int(refused.rc)) from None
