"""The counter in the TPM that retires old anchors: it goes up alone, also over its own removal (part 1, 37.2.5).

Its Name is computed, not believed: an index of another kind at its place, which could be set back, is refused.
"""

from dataclasses import dataclass
from typing import Final

from tpm2_pytss import (
    ESYS_TR,
    TPM2_ALG,
    TPM2B_NV_PUBLIC,
    TPMA_NV,
    TPMS_NV_PUBLIC,
)

from appliance.errors import TpmFailedError
from appliance.sealing.tpm_policy import index_name
from appliance.sealing.vtpm.connection import Tpm, found

COUNTER_INDEX: Final = 0x01844E53
"""In the owner's range (TCG Registry of Reserved TPM 2.0 Handles and Localities, 2.2)."""
COUNTER_BYTES: Final = 8
_ATTRIBUTES: Final = TPMA_NV.parse("authwrite|authread|noda|nt=0x1")
"""A counter with an empty password; noda, so that a lockout does not close it."""
_UNWRITTEN_NAME: Final = index_name(COUNTER_INDEX, int(_ATTRIBUTES), size=COUNTER_BYTES)
COUNTER_NAME: Final = index_name(COUNTER_INDEX, int(_ATTRIBUTES | TPMA_NV.WRITTEN), size=COUNTER_BYTES)
"""The Name of the counter once it has counted."""


@dataclass(frozen=True, slots=True)
class Counter:
    """The counter as it was read."""

    handle: ESYS_TR
    value: int


def read_counter(tpm: Tpm) -> Counter | None:
    """Read it; None where there is none that has counted.

    Raises:
        TpmFailedError: something else lies at its index.
    """
    handle = found(tpm.esapi, COUNTER_INDEX)
    if handle is None or _name(tpm, handle) == _UNWRITTEN_NAME:
        return None
    if _name(tpm, handle) != COUNTER_NAME:
        raise TpmFailedError(f"the NV index {COUNTER_INDEX:#x} is no counter of this product")
    return _read(tpm, handle)


def count_up(tpm: Tpm) -> Counter:
    """Count up; the counter is made where it is missing, and goes on above the highest that the TPM ever had.

    Raises:
        TpmFailedError: as ``read_counter``.
    """
    before = read_counter(tpm)
    handle = before.handle if before else found(tpm.esapi, COUNTER_INDEX) or define(tpm, COUNTER_INDEX)
    tpm.esapi.nv_increment(handle, session1=tpm.session)
    return _read(tpm, handle)


def define(tpm: Tpm, index: int) -> ESYS_TR:
    """Define a counter of this kind, where nothing is yet; it begins above the highest that the TPM ever had."""
    public = TPMS_NV_PUBLIC(nvIndex=index, nameAlg=TPM2_ALG.SHA256, attributes=_ATTRIBUTES, dataSize=COUNTER_BYTES)
    return tpm.esapi.nv_define_space(b"", TPM2B_NV_PUBLIC(nvPublic=public), session1=tpm.session)


def _read(tpm: Tpm, handle: ESYS_TR) -> Counter:
    value = bytes(tpm.esapi.nv_read(handle, COUNTER_BYTES, session1=tpm.session))
    return Counter(handle, int.from_bytes(value, "big"))


def _name(tpm: Tpm, handle: ESYS_TR) -> bytes:
    return bytes(tpm.esapi.tr_get_name(handle))
