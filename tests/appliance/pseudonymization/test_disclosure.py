"""Which digits may stay clear."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import SettingsError
from appliance.numbering.number import Number, normalise
from appliance.pseudonymization.disclosure import DisclosurePolicy, clear_digits
from appliance.wire.call import Category
from tests.support.cdr_rows import belgian_plan

EXTERNAL = Number(Category.EXTERNAL, "+3221234567", 8)


@pytest.mark.parametrize(("count", "shown"), [(0, None), (1, "7"), (2, "67"), (3, "567"), (4, "4567")])
def test_the_last_digits_that_policy_allows(count: int, shown: str | None) -> None:
    """From none to four."""
    assert clear_digits(EXTERNAL, DisclosurePolicy.parse(clear_digits=count)) == shown


@pytest.mark.parametrize("count", [-1, 5, 100])
def test_no_policy_allows_more_than_four(count: int) -> None:
    """It is refused where settings are read."""
    with pytest.raises(SettingsError) as caught:
        DisclosurePolicy.parse(clear_digits=count)
    assert caught.value.mistakes[0].startswith("privacy.clear_digits: ")


@pytest.mark.parametrize("count", [-3, 5, 100])
def test_a_policy_made_without_its_check_discloses_no_more(count: int) -> None:
    """The bound holds twice."""
    assert clear_digits(EXTERNAL, DisclosurePolicy(clear_digits=count)) == (None if count < 0 else "4567")


@pytest.mark.parametrize(
    "number",
    [
        Number(Category.EXTERNAL, "+352271234", 6),
        Number(Category.EXTERNAL, "+3221234567", 7),
        Number(Category.EXTERNAL, None, 9),
        *(Number(category, "12345678901", 11) for category in Category if category is not Category.EXTERNAL),
    ],
)
def test_short_numbers_and_other_kinds_show_no_digit(number: Number) -> None:
    """The last four of an extension are the extension."""
    assert clear_digits(number, DisclosurePolicy.parse(clear_digits=4)) is None


@given(st.text("0123456789+", max_size=16), st.booleans(), st.integers(0, 4))
def test_never_more_than_the_last_digits_of_a_long_number(
    raw: str,
    dialled: bool,  # noqa: FBT001 - property
    count: int,
) -> None:
    """At least four digits of the national number stay hidden."""
    number = normalise(raw, belgian_plan(), dialled=dialled)
    shown = clear_digits(number, DisclosurePolicy.parse(clear_digits=count))
    if shown is not None:
        assert len(shown) == count
        assert number.national_digits_count - len(shown) >= 4
        assert (number.canonical or "").endswith(shown)
