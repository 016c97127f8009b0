"""Which column is what in a line of 3CX: shapes of real lines, with invented numbers, and the layouts by themselves."""

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.record import CallRecord
from appliance.cdr.threecx_layout import (
    COLUMNS,
    LAYOUTS,
    UNTOLD,
    compile_layout,
    declared_layout,
    fit_any,
    header_layout,
    inferred_layout,
    line_text,
)
from appliance.cdr.written_times import WrittenTimes
from appliance.wire.call import Direction, Disposition
from tests.support import reading

TIMES = "2026/10/19 07:53:11,2026/10/19 07:53:42,2026/10/19 07:54:39"
ID = "23193,00000172FF10D141_4445"
SHAPES = {
    "outbound with a bill": (
        (
            f"Call {ID},00:00:56,{TIMES},TerminatedByDst,Ext.114,024445566,114,10001,024445566,,,,,1,0.95,default,"
            "Chain: Ext.114;024445566;"
        ),
        ("Ext.114", "024445566", "", Direction.OUTBOUND, Disposition.ANSWERED, 31, 56),
    ),
    "inbound by a queue to an agent": (
        (
            f"Call {ID},00:00:56,{TIMES},TerminatedBySrc,0470112233,Ext.611,10000,611,611,ReplacedDst,Ext.194,194,,,,,"
            "Chain: 0470112233;Ext.611;Ext.194;"
        ),
        ("0470112233", "Ext.611", "Ext.194", Direction.INBOUND, Disposition.ANSWERED, 31, 56),
    ),
    "queue that forwards because nobody answered": (
        (
            f"Call {ID},00:00:56,{TIMES},TerminatedByDst,0470112233,Ext.612,10000,612,612,QFwdToDNA,Ext.185,185,,,,,"
            "Chain: 0470112233;Ext.612;Ext.610;Ext.185;"
        ),
        ("0470112233", "Ext.612", "Ext.185", Direction.INBOUND, Disposition.ANSWERED, 31, 56),
    ),
    "transfer to an outside number": (
        (
            f"Call {ID},00:00:56,{TIMES},TerminatedByDst,Ext.124,Ext.125,124,125,125,ReplacedSrc,024445566,10000,,,,,"
            "Chain: Ext.124;Ext.125;024445566;"
        ),
        ("Ext.124", "Ext.125", "024445566", Direction.INTERNAL, Disposition.ANSWERED, 31, 56),
    ),
    "cancelled": (
        f"Call {ID},,2026/10/19 08:30:42,,2026/10/19 08:30:50,Failed_Cancelled,Ext.195,Ext.196,195,196,196,,,,,,,,",
        ("Ext.195", "Ext.196", "", Direction.INTERNAL, Disposition.NO_ANSWER, 8, 0),
    ),
    "failed": (
        (
            f"Call {ID},,2026/10/19 08:32:46,,2026/10/19 08:32:48,Failed,"
            "Ext.126,0470112233,126,0470112233,0470112233,,,,,,,,"
        ),
        ("Ext.126", "0470112233", "", Direction.OUTBOUND, Disposition.FAILED, 2, 0),
    ),
    "no such number": (
        (
            f"Call {ID},00:00:06,{TIMES},TerminatedBySrc,0470112233,EndCall,10001,EndCall,009,,,,,,,,"
            "Chain: 0470112233;EndCall;"
        ),
        ("0470112233", "009", "", Direction.UNKNOWN, Disposition.ANSWERED, 31, 6),
    ),
    "pick-up of another's call": (
        (
            f"Call {ID},00:00:00,{TIMES},TerminatedBySrc,Ext.125,PickupExt.125,125,125,114,,,,,,,,"
            "Chain: Ext.125;PickupExt.125;"
        ),
        ("Ext.125", "114", "", Direction.UNKNOWN, Disposition.ANSWERED, 31, 0),
    ),
    "paging": (
        f"Call {ID},00:00:02,{TIMES},TerminatedBySrc,Ext.114,Ext.999,114,125,125,,,,,,,,Chain: Ext.114;Ext.125;",
        ("Ext.114", "Ext.999", "", Direction.INTERNAL, Disposition.ANSWERED, 31, 2),
    ),
    "26 columns of v20": (
        (
            f"Call {ID},00:08:10,{TIMES},TerminatedByDst,0470112233,Ext.80002,10020,80002,80002,ReplacedDst,"
            "Ext.10013,10013,,,,,Chain: 0470112233;Ext.80002;Ext.10013;,Line,Queue,Extension,0470112233,Sales,Ann Maes,"
        ),
        ("0470112233", "Ext.80002", "Ext.10013", Direction.INBOUND, Disposition.ANSWERED, 31, 490),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_real_lines(shape: str) -> None:
    """As 3CX v16 to v20 wrote them."""
    text, expected = SHAPES[shape]
    [record] = reading.read("threecx_cdr", f"{text}\r\n\r\n".encode())[:1]
    assert isinstance(record, CallRecord), record
    found = (record.calling, record.called, record.forwarded_to, record.direction, record.disposition)
    assert (*found, record.ring_seconds, record.talk_seconds) == expected


def test_layouts_are_tried_from_the_widest() -> None:
    """A shorter one would take the rest for missing."""
    widths = [len(layout.names) for layout in LAYOUTS[:16]]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] == len(COLUMNS) == 27


def test_a_layout_without_an_answer_says_so() -> None:
    """An empty column says that nobody answered; a missing one says nothing."""
    fields = compile_layout(["time-start", "from-no"]).fit("2026/10/19 07:53:11,201")
    assert fields is not None
    assert fields.answered == UNTOLD
    fields = compile_layout(["time-start", "time-answered", "from-no"]).fit("2026/10/19 07:53:11,,201")
    assert fields is not None
    assert fields.answered == ""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("time-start,from-no", ("time-start", "from-no")),
        ("Time_Start, From_No", ("time-start", "from-no")),
        ('"time-start","from-no"', ("time-start", "from-no")),
    ],
)
def test_headers(text: str, names: tuple[str, ...]) -> None:
    """In any case, with either sign, quoted or not."""
    layout = header_layout(text)
    assert layout is not None
    assert layout.names == names


@pytest.mark.parametrize(
    "text", ["", "from-no,to-no", "time-start,time-start", "time-start,ann", ",".join(COLUMNS) + ",x"]
)
def test_what_is_no_header(text: str) -> None:
    """A name that is not 3CX' own, twice the same, or no start."""
    assert header_layout(text) is None


def test_the_first_layout_that_fits_is_taken() -> None:
    """And none, where none does."""
    first, second = declared_layout(["time-start", "from-no"]), declared_layout(["time-start", "to-no"])
    fields = fit_any("2026/10/19 07:53:11,201", [first, second])
    assert fields is not None
    assert (fields.from_no, fields.to_no) == ("201", "")
    assert fit_any("Ann,201", [first, second]) is None
    assert fit_any("2026/10/19 07:53:11,201,202", [first, second]) is None


def test_inference_names_only_what_leaves_no_doubt() -> None:
    """A name is never among it."""
    text = f"{TIMES},Ext.202,0470112233,Ann,Chain: 0470112233;Ext.202;,00:00:25,TerminatedBySrc"
    layout = inferred_layout(text, WrittenTimes(UTC, None))
    assert layout is not None
    assert layout.names == (
        *("time-start", "time-answered", "time-end", "to-no", "from-no", "-", "chain", "duration", "reason-terminated"),
    )


@given(st.text(st.characters(codec="latin-1"), max_size=120))
def test_no_text_raises(text: str) -> None:
    """Whatever comes in by an open port."""
    plain = line_text(text.replace("\r", "").replace("\n", ""))
    fit_any(plain, LAYOUTS)
    header_layout(plain)
    inferred_layout(plain, WrittenTimes(UTC, None))
