"""Against the ``phonenumbers`` package: the table of countries, and numbers of every country in each spelling.

The examples of every kind in every country are tried in full; Hypothesis draws more from the package's own patterns.
Where the two differ on purpose, a test says so.
"""

from pathlib import Path

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from phonenumbers import PhoneNumber, ValidationResult

from appliance.numbering import country_table
from appliance.numbering.countries import CALLING_CODES, COUNTRIES, split_international
from appliance.numbering.number import Number, normalise
from appliance.wire.call import Category
from tests.support import phone_numbers
from tests.support.country_table import render, starts_with_zero
from tests.support.phone_numbers import OUTSIDE_LINES, REGIONS, digits, e164

HOMES = ("BE", "US", "DE", "FR", "GB", "AU", "BR", "JP", "RU", "SG", "IT", "KE")
"""Sites that call abroad: national prefix or none, one international prefix or a choice of them."""
ADJACENT = (
    *("BE", "NL", "FR", "DE", "LU", "GB", "IE", "ES", "PT", "IT", "CH", "AT", "DK", "SE", "NO", "FI", "PL", "CZ", "HU"),
    *("RO", "GR", "US", "CA", "AU", "NZ", "ZA", "IN", "MA", "TR", "JP", "AR", "BR", "MX", "CO", "CL", "RU", "KZ", "BY"),
    *("CN", "KR", "HK", "SG", "MY", "ID", "TH", "IL", "AE", "EG", "NG", "CI", "GA", "SM", "VA", "JE", "GG", "IM", "GI"),
    *("MT", "CY", "EE", "LV", "LT", "SI", "SK", "HR", "BG", "UA", "IS", "LI", "MC", "AD", "BS", "TT", "PR", "CR", "UY"),
)
"""Drawn from: the home of most sites, and each country whose rules are odd."""


def national_of(number: PhoneNumber) -> str:
    """Its national number, with the zeros it begins with."""
    return phonenumbers.national_significant_number(number)


def assert_same(number: PhoneNumber, found: Number) -> None:
    """It is that number, with its count of national digits."""
    assert found == Number(Category.EXTERNAL, e164(number), len(national_of(number)))


def assert_every_spelling(number: PhoneNumber, region: str, outside: str | None) -> None:
    """As it is presented, and as it is dialled with or without the outside line."""
    plan = phone_numbers.plan(region, outside)
    for written in phone_numbers.spellings(number, region):
        assert_same(number, normalise(written, plan, dialled=False))
        # What begins like the outside line can be read in two ways; that is what the site dials it for.
        if outside is None or not digits(written).startswith(outside) or not written[0].isdecimal():
            assert_same(number, normalise(written, plan, dialled=True))
        if written[0] != "+" and not written.startswith("tel:"):
            assert_same(number, normalise(digits(written), plan, dialled=False))
            if outside is not None and not phone_numbers.is_valid(f"{outside}{written}", region):
                assert_same(number, normalise(f"{outside} {written}", plan, dialled=True))
                assert_same(number, normalise(f"{outside}{digits(written)}", plan, dialled=True))


@pytest.mark.parametrize("outside", OUTSIDE_LINES)
@pytest.mark.parametrize("region", REGIONS)
def test_examples_of_every_kind_agree_in_every_spelling(region: str, outside: str | None) -> None:
    """National, international, E.164 and RFC 3966, with the separators of the country, dialled and presented."""
    examples = phone_numbers.examples(region)
    assert examples
    for number in examples:
        assert_every_spelling(number, region, outside)


@given(st.data(), st.sampled_from(ADJACENT), st.sampled_from(OUTSIDE_LINES))
def test_valid_numbers_agree_in_every_spelling(data: st.DataObject, region: str, outside: str | None) -> None:
    """Drawn from the package's own patterns."""
    assert_every_spelling(data.draw(phone_numbers.generated(region)), region, outside)


@pytest.mark.parametrize("home", HOMES)
def test_examples_agree_when_they_are_dialled_from_abroad(home: str) -> None:
    """As the package says that a number of each other country is dialled, behind an outside line or none."""
    for region in REGIONS:
        for number in phone_numbers.examples(region):
            written = phonenumbers.format_out_of_country_calling_number(number, home)
            assert_same(number, normalise(written, phone_numbers.plan(home), dialled=True))
            assert_same(number, normalise(written, phone_numbers.plan(home), dialled=False))
            if written[0] != "+":
                assert_same(number, normalise(f"9{written}", phone_numbers.plan(home, "9"), dialled=True))


@given(st.data(), st.sampled_from(ADJACENT), st.sampled_from(ADJACENT))
def test_valid_numbers_agree_when_they_are_dialled_from_abroad(data: st.DataObject, home: str, region: str) -> None:
    """From anywhere to anywhere."""
    number = data.draw(phone_numbers.generated(region))
    written = phonenumbers.format_out_of_country_calling_number(number, home)
    if phone_numbers.is_read(written, home, number):
        assert_same(number, normalise(written, phone_numbers.plan(home), dialled=True))


@given(st.data(), st.sampled_from(ADJACENT))
def test_an_extension_behind_a_number_changes_nothing(data: st.DataObject, region: str) -> None:
    """It is dialled after the answer, or by the number's owner."""
    number = data.draw(phone_numbers.generated(region))
    for written in phone_numbers.spellings(number, region):
        for extension in (";ext=12", " ext. 12", "x12", ", extension 12"):
            assert_same(number, normalise(written + extension, phone_numbers.plan(region), dialled=False))


@given(st.data(), st.sampled_from(ADJACENT), st.booleans())
def test_any_digits_are_the_number_that_the_package_reads(
    data: st.DataObject,
    region: str,
    dialled: bool,  # noqa: FBT001 - property
) -> None:
    """With each prefix that may stand before a number, and a digit more or less than there are."""
    code = str(phonenumbers.country_code_for_region(region))
    trunk = phone_numbers.metadata(region).national_prefix or "0"
    prefix = data.draw(st.sampled_from(["", trunk, code, code + trunk, f"00{code}", f"00{code}{trunk}", f"011{code}"]))
    national = phonenumbers.national_significant_number(data.draw(phone_numbers.generated(region)))
    text = prefix + data.draw(st.sampled_from([national, national[:-1], f"{national}5"]))
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return
    # A number that begins with its own calling code is named as a difference below.
    if phonenumbers.is_valid_number(number) and not national_of(number).startswith(code):
        found = normalise(text, phone_numbers.plan(region), dialled=dialled)
        if found.category not in {Category.EMERGENCY, Category.SHORT}:
            assert_same(number, found)


@pytest.mark.parametrize(
    ("region", "text", "canonical"),
    [
        *(("DE", "4930231254", "+4930231254"), ("IT", "390612345678", "+390612345678")),
        *(("JE", "0800735456", "+44800735456"), ("JE", "735456", "+441534735456")),
    ],
)
def test_digits_that_could_be_read_in_two_ways(region: str, text: str, canonical: str) -> None:
    """By the ranges that the country has given out; both ways would be possible by length."""
    assert normalise(text, phone_numbers.plan(region), dialled=False).canonical == canonical


@given(st.sampled_from(REGIONS), st.data(), st.booleans())
def test_a_canonical_number_is_a_fixed_point(region: str, data: st.DataObject, dialled: bool) -> None:  # noqa: FBT001 - property
    """Normalising E.164 again changes nothing, also where it is only possible: one number has one spelling."""
    code = str(phonenumbers.country_code_for_region(region))
    prefix = data.draw(st.sampled_from(["", "0", "00", "+", "+0", code, f"+{code}", f"00{code}", f"+{code}0"]))
    plan = phone_numbers.plan(region, data.draw(st.sampled_from(OUTSIDE_LINES)))
    number = normalise(prefix + data.draw(st.text("0123456789", max_size=14)), plan, dialled=dialled)
    if number.category is Category.EXTERNAL and number.canonical is not None:
        assert normalise(number.canonical, plan, dialled=dialled) == number


@given(st.text("0123456789", min_size=4, max_size=16))
def test_possible_is_what_the_package_calls_possible(text: str) -> None:
    """By length and calling code, for any digits after a +."""
    try:
        number = phonenumbers.parse(f"+{text}")
    except phonenumbers.NumberParseException:
        assert split_international(text) is None
        return
    assume(not national_of(number).startswith("0") and not phone_numbers.is_canadian_310(number))
    found = split_international(text)
    if phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE:
        assert found is not None
        assert f"+{found[0].calling_code}{found[1]}" == e164(number)
    else:
        # Zeros that the country does not have, and the package leaves in.
        assert found is None or (text[len(found[0].calling_code) :].startswith("0") and found[0].is_valid(found[1]))


@pytest.mark.parametrize(
    ("region", "written", "package", "ours"),
    [
        # A trunk that leaves the "+" out is more likely than a mobile number of Ostfriesland (04917 …) without its 0.
        ("DE", "4917612345678", "+494917612345678", "+4917612345678"),
        # No German number begins with 0: the package takes the length for good.
        ("BE", "+3202123456", "+3202123456", None),
        # A short number is dialled as such, also if its length would do for a national one.
        ("DE", "11833", "+4911833", "11833"),
        # Seven digits that every Canadian can dial mean nothing elsewhere.
        ("US", "1 310-1234", "+13101234", None),
    ],
)
def test_where_we_differ_on_purpose(region: str, written: str, package: str, ours: str | None) -> None:
    """Each of these is a choice; the package's reading is here so that an update that changes it shows."""
    assert e164(phonenumbers.parse(written, region)) == package
    assert normalise(written, phone_numbers.plan(region), dialled=True).canonical == ours


def test_canadian_numbers_of_seven_digits() -> None:
    """310-1234 in Canada, and in its international form."""
    for written in ("310-1234", "+1 310-1234"):
        found = normalise(written, phone_numbers.plan("CA"), dialled=True)
        assert found == Number(Category.EXTERNAL, "+13101234", phone_numbers.CANADIAN_310)


def test_the_table_is_what_its_generator_writes() -> None:
    """After an update of the package the table is generated again, or this fails."""
    assert Path(country_table.__file__).read_text() == render()


def test_the_table_is_complete() -> None:
    """Every region and calling code of the package, with lengths and emergency numbers."""
    assert set(COUNTRIES) == set(REGIONS)
    assert set(CALLING_CODES) == {str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE}
    assert COUNTRIES["FR"].emergencies >= {"15", "17", "18", "112"}
    assert CALLING_CODES["32"].lengths == {8, 9}


@pytest.mark.parametrize("region", REGIONS)
def test_the_table_names_the_main_country_first(region: str) -> None:
    """So that a calling code stands for the country whose rules hold for all that share it."""
    code = phonenumbers.country_code_for_region(region)
    assert CALLING_CODES[str(code)] is COUNTRIES[phonenumbers.region_code_for_country_code(code)]


@pytest.mark.parametrize(("region", "zero"), [("IT", True), ("CI", True), ("BE", False), ("FR", False), ("US", False)])
def test_leading_zeros_are_known(region: str, zero: bool) -> None:  # noqa: FBT001 - table
    """Only some countries' national numbers begin with 0."""
    assert COUNTRIES[region].leading_zero is zero
    assert starts_with_zero(COUNTRIES[region].pattern, tuple(COUNTRIES[region].lengths)) is zero


def test_no_calling_code_begins_another() -> None:
    """So that the first match is the only one."""
    for code in CALLING_CODES:
        assert not any(other != code and other.startswith(code) for other in CALLING_CODES)
