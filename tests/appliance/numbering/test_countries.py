"""Countries whose rules are odd, one line each; ``test_phonenumbers_oracle`` holds all of them to the package."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.numbering.countries import CALLING_CODES, COUNTRIES, split_international
from appliance.numbering.number import normalise
from appliance.numbering.plan import NumberingPlan
from appliance.wire.call import Category


@pytest.mark.parametrize(
    ("country", "written", "canonical"),
    [
        # The zero belongs to the number.
        *(("IT", "06 1234 5678", "+390612345678"), ("IT", "+39 (0)6 1234 5678", "+390612345678")),
        *(("IT", "312 345 6789", "+393123456789"), ("VA", "06 698 12345", "+390669812345")),
        *(("CI", "01 23 45 67 89", "+2250123456789"), ("GA", "01 44 12 34", "+24101441234")),
        # A mobile is dialled with 15 behind the area, and written with 9 before it.
        *(("AR", "011 15-2345-6789", "+5491123456789"), ("AR", "+54 9 11 2345 6789", "+5491123456789")),
        *(("AR", "+54 11 15 2345 6789", "+5491123456789"), ("AR", "011 2345-6789", "+541123456789")),
        # The former 044, 045 and +52 1 are gone; the area is always dialled.
        *(("MX", "222 123 4567", "+522221234567"), ("MX", "+52 222 123 4567", "+522221234567")),
        # The carrier is dialled between prefix and area.
        *(("BR", "0 15 11 96123-4567", "+5511961234567"), ("BR", "(11) 96123-4567", "+5511961234567")),
        *(("CO", "03 601 2345678", "+576012345678"), ("CR", "1902 2212 3456", "+50622123456")),
        # Two digits for a national prefix, or an 8, or one that is written and not dialled.
        *(("HU", "06 1 234 5678", "+3612345678"), ("HU", "+36 (06) 1 234 5678", "+3612345678")),
        *(("RU", "8 (495) 123-45-67", "+74951234567"), ("RU", "+7 8 495 123 45 67", "+74951234567")),
        *(("RU", "8~10 32 475 12 34 56", "+32475123456"), ("KZ", "8 (7272) 12-34-56", "+77272123456")),
        *(("KZ", "8 10 7 495 123 45 67", "+74951234567"), ("BY", "8 0152 45-09-11", "+375152450911")),
        *(("LT", "8 5 212 3456", "+37052123456"), ("LT", "0 5 212 3456", "+37052123456")),
        # Ten digits, eleven with the prefix, which is the calling code.
        *(("US", "(202) 555-0123", "+12025550123"), ("US", "1 202 555 0123", "+12025550123")),
        *(("CA", "+1 1 416 555 0123", "+14165550123"), ("DO", "809 234 5678", "+18092345678")),
        # An island adds the area to its own numbers.
        *(("BS", "345 6789", "+12423456789"), ("TT", "1 868 223 4567", "+18682234567")),
        *(
            ("JE", "234567", "+441534234567"),
            ("GG", "256789", "+441481256789"),
            ("IM", "020 7946 0123", "+442079460123"),
        ),
        *(("SM", "886377", "+3780549886377"), ("SM", "+378 886377", "+3780549886377"), ("NF", "22609", "+672322609")),
        # No national prefix; digits that look like one belong to the number or to somebody else.
        *(
            ("DK", "32 12 34 56", "+4532123456"),
            ("DK", "45 12 34 56", "+4545123456"),
            ("NO", "22 12 34 56", "+4722123456"),
        ),
        *(("NO", "+47 (0)22 12 34 56", "+4722123456"), ("NO", "0047 22123456", "+4722123456")),
        *(("SG", "6123 4567", "+6561234567"), ("SG", "001 32 475 12 34 56", "+32475123456")),
        *(("ES", "34 912 34 56 78", "+34912345678"), ("PT", "351 212 345 678", "+351212345678")),
        # Several international prefixes, some of which begin with another.
        *(("AU", "0011 32 475 123 456", "+32475123456"), ("HK", "001 32 475 123 456", "+32475123456")),
        *(("FI", "990 32 475 123 456", "+32475123456"), ("IL", "012 32 475 123 456", "+32475123456")),
        # Special services of the network before the number.
        *(("GB", "18002 0 020 7946 0123", "+442079460123"), ("GB", "180020 20 7946 0123", "+442079460123")),
    ],
)
def test_odd_rules(country: str, written: str, canonical: str) -> None:
    """Dialled or presented, the number is one."""
    plan = NumberingPlan.parse(country=country)
    for dialled in (False, True):
        number = normalise(written, plan, dialled=dialled)
        assert (number.category, number.canonical) == (Category.EXTERNAL, canonical)


@pytest.mark.parametrize(
    "digits", ["", "3", "32", "000", "0475123456", "999123456789", "1" * 40, "32" + "0" * 40, "210"]
)
def test_what_no_international_number_can_be(digits: str) -> None:
    """Too short, too long, or of a calling code that is not given out."""
    assert split_international(digits) is None


@given(st.sampled_from(sorted(CALLING_CODES)), st.text("0123456789", max_size=20))
def test_a_split_number_is_split_again(code: str, rest: str) -> None:
    """What it gives is how the number is written, so that it may be asked twice."""
    found = split_international(code + rest)
    if found is not None:
        country, national = found
        assert country.calling_code == code
        assert split_international(code + national) == found


@given(st.sampled_from(sorted(COUNTRIES)), st.text("0123456789", max_size=40))
def test_a_national_number_is_of_a_possible_length(region: str, digits: str) -> None:
    """Or there is none; whatever is dialled."""
    country = COUNTRIES[region]
    for national in (country.significant(digits), country.national(digits)):
        assert national is None or len(national) in country.lengths


@given(st.sampled_from(sorted(COUNTRIES)), st.text("0123456789", max_size=16))
def test_what_follows_an_international_prefix(region: str, digits: str) -> None:
    """A calling code, which begins with no 0; less than all of the digits."""
    after = COUNTRIES[region].after_international(digits)
    assert after is None or (len(after) < len(digits) and digits.endswith(after) and not after.startswith("0"))


def test_short_numbers_that_look_like_national_ones() -> None:
    """Known by their own pattern, where national numbers may be as short."""
    german = COUNTRIES["DE"]
    assert german.is_short("11833")
    assert german.can_be("11833")
    assert not german.is_valid("11833")
    assert not COUNTRIES["BE"].is_short("1207")
