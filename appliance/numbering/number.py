"""A number as a PBX wrote it, to its category and one canonical spelling.

Two spellings of one number must become one, or one person gets two pseudonyms. What no public number can be gets a
category and no canonical form: a name that slid into a number column, a withheld number, a feature code.
Whether digits are possible is decided by length and calling code, as ``phonenumbers.is_possible_number`` does.
"""

from typing import Final

from msgspec import Struct

from appliance.numbering.countries import split_international
from appliance.numbering.plan import NumberingPlan
from appliance.wire.call import Category

_WITHHELD_WORDS: Final = frozenset(
    {
        *("", "<>", "anonymous", "restricted", "private", "unavailable", "unknown", "out of area", "outofarea"),
        *("nobody", "withheld", "no caller id", "private number", "266696687"),
    }
)
"""What stands for a withheld number in real exports; 266696687 is ANONYMOUS on the keypad."""

_WITHHOLD_PREFIXES: Final = ("*31#", "#31#", "*31*", "*67", "*82")
"""Codes that withhold or show the caller for one call (ETSI EN 300 955 CLIR; NANP vertical service codes)."""

_SPECIAL_EXTENSIONS: Final = frozenset({"s", "i", "h", "t", "o", "a", "e"})
"""Asterisk's special extensions: start, invalid, hangup, timeout, operator, assistant, exception."""

_SEPARATORS: Final = str.maketrans("", "", " \t\xa0-./()")
_EXTENSION_WORDS: Final = ("extension", "ext.", "ext")
_MAX_SHORT: Final = 6
_SIP_SCHEMES: Final = ("sip:", "sips:", "tel:")


class Number(Struct, frozen=True):
    """What a number is: ``canonical`` is what its pseudonym is made of; None where it must have none."""

    category: Category
    canonical: str | None
    national_digits_count: int = 0
    """Digits of the national number; 0 for anything but an external one."""

    def __repr__(self) -> str:
        """Show the category, not the digits."""
        return f"Number({self.category.value})"


_DIRECT_EMERGENCIES: Final = frozenset({"112", "911", "999", "000"})
"""What PBXs let through without an outside line (47 CFR 9.16 for 911), and nobody gives to a telephone."""
_WITHHELD: Final = Number(Category.WITHHELD, None)
_SERVICE: Final = Number(Category.SERVICE, None)
_UNKNOWN: Final = Number(Category.UNKNOWN, None)


def normalise(raw: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    """Read ``raw`` by the site's plan; ``dialled`` says that it was dialled at the site, not presented with a call."""
    if raw.isascii() and raw.isdecimal():
        return _digits(raw, plan, dialled=dialled)
    if raw[:1] == "+" and raw[1:].isdecimal() and raw.isascii():
        return _international(raw[1:], plan)
    text = raw.strip().lower()
    if text.endswith(">") and "<" in text:
        # A name-addr (RFC 3261, 20.10): only what stands in the brackets is the address.
        text = text[text.rindex("<") + 1 : -1].strip()
    if text in _WITHHELD_WORDS:
        return _UNKNOWN if dialled else _WITHHELD
    if text.startswith(_SIP_SCHEMES) or "@" in text:
        return _uri(text, plan, dialled=dialled)
    return _written(text, plan, dialled=dialled)


def _uri(text: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    """Read a SIP or tel URI (RFC 3261, RFC 3966): a numeric user part is a number."""
    for scheme in _SIP_SCHEMES:
        text = text.removeprefix(scheme)
    address = text.partition(";")[0].partition("?")[0]
    user, at, host = address.rpartition("@")
    user = (user if at else host).partition(";")[0].partition(":")[0].replace("%2b", "+")
    if user in _WITHHELD_WORDS:
        return _UNKNOWN if dialled else _WITHHELD
    if _is_written_number(user):
        return _written(user, plan, dialled=dialled)
    return Number(Category.URI, f"{user}@{host.partition(':')[0]}" if at else user)


def _is_written_number(user: str) -> bool:
    compact = user.translate(_SEPARATORS).removeprefix("+")
    return (compact.isascii() and compact.isdecimal()) or user.startswith(("*", "#"))


def _written(text: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    """Read a number with its signs, or find that it is none."""
    if text.startswith(("*", "#")):
        return _code(text, plan, dialled=dialled)
    if text in _SPECIAL_EXTENSIONS or text.startswith("s-"):
        return _SERVICE
    for word in _EXTENSION_WORDS:
        if text.startswith(word):
            return _extension(text.removeprefix(word).strip())
    if "(0)" in text:
        # "+32 (0)475 …": the national prefix, shown to those who call from inside.
        text = text.replace("(0)", "", 1) if text.startswith(("+", "00")) else text
    # A "#" at the end ends dialling.
    compact = text.translate(_SEPARATORS).removesuffix("#")
    international = compact.startswith("+")
    compact = compact.removeprefix("+")
    if not (compact.isascii() and compact.isdecimal()):
        return _SERVICE if compact and not set(compact) - set("0123456789*#") else _UNKNOWN
    return _international(compact, plan) if international else _digits(compact, plan, dialled=dialled)


def _code(text: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    """Read what begins as a feature code does: a withhold code before a public number is taken off."""
    for prefix in _WITHHOLD_PREFIXES:
        rest = text.removeprefix(prefix)
        if rest != text and rest and not rest.startswith(("*", "#")):
            number = normalise(rest, plan, dialled=dialled)
            if number.category in {Category.EXTERNAL, Category.EMERGENCY}:
                return number
    return _SERVICE


def _extension(digits: str) -> Number:
    if digits.isascii() and digits.isdecimal():
        return Number(Category.INTERNAL, digits)
    return _UNKNOWN


def _international(digits: str, plan: NumberingPlan) -> Number:
    """Read the digits after a ``+``; a prefix doubled by a gateway (``+0032…``, ``+01144…``) is taken off."""
    number = _e164(digits)
    if number is None and digits in plan.emergencies:
        return Number(Category.EMERGENCY, digits)
    for way in plan.presented_ways:
        if number is None and way.international and digits.startswith(way.prefix):
            number = _e164(digits.removeprefix(way.prefix))
    return number or _UNKNOWN


def _e164(digits: str) -> Number | None:
    found = split_international(digits)
    if found is None:
        return None
    code, national = found
    return Number(Category.EXTERNAL, f"+{code.digits}{national}", len(national))


def _digits(digits: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    """Read digits without a ``+``: withheld, emergency, extension, public number, short number, in this order.

    An extension goes before an emergency number where the number came with a call, because emergency numbers do not
    call, and where it was dialled without the outside line that the site has: 101 is then the colleague, 0101 the
    police. ``_DIRECT_EMERGENCIES`` are reached without an outside line all the same.
    """
    if not dialled and (digits in _WITHHELD_WORDS or not digits.strip("0")):
        return _WITHHELD
    outside = plan.outside_line
    is_extension = len(digits) in plan.extension_lengths and not (dialled and outside and digits.startswith(outside))
    inside = is_extension and (not dialled or (bool(outside) and digits not in _DIRECT_EMERGENCIES))
    if digits in plan.emergencies and not inside:
        emergency = digits.removeprefix(outside)
        return Number(Category.EMERGENCY, emergency if emergency in plan.emergencies else digits)
    if is_extension:
        return Number(Category.INTERNAL, digits)
    for way in plan.dialled_ways if dialled else plan.presented_ways:
        if digits.startswith(way.prefix):
            rest = digits.removeprefix(way.prefix)
            if way.international:
                number = _e164(rest)
                if number is not None:
                    return number
            elif plan.code.can_be(rest):
                return Number(Category.EXTERNAL, f"+{plan.code.digits}{rest}", len(rest))
    return _short(digits.removeprefix(outside) if dialled else digits)


def _short(digits: str) -> Number:
    if not digits:
        # Nothing but the outside line was dialled.
        return _SERVICE
    return Number(Category.SHORT, digits) if len(digits) <= _MAX_SHORT else _UNKNOWN
