"""The numbering plan of a site: what must be known to tell one person's number from another's spelling of it."""

from collections.abc import Iterable
from typing import Final, Self

from msgspec import Struct

from appliance.errors import SettingsError
from appliance.numbering.countries import CALLING_CODES, COUNTRIES, CallingCode

_MAX_PREFIX: Final = 5
_MAX_EXTENSION: Final = 8
_ANYWHERE: Final = frozenset({"112"})
"""ITU-T E.161.1: networks accept 112 from mobiles everywhere; the EU's number on every line (2018/1972, art. 109)."""


class Way(Struct, frozen=True):
    """One way to read digits: if they begin with ``prefix``, the rest is international or national."""

    prefix: str
    international: bool


class NumberingPlan(Struct, frozen=True):
    """A site's plan, checked; made by ``parse`` alone."""

    country: str
    code: CallingCode
    outside_line: str
    """Empty where none is dialled."""
    extension_lengths: frozenset[int]
    emergencies: frozenset[str]
    """As they are dialled, with and without the outside line."""
    dialled_ways: tuple[Way, ...]
    """For a number that was dialled at the site, in the order in which they are tried."""
    presented_ways: tuple[Way, ...]
    """For a number that came with a call."""

    @classmethod
    def parse(
        cls,
        *,
        country: str,
        national_prefix: str,
        international_prefix: str,
        outside_line: str | None = None,
        extension_lengths: Iterable[int] = (),
    ) -> Self:
        """Check plain values.

        Raises:
            SettingsError: lists every mistake, with the option's path under ``site``.
        """
        lengths = tuple(extension_lengths)
        prefixes = {
            "national_prefix": national_prefix,
            "international_prefix": international_prefix or "?",
            "outside_line": outside_line or "",
        }
        mistakes = [
            f"site.{option}: not up to {_MAX_PREFIX} digits"
            for option, prefix in prefixes.items()
            if prefix and not (prefix.isascii() and prefix.isdecimal() and len(prefix) <= _MAX_PREFIX)
        ]
        if country not in COUNTRIES:
            mistakes.append("site.country: no ISO 3166 code of a country with a numbering plan")
        if not all(1 <= length <= _MAX_EXTENSION for length in lengths):
            mistakes.append(f"site.extension_lengths: not all between 1 and {_MAX_EXTENSION}")
        if mistakes:
            raise SettingsError(mistakes)
        code = CALLING_CODES[COUNTRIES[country].calling_code]
        emergencies = COUNTRIES[country].emergencies | _ANYWHERE
        outside = outside_line or ""
        return cls(
            country=country,
            code=code,
            outside_line=outside,
            extension_lengths=frozenset(lengths),
            emergencies=emergencies | {outside + emergency for emergency in emergencies},
            dialled_ways=_ways(code.digits, national_prefix, international_prefix, outside, dialled=True),
            presented_ways=_ways(code.digits, national_prefix, international_prefix, outside, dialled=False),
        )


def _ways(code: str, national: str, international: str, outside: str, *, dialled: bool) -> tuple[Way, ...]:
    """Order the readings of digits without ``+``; the first one that gives a possible number holds.

    Dialled: what begins with the outside line was dialled to the public network, national before international,
    because "0" + "03…" (Antwerp) is far more frequent than "00" + "3…" with the outside line already taken off.
    Presented with a call: the outside line is only there if the PBX put it there for calling back, so it comes last.
    Where the country has no national prefix, digits are first a national number (an Italian mobile 39x is no +39).
    """
    after_outside = [Way(outside + national, international=False)] if outside and national else []
    after_outside += [Way(outside + international, international=True)] if outside else []
    direct = [Way(international, international=True)]
    direct += [Way(national, international=False)] if national else []
    bare = [Way(code, international=False), Way("", international=False)]
    bare = bare if national else bare[::-1]
    outside_bare = [Way(outside, international=False)] if outside else []
    usual = [Way("00", international=True), Way("011", international=True)]
    if dialled:
        return (*after_outside, *direct, *outside_bare, *bare, *usual)
    return (*direct, *bare, *usual, *after_outside, *outside_bare)
