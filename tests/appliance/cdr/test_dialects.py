"""The registry of dialects."""

from zoneinfo import ZoneInfo

import pytest

from appliance.cdr.dialect import FeedContext, Layout, start, unread
from appliance.cdr.dialects import DIALECTS, find_dialect
from appliance.errors import SettingsError, UnknownDialectError

LAYOUTS = {
    "columns": Layout(columns=("start",)),
    "widths": Layout(widths=(3,)),
    "separator": Layout(separator=";"),
    "date_order": Layout(date_order="dmy"),
}
UTC = ZoneInfo("UTC")


def test_every_dialect_is_found_by_its_name() -> None:
    """And tells the installer what it is."""
    assert DIALECTS
    for name, dialect in DIALECTS.items():
        assert find_dialect(name) is dialect
        assert dialect.name == name
        assert dialect.transports
        assert all((dialect.description, dialect.identity, dialect.inherent_loss, dialect.manual))


def test_an_unknown_name_is_refused() -> None:
    """With the code that the command line shows."""
    with pytest.raises(UnknownDialectError) as caught:
        find_dialect("asterisk_sql")
    assert caught.value.code == "dialect_unknown"


@pytest.mark.parametrize("option", LAYOUTS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_a_dialect_does_not_take_may_not_be_declared(dialect: str, option: str) -> None:
    """An installer's mistake is told with the option's path; nothing declared is passed over in silence."""
    if option in DIALECTS[dialect].options:
        return
    with pytest.raises(SettingsError) as caught:
        start(DIALECTS[dialect], FeedContext(zone=UTC, layout=LAYOUTS[option]))
    assert caught.value.mistakes == [f"layout.{option}: the dialect {dialect} does not take it"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect_says_what_becomes_of_its_columns(dialect: str) -> None:
    """For the data inventory: something leaves, and of something nothing does."""
    treatments = DIALECTS[dialect].columns
    assert any(text.startswith("never leaves") for text in treatments.values())
    assert any(not text.startswith("never leaves") for text in treatments.values())


def test_columns_of_which_nothing_is_read_are_named_in_one_string() -> None:
    """The data inventory shows each in a row of its own."""
    assert unread("a b", "c") == dict.fromkeys("abc", "never leaves, is not read")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect_without_a_layout_starts_or_says_what_it_needs(dialect: str) -> None:
    """Only a file without separators must be declared before anything can be read of it."""
    if dialect == "generic_fixed_width":
        with pytest.raises(SettingsError) as caught:
            start(DIALECTS[dialect], FeedContext(zone=UTC))
        assert all(mistake.startswith("layout.") for mistake in caught.value.mistakes)
        return
    parser = start(DIALECTS[dialect], FeedContext(zone=UTC))
    assert parser.finish().records == []
    assert list(parser.held()) == []
