"""What of Panasonic's ``Ext`` and ``Dial Number`` columns is a phone number.

Sources: KX-TDA100/200 feature guide 1.24, KX-NS1000 feature manual 18.1.6: the marks of the two columns.
"""

import re
from typing import Final

from appliance.cdr.written_number import UNNUMBERED, WITHHELD

_HIDDEN: Final = frozenset(".X\\")
"""Secret dialling, privacy, and no digits at all."""
_PRESSED: Final = str.maketrans("", "", " PF=")
"""Pause, flash, and the mark before a host PBX's access code."""
_DIGITS: Final = frozenset("0123456789*#+")
_WITHHELD: Final = frozenset({"", "\\", "private", "restricted", "anonymous", "withheld", "unavailable", "out of area"})
_DIAL_WIDTHS: Final = frozenset({20, 25, 50})
"""Of the dial number column in patterns B, A and C: a text that fills it may have been cut."""
_NUMBER_FIRST: Final = re.compile(r"(\+?[0-9]{3,20}) *[^0-9 ]", re.ASCII)
_NUMBER_LAST: Final = re.compile(r"[^0-9+](\+?[0-9]{3,20})\Z", re.ASCII)
_LONGEST_NUMBER: Final = 22


def station(extension: str) -> str:
    """Give an extension's number. Doorphones, tie lines and verified codes (``D1``, ``T12``, ``*123``) have none."""
    return extension if extension.isascii() and extension.isdecimal() else UNNUMBERED


def dialled(text: str) -> str:
    """Give the number that was dialled; empty where digits are hidden."""
    number = text.partition("-")[0].translate(_PRESSED)
    if _HIDDEN & set(number):
        return ""
    return number if set(number) <= _DIGITS else _of_name(text)


def caller(text: str) -> str:
    """Give the number that was presented in ``…<I>text``, or in ``text``."""
    presented = text.rpartition("<I>")[2].strip()
    if presented.lower() in _WITHHELD:
        return WITHHELD
    return presented if set(presented) <= _DIGITS else _of_name(presented, whole=text)


def did(text: str) -> str:
    """Give the number that was called from outside, ``<D>text<I>…``; empty if it is not written."""
    named = text.partition("<I>")[0].partition("<D>")[2].strip()
    return named if set(named) <= _DIGITS else _of_name(named)


def _of_name(text: str, *, whole: str = "") -> str:
    """Take the number from before or behind a name, if it stands at one end only and was not cut."""
    first, last = _NUMBER_FIRST.match(text), _NUMBER_LAST.search(text, max(0, len(text) - _LONGEST_NUMBER))
    if first and not last:
        return first[1]
    if last and not first and len(whole or text) not in _DIAL_WIDTHS:
        return last[1]
    return UNNUMBERED
