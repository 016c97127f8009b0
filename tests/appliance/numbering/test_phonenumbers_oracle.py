"""Against the ``phonenumbers`` package: the table of countries, and numbers in each of their spellings."""

from pathlib import Path

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberFormat

from appliance.numbering import country_table
from appliance.numbering.countries import CALLING_CODES, COUNTRIES, split_international
from appliance.numbering.number import normalise
from appliance.numbering.plan import NumberingPlan
from appliance.wire.call import Category
from tests.support.country_table import render, starts_with_zero

REGIONS = (
    *("BE", "NL", "FR", "DE", "LU", "GB", "IE", "ES", "PT", "IT", "CH", "AT", "DK", "SE", "NO", "FI", "PL", "CZ"),
    *("HU", "RO", "GR", "US", "CA", "AU", "NZ", "ZA", "IN", "MA", "TR", "JP"),
)
SPELLINGS = (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164)


def prefix_of(region: str) -> str:
    """What is dialled before a foreign number; 00 where the package has a choice of them."""
    metadata = PhoneMetadata.metadata_for_region(region)
    prefix = (metadata and metadata.international_prefix) or ""
    return prefix if prefix.isdecimal() else "00"


def plan_of(region: str) -> NumberingPlan:
    """The plan of a site without outside line in ``region``, by the package's own metadata."""
    metadata = PhoneMetadata.metadata_for_region(region)
    national_prefix = (metadata and metadata.national_prefix) or ""
    return NumberingPlan.parse(country=region, national_prefix=national_prefix, international_prefix=prefix_of(region))


PLANS = {region: plan_of(region) for region in REGIONS}


def numbers(region: str) -> st.SearchStrategy[phonenumbers.PhoneNumber]:
    """Valid numbers of ``region``: the examples of each kind, and others that share their beginning."""
    examples = [
        example
        for kind in (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE)
        if (example := phonenumbers.example_number_for_type(region, kind)) is not None
    ]
    nationals = [phonenumbers.national_significant_number(example) for example in examples]

    def variant(national: str, tail: str) -> phonenumbers.PhoneNumber:
        digits = national[: len(national) - len(tail)] + tail
        return phonenumbers.parse(f"+{phonenumbers.country_code_for_region(region)}{digits}")

    tails = st.text("0123456789", min_size=0, max_size=6)
    return st.builds(variant, st.sampled_from(nationals), tails).filter(phonenumbers.is_valid_number)


@given(st.data(), st.sampled_from(REGIONS), st.sampled_from(SPELLINGS), st.booleans())
def test_valid_numbers_agree_in_every_spelling(
    data: st.DataObject,
    region: str,
    spelling: int,
    dialled: bool,  # noqa: FBT001 - property
) -> None:
    """National, international and E.164, with the separators of the country, give the package's E.164."""
    number = data.draw(numbers(region))
    written = phonenumbers.format_number(number, spelling)
    found = normalise(written, PLANS[region], dialled=dialled)
    assert found.category is Category.EXTERNAL
    assert found.canonical == phonenumbers.format_number(number, PhoneNumberFormat.E164)
    assert found.national_digits_count == len(phonenumbers.national_significant_number(number))


@given(st.data(), st.sampled_from(REGIONS), st.sampled_from(REGIONS))
def test_valid_numbers_agree_when_dialled_abroad(data: st.DataObject, home: str, region: str) -> None:
    """With the international prefix of the site's own country."""
    number = data.draw(numbers(region))
    digits = phonenumbers.format_number(number, PhoneNumberFormat.E164).removeprefix("+")
    found = normalise(prefix_of(home) + digits, PLANS[home], dialled=True)
    assert found.canonical == f"+{digits}"


@given(st.text("0123456789", min_size=4, max_size=16))
def test_possible_is_what_the_package_calls_possible(digits: str) -> None:
    """By length and calling code, for any digits after a +."""
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        assert split_international(digits) is None
        return
    national = phonenumbers.national_significant_number(number)
    # The package drops national prefixes other than 0, and takes numbers without area code for possible.
    assume(digits == f"{number.country_code}{national}")
    reason = phonenumbers.is_possible_number_with_reason(number)
    assume(not national.startswith("0"))
    assert (split_international(digits) is not None) is (reason == phonenumbers.ValidationResult.IS_POSSIBLE)


def test_the_table_is_what_its_generator_writes() -> None:
    """After an update of the package the table is generated again, or this fails."""
    assert Path(country_table.__file__).read_text() == render()


def test_the_table_is_complete() -> None:
    """Every region and calling code of the package, with lengths and emergency numbers."""
    assert set(COUNTRIES) == set(phonenumbers.SUPPORTED_REGIONS)
    assert set(CALLING_CODES) == {str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE}
    assert COUNTRIES["FR"].emergencies >= {"15", "17", "18", "112"}
    assert CALLING_CODES["32"].lengths == {8, 9}


@pytest.mark.parametrize(("code", "zero"), [(39, True), (32, False), (33, False), (1, False)])
def test_leading_zeros_are_known(code: int, zero: bool) -> None:  # noqa: FBT001 - table
    """Only some countries' national numbers begin with 0."""
    assert starts_with_zero(code) is zero


def test_no_calling_code_begins_another() -> None:
    """So that the first match is the only one."""
    for code in CALLING_CODES:
        assert not any(other != code and other.startswith(code) for other in CALLING_CODES)
