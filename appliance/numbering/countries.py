"""What is known of each country's numbers: calling code, what its numbers look like, how they are dialled there.

``country_table`` is the data; here it is read once, into dictionaries, and asked as ``phonenumbers.parse`` asks it.
A number is *possible* by calling code and length, *valid* if a range that the country has given out holds it.
"""

import re
from functools import cache
from typing import Final

from msgspec import Struct

from appliance.numbering.country_table import TABLE

_LONGEST: Final = 32
"""No number has so many digits, whatever stands before it."""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Each pattern when it is first asked: a site meets few countries. All come from the table."""
    return re.compile(pattern, re.ASCII)


class Country(Struct, frozen=True):
    """One country, or what a calling code without a country is for."""

    calling_code: str
    lengths: frozenset[int]
    usual_length: int
    """Of fixed or mobile numbers, the smaller; 0 if it has neither."""
    leading_zero: bool
    """Many national numbers begin with 0, as in Italy; elsewhere a 0 there is a national prefix left in by mistake."""
    pattern: str
    """What national numbers look like; it is wide, and takes some short numbers for them."""
    short_pattern: str
    """What short numbers look like where they could be taken for others; they are dialled without any prefix."""
    national_prefix: str
    prefixes: str
    """Pattern of all that can stand before a national number: prefix, carrier, the area that need not be dialled."""
    careful: frozenset[str]
    """First digits at which there may be something to take off; others begin a national number, and most do."""
    replacement: str
    """What is written instead of what ``prefixes`` found, if all its groups took part."""
    international: str
    emergencies: frozenset[str]
    """Its own; 112 holds everywhere and is not repeated."""

    @property
    def is_plain(self) -> bool:
        """Nothing but the national prefix is ever taken off, or nothing at all."""
        return "(" not in self.prefixes and self.national_prefix in self.prefixes.split("|")

    def can_be(self, national: str) -> bool:
        """Tell whether ``national`` (digits only) is possible: its length, and how it begins."""
        return len(national) in self.lengths and (
            self.leading_zero or not national.startswith("0") or self.is_valid(national)
        )

    def is_valid(self, national: str) -> bool:
        """Tell whether ``national`` lies in a range that the country has given out."""
        return _compiled(self.pattern).fullmatch(national) is not None

    def is_short(self, national: str) -> bool:
        """Tell whether ``national``, of six digits or less, is a short number that looks like a national one."""
        return bool(self.short_pattern) and _compiled(self.short_pattern).fullmatch(national) is not None

    def significant(self, digits: str) -> str | None:
        """Take off what stands before a national number, if anything does; None if no number can be so."""
        if digits[:1] not in self.careful:
            return digits if len(digits) in self.lengths else None
        stripped = self._strip(digits) if self.prefixes and len(digits) <= _LONGEST else digits
        possible = self.can_be(digits)
        if stripped == digits or (possible and not self.can_be(stripped)):
            return digits if possible else None
        # Again, because a carrier's code may stand before the prefix, and a number must be read as it is written.
        return self.significant(stripped)

    def _strip(self, digits: str) -> str:
        """As the package does it: not if a valid number would become an invalid one."""
        prefixes = _compiled(self.prefixes)
        found = prefixes.match(digits)
        if found is None:
            return digits
        groups = found.groups()
        if self.replacement and groups[-1] is not None:
            stripped = found.expand(self.replacement) + digits[found.end() :]
        else:
            stripped = digits[found.end() :]
        return digits if self.is_valid(digits) and not self.is_valid(stripped) else stripped

    def after_international(self, digits: str) -> str | None:
        """Give what follows the country's own international prefix; None where ``digits`` do not begin with one."""
        found = _compiled(self.international).match(digits) if self.international else None
        # No calling code begins with 0.
        return digits[found.end() :] if found and not digits.startswith("0", found.end()) else None

    def national(self, digits: str) -> str | None:
        """Read ``digits`` as they are dialled in the country, or with its own calling code.

        Where both are valid, the package takes the calling code for a part of the number. Here it is taken off if
        the country has a national prefix and a number of the usual length remains: one with neither prefix is rare,
        one without the ``+`` is what trunks send.
        """
        if digits.startswith(self.calling_code):
            rest = digits[len(self.calling_code) :]
            if len(digits) > max(self.lengths):
                return self.significant(rest)
            own = self.significant(rest)
            is_likely = own is not None and bool(self.national_prefix) and len(own) >= self.usual_length
            if own and self.is_valid(own) and (is_likely or not self.is_valid(digits)):
                return own
        return self.significant(digits)


def _careful(prefixes: str, *, zero: bool) -> frozenset[str]:
    if not set(prefixes).isdisjoint("([?"):
        return frozenset("0123456789")
    return frozenset({prefix[0] for prefix in prefixes.split("|") if prefix} | (set() if zero else {"0"}))


def _read(line: str) -> tuple[str, Country]:
    region, code, lengths, usual, zero, pattern, short, national, prefixes, replacement, international, emergencies = (
        "" if field == "-" else field for field in line.split(" ")
    )
    prefixes = national if prefixes == "=" else prefixes
    return region, Country(
        code,
        frozenset(map(int, lengths.split(","))),
        int(usual or 0),
        bool(zero),
        f"(?!(?:{short})$)(?:{pattern})" if short else pattern,
        short,
        national,
        prefixes,
        _careful(prefixes, zero=bool(zero)),
        replacement,
        international,
        frozenset(emergencies.split(",")) - {""},
    )


_ALL: Final = tuple(map(_read, TABLE.splitlines()))
COUNTRIES: Final = {region: country for region, country in _ALL if region != "001"}
"""By ISO 3166 code, upper case."""

CALLING_CODES: Final = {country.calling_code: country for _, country in reversed(_ALL)}
"""The main country of each calling code. No code is the beginning of another (ITU-T E.164)."""

_SHARED: Final = {
    code: tuple(country for _, country in _ALL if country.calling_code == code and country is not main)
    for code, main in CALLING_CODES.items()
}
"""The other countries of each calling code."""
_BY_HEAD: Final = {
    head: country
    for head in map("{:03}".format, range(1000))
    for length in (1, 2, 3)
    if (country := CALLING_CODES.get(head[:length]))
}
"""Which calling code three digits begin with."""


def split_international(digits: str) -> tuple[Country, str] | None:
    """Split the digits after ``+`` into calling code and national number; None if no number can be so."""
    country = _BY_HEAD.get(digits[:3])
    if country is None:
        return None
    rest = digits[len(country.calling_code) :]
    national = country.significant(rest)
    if national is not None:
        return country, national
    # "+47 (0)22 …": a prefix that the country does not even have, or has more often.
    national = rest.lstrip("0")
    if country.is_valid(national):
        return country, national
    # The main country knows the numbers of the others, but for Canada's 310-1234.
    other = next((other for other in _SHARED[country.calling_code] if other.is_valid(rest)), None)
    return None if other is None else (other, rest)
