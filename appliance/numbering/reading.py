"""Digits, with or without a ``+`` before them, to a category and one canonical spelling.

Each way in which they can be read at the site is tried. A valid number goes before one that is only possible by its
length, so that digits are read as ``phonenumbers`` would read them; between equals the order of ``ways`` decides.
"""

from typing import Final

from msgspec import Struct

from appliance.numbering.countries import CALLING_CODES, Country, split_international
from appliance.numbering.plan import NumberingPlan
from appliance.numbering.ways import MAX_LOCAL, Reading, Step, Steps, Ways
from appliance.wire.call import Category


class Number(Struct, frozen=True):
    """What a number is: ``canonical`` is what its pseudonym is made of; None where it must have none."""

    category: Category
    canonical: str | None
    national_digits_count: int = 0
    """Digits of the national number; 0 for anything but an external one."""

    def __repr__(self) -> str:
        """Show the category, not the digits."""
        return f"Number({self.category.value})"


WITHHELD: Final = Number(Category.WITHHELD, None)
SERVICE: Final = Number(Category.SERVICE, None)
UNKNOWN: Final = Number(Category.UNKNOWN, None)
_NOBODY: Final = frozenset({"266696687", *("0" * count for count in range(1, 21))})
"""What is presented in place of a withheld number: ANONYMOUS on the keypad, and zeros, as many as a number can have."""
_NOBODY_ABROAD: Final = _NOBODY | {"7378742833", "8656696", "2562533"}
"""After a ``+``, where no country has them, also RESTRICTED, UNKNOWN and BLOCKED."""
_DIRECT_EMERGENCIES: Final = frozenset({"112", "911", "999", "000"})
"""What PBXs let through without an outside line (47 CFR 9.16 for 911), and nobody gives to a telephone."""
_MAX_SHORT: Final = 6
"""The EU's harmonised numbers of social value have so many, 116xxx (decision 2007/116/EC)."""
_EXTERNAL: Final = Category.EXTERNAL
_NATIONAL: Final = Reading.NATIONAL
_LOCAL: Final = Reading.LOCAL
_HOME: Final = Reading.HOME
_CODED: Final = Reading.CODED
_INSIDE: Final = frozenset({_NATIONAL, _HOME})
_INTERNATIONAL: Final = Reading.INTERNATIONAL
_NO_STEPS: Final = (Step(None, _HOME, 0, ""),)
"""For less than two digits."""


def read_digits(digits: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    """Read digits without a ``+``: withheld, emergency, extension, public number, short number, in this order."""
    if digits in _NOBODY and not dialled:
        return WITHHELD
    if len(digits) <= plan.longest_inside:
        number = _inside(digits, plan, dialled=dialled)
        if number is not None:
            return number
    ways = plan.dialled_ways if dialled else plan.presented_ways
    steps = ways.get(digits[:2], _NO_STEPS)
    # ``_valid`` would begin the same; most numbers are known here, without what a call costs.
    prefix, reading, skip, lead = steps[0]
    if prefix is None and reading is _NATIONAL:
        canonical = lead + digits[skip:]
        if plan.is_valid(canonical):
            return Number(_EXTERNAL, canonical, len(canonical) - plan.code_length)
        steps = steps[1:]
    return _valid(digits, steps, plan) or _otherwise(digits, ways, plan) or _short(digits, plan, dialled=dialled)


def read_international(digits: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    """Read the digits after a ``+``; a prefix that a gateway left in (``+0032…``, ``+01144…``) is taken off."""
    found = split_international(digits)
    if found is not None:
        return _external(*found)
    if digits in _NOBODY_ABROAD and not dialled:
        return WITHHELD
    emergency = plan.emergencies.get(digits) or plan.emergencies.get(digits.removeprefix(plan.home.calling_code))
    if emergency is not None:
        return Number(Category.EMERGENCY, emergency)
    if not digits.startswith("0"):
        return UNKNOWN
    ways = plan.presented_ways
    return _valid(digits, _steps(digits, ways), plan) or _otherwise(digits, ways, plan) or UNKNOWN


def _inside(digits: str, plan: NumberingPlan, *, dialled: bool) -> Number | None:
    """Find an extension or an emergency number.

    An extension goes before an emergency number where the number came with a call, because emergency numbers do not
    call, and where it was dialled without the outside line that the site has: 101 is then the colleague, 0101 the
    police. ``_DIRECT_EMERGENCIES`` are reached without an outside line all the same.
    """
    lines = plan.outside_lines
    is_extension = len(digits) in plan.extension_lengths and not (dialled and digits.startswith(lines))
    emergency = plan.emergencies.get(digits)
    if emergency is not None and not (
        is_extension and (not dialled or (bool(lines) and digits not in _DIRECT_EMERGENCIES))
    ):
        return Number(Category.EMERGENCY, emergency)
    return Number(Category.INTERNAL, digits) if is_extension else None


def _steps(digits: str, ways: Ways) -> Steps:
    return ways.get(digits[:2], _NO_STEPS)


def _valid(digits: str, steps: Steps, plan: NumberingPlan) -> Number | None:
    """Give the first reading that is a valid number."""
    for prefix, reading, skip, lead in steps:
        if prefix is None or digits.startswith(prefix):
            rest = digits[skip:]
            if reading is _NATIONAL or (reading is _LOCAL and len(rest) <= MAX_LOCAL):
                canonical = lead + rest
                if plan.is_valid(canonical):
                    return Number(_EXTERNAL, canonical, len(canonical) - plan.code_length)
            elif reading is _LOCAL:
                continue
            elif reading is _CODED:
                number = _behind_code(rest, plan) if rest.startswith(lead) else None
                if number is not None:
                    return number
            else:
                found = split_international(rest) if reading is _INTERNATIONAL else _find(rest, reading, plan.home)
                if found is not None and found[0].is_valid(found[1]):
                    return _external(*found)
    return None


def _behind_code(digits: str, plan: NumberingPlan) -> Number | None:
    if digits in plan.emergencies:
        return Number(Category.EMERGENCY, plan.emergencies[digits])
    return _valid(digits, _steps(digits, plan.uncoded_ways), plan)


def _possible(digits: str, steps: Steps, plan: NumberingPlan) -> Number | None:
    """Give the first reading that is a possible number and no short one.

    Read once more as it will be written, because a country without ranges for the number does not say where it begins.
    """
    for prefix, reading, skip, lead in steps:
        if (prefix is None or digits.startswith(prefix)) and reading is not _LOCAL:
            rest = digits[skip:]
            if reading is _CODED:
                number = _possible(rest, _steps(rest, plan.uncoded_ways), plan) if rest.startswith(lead) else None
                if number is not None:
                    return number
                continue
            if reading is _NATIONAL:
                national = (lead + rest)[plan.code_length :]
                found = (plan.home, national) if plan.home.can_be(national) else None
            else:
                found = split_international(rest) if reading is _INTERNATIONAL else _find(rest, reading, plan.home)
            found = found and split_international(f"{found[0].calling_code}{found[1]}")
            if found is not None and (len(found[1]) > _MAX_SHORT or reading not in _INSIDE):
                return _external(*found)
    return None


def _otherwise(digits: str, ways: Ways, plan: NumberingPlan) -> Number | None:
    """Read digits that are no valid number: with another country's prefix, or possible at least."""
    attempts = (
        (_valid, digits, plan.foreign_ways),
        (_possible, digits, ways),
        (_possible, digits, plan.foreign_ways),
        # Prefixes upon prefixes: "00" put before "0475…".
        (_valid, digits.lstrip("0") if digits.startswith("000") else "", plan.presented_ways),
    )
    for read, rest, how in attempts:
        number = read(rest, _steps(rest, how), plan)
        if number is not None:
            return number
    return None


def _short(digits: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    if dialled:
        digits = next((digits.removeprefix(line) for line in plan.outside_lines if digits.startswith(line)), digits)
        if not digits:
            # Nothing but the outside line was dialled.
            return SERVICE
    return Number(Category.SHORT, digits) if len(digits) <= _MAX_SHORT else UNKNOWN


def _find(digits: str, reading: Reading, home: Country) -> tuple[Country, str] | None:
    """Give the country and the national number of what is dialled by the rules of ``home``."""
    if reading is _HOME:
        # An island that shares its calling code also dials the numbers of the main country.
        main = CALLING_CODES[home.calling_code]
        national = home.national(digits) or (None if main is home else main.national(digits))
        return (main, national) if national else None
    after = home.after_international(digits)
    return None if after is None else split_international(after)


def _external(country: Country, national: str) -> Number:
    if len(national) <= _MAX_SHORT and country.is_short(national):
        return Number(Category.SHORT, national)
    return Number(_EXTERNAL, f"+{country.calling_code}{national}", len(national))
