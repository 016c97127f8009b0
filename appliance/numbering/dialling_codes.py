"""Codes that are dialled before a number and are no part of it, by country; a site may name its own instead.

Withhold codes hide or show the caller for one call; carrier codes choose who carries it. They are taken off only where
a public number remains, so that a code too many does little harm. Carrier codes that ``country_table`` knows (Brazil,
Colombia, Korea, China …) are not repeated here.
"""

from typing import Final

_ETSI: Final = ("*31#", "#31#", "*31*", "#31*")
"""CLIR and its counterpart (ETSI EN 300 955; 3GPP TS 22.030 for mobiles), as networks and PBXs spell them."""
_NORTH_AMERICA: Final = ("*67", "*82", "1167", "1182")
"""Vertical service codes, and how they are dialled on a rotary telephone."""

_WITHHOLD: Final = {
    "AU": ("1831", "1832"),
    "ES": ("067",),
    "FR": ("3651",),
    "GB": ("141", "1470"),
    "HK": ("133",),
    "IE": ("141", "142"),
    "IL": ("*43",),
    "IT": ("*67#",),
    "JP": ("184", "186"),
    "KR": ("*23#", "*23"),
    "NZ": ("0197", "0196"),
}

_CARRIER: Final = {
    "AT": ("10xx",),
    "CA": ("1010xxx",),
    "CH": ("107xx", "108xx"),
    "DE": ("010xx", "0100xx"),
    "ES": ("10xx",),
    "FR": ("16xx",),
    "GB": ("1280",),
    "IT": ("10xx",),
    "JP": ("00xx", "122"),
    "NL": ("16xx",),
    "PT": ("10xx",),
    "US": ("1010xxx",),
}
"""``x`` is any digit. Only codes dialled for one call; a carrier chosen once for all shows in no number."""


def usual_withhold_prefixes(country: str, calling_code: str) -> tuple[str, ...]:
    """Give the withhold codes of a country."""
    # A PBX in Europe may offer the American codes too; without digits before it, "*67" is nothing else.
    return (*_ETSI, *(_NORTH_AMERICA if calling_code == "1" else _NORTH_AMERICA[:2]), *_WITHHOLD.get(country, ()))


def usual_carrier_prefixes(country: str) -> tuple[str, ...]:
    """Give the carrier codes of a country."""
    return _CARRIER.get(country, ())
