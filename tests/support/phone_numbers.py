"""Real-looking numbers of every country and kind, from the ``phonenumbers`` package, and how people write them."""

from collections.abc import Iterator
from functools import cache
from typing import Final, cast

import phonenumbers
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberDesc, PhoneNumberFormat, PhoneNumberType

from appliance.numbering.plan import NumberingPlan

REGIONS: Final = tuple(sorted(phonenumbers.SUPPORTED_REGIONS))
SPELLINGS: Final = (
    PhoneNumberFormat.NATIONAL,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.E164,
    PhoneNumberFormat.RFC3966,
)
OUTSIDE_LINES: Final = (None, "0", "9")
CANADIAN_310: Final = 7
"""Digits of 310-1234, dialled so in all of Canada, and by the package in no other country."""


def metadata(region: str) -> PhoneMetadata:
    """What the package knows of ``region``."""
    found = PhoneMetadata.metadata_for_region(region)
    if found is None:
        raise LookupError(region)
    return found


@cache
def plan(region: str, outside_line: str | None = None) -> NumberingPlan:
    """The plan of a site in ``region`` that names nothing but its outside line; no extensions, no codes."""
    return NumberingPlan.parse(country=region, outside_line=outside_line, withhold_prefixes=(), carrier_prefixes=())


def e164(number: PhoneNumber) -> str:
    """The canonical form, by the package."""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def digits(text: str) -> str:
    """Nothing but the digits of ``text``."""
    return "".join(filter(str.isdecimal, text))


def parsed(written: str, region: str) -> PhoneNumber | None:
    """What the package makes of it; None if it finds no number there."""
    try:
        return phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None


def is_valid(written: str, region: str) -> bool:
    """Tell whether the package reads a number that the country has given out."""
    found = parsed(written, region)
    return found is not None and phonenumbers.is_valid_number(found)


def is_read(written: str, region: str, number: PhoneNumber) -> bool:
    """Tell whether the package reads it as ``number``: it does not read all that it writes."""
    found = parsed(written, region)
    return found is not None and e164(found) == e164(number)


def spellings(number: PhoneNumber, region: str) -> list[str]:
    """Each way in which the package writes ``number``, and reads it again."""
    written = [phonenumbers.format_number(number, spelling) for spelling in SPELLINGS]
    return [text for text in written if is_read(text, region, number)]


@cache
def examples(region: str) -> tuple[PhoneNumber, ...]:
    """An example of each kind that the region has; Canada's 310-1234 left out."""
    found = (phonenumbers.example_number_for_type(region, kind) for kind in PhoneNumberType.values())
    distinct = {e164(number): number for number in found if number is not None}
    return tuple(number for number in distinct.values() if not is_canadian_310(number))


def is_canadian_310(number: PhoneNumber) -> bool:
    """Tell whether ``number`` is one of the seven digits that only Canada dials."""
    return bool(number.country_code == 1 and len(phonenumbers.national_significant_number(number)) == CANADIAN_310)


def _kinds(region: str) -> Iterator[PhoneNumberDesc]:
    known = metadata(region)
    for kind in (known.fixed_line, known.mobile, known.toll_free, known.premium_rate, known.shared_cost, known.voip):
        if kind is not None and kind.national_number_pattern is not None:
            yield kind


def generated(region: str) -> st.SearchStrategy[PhoneNumber]:
    """Valid numbers of ``region``, of any kind, from the patterns themselves."""
    code = phonenumbers.country_code_for_region(region)
    nationals = st.one_of(
        [
            st.from_regex(kind.national_number_pattern or "", fullmatch=True, alphabet="0123456789")
            for kind in _kinds(region)
        ]
    )

    def fits(number: PhoneNumber | None) -> bool:
        return number is not None and phonenumbers.is_valid_number(number) and not is_canadian_310(number)

    numbers = nationals.map(lambda national: parsed(f"+{code}{national}", region)).filter(fits)
    return cast("st.SearchStrategy[PhoneNumber]", numbers)
