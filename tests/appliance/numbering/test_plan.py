"""A site's plan from plain values."""

from typing import Any

import pytest

from appliance.errors import SettingsError
from appliance.numbering.plan import NumberingPlan


def belgian(
    *,
    country: str = "BE",
    national_prefix: str = "0",
    international_prefix: str = "00",
    outside_line: str | None = "0",
    extension_lengths: tuple[int, ...] = (3, 4),
) -> NumberingPlan:
    """A Belgian site, some values replaced."""
    return NumberingPlan.parse(
        country=country,
        national_prefix=national_prefix,
        international_prefix=international_prefix,
        outside_line=outside_line,
        extension_lengths=extension_lengths,
    )


def test_a_good_plan_knows_its_country() -> None:
    """Calling code, emergency numbers with and without the outside line, extension lengths."""
    plan = belgian()
    assert plan.code.digits == "32"
    assert plan.emergencies == {"100", "101", "112", "0100", "0101", "0112"}
    assert plan.extension_lengths == {3, 4}


def test_112_is_an_emergency_number_everywhere() -> None:
    """Also where the country's own is another."""
    assert belgian(country="MM", outside_line=None).emergencies == {"112", "199"}


def test_what_may_be_left_out() -> None:
    """Outside line, national prefix and extensions; an outside line that is empty is none."""
    plan = belgian(outside_line=None, national_prefix="", extension_lengths=())
    assert plan == belgian(outside_line="", national_prefix="", extension_lengths=())
    assert plan.outside_line == ""


@pytest.mark.parametrize(
    ("changed", "mistake"),
    [
        ({"country": "be"}, "site.country"),
        ({"country": "XX"}, "site.country"),
        ({"national_prefix": "O"}, "site.national_prefix"),
        ({"national_prefix": "²"}, "site.national_prefix"),
        ({"international_prefix": ""}, "site.international_prefix"),
        ({"international_prefix": "000000"}, "site.international_prefix"),
        ({"outside_line": "+"}, "site.outside_line"),
        ({"extension_lengths": (3, 0)}, "site.extension_lengths"),
        ({"extension_lengths": (9,)}, "site.extension_lengths"),
    ],
)
def test_each_mistake_is_named_by_its_option(changed: dict[str, Any], mistake: str) -> None:
    """As the settings file spells it."""
    with pytest.raises(SettingsError) as caught:
        belgian(**changed)
    [found] = caught.value.mistakes
    assert found.startswith(f"{mistake}: ")


def test_all_mistakes_are_named_at_once() -> None:
    """An operator corrects the file once."""
    with pytest.raises(SettingsError) as caught:
        belgian(country="", national_prefix="x", international_prefix="y", outside_line="z", extension_lengths=(0,))
    assert len(caught.value.mistakes) == 5
