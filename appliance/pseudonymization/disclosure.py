"""Which digits of a number may leave in clear: the last few of a long external one, and nothing else.

The last 4 of a short number are the number itself; of an extension, 112 or a help line no digit may show.
"""

from typing import Final, Self

from msgspec import Struct

from appliance.errors import SettingsError
from appliance.numbering.number import Number
from appliance.wire.call import Category
from appliance.wire.limits import MAX_CLEAR_DIGITS

MIN_NATIONAL_DIGITS: Final = 8
"""With fewer digits, four in clear leave too few numbers to hide among."""


class DisclosurePolicy(Struct, frozen=True):
    """A site's choice; made by ``parse``."""

    clear_digits: int

    @classmethod
    def parse(cls, *, clear_digits: int) -> Self:
        """Check a plain value.

        Raises:
            SettingsError: not between 0 and 4.
        """
        if not 0 <= clear_digits <= MAX_CLEAR_DIGITS:
            raise SettingsError([f"privacy.clear_digits: not between 0 and {MAX_CLEAR_DIGITS}"])
        return cls(clear_digits=clear_digits)


def clear_digits(number: Number, policy: DisclosurePolicy) -> str | None:
    """Give the last digits that ``policy`` leaves in clear; None where it, or the number's kind, leaves none."""
    if (
        number.category is not Category.EXTERNAL
        or number.canonical is None
        or number.national_digits_count < MIN_NATIONAL_DIGITS
        or policy.clear_digits <= 0
    ):
        return None
    return number.canonical[-min(policy.clear_digits, MAX_CLEAR_DIGITS) :]
