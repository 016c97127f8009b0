"""A number as a PBX wrote it, to its category and one canonical spelling.

Two spellings of one number must become one, or one person gets two pseudonyms. What no public number can be gets a
category and no canonical form: a name that slid into a number column, a withheld number, a feature code. Here the
text around the digits is taken off; ``reading`` says what the digits are.
"""

import re
import unicodedata
from typing import Final

from appliance.numbering.plan import NumberingPlan
from appliance.numbering.reading import SERVICE, UNKNOWN, WITHHELD, Number, read_digits, read_international
from appliance.numbering.withheld import is_withheld
from appliance.wire.call import Category

__all__ = ["Number", "normalise"]

_SPECIAL_EXTENSIONS: Final = frozenset({"s", "i", "h", "t", "o", "a", "e"})
"""Asterisk's special extensions: start, invalid, hangup, timeout, operator, assistant, exception."""

_DIALLED: Final = frozenset("0123456789*#")
_LONGEST_NUMBER: Final = 100
"""Characters of a number with all its separators; what is longer is something else."""
_SEPARATORS: Final = str.maketrans("", "", " \t-./()[]'_~|")
_SIGNS: Final = _DIALLED.union("+ -./()")
_KEYPAD: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999", "-")
"""ITU-T E.161."""
_VANITY: Final = re.compile(r"(?:\+?1-?8(?:00|33|44|55|66|77|88)|0800|1[38]00)-?(?=.*[a-z]{3})[a-z0-9-]{4,15}")
"""Letters count after a freephone prefix and a hyphen, not after a space: "1300 Joseph" is a colleague."""
_EXTENSION_WORD: Final = "(?:extension|extn?|x|poste|toestel|nebenstelle|durchwahl|interno|anexo|ramal)"
_EXTENSION: Final = re.compile(rf"{_EXTENSION_WORD}[ .:#-]*+([0-9]{{1,8}})")
_FOLLOWED: Final = re.compile(
    rf"([+0-9(][0-9 ().\-/\[\]]*+)(?:;[a-z-]+=.*|[;, ]*+{_EXTENSION_WORD}[ .:=#-]*+[0-9]+|([,pw#])[0-9,pw*#]*+)",
    re.DOTALL,
)
"""A number, then parameters, an extension, or what is dialled after the answer: a PIN for all we know."""
_NETWORK_ADDRESS: Final = re.compile(r"(?![0-9]{2}(?:\.[0-9]{2}){3}$)[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
"""Not ``24.44.55.66``: in some countries that is how numbers are written."""

_SCHEME: Final = re.compile("sips?:|tel:")
_ESCAPE: Final = re.compile("%([2-7][0-9a-f])")
_PHONE_CONTEXT: Final = re.compile(r";phone-context=(\+[0-9]{1,15})(?:[;@?]|\Z)")
"""A global one (RFC 3966, 5.1.5): what a local number is to be put after. That of a domain says nothing of a number."""
_ANONYMOUS_HOST: Final = "anonymous.invalid"
"""RFC 3323, 4.1.1.3."""


def normalise(raw: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    """Read ``raw`` by the site's plan; ``dialled`` says that it was dialled at the site, not presented with a call."""
    if raw.isascii():
        if raw.isdecimal():
            return read_digits(raw, plan, dialled=dialled)
        if raw[:1] == "+" and raw[1:].isdecimal():
            return read_international(raw[1:], plan, dialled=dialled)
    number = _written(raw, plan, dialled=dialled)
    # Nobody withholds the number that is called.
    return UNKNOWN if dialled and number is WITHHELD else number


def _written(raw: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    text = raw.strip()
    bracketed = text[text.rfind("<") + 1 :]
    if bracketed != text and ">" in bracketed:
        # A name-addr (RFC 3261, 20.10): only what stands in the brackets is the address.
        text = bracketed.partition(">")[0].strip()
    text = text.lower() if text.isascii() else "".join(map(_ascii, text)).lower().strip()
    if is_withheld(text):
        return WITHHELD
    if _SCHEME.match(text) or "@" in text:
        return _uri(text, plan, dialled=dialled)
    return _number(text, plan, dialled=dialled)


def _ascii(character: str) -> str:
    """Digits, dashes, spaces and full-width forms of other scripts as ASCII has them; the rest stays as it is."""
    if character.isdecimal():
        return str(int(character))
    if "\uff01" <= character <= "\uff5e":
        return chr(ord(character) - 0xFEE0)
    kind = unicodedata.category(character)
    if kind == "Cf":
        # Invisible: a byte order mark, the direction of writing, a soft hyphen.
        return ""
    if kind == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    return " " if character.isspace() else character


def _uri(text: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    """Read a SIP or tel URI (RFC 3261, RFC 3966): a numeric user part is a number."""
    scheme = _SCHEME.match(text)
    address = text[scheme.end() :] if scheme else text
    before, at, after = address.partition("@")
    login, host = (_cut(before), _host(after)) if at else (_host(before), "")
    user = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), login).lower()
    if is_withheld(user) or host == _ANONYMOUS_HOST:
        return WITHHELD
    # "sip:10.0.0.1" is a host.
    if text.startswith("tel:") or (_SIGNS.issuperset(user) and (at or "." not in user)):
        context = _PHONE_CONTEXT.search(address)
        number = _number(context[1] + user, plan, dialled=dialled) if context and user[0] != "+" else UNKNOWN
        return _number(user, plan, dialled=dialled) if number is UNKNOWN else number
    canonical = f"{user}@{host}" if at else user
    # Half a surrogate pair has no bytes that a pseudonym could be made of.
    return Number(Category.URI, canonical.encode(errors="replace").decode())


def _cut(text: str) -> str:
    """What stands before a password, port, parameter or header."""
    return re.split("[:;?]", text, maxsplit=1)[0]


def _host(text: str) -> str:
    return text.partition("]")[0] + "]" if text.startswith("[") else _cut(text)


def _number(text: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    """Read a number with its separators and what is dialled around it, or find that it is none."""
    if len(text) > _LONGEST_NUMBER or _NETWORK_ADDRESS.fullmatch(text):
        return UNKNOWN
    if text in _SPECIAL_EXTENSIONS or text.startswith("s-"):
        return SERVICE
    if text.startswith(("*", "#")):
        return _code(text, plan, dialled=dialled)
    extension = _EXTENSION.fullmatch(text)
    if extension:
        return Number(Category.INTERNAL, extension[1])
    # A "#" at the end ends dialling.
    text = text.removesuffix("#")
    followed = _FOLLOWED.fullmatch(text)
    if followed:
        number = _signed(followed[1], plan, dialled=dialled)
        return SERVICE if followed[2] == "#" and number.category is not Category.EXTERNAL else number
    return _signed(text, plan, dialled=dialled)


def _signed(text: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    """Read digits with separators, and a ``+`` or a code."""
    compact = text.translate(_SEPARATORS)
    digits = compact.lstrip("+")
    if digits.isascii() and digits.isdecimal():
        read = read_digits if digits == compact else read_international
        return read(digits, plan, dialled=dialled)
    if digits and _DIALLED.issuperset(digits):
        line = next((line for line in plan.outside_lines if digits.startswith((f"{line}*", f"{line}#"))), None)
        return SERVICE if line is None else _code(digits.removeprefix(line), plan, dialled=dialled)
    if _VANITY.fullmatch(text):
        number = _signed(text.translate(_KEYPAD), plan, dialled=dialled)
        return number if number.category is Category.EXTERNAL else UNKNOWN
    return UNKNOWN


def _code(text: str, plan: NumberingPlan, *, dialled: bool) -> Number:
    """Read what begins as a feature code does: a withhold code before a public number is taken off."""
    for code in plan.signed_codes:
        if text.startswith(code):
            number = _signed(text.removeprefix(code).removesuffix("#"), plan, dialled=dialled)
            if number.category in {Category.EXTERNAL, Category.EMERGENCY}:
                return number
    return SERVICE
