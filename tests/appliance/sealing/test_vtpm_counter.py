"""The counter in a real TPM: it goes up alone, and nothing else is taken for it."""

import pytest
from tpm2_pytss import ESYS_TR, TPM2_ALG, TPM2B_NV_PUBLIC, TPMA_NV, TPMS_NV_PUBLIC

from appliance.errors import SealingError, TpmFailedError
from appliance.sealing.tpm_policy import counter_bytes
from appliance.sealing.vtpm.connection import Tpm, connected, found
from appliance.sealing.vtpm.counter import COUNTER_INDEX, COUNTER_NAME, count_up, read_counter
from appliance.wire.enrollment import COUNTER_INDEX as EVIDENCE_INDEX
from tests.support.swtpm import Swtpm
from tests.support.tpm_sealing import on

OURS = "authwrite|authread|noda|nt=0x1"
OTHERS = {
    "no_counter": "authwrite|authread|noda",
    "no_counter_but_bits": "authwrite|authread|noda|nt=0x2",
    "counts_against_the_lockout": OURS.replace("|noda", ""),
    "written_by_the_owner_alone": OURS.replace("authwrite", "ownerwrite"),
}


def define(tpm: Tpm, attributes: str) -> ESYS_TR:
    """An index at the counter's place."""
    public = TPMS_NV_PUBLIC(
        nvIndex=COUNTER_INDEX, nameAlg=TPM2_ALG.SHA256, attributes=TPMA_NV.parse(attributes), dataSize=8
    )
    return tpm.esapi.nv_define_space(b"", TPM2B_NV_PUBLIC(nvPublic=public))


def undefine(tpm: Tpm) -> None:
    """Take the counter away."""
    index = found(tpm.esapi, COUNTER_INDEX)
    assert index is not None
    tpm.esapi.nv_undefine_space(index)


def value(tpm: Swtpm) -> int | None:
    """Where the counter stands."""
    with connected(tpm.tcti) as open_tpm:
        counter = read_counter(open_tpm)
    return None if counter is None else counter.value


def test_it_counts_one_by_one(tpm: Swtpm) -> None:
    """From its first count on, over restarts and power cuts."""
    assert value(tpm) is None
    on(tpm, count_up)
    first = value(tpm)
    assert first is not None
    for step, again in enumerate((tpm.restart, tpm.cut_power), start=1):
        again()
        on(tpm, count_up)
        assert value(tpm) == first + step


def test_its_name_is_the_computed_one(tpm: Swtpm) -> None:
    """A policy holds the Name; it is computed with no TPM."""
    with connected(tpm.tcti) as open_tpm:
        assert bytes(open_tpm.esapi.tr_get_name(count_up(open_tpm).handle)) == COUNTER_NAME


def test_removing_it_does_not_set_it_back(tpm: Swtpm) -> None:
    """Defined again, it goes on above where it was."""
    for _ in range(5):
        on(tpm, count_up)
    before = value(tpm)
    on(tpm, undefine)
    assert value(tpm) is None
    on(tpm, count_up)
    after = value(tpm)
    assert before is not None
    assert after is not None
    assert after > before


def test_one_that_has_not_counted_yet_is_none(tpm: Swtpm) -> None:
    """A power cut between its making and its first count; the next count goes on."""
    on(tpm, lambda open_tpm: define(open_tpm, OURS))
    assert value(tpm) is None
    on(tpm, count_up)
    assert value(tpm) is not None


@pytest.mark.parametrize("attributes", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("use", [read_counter, count_up])
def test_what_somebody_else_put_there_is_refused(tpm: Swtpm, attributes: str, use: object) -> None:
    """An index that can be set back would let retired anchors open again."""
    on(tpm, lambda open_tpm: define(open_tpm, attributes))
    assert callable(use)
    with pytest.raises(TpmFailedError):
        on(tpm, use)


@pytest.mark.parametrize("use", [read_counter, count_up])
def test_a_number_that_somebody_wrote_is_no_count(tpm: Swtpm, use: object) -> None:
    """An ordinary index with the right bytes in it, which its writer may set to what he likes."""
    assert callable(use)

    def write(open_tpm: Tpm) -> None:
        index = define(open_tpm, "authwrite|authread|noda")
        open_tpm.esapi.nv_write(index, counter_bytes(1))

    on(tpm, write)
    with pytest.raises(TpmFailedError, match="no counter of this product"):
        on(tpm, use)


def test_it_is_not_the_counter_of_evidence() -> None:
    """That one counts at each evidence, which would retire the anchor."""
    assert COUNTER_INDEX != EVIDENCE_INDEX


def test_a_tpm_with_no_room_says_so(tpm: Swtpm) -> None:
    """The memory of the TPM is full of other programs' indexes."""

    def fill(open_tpm: Tpm) -> None:
        for number in range(1000):
            public = TPMS_NV_PUBLIC(
                nvIndex=0x01900000 + number,
                nameAlg=TPM2_ALG.SHA256,
                attributes=TPMA_NV.parse("authwrite|authread"),
                dataSize=2048,
            )
            open_tpm.esapi.nv_define_space(b"", TPM2B_NV_PUBLIC(nvPublic=public))

    with pytest.raises(SealingError) as caught:
        on(tpm, fill)
    assert type(caught.value) is TpmFailedError
    assert "0x14b" in str(caught.value)
