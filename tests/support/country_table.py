"""Write ``appliance/numbering/country_table.py`` from the metadata of the ``phonenumbers`` package.

Run ``python -m tests.support.country_table > appliance/numbering/country_table.py`` after an update of the package; a
test holds the two together.
"""

import re
import sys
import textwrap

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

_HEAD = '''"""Calling codes, possible national lengths and emergency numbers by country. Generated; do not edit.

From the metadata of the ``phonenumbers`` package by ``tests/support/country_table.py``; a test compares the two.
"""

from typing import Final

LENGTHS: Final = """
'''


def _general(code: int) -> phonenumbers.PhoneNumberDesc:
    """The description of all numbers of a calling code, that of its main region."""
    region = COUNTRY_CODE_TO_REGION_CODE[code][0]
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    if metadata is None or metadata.general_desc is None:
        raise LookupError(code)
    return metadata.general_desc


def _emergencies(region: str) -> list[str]:
    metadata = PhoneMetadata.short_metadata_for_region(region)
    if metadata is None or metadata.emergency is None or metadata.emergency.national_number_pattern is None:
        return []
    pattern = re.compile(metadata.emergency.national_number_pattern)
    lengths = [length for length in metadata.emergency.possible_length if length > 0]
    return [
        text for length in lengths for value in range(10**length) if pattern.fullmatch(text := f"{value:0{length}}")
    ]


def starts_with_zero(code: int) -> bool:
    """Tell whether national numbers of ``code`` may begin with 0, as Italian ones do."""
    pattern = re.compile(_general(code).national_number_pattern or "")
    fills = [f"0{a}{b}{c}" for a in range(10) for b in range(10) for c in range(10)]
    lengths = _general(code).possible_length
    return any(pattern.fullmatch((fill + "1234567890123")[:length]) for length in lengths for fill in fills)


def _wrapped(entries: list[str]) -> str:
    return textwrap.fill("; ".join(entries), width=116, break_on_hyphens=False)


def render() -> str:
    """Give the module's text."""
    codes = []
    for code in sorted(COUNTRY_CODE_TO_REGION_CODE):
        lengths = ",".join(str(length) for length in sorted(_general(code).possible_length))
        codes.append(f"{code} {lengths}{' 0' if starts_with_zero(code) else ''}")
    regions = [
        " ".join([region, str(phonenumbers.country_code_for_region(region)), *_emergencies(region)])
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    ]
    return (
        f'{_HEAD}{_wrapped(codes)}\n"""\n"""Calling code, possible lengths of its national numbers; 0 where they may '
        f'begin with 0."""\n\nREGIONS: Final = """\n{_wrapped(regions)}\n"""\n"""ISO 3166 code, calling code, '
        'emergency numbers."""\n'
    )


if __name__ == "__main__":
    sys.stdout.write(render())
