"""The numbering plan of a site: what must be known to tell one person's number from another's spelling of it."""

import re
from collections.abc import Callable, Iterable
from typing import Final, Self

from msgspec import Struct

from appliance.errors import SettingsError
from appliance.numbering.countries import COUNTRIES, Country
from appliance.numbering.dialling_codes import usual_carrier_prefixes, usual_withhold_prefixes
from appliance.numbering.ways import Access, Ways

PREFIX: Final = r"[0-9]{1,5}"
OUTSIDE_LINE: Final = r"[0-9*#]{1,8}"
WITHHOLD_PREFIX: Final = r"[0-9*#]{2,8}"
CARRIER_PREFIX: Final = r"(?=.{2,8}\Z)[0-9]+x*"
MAX_EXTENSION: Final = 8
_UNFIT_LENGTHS: Final = f"site.extension_lengths: not all between 1 and {MAX_EXTENSION}"
_FORMS: Final = {
    "national_prefix": (PREFIX, "not up to 5 digits"),
    "international_prefix": (PREFIX, "not up to 5 digits"),
    "outside_line": (PREFIX, "not up to 5 digits"),
    "area_code": (PREFIX, "not up to 5 digits"),
    "outside_lines": (OUTSIDE_LINE, "not all of 1 to 8 digits, * or #"),
    "withhold_prefixes": (WITHHOLD_PREFIX, "not all of 2 to 8 digits, * or #"),
    "carrier_prefixes": (CARRIER_PREFIX, "not all of 2 to 8 digits, the last ones x for any digit"),
}
"""What an option's values look like, and what to say of one that does not."""
_ANYWHERE: Final = frozenset({"112"})
"""ITU-T E.161.1: networks accept 112 from mobiles everywhere; the EU's number on every line (2018/1972, art. 109)."""


class NumberingPlan(Struct, frozen=True, kw_only=True):
    """A site's plan, checked; made by ``parse`` alone."""

    home: Country
    is_valid: Callable[[str], object]
    """As ``home.is_valid``, with ``+`` and calling code before the number, and without what a call of that costs."""
    code_length: int
    """Characters of ``+`` and the calling code."""
    outside_lines: tuple[str, ...]
    """In digits; empty where none is dialled."""
    extension_lengths: frozenset[int]
    emergencies: dict[str, str]
    """What is dialled, with and without an outside line, to the emergency number that it reaches."""
    dialled_ways: Ways
    presented_ways: Ways
    foreign_ways: Ways
    uncoded_ways: Ways
    """What can follow a withhold or carrier code in digits."""
    signed_codes: tuple[str, ...]
    """Withhold codes and outside lines with a ``*`` or ``#``, the longest first."""
    longest_inside: int
    """No extension or emergency number has more digits."""

    @classmethod
    def parse(  # noqa: PLR0913 - one argument an option of the site
        cls,
        *,
        country: str,
        national_prefix: str | None = None,
        international_prefix: str | None = None,
        outside_line: str | None = None,
        outside_lines: Iterable[str] = (),
        extension_lengths: Iterable[int] = (),
        area_code: str | None = None,
        withhold_prefixes: Iterable[str] | None = None,
        carrier_prefixes: Iterable[str] | None = None,
    ) -> Self:
        """Check plain values; what is None is as usual in the country.

        Raises:
            SettingsError: lists every mistake, with the option's path under ``site``.
        """
        lengths = frozenset(extension_lengths)
        lines = (*filter(None, [outside_line]), *outside_lines)
        withhold = None if withhold_prefixes is None else tuple(withhold_prefixes)
        carrier = None if carrier_prefixes is None else tuple(carrier_prefixes)
        mistakes = _mistakes(
            lengths,
            # An empty text is none, but for the international prefix: "" would make every number a foreign one.
            national_prefix=filter(None, [national_prefix]),
            international_prefix=[] if international_prefix is None else [international_prefix],
            outside_line=filter(None, [outside_line]),
            area_code=filter(None, [area_code]),
            outside_lines=lines[bool(outside_line) :],
            withhold_prefixes=withhold or (),
            carrier_prefixes=carrier or (),
        )
        home = COUNTRIES.get(country)
        if home is None:
            mistakes.append("site.country: no ISO 3166 code of a country with a numbering plan")
        if mistakes or home is None:
            raise SettingsError(mistakes)
        carrier = usual_carrier_prefixes(country) if carrier is None else carrier
        withhold = usual_withhold_prefixes(country, home.calling_code) if withhold is None else withhold
        access = Access(
            home,
            home.national_prefix if national_prefix is None else national_prefix,
            # Where the country has several, its pattern knows them.
            international_prefix or (home.international if home.international.isdecimal() else ""),
            area_code or "",
            tuple(line for line in lines if line.isdecimal()),
            _longest_first(code for code in (*withhold, *carrier) if set(code).isdisjoint("*#")),
        )
        return cls._of(access, lengths, _longest_first(code for code in (*withhold, *lines) if not code.isdecimal()))

    @classmethod
    def _of(cls, access: Access, lengths: frozenset[int], signed_codes: tuple[str, ...]) -> Self:
        home = access.home
        emergencies = _emergencies(home, access.outside_lines)
        return cls(
            home=home,
            is_valid=re.compile(rf"\+{home.calling_code}(?:{home.pattern})", re.ASCII).fullmatch,
            code_length=1 + len(home.calling_code),
            outside_lines=access.outside_lines,
            extension_lengths=lengths,
            emergencies=emergencies,
            dialled_ways=access.dialled(),
            presented_ways=access.presented(),
            foreign_ways=access.foreign(),
            uncoded_ways=access._replace(codes=()).dialled(),
            signed_codes=signed_codes,
            longest_inside=max((*lengths, *map(len, emergencies))),
        )


def _mistakes(lengths: Iterable[int], **options: Iterable[str]) -> list[str]:
    unfit = [] if all(1 <= length <= MAX_EXTENSION for length in lengths) else [_UNFIT_LENGTHS]
    return unfit + [
        f"site.{option}: {_FORMS[option][1]}"
        for option, values in options.items()
        if not all(re.fullmatch(_FORMS[option][0], value) for value in values)
    ]


def _emergencies(home: Country, lines: Iterable[str]) -> dict[str, str]:
    numbers = home.emergencies | _ANYWHERE
    # A number that is one without the outside line is that one: 911 where 9 is dialled for a line, also if 11 is one.
    return {line + number: number for line in lines for number in numbers} | {number: number for number in numbers}


def _longest_first(codes: Iterable[str]) -> tuple[str, ...]:
    """So that 1470 is not taken for 147 and a 0."""
    return tuple(sorted(dict.fromkeys(codes), key=len, reverse=True))
