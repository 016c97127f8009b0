"""Spellings to canonical numbers, and categories of what is no public number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.numbering.number import Number, normalise
from appliance.numbering.plan import NumberingPlan
from appliance.wire.call import Category
from tests.support.cdr_rows import belgian_plan

PLAN = belgian_plan()
BARE = belgian_plan(outside_line=None, extension_lengths=())
AMERICAN = NumberingPlan.parse(
    country="US", national_prefix="1", international_prefix="011", outside_line="9", extension_lengths=[4]
)
ITALIAN = NumberingPlan.parse(country="IT", national_prefix="", international_prefix="00", extension_lengths=[3])


@pytest.mark.parametrize("dialled", [False, True])
@pytest.mark.parametrize(
    "spelling",
    [
        *("+32475123456", "0032475123456", "0475123456", "475123456", "32475123456", "+320475123456"),
        *("+32 475 12 34 56", "+32 (0)475/12.34.56", "0032 (0)475-123-456", " 0475\xa0123456 ", "(0475) 12 34 56"),
        *("sip:+32475123456@pbx.example;user=phone", "sips:0475123456@10.0.0.1:5061", "tel:+32-475-12-34-56"),
        *("SIP:%2B32475123456@h", "sip:0475123456;phone-context=x@h", '"Ann" <0475123456>', "0475123456@trunk"),
        *("+0032475123456", "+01132475123456", "01132475123456", "*31#0475123456", "#31#0475123456", "*670475123456"),
        *("*31#+32 475 123456", "0475123456#", "00475123456", "00032475123456"),
    ],
)
def test_every_spelling_of_one_number_is_one_number(spelling: str, dialled: bool) -> None:  # noqa: FBT001 - table
    """Or one person gets two pseudonyms."""
    assert normalise(spelling, PLAN, dialled=dialled) == Number(Category.EXTERNAL, "+32475123456", 9)


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        *(("2025550123", "+12025550123"), ("12025550123", "+12025550123"), ("912025550123", "+12025550123")),
        *(("92025550123", "+12025550123"), ("9011442079460123", "+442079460123"), ("011442079460123", "+442079460123")),
        *(("9125550123", "+19125550123"), ("+12025550123", "+12025550123"), ("00442079460123", "+442079460123")),
    ],
)
def test_an_american_site(spelling: str, canonical: str) -> None:
    """1 is the national prefix and the calling code, 9 the outside line and the beginning of area codes."""
    assert normalise(spelling, AMERICAN, dialled=True).canonical == canonical


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        *(("0612345678", "+390612345678"), ("3931234567", "+393931234567"), ("+390612345678", "+390612345678")),
        *(("390612345678", "+39390612345678"), ("00390612345678", "+390612345678")),
    ],
)
def test_a_country_without_national_prefix(spelling: str, canonical: str) -> None:
    """Italian numbers keep their 0, and a mobile 39x is no calling code 39."""
    assert normalise(spelling, ITALIAN, dialled=False).canonical == canonical


def test_a_national_prefix_left_in_an_international_number_is_taken_off() -> None:
    """Where the country's numbers never begin with 0; also if the length would be possible with it."""
    assert normalise("+49030231254", PLAN, dialled=False).canonical == "+4930231254"
    assert normalise("+3202123456", PLAN, dialled=False).category is Category.UNKNOWN
    assert normalise("+390612345678", PLAN, dialled=False).canonical == "+390612345678"


def test_what_begins_with_the_outside_line_was_dialled_outside() -> None:
    """National before international: 0 + 03 123 45 67 is Antwerp, not the Netherlands."""
    assert normalise("0031234567", PLAN, dialled=True).canonical == "+3231234567"
    assert normalise("0031201234567", PLAN, dialled=True).canonical == "+31201234567"
    assert normalise("0031201234567", BARE, dialled=True).canonical == "+31201234567"


@pytest.mark.parametrize(
    ("raw", "dialled", "category", "canonical"),
    [
        *((raw, True, Category.EMERGENCY, "112") for raw in ("112", "0112", "+112", "sip:112@pbx")),
        *((raw, True, Category.EMERGENCY, "101") for raw in ("0101", "*31#0101")),
        *(("101", flag, Category.INTERNAL, "101") for flag in (False, True)),
        *((raw, flag, Category.INTERNAL, "201") for raw in ("201", "Ext. 201", "ext 201") for flag in (False, True)),
        ("2301@pbx.example", True, Category.INTERNAL, "2301"),
        ("01207", True, Category.SHORT, "1207"),
        ("12", False, Category.SHORT, "12"),
        ("0201", True, Category.SHORT, "201"),
        *((raw, True, Category.SERVICE, None) for raw in ("*60", "#9", "*72*201*0475123456", "112*", "0", "**201")),
        *((raw, True, Category.SERVICE, None) for raw in ("s", "i", "h", "t", "o", "a", "S-BUSY", "*31#", "*31#201")),
        *((raw, False, Category.UNKNOWN, None) for raw in ("ann", "Ann 0475123456", "ext. ann", "1234567", "²³")),
        *(
            (raw, False, Category.UNKNOWN, None)
            for raw in ("+650606506042101", "+9", "+", "+ann", "-", "+999123456789")
        ),
        *((raw, True, Category.UNKNOWN, None) for raw in ("", "anonymous", "sip:anonymous@anonymous.invalid")),
        *((raw, False, Category.WITHHELD, None) for raw in ("", "<>", "Anonymous", "RESTRICTED", "Private", "nobody")),
        *((raw, False, Category.WITHHELD, None) for raw in ("Unavailable", "unknown", "Out of Area", "withheld")),
        *((raw, False, Category.WITHHELD, None) for raw in ("No Caller ID", "266696687", "0", "000", '"x" <>')),
        *((raw, False, Category.WITHHELD, None) for raw in ("sip:Anonymous@anonymous.invalid", "anonymous@h", "tel:")),
        ("sip:Ann@PBX.example:5060;transport=tcp?x=y", False, Category.URI, "ann@pbx.example"),
        ("ann@pbx.example", True, Category.URI, "ann@pbx.example"),
        ("sip:pbx.example", True, Category.URI, "pbx.example"),
    ],
)
def test_what_is_no_public_number_has_its_category(
    raw: str,
    dialled: bool,  # noqa: FBT001 - table
    category: Category,
    canonical: str | None,
) -> None:
    """And a canonical form only where a pseudonym may be made of it."""
    assert normalise(raw, PLAN, dialled=dialled) == Number(category, canonical)


def test_an_emergency_number_that_calls_back_is_one() -> None:
    """Where it cannot be an extension."""
    assert normalise("112", BARE, dialled=False).category is Category.EMERGENCY


def test_without_an_outside_line_an_emergency_number_goes_before_an_extension() -> None:
    """Nothing tells them apart then, and the police must not look like a colleague."""
    plan = NumberingPlan.parse(country="BE", national_prefix="0", international_prefix="00", extension_lengths=(3,))
    assert normalise("101", plan, dialled=True) == Number(Category.EMERGENCY, "101")
    assert normalise("112", plan, dialled=True) == Number(Category.EMERGENCY, "112")


def test_a_plan_whose_outside_line_begins_an_emergency_number() -> None:
    """9 for an outside line, 911 for help: the canonical number is still 911."""
    for raw in ("911", "9911"):
        assert normalise(raw, AMERICAN, dialled=True) == Number(Category.EMERGENCY, "911")


def test_the_repr_shows_no_digit() -> None:
    """It may stand in a traceback."""
    assert repr(normalise("0475123456", PLAN, dialled=True)) == "Number(external)"


@given(st.one_of(st.text(max_size=30), st.text("0123456789+*#@<>() .;:sip", max_size=30)), st.booleans())
def test_any_text_gives_a_number_that_keeps_the_rules(raw: str, dialled: bool) -> None:  # noqa: FBT001 - property
    """No exception; digits are counted for external numbers alone, withheld and unknown have no canonical form."""
    number = normalise(raw, PLAN, dialled=dialled)
    assert (number.national_digits_count > 0) is (number.category is Category.EXTERNAL)
    assert (number.canonical is None) is (number.category in {Category.WITHHELD, Category.UNKNOWN, Category.SERVICE})


@given(st.text("0123456789", min_size=1, max_size=18), st.booleans())
def test_a_canonical_number_is_a_fixed_point(digits: str, dialled: bool) -> None:  # noqa: FBT001 - property
    """Normalising E.164 again changes nothing."""
    number = normalise(digits, PLAN, dialled=dialled)
    if number.category is Category.EXTERNAL and number.canonical is not None:
        assert normalise(number.canonical, PLAN, dialled=dialled) == number
