"""What can be said of a number as a PBX wrote it without knowing the site: ``numbering`` does the rest."""


def is_number(text: str) -> bool:
    """Whether it is digits, with or without a ``+``."""
    return text.removeprefix("+").isdecimal()
