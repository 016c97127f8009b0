"""What a header line of CUCM declares, and what proves that a row fits it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.cisco_cucm_layout import (
    CALL,
    CALL_COLUMNS,
    KINDS,
    QUALITY,
    QUALITY_COLUMNS,
    CallFields,
    Kind,
    Layout,
    QualityFields,
    call_times,
    compile_layout,
    declared,
    epoch,
    quality_times,
)
from tests.support.cucm_rows import CALL_COLUMN_COUNTS, cdr, cmr, types

CALL_TYPES = types(CALL_COLUMNS).decode().split(",")


def call_fields(**columns: Any) -> CallFields:
    """The fields of a CDR, by the names of its columns."""
    cells = cdr(quoted=False, **columns).decode().rstrip("\n").split(",")
    return CallFields._make(CALL.standard[133].pick([*cells, ""]))


def quality_fields(**columns: Any) -> QualityFields:
    """The fields of a CMR, by the names of its columns."""
    cells = cmr(quoted=False, **columns).decode().rstrip("\n").split(",")
    return QualityFields._make(QUALITY.standard[48].pick([*cells, ""]))


def layout_of(row: list[str], known: dict[str, Layout] | None = None) -> tuple[Kind, Layout]:
    """What a line declares, for it must be a header."""
    found = declared(row, known or {})
    assert found is not None
    return found


def test_the_standard_order_is_ciscos() -> None:
    """As many columns as the newest release has, none twice, and the two kinds begin alike."""
    assert (len(CALL_COLUMNS), len(QUALITY_COLUMNS)) == (133, 48)
    assert len(set(CALL_COLUMNS)) == 133
    assert len(set(QUALITY_COLUMNS)) == 48
    assert CALL_COLUMNS[:3] == QUALITY_COLUMNS[:3]


@pytest.mark.parametrize("width", CALL_COLUMN_COUNTS)
def test_each_release_has_the_columns_that_are_read(width: int) -> None:
    """All but the addresses, which came with the 123rd column."""
    picked = CALL.standard[width].pick([*CALL_COLUMNS[:width], ""])
    absent = [field for field, name in zip(CallFields._fields, picked, strict=True) if name.lower() != field]
    assert all(field.endswith("_uri") for field in absent)
    assert bool(absent) is (width < 123)


def test_no_number_of_columns_is_of_both_kinds() -> None:
    """Without a header, the number of columns alone must tell which kind a line of types is of."""
    assert not CALL.standard.keys() & QUALITY.standard.keys()
    assert {kind.record_type for kind in KINDS} == {"1", "2"}


@pytest.mark.parametrize("kind", KINDS)
def test_names_declare_their_kind_in_any_order(kind: Kind) -> None:
    """Backwards, with capitals and blanks, and with empty columns at the end."""
    columns = CALL_COLUMNS if kind is CALL else QUALITY_COLUMNS
    found, layout = layout_of([f" {name.upper()} " for name in reversed(columns)] + ["", ""])
    assert (found, layout.width) == (kind, len(columns))
    assert list(layout.pick([*reversed(columns), ""])) == [
        name for field in kind.fields for name in columns if name.lower() == field
    ]


@pytest.mark.parametrize("missing", sorted(CALL.required))
def test_names_without_a_needed_column_are_no_header(missing: str) -> None:
    """A row cannot be proved by columns that it does not have."""
    assert declared([name for name in CALL_COLUMNS if name.lower() != missing], {}) is None


def test_types_declare_the_standard_order_or_leave_names_in_force() -> None:
    """By the number of columns; names of as many columns said more."""
    names = compile_layout(tuple(reversed(CALL_COLUMNS)), CALL.fields)
    assert layout_of(CALL_TYPES) == (CALL, CALL.standard[133])
    assert layout_of(CALL_TYPES, {"1": names}) == (CALL, names)
    assert layout_of(CALL_TYPES[:123], {"1": names}) == (CALL, CALL.standard[123])
    assert layout_of(["INTEGER"] * 48) == (QUALITY, QUALITY.standard[48])
    assert declared(["INTEGER"] * 400, {}) is None
    assert declared(["INTEGER"] * 3, {}) is None


@pytest.mark.parametrize("row", [[], [""], ["Ann"], ["INTEGER"] * 66 + ["Ann"], ["1", "2"] * 40])
def test_other_lines_declare_nothing(row: list[str]) -> None:
    """A record, or anything else."""
    assert declared(row, {}) is None


@pytest.mark.parametrize(
    ("cells", "fits"),
    [(5, True), (4, False), (6, False)],
)
def test_a_row_has_the_columns_of_its_header(cells: int, *, fits: bool) -> None:
    """Neither less nor more; but empty columns may follow."""
    layout = compile_layout(("a", "b", "c", "d", "e"), ("a", "z"))
    assert layout.has([*["x"] * cells, ""]) is fits
    assert layout.has([*["x"] * cells, "", "", ""]) is (cells < 6)
    assert layout.pick([*["x"] * 5, ""]) == ("x", "")


def test_a_name_that_occurs_twice_is_its_first_column() -> None:
    """No row decides which of the two it was."""
    assert compile_layout(("a", "b", "A"), ("a", "b")).pick(["first", "b", "second", ""]) == ("first", "b")


@given(st.integers(0, 9_999_999_999))
def test_an_epoch_is_seconds_of_utc(seconds: int) -> None:
    """Ten digits at most, which any calendar holds."""
    instant = epoch(str(seconds))
    assert instant is not None
    assert instant == datetime.fromtimestamp(seconds, UTC)
    assert (epoch(f"-{seconds}"), epoch(f"{seconds}.0"), epoch(f"{seconds:011}")) == (None, None, None)


def test_fields_prove_their_kind() -> None:
    """Ids, times and lengths have their types; a CMR may lack its length."""
    started = datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
    times = call_times(call_fields())
    assert times is not None
    assert times[0] == started
    assert quality_times(quality_fields()) == (datetime(2026, 10, 20, 7, 1, 5, tzinfo=UTC), 60)
    assert quality_times(quality_fields(duration="")) == (datetime(2026, 10, 20, 7, 1, 5, tzinfo=UTC), 0)
    assert call_times(call_fields(duration="")) is None
    assert call_times(call_fields(pkid="Ann")) is None
    assert quality_times(quality_fields(globalCallID_callId="")) is None
