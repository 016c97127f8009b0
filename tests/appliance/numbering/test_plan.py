"""A site's plan from plain values."""

from typing import Any

import pytest

from appliance.errors import SettingsError
from appliance.numbering.number import Number, normalise
from appliance.numbering.plan import NumberingPlan
from appliance.wire.call import Category


def belgian(
    *,
    country: str = "BE",
    national_prefix: str = "0",
    international_prefix: str = "00",
    outside_line: str | None = "0",
    extension_lengths: tuple[int, ...] = (3, 4),
    **options: Any,
) -> NumberingPlan:
    """A Belgian site, some values replaced."""
    return NumberingPlan.parse(
        country=country,
        national_prefix=national_prefix,
        international_prefix=international_prefix,
        outside_line=outside_line,
        extension_lengths=extension_lengths,
        **options,
    )


def test_a_good_plan_knows_its_country() -> None:
    """Calling code, emergency numbers with and without the outside line, extension lengths."""
    plan = belgian()
    assert plan.home.calling_code == "32"
    assert set(plan.emergencies) == {"100", "101", "112", "0100", "0101", "0112"}
    assert set(plan.emergencies.values()) == {"100", "101", "112"}
    assert plan.extension_lengths == {3, 4}


def test_112_is_an_emergency_number_everywhere() -> None:
    """Also where the country's own is another."""
    assert belgian(country="MM", outside_line=None).emergencies == {"112": "112", "199": "199"}


def test_what_may_be_left_out() -> None:
    """Outside line, national prefix and extensions; an outside line that is empty is none."""
    plan = belgian(outside_line=None, national_prefix="", extension_lengths=())
    assert plan == belgian(outside_line="", national_prefix="", extension_lengths=())
    assert plan.outside_lines == ()


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
        ({"outside_lines": ["9", ""]}, "site.outside_lines"),
        ({"outside_lines": ["+"]}, "site.outside_lines"),
        ({"outside_lines": ["123456789"]}, "site.outside_lines"),
        ({"area_code": "02a"}, "site.area_code"),
        ({"area_code": "123456"}, "site.area_code"),
        ({"withhold_prefixes": ["*"]}, "site.withhold_prefixes"),
        ({"withhold_prefixes": ["*31#", "clir"]}, "site.withhold_prefixes"),
        ({"withhold_prefixes": ["31\n"]}, "site.withhold_prefixes"),
        ({"carrier_prefixes": ["xx"]}, "site.carrier_prefixes"),
        ({"carrier_prefixes": ["1x0"]}, "site.carrier_prefixes"),
        ({"carrier_prefixes": ["010xxxxxx"]}, "site.carrier_prefixes"),
        ({"carrier_prefixes": ["1"]}, "site.carrier_prefixes"),
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


def test_no_mistake_shows_a_value() -> None:
    """It may be somebody's number that went astray."""
    with pytest.raises(SettingsError) as caught:
        belgian(outside_lines=["+32475123456"], withhold_prefixes=["0475123456x"], area_code="0475123456")
    assert not any(
        character.isdecimal() and "475" in mistake for mistake in caught.value.mistakes for character in mistake
    )
    assert len(caught.value.mistakes) == 3


def external(raw: str, plan: NumberingPlan, *, dialled: bool = True) -> str | None:
    """The canonical form, of external numbers alone."""
    number = normalise(raw, plan, dialled=dialled)
    return number.canonical if number.category is Category.EXTERNAL else None


@pytest.mark.parametrize(
    ("country", "national", "international"),
    [
        ("BE", "0", "00"),
        ("US", "1", "011"),
        ("HU", "06", "00"),
        ("RU", "8", "810"),
        ("JP", "0", "010"),
        ("DK", "", "00"),
    ],
)
def test_prefixes_that_are_left_out_are_the_countrys_own(country: str, national: str, international: str) -> None:
    """A site that names its country has named them."""
    named = NumberingPlan.parse(country=country, national_prefix=national, international_prefix=international)
    assert NumberingPlan.parse(country=country) == named


def test_a_site_may_dial_otherwise_than_its_country() -> None:
    """A PBX with prefixes of its own; those of the country are read all the same."""
    plan = NumberingPlan.parse(country="BE", national_prefix="88", international_prefix="99")
    for raw in ("88475123456", "9932475123456", "0475123456", "0032475123456", "475123456"):
        assert external(raw, plan) == "+32475123456"


@pytest.mark.parametrize("raw", ["00475123456", "90475123456", "810475123456", "*90475123456", "#8*0475123456"])
def test_several_outside_lines(raw: str) -> None:
    """One a trunk, in digits or with a sign."""
    plan = belgian(outside_lines=["9", "81", "*9", "#8*"])
    assert external(raw, plan) == "+32475123456"


def test_each_outside_line_reaches_the_emergency_numbers() -> None:
    """And none of them makes a number an extension."""
    plan = belgian(outside_lines=["9", "81"])
    for raw in ("112", "0112", "9112", "81112", "0101", "9101", "81101"):
        assert normalise(raw, plan, dialled=True).category is Category.EMERGENCY
    assert normalise("101", plan, dialled=True).category is Category.INTERNAL
    assert normalise("9201", plan, dialled=True) == Number(Category.SHORT, "201")
    assert normalise("9", plan, dialled=True).category is Category.SERVICE


def test_outside_lines_alone_are_enough() -> None:
    """``outside_line`` is the first of them, if it is given."""
    assert belgian(outside_line=None, outside_lines=["0"]) == belgian(outside_line="0")


def test_local_numbers_of_the_sites_area() -> None:
    """Dialled without the area code; what begins with 0 or 1 is no subscriber's number."""
    german = NumberingPlan.parse(country="DE", area_code="30", outside_line="0", extension_lengths=[2])
    american = NumberingPlan.parse(country="US", area_code="212", outside_line="9", extension_lengths=[4])
    for raw in ("2312540", "02312540", "0302312540", "00302312540", "+49302312540"):
        assert external(raw, german) == "+49302312540"
    assert normalise("11833", german, dialled=True).category is Category.SHORT
    for raw in ("5550123", "95550123", "2125550123", "12125550123"):
        assert external(raw, american) == "+12125550123"
    assert external("5550123", NumberingPlan.parse(country="US")) is None


def test_a_local_number_is_a_valid_one() -> None:
    """Most digits would make a possible number behind an area code."""
    belgian_town = belgian(area_code="2")
    assert external("4445566", belgian_town) == "+3224445566"
    assert normalise("44455", belgian_town, dialled=True).category is Category.SHORT


@pytest.mark.parametrize(
    ("country", "raw", "canonical"),
    [
        *(("FR", "36510123456789", "+33123456789"), ("FR", "3651 01 23 45 67 89", "+33123456789")),
        *(("GB", "14102079460123", "+442079460123"), ("GB", "147002079460123", "+442079460123")),
        *(("ES", "067912345678", "+34912345678"), ("IT", "*67#0612345678", "+390612345678")),
        *(("AU", "18310412345678", "+61412345678"), ("HK", "13321234567", "+85221234567")),
        *(("JP", "1840312345678", "+81312345678"), ("NZ", "019734567890", "+6434567890")),
        *(("US", "*6712025550123", "+12025550123"), ("US", "116712025550123", "+12025550123")),
        *(("FR", "36510032475123456", "+32475123456"), ("FR", "*31#0123456789", "+33123456789")),
        *(("DE", "010130301234567", "+49301234567"), ("DE", "0100130301234567", "+49301234567")),
        *(("DE", "010130032475123456", "+32475123456"), ("BR", "0151122345678", "+551122345678")),
        *(("BR", "02111961234567", "+5511961234567"), ("CO", "056012345678", "+576012345678")),
        *(("IT", "10550612345678", "+390612345678"), ("US", "101028812025550123", "+12025550123")),
        *(("JP", "00330312345678", "+81312345678"), ("KR", "082212345678", "+82212345678")),
        *(("CN", "1790901012345678", "+861012345678"), ("FR", "16490123456789", "+33123456789")),
    ],
)
def test_codes_before_a_number_that_are_usual_in_its_country(country: str, raw: str, canonical: str) -> None:
    """To withhold the caller, and to choose a carrier; with and without an outside line."""
    assert external(raw, NumberingPlan.parse(country=country)) == canonical
    assert external(f"5{raw}", NumberingPlan.parse(country=country, outside_line="5")) == canonical


def test_codes_of_a_site() -> None:
    """In place of its country's, in digits, with signs, with any digits at the end."""
    plan = belgian(withhold_prefixes=["1234", "*99*"], carrier_prefixes=["15xx"])
    for raw in ("12340475123456", "*99*0475123456", "15770475123456", "012340475123456", "0*99*0475123456"):
        assert external(raw, plan) == "+32475123456"
    assert normalise("*31#0475123456", plan, dialled=True).category is Category.SERVICE
    assert external("12340475123456", belgian()) is None


def test_a_code_is_taken_off_a_number_that_is_only_possible_too() -> None:
    """Eight digits are possible in the Netherlands, by length; no range of them is given out."""
    plan = belgian(withhold_prefixes=["1234"])
    assert external("12340031 2012 3456", plan) == "+3120123456"
    assert external("1234", plan) is None


def test_a_code_before_an_emergency_number() -> None:
    """The caller asks not to be shown; help is called all the same."""
    plan = NumberingPlan.parse(country="GB", outside_line="9", extension_lengths=[4])
    for raw in ("141999", "9141999", "*31#999"):
        assert normalise(raw, plan, dialled=True) == Number(Category.EMERGENCY, "999")


def test_no_codes_at_all() -> None:
    """An empty list is one."""
    plan = NumberingPlan.parse(country="FR", withhold_prefixes=[], carrier_prefixes=[])
    assert external("36510123456789", plan) is None
    assert normalise("*31#0123456789", plan, dialled=True).category is Category.SERVICE
