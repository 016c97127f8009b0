"""What can be said of a number as a PBX wrote it without knowing the site: ``numbering`` does the rest."""

from typing import Final

UNNUMBERED: Final = "not a number"
"""Stands for a party that has no phone number, or whose number was not written; not for one that withheld it."""
WITHHELD: Final = "anonymous"
"""Stands for a caller who withheld the number."""


def is_number(text: str) -> bool:
    """Whether it is digits, with or without a ``+``."""
    return text.removeprefix("+").isdecimal()


def number_beside_name(text: str) -> str:
    """Take the number out of ``Ann (101)``; any other text is given back."""
    if text.endswith(")"):
        name, _, number = text[:-1].rpartition("(")
        if is_number(number) and any(map(str.isalpha, name)):
            return number
    return text
