"""Write ``appliance/numbering/country_table.py`` from the metadata of the ``phonenumbers`` package.

Run ``python -m tests.support.country_table > appliance/numbering/country_table.py`` after an update of the package; a
test holds the two together.
"""

import re
import sys

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

_HEAD = '''"""What is known of each country's numbers, one country a line. Generated; do not edit.

From the metadata of the ``phonenumbers`` package by ``tests/support/country_table.py``; a test compares the two.
"""

from typing import Final

TABLE: Final = r"""
'''
_FOOT = '''""".strip()  # noqa: E501 - one country a line, so that an update is read line by line
"""Fields, a space apart, ``-`` where there is none. The first line of a calling code is its main country.

1 ISO 3166 code, 001 where the code belongs to no country; 2 calling code; 3 possible lengths of its national numbers;
4 the usual one of fixed or mobile numbers, the smaller; 5 ``z`` where they may begin with 0; 6 what they look like, a
pattern; 7 what short numbers look like where the two could be confused; 8 national prefix; 9 pattern of what can stand
before a national number, ``=`` where it is the national prefix alone; 10 what to write in its place, as ``re.sub``
reads it; 11 pattern of what is dialled before a calling code; 12 emergency numbers.
"""
'''
_MAX_SHORT = 6


def _emergencies(region: str) -> list[str]:
    metadata = PhoneMetadata.short_metadata_for_region(region)
    if metadata is None or metadata.emergency is None or metadata.emergency.national_number_pattern is None:
        return []
    pattern = re.compile(metadata.emergency.national_number_pattern)
    lengths = [length for length in metadata.emergency.possible_length if length > 0]
    return [
        text for length in lengths for value in range(10**length) if pattern.fullmatch(text := f"{value:0{length}}")
    ]


def starts_with_zero(pattern: str, lengths: tuple[int, ...]) -> bool:
    """Tell whether numbers of ``pattern`` may begin with 0, as Italian ones do."""
    compiled = re.compile(pattern)
    fills = [f"0{value:03}" for value in range(1000)]
    return any(compiled.fullmatch((fill + "1234567890123")[:length]) for length in lengths for fill in fills)


def _of_possible_length(pattern: str, lengths: tuple[int, ...]) -> str:
    """Refuse what ``pattern`` would take, although no number is so long: a seventh of America's local numbers."""
    compiled = re.compile(pattern)
    heads = [f"{value:04}" for value in range(10_000)]
    too_many = [length for length in range(4, lengths[-1]) if length not in lengths]
    refused = [length for length in too_many if any(compiled.fullmatch(head + "5" * (length - 4)) for head in heads)]
    return "".join(rf"(?!\d{{{length}}}$)" for length in refused) + (f"(?:{pattern})" if refused else pattern)


def _short_pattern(region: str) -> str:
    metadata = PhoneMetadata.short_metadata_for_region(region)
    return (metadata and metadata.short_code and metadata.short_code.national_number_pattern) or ""


def _usual_length(metadata: PhoneMetadata) -> str:
    examples = [kind.example_number for kind in (metadata.fixed_line, metadata.mobile) if kind and kind.example_number]
    return str(min(map(len, examples))) if examples else ""


def _row(region: str, code: int) -> str:
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    if metadata is None or metadata.general_desc is None:
        raise LookupError(region)
    pattern = metadata.general_desc.national_number_pattern or ""
    lengths = tuple(sorted(metadata.general_desc.possible_length))
    zero = "z" if starts_with_zero(pattern, lengths) else ""
    pattern = _of_possible_length(pattern, lengths)
    short = _short_pattern(region) if lengths[0] <= _MAX_SHORT < lengths[-1] else ""
    national, parsing = metadata.national_prefix, metadata.national_prefix_for_parsing
    fields = (
        *(region, str(code), ",".join(map(str, lengths)), _usual_length(metadata), zero, pattern, short),
        *(national, "=" if parsing and parsing == national else parsing, metadata.national_prefix_transform_rule),
        *(metadata.international_prefix, ",".join(_emergencies(region))),
    )
    if any(" " in field or field == "-" for field in fields if field):
        raise ValueError(region)
    return " ".join(field or "-" for field in fields)


def render() -> str:
    """Give the module's text."""
    rows = [_row(region, code) for code, regions in sorted(COUNTRY_CODE_TO_REGION_CODE.items()) for region in regions]
    return _HEAD + "\n".join(rows) + "\n" + _FOOT


if __name__ == "__main__":
    sys.stdout.write(render())
