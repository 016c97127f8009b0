"""Rows put together again: all readings must agree, and what a caller chose must not decide anything."""

from collections.abc import Sequence
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.asterisk_layout import EXPORTS, LAYOUTS, Fields, declared_layout
from appliance.cdr.broken_quotes import MAX_SURPLUS, mended
from appliance.cdr.local_time import LocalTimes
from appliance.cdr.record import Line
from tests.support.cdr_rows import master
from tests.support.export_rows import BILLING, COLUMNS, bare, doubled, enclosed, escaped, export

TIMES = LocalTimes(ZoneInfo("Europe/Brussels"))
NUMBER = "0470112233"
COMMA = ","


def mend(row: bytes, separators: Sequence[str] = COMMA, columns: Sequence[str] = ()) -> Fields | None:
    """Mend one line, of the columns named or of FreePBX' table."""
    layout = declared_layout(columns) if columns else None
    return mended(Line(0, row.rstrip(b"\n")), {layout.width: (layout,)} if layout else EXPORTS, separators, TIMES)


def parties(fields: Fields | None) -> tuple[str, str] | None:
    """Who called whom, if the row was taken."""
    return (fields.src, fields.dst) if fields else None


@pytest.mark.parametrize("name", ["Ann", "Maes, Ro", "A, B, C, D", 'Ro "X" Maes', '"Ro", Maes', 'Maes"', '"', ",", ""])
@pytest.mark.parametrize("quoting", [doubled, enclosed, escaped, bare])
def test_names_with_commas_and_quotes(name: str, quoting: object) -> None:
    """However the row was written; the caller id is told by its end, which repeats the number."""
    assert callable(quoting)
    row = export(COLUMNS, quoting=quoting, clid=f'"{name}" <{NUMBER}>', lastdata="PJSIP/201,30,tr")
    assert parties(mend(row)) == (NUMBER, "201")


@pytest.mark.parametrize("surplus", [0, 1, MAX_SURPLUS, MAX_SURPLUS + 1])
@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_so_many_commas_without_quotes_and_no_more(surplus: int, share: float) -> None:
    """In the name and in the arguments together."""
    of_name = int(surplus * share)
    name, arguments = "a" + "," * of_name, "b" + "," * (surplus - of_name)
    fields = mend(export(COLUMNS, quoting=bare, clid=f"{name} <{NUMBER}>", lastdata=arguments))
    assert (fields is not None) is (surplus <= MAX_SURPLUS)


FORGED = f"{NUMBER},024445566"
"""What a caller may write to be read as two columns."""


@pytest.mark.parametrize(
    ("clid", "src"),
    [
        (f'"x" <{NUMBER}>,{FORGED},from-x," <{NUMBER}>', NUMBER),
        (f'"x" <{NUMBER}>,{FORGED}," <{NUMBER}>', NUMBER),
        (f"x <{NUMBER}>,{FORGED},from-x,SIP/x,SIP/y,Dial, <{NUMBER}>", NUMBER),
        (f"{NUMBER},{FORGED}", f"{NUMBER},{FORGED}"),
        (f"{NUMBER},{FORGED},from-x,SIP/x,SIP/y,Dial", NUMBER),
        (f"{NUMBER},{FORGED},from-x,SIP/x,SIP/y,Dial", f"{NUMBER},{FORGED},from-x,SIP/x,SIP/y,Dial"),
    ],
)
def test_what_a_caller_forges_is_not_read(clid: str, src: str) -> None:
    """He wrote a caller id, his number, a called party and more into his name or number: refused or seen through."""
    assert parties(mend(export(COLUMNS, quoting=bare, clid=clid, src=src, lastdata=""))) in {None, (NUMBER, "201")}


@pytest.mark.parametrize(
    ("clid", "src", "is_taken"),
    [
        (f'"Maes, Ro" <{NUMBER}>', NUMBER, True),
        (f'"Maes, Ro" < {NUMBER} >', NUMBER, True),
        (f'"Maes, Ro" <{NUMBER}>', "0470112299", False),
        ('"Maes, Ro" <>', NUMBER, False),
        ('"Maes, Ro" <>', "", True),
        ("Maes, Ro", NUMBER, False),
        (NUMBER, NUMBER, True),
        ("", NUMBER, False),
        ("0470112299", NUMBER, False),
    ],
)
def test_the_caller_id_must_be_one_of_the_number(clid: str, src: str, is_taken: bool) -> None:  # noqa: FBT001 - table
    """Or nothing holds the columns in place."""
    row = export(COLUMNS, quoting=bare, clid=clid, src=src, lastdata="PJSIP/201,30")
    assert parties(mend(row)) == ((src, "201") if is_taken else None)


def test_the_caller_id_is_kept_for_a_caller_without_a_number() -> None:
    """It may say that the number was withheld; otherwise nothing is kept of it."""
    withheld = mend(export(COLUMNS, quoting=bare, clid='"Anonymous" <>', src="", lastdata="a,b"))
    assert withheld is not None
    assert withheld.clid == "Anonymous <>"
    named = mend(export(COLUMNS, quoting=bare, clid=f'"Maes, Ro" <{NUMBER}>'))
    assert named is not None
    assert named.clid == ""


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "^", "."])
def test_any_separator_that_may_be_one(separator: str) -> None:
    """It is taken as it is, whatever it means to patterns."""
    columns = ["clid", "src", "dst", "calldate", "duration", "billsec", "disposition"]
    row = export(columns, quoting=enclosed, separator=separator, clid=f'"Maes{separator} Ro" <{NUMBER}>')
    assert parties(mend(row, separator, columns)) == (NUMBER, "201")


def test_separators_are_tried_side_by_side() -> None:
    """One that cuts nothing sensible out of the line does not count."""
    row = export(COLUMNS, quoting=bare, separator=";", clid=f'"Maes; Ro, X" <{NUMBER}>')
    assert parties(mend(row, ",;\t|")) == (NUMBER, "201")
    assert mend(row, ",\t|") is None


def test_a_row_of_master_is_mended_as_well() -> None:
    """Whose date does not come first."""
    row = master(lastdata="").replace(b'"""Ann"" <0470112233>"', b'""Maes, Ro" <0470112233>"')
    fields = mended(Line(0, row.strip()), LAYOUTS, COMMA, TIMES)
    assert parties(fields) == (NUMBER, "201")
    assert fields is not None
    assert fields.uniqueid == "1792479600.1"


@pytest.mark.parametrize(
    "changes",
    [{"calldate": "soon"}, {"duration": "x"}, {"billsec": ""}, {"disposition": "ANSWER"}, {"dst": '2"1'}, {"did": '"'}],
)
def test_each_column_of_a_certain_type_must_have_it(changes: dict[str, str]) -> None:
    """And none that is looked at but the caller id may hold a quote."""
    values = {"clid": f'"Maes, Ro" <{NUMBER}>'} | changes
    assert mend(export(COLUMNS, quoting=bare, **values)) is None


@pytest.mark.parametrize("columns", [COLUMNS, BILLING], ids=["unnamed", "named"])
@given(data=st.data())
def test_no_two_texts_move_a_column(columns: list[str], data: st.DataObject) -> None:
    """All four ways to write, any name and any arguments: these parties or none."""
    text = st.text(st.sampled_from('a ,"<>\\0'), max_size=9)
    name, arguments = data.draw(text), data.draw(text)
    for quoting, tail in product((doubled, enclosed, escaped, bare), (f" <{NUMBER}>", "")):
        row = export(columns, quoting=quoting, clid=f'"{name}"{tail}', lastdata=arguments)
        named = columns if columns is BILLING else ()
        assert parties(mend(row, columns=named)) in {None, (NUMBER, "201")}
