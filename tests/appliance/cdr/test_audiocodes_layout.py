"""Which field of a border controller's row is what: titles, declared fields, and the orders of the manuals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.audiocodes_layout import NAMES, USUAL, declared_layout, titled_layout
from appliance.errors import SettingsError

ENOUGH = ("report", "setup_time", "release_time", "src_uri")


def filled(width: int) -> list[str]:
    """A row of the usual order with the fields that prove it, cut to ``width``."""
    row = [""] * 39
    for place, text in ((0, "CALL_END"), (2, "c"), (4, "RMT"), (14, "60"), (15, "LCL"), (37, "2")):
        row[place] = text
    return row[:width]


@pytest.mark.parametrize("width", [33, 34, 36, 38, 39])
def test_a_row_of_each_release_fits_one_of_the_usual_orders(width: int) -> None:
    """And gives its fields whichever of them it is."""
    found = [fields for layout in USUAL if (fields := layout.fit(filled(width))) is not None]
    assert found
    assert (found[0].call_id, found[0].duration, found[0].leg_id) == ("c", "60", "2" if width > 37 else "")


@pytest.mark.parametrize("width", [0, 1, 20, 32])
def test_a_shorter_row_fits_none(width: int) -> None:
    """It was cut, or is something else."""
    assert [layout for layout in USUAL if layout.fit(filled(width))] == []


def test_a_longer_row_fits_if_nothing_stands_in_its_surplus() -> None:
    """A stroke behind the last field makes one more."""
    assert USUAL[0].fit([*filled(39), "", ""]) is not None
    assert USUAL[0].fit([*filled(39), "x"]) is None


@pytest.mark.parametrize("name", NAMES)
def test_each_title_of_a_field_is_understood(name: str) -> None:
    """Short ones of the device, long ones of the manual, with blanks and what stands in brackets."""
    for title in NAMES[name].split("|"):
        others = [other for other in ENOUGH if other != name]
        row = [f" {title.upper()} (name) ", *(NAMES[other].split("|")[0] for other in others)]
        layout = titled_layout(row)
        assert layout is not None
        fields = layout.fit(["CALL_END", *["CALL_END" if other == "report" else "" for other in others]])
        assert name == "report" or fields is None or getattr(fields, name) == "CALL_END"


def test_a_title_that_occurs_twice_is_the_first() -> None:
    """The device can be told to write a field twice."""
    layout = titled_layout(["SBCReportType", "SetupTime", "Duration", "SrcURI", "SrcURI"])
    assert layout is not None
    fields = layout.fit(["CALL_END", "x", "60", "first", "second"])
    assert fields is not None
    assert fields.src_uri == "first"


@pytest.mark.parametrize("missing", ENOUGH)
def test_a_layout_needs_what_a_record_needs(missing: str) -> None:
    """A report, a start, an end and a party."""
    columns = [name for name in ENOUGH if name != missing]
    with pytest.raises(SettingsError):
        declared_layout(columns)
    assert titled_layout([NAMES[name].split("|")[0] for name in columns]) is None
    assert declared_layout(ENOUGH).width == 4


@given(st.lists(st.text(max_size=80), max_size=45))
def test_no_row_breaks_a_layout(row: list[str]) -> None:
    """It fits or it does not."""
    titled_layout(row)
    assert all(layout.fit(row) is None or row[0] == "CALL_END" for layout in USUAL)
