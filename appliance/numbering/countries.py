"""What is known of each country's numbers: calling code, possible lengths, emergency numbers.

``country_table`` is the data; here it is read once, into dictionaries. Lengths are those of ITU-T E.164 national
significant numbers that the country's plan has, not which numbers are in use.
"""

from typing import Final

from msgspec import Struct

from appliance.numbering.country_table import LENGTHS, REGIONS


class CallingCode(Struct, frozen=True):
    """One calling code (1-3 digits), and which national numbers can follow it."""

    digits: str
    lengths: frozenset[int]
    leading_zero: bool
    """National numbers may begin with 0, as in Italy; elsewhere a 0 there is a national prefix left in by mistake."""

    def can_be(self, national: str) -> bool:
        """Tell whether ``national`` (digits only) can be a national number: its length, and how it begins."""
        return len(national) in self.lengths and (self.leading_zero or not national.startswith("0"))


class Country(Struct, frozen=True):
    """One country: its calling code, and its own emergency numbers (112 holds everywhere and is not repeated)."""

    calling_code: str
    emergencies: frozenset[str]


def _entries(table: str) -> list[list[str]]:
    return [entry.split() for entry in table.split(";")]


CALLING_CODES: Final = {
    digits: CallingCode(digits, frozenset(map(int, lengths.split(","))), bool(zero))
    for digits, lengths, *zero in _entries(LENGTHS)
}
"""By calling code. No code is the beginning of another (ITU-T E.164)."""

COUNTRIES: Final = {
    region: Country(calling_code, frozenset(emergencies)) for region, calling_code, *emergencies in _entries(REGIONS)
}
"""By ISO 3166 code, upper case."""


def split_international(digits: str) -> tuple[CallingCode, str] | None:
    """Split the digits after ``+`` into calling code and national number; None if no number can be so."""
    for length in (2, 3, 1):
        code = CALLING_CODES.get(digits[:length])
        if code is not None:
            national = digits[length:]
            if code.can_be(national):
                return code, national
            # "+44 (0)20 …" written without the brackets.
            national = national.removeprefix("0")
            return (code, national) if code.can_be(national) else None
    return None
