"""Spellings to canonical numbers, and categories of what is no public number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.numbering.countries import split_international
from appliance.numbering.number import Number, normalise
from appliance.numbering.plan import NumberingPlan
from appliance.wire.call import Category
from tests.support.cdr_rows import belgian_plan

PLAN = belgian_plan()
BARE = belgian_plan(outside_line=None, extension_lengths=())
AMERICAN = NumberingPlan.parse(
    country="US", national_prefix="1", international_prefix="011", outside_line="9", extension_lengths=[4]
)
ITALIAN = NumberingPlan.parse(country="IT", national_prefix="", international_prefix="00", extension_lengths=[3])


@pytest.mark.parametrize("dialled", [False, True])
@pytest.mark.parametrize(
    "spelling",
    [
        *("+32475123456", "0032475123456", "0475123456", "475123456", "32475123456", "+320475123456"),
        *("+32 475 12 34 56", "+32 (0)475/12.34.56", "0032 (0)475-123-456", " 0475\xa0123456 ", "(0475) 12 34 56"),
        *("sip:+32475123456@pbx.example;user=phone", "sips:0475123456@10.0.0.1:5061", "tel:+32-475-12-34-56"),
        *("SIP:%2B32475123456@h", "sip:0475123456;phone-context=x@h", '"Ann" <0475123456>', "0475123456@trunk"),
        *("+0032475123456", "+01132475123456", "01132475123456", "*31#0475123456", "#31#0475123456", "*670475123456"),
        *("*31#+32 475 123456", "0475123456#", "00475123456", "00032475123456"),
    ],
)
def test_every_spelling_of_one_number_is_one_number(spelling: str, dialled: bool) -> None:  # noqa: FBT001 - table
    """Or one person gets two pseudonyms."""
    assert normalise(spelling, PLAN, dialled=dialled) == Number(Category.EXTERNAL, "+32475123456", 9)


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        *(("2025550123", "+12025550123"), ("12025550123", "+12025550123"), ("912025550123", "+12025550123")),
        *(("92025550123", "+12025550123"), ("9011442079460123", "+442079460123"), ("011442079460123", "+442079460123")),
        *(("9125550123", "+19125550123"), ("+12025550123", "+12025550123"), ("00442079460123", "+442079460123")),
    ],
)
def test_an_american_site(spelling: str, canonical: str) -> None:
    """1 is the national prefix and the calling code, 9 the outside line and the beginning of area codes."""
    assert normalise(spelling, AMERICAN, dialled=True).canonical == canonical


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        *(("0612345678", "+390612345678"), ("3931234567", "+393931234567"), ("+390612345678", "+390612345678")),
        *(("390612345678", "+390612345678"), ("00390612345678", "+390612345678")),
    ],
)
def test_a_country_without_national_prefix(spelling: str, canonical: str) -> None:
    """Italian numbers keep their 0, and a mobile 39x is no calling code 39."""
    assert normalise(spelling, ITALIAN, dialled=False).canonical == canonical


def test_a_national_prefix_left_in_an_international_number_is_taken_off() -> None:
    """Where the country's numbers never begin with 0; also if the length would be possible with it."""
    assert normalise("+49030231254", PLAN, dialled=False).canonical == "+4930231254"
    assert normalise("+3202123456", PLAN, dialled=False).category is Category.UNKNOWN
    assert normalise("+390612345678", PLAN, dialled=False).canonical == "+390612345678"


def test_what_begins_with_the_outside_line_was_dialled_outside() -> None:
    """National before international: 0 + 03 123 45 67 is Antwerp, not the Netherlands."""
    assert normalise("0031234567", PLAN, dialled=True).canonical == "+3231234567"
    assert normalise("0031201234567", PLAN, dialled=True).canonical == "+31201234567"
    assert normalise("0031201234567", BARE, dialled=True).canonical == "+31201234567"


@pytest.mark.parametrize(
    ("raw", "dialled", "category", "canonical"),
    [
        *((raw, True, Category.EMERGENCY, "112") for raw in ("112", "0112", "+112", "sip:112@pbx")),
        *((raw, True, Category.EMERGENCY, "101") for raw in ("0101", "*31#0101")),
        *(("101", flag, Category.INTERNAL, "101") for flag in (False, True)),
        *((raw, flag, Category.INTERNAL, "201") for raw in ("201", "Ext. 201", "ext 201") for flag in (False, True)),
        ("2301@pbx.example", True, Category.INTERNAL, "2301"),
        ("01207", True, Category.SHORT, "1207"),
        ("12", False, Category.SHORT, "12"),
        ("0201", True, Category.SHORT, "201"),
        *((raw, True, Category.SERVICE, None) for raw in ("*60", "#9", "*72*201*0475123456", "112*", "0", "**201")),
        *((raw, True, Category.SERVICE, None) for raw in ("s", "i", "h", "t", "o", "a", "S-BUSY", "*31#", "*31#201")),
        *((raw, False, Category.UNKNOWN, None) for raw in ("ann", "Ann 0475123456", "ext. ann", "1234567", "²³")),
        *(
            (raw, False, Category.UNKNOWN, None)
            for raw in ("+650606506042101", "+9", "+", "+ann", "?", "+999123456789")
        ),
        *((raw, True, Category.UNKNOWN, None) for raw in ("", "anonymous", "sip:anonymous@anonymous.invalid")),
        *((raw, False, Category.WITHHELD, None) for raw in ("", "<>", "Anonymous", "RESTRICTED", "Private", "nobody")),
        *((raw, False, Category.WITHHELD, None) for raw in ("Unavailable", "unknown", "Out of Area", "withheld")),
        *((raw, False, Category.WITHHELD, None) for raw in ("No Caller ID", "266696687", "0", "000", '"x" <>')),
        *((raw, False, Category.WITHHELD, None) for raw in ("sip:Anonymous@anonymous.invalid", "anonymous@h", "tel:")),
        ("sip:Ann@PBX.example:5060;transport=tcp?x=y", False, Category.URI, "ann@pbx.example"),
        ("ann@pbx.example", True, Category.URI, "ann@pbx.example"),
        ("sip:pbx.example", True, Category.URI, "pbx.example"),
    ],
)
def test_what_is_no_public_number_has_its_category(
    raw: str,
    dialled: bool,  # noqa: FBT001 - table
    category: Category,
    canonical: str | None,
) -> None:
    """And a canonical form only where a pseudonym may be made of it."""
    assert normalise(raw, PLAN, dialled=dialled) == Number(category, canonical)


def test_an_emergency_number_that_calls_back_is_one() -> None:
    """Where it cannot be an extension."""
    assert normalise("112", BARE, dialled=False).category is Category.EMERGENCY


def test_without_an_outside_line_an_emergency_number_goes_before_an_extension() -> None:
    """Nothing tells them apart then, and the police must not look like a colleague."""
    plan = NumberingPlan.parse(country="BE", national_prefix="0", international_prefix="00", extension_lengths=(3,))
    assert normalise("101", plan, dialled=True) == Number(Category.EMERGENCY, "101")
    assert normalise("112", plan, dialled=True) == Number(Category.EMERGENCY, "112")


def test_a_plan_whose_outside_line_begins_an_emergency_number() -> None:
    """9 for an outside line, 911 for help: the canonical number is still 911."""
    for raw in ("911", "9911"):
        assert normalise(raw, AMERICAN, dialled=True) == Number(Category.EMERGENCY, "911")


def test_the_repr_shows_no_digit() -> None:
    """It may stand in a traceback."""
    assert repr(normalise("0475123456", PLAN, dialled=True)) == "Number(external)"


@pytest.mark.parametrize("dialled", [False, True])
@pytest.mark.parametrize(
    "spelling",
    [
        *("+32 475 12 34 56 x12", "0475 123456 ext. 12", "0475123456,extension 12", "0475123456;ext=12"),
        *("0475123456,,123#", "0475123456p12", "0475123456w1,2", "0475123456#12", "tel:0475123456;isub=12"),
        *("0475-123-456 poste 12", "0475123456 toestel 12", "0475123456 Durchwahl 12"),
        *(
            "\uff10\uff14\uff17\uff15\uff11\uff12\uff13\uff14\uff15\uff16",
            "\uff0b\uff13\uff12 \uff14\uff17\uff15 \uff11\uff12 \uff13\uff14 \uff15\uff16",
            "\u0660\u0664\u0667\u0665\u0661\u0662\u0663\u0664\u0665\u0666",
            "0475\u201312\u201334\u201356",
            "0475\u2212123456",
            "0475\u2011123456",
        ),
        *("\u202a0475 12 34 56\u202c", "\ufeff0475123456", "0475\u202f12\u202f34\u202f56", "0475\u3000123456"),
        *("[0475] 12.34.56", "0475'12'34'56", "0475_123_456", "0475|123456", "0475/12-34.56", "++32475123456"),
        *("0032 (0) 475 12 34 56", "+32 0 475 12 34 56", "+32(0)475123456", "+32 00 475 123456", "+0475123456"),
        *("000475123456", "0000475123456", "0*31#0475123456", "*31#00475123456", "*31*0475123456#", "#31#0475123456#"),
        *("*67 0475 12 34 56", "*820475123456", "*31#0032475123456"),
        *("<sip:+32475123456@h>;tag=a1b2", "<0475123456>", '"Ann <x>" <sip:0475123456@h;user=phone>;tag=1'),
        *(
            "Ann <tel:+32475123456>",
            '"0201" <sip:0475123456@h>',
            "sip:+32475123456:secret@h",
            "sip:0475123456@[2001:db8::1]:5060",
        ),
        *("sip:0475123456;npdi;rn=+3220000000@h", "sip:+32475123456;phone-context=+33@h", "sip:%2b32475123456@h"),
        *("sip:*31%230475123456@h", "sip:0475123456", "sips:+32475123456@h?Subject=x", "tel:0475%2D123456"),
        *("tel:475-12-34-56;phone-context=+32", "tel:123456;phone-context=+32475", "tel:0475123456;phone-context=+32"),
        *("tel:0475123456;phone-context=pbx.example", "tel:0475123456;phone-context=+32.example"),
    ],
)
def test_whatever_stands_around_a_number_is_taken_off(spelling: str, dialled: bool) -> None:  # noqa: FBT001 - table
    """Names, schemes, hosts, parameters, extensions, what is dialled after the answer, signs of any script."""
    assert normalise(spelling, PLAN, dialled=dialled) == Number(Category.EXTERNAL, "+32475123456", 9)


@pytest.mark.parametrize("dialled", [False, True])
@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        *(("Ext. 101", "101"), ("Ext.10016", "10016"), ("ext 12", "12"), ("x204", "204"), ("EXTENSION: 7", "7")),
        *(
            ("Extn 2301", "2301"),
            ("Poste 12", "12"),
            ("Toestel 12", "12"),
            ("Nebenstelle 12", "12"),
            ("Ramal 12", "12"),
        ),
        *(("Ext#12", "12"), ("2301 x12", "2301"), ("2301,1", "2301"), ("2301#", "2301"), ("2301;ext=5", "2301")),
        *(
            ("tel:2301;phone-context=pbx.example", "2301"),
            ("sip:2301;phone-context=+32@h", "2301"),
            ("\uff12\uff10\uff11", "201"),
        ),
    ],
)
def test_extensions_in_words(raw: str, canonical: str, dialled: bool) -> None:  # noqa: FBT001 - table
    """A word before the digits makes them internal, whatever their count."""
    assert normalise(raw, PLAN, dialled=dialled) == Number(Category.INTERNAL, canonical)


@pytest.mark.parametrize("dialled", [False, True])
@pytest.mark.parametrize(
    "raw",
    [
        *("Ann", "Ann 0475123456", "0475123456 Ann", "Ann-Marie", "ext. ann", "x", "extension", "ext 123456789"),
        *("10.0.0.1", "192.168.100.200", "0475 12 34 5x", "SIP/201-00000001", "0475123456 ext ann", "²³", "½", "?"),
        *("1300 joseph", "0800 johnson", "800-flowers-and-more-than-a-number-has", "1-800-ab", "1-800-flowers-12345"),
        *("0" * 101 + " 1", "1 " * 60, "tel:ann", "++", "(+)", "0475123456 0475123457"),
    ],
)
def test_what_is_no_number_has_no_pseudonym(raw: str, dialled: bool) -> None:  # noqa: FBT001 - table
    """A name that slid into a number column leaves nothing behind."""
    assert normalise(raw, PLAN, dialled=dialled) == Number(Category.UNKNOWN, None)


@pytest.mark.parametrize("dialled", [False, True])
@pytest.mark.parametrize(
    "raw", ["8262623#1", "1234#12", "*", "#", "##", "*31#", "#31#", "*31#0", "0*60", "*31#*31#", "*67#", "0*31#"]
)
def test_codes_are_a_service(raw: str, dialled: bool) -> None:  # noqa: FBT001 - table
    """Digits among stars are a PIN for all we know."""
    assert normalise(raw, PLAN, dialled=dialled) == Number(Category.SERVICE, None)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        *(("sip:Ann@PBX.example:5060;x=y", "ann@pbx.example"), ("sip:ann;x=y@pbx.example", "ann@pbx.example")),
        *(("ann:secret@pbx.example", "ann@pbx.example"), ("sip:ann@[2001:db8::1]:5060", "ann@[2001:db8::1]")),
        *(("sip:[2001:db8::1]", "[2001:db8::1]"), ("sip:10.0.0.1", "10.0.0.1"), ("sip:10.0.0.1:5060", "10.0.0.1")),
        *(("<sip:ann@pbx.example>;tag=1", "ann@pbx.example"), ("sip:%41nn@pbx.example", "ann@pbx.example")),
        *(("sip:x204@pbx.example", "x204@pbx.example"), ("ann\udc80@pbx.example", "ann?@pbx.example")),
    ],
)
def test_addresses_without_a_number(raw: str, canonical: str) -> None:
    """User and host, in lower case; password, port, parameters and display name are dropped."""
    assert normalise(raw, PLAN, dialled=True) == Number(Category.URI, canonical)


@pytest.mark.parametrize("raw", ["+0", "+000", "0-0", "00 00", "+266696687", "+7378742833", "+8656696", "+2562533"])
def test_digits_that_stand_for_nobody(raw: str) -> None:
    """Zeros, and words spelled on the keypad; one pseudonym for all of them would look like a busy person."""
    assert normalise(raw, PLAN, dialled=False) == Number(Category.WITHHELD, None)


@pytest.mark.parametrize(
    "raw", ["sip:0475123456@anonymous.invalid", "<sip:anonymous@anonymous.invalid>;tag=1", "sip:@"]
)
def test_an_anonymous_address_is_withheld(raw: str) -> None:
    """The host says so too (RFC 3323)."""
    assert normalise(raw, PLAN, dialled=False) == Number(Category.WITHHELD, None)
    assert normalise(raw, PLAN, dialled=True) == Number(Category.UNKNOWN, None)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        *(("1-800-FLOWERS", "+18003569377"), ("+1-800-FLOWERS", "+18003569377"), ("1-800-GO-FEDEX", "+18004633339")),
        ("1-888-4ACHILD", "+18884224453"),
    ],
)
def test_letters_of_freephone_numbers_are_digits(raw: str, canonical: str) -> None:
    """As they are printed on the keys."""
    assert normalise(raw, AMERICAN, dialled=True).canonical == canonical


def test_a_help_line_shows_no_digit() -> None:
    """In each of its forms it is short: who calls it is nobody's business."""
    german = NumberingPlan.parse(country="DE", outside_line="0", extension_lengths=[3])
    for raw in ("116117", "0116117", "116 117", "+49116117", "sip:116117@pbx.example"):
        assert normalise(raw, german, dialled=True) == Number(Category.SHORT, "116117")
        assert normalise("116117", PLAN, dialled=True) == Number(Category.SHORT, "116117")


@pytest.mark.parametrize("raw", ["+32112", "+32 112", "112", "0112", "*31#112", "112,1", "tel:112;phone-context=+32"])
def test_an_emergency_number_in_each_form(raw: str) -> None:
    """Gateways put the country's code before it."""
    assert normalise(raw, PLAN, dialled=True) == Number(Category.EMERGENCY, "112")


_TEXTS = st.one_of(
    st.text(max_size=40),
    st.text("0123456789+*#@<>() .;:,-sipxtel%=[]&\u0660\uff10\u2013\u202a", max_size=40),
    st.binary(max_size=40).map(lambda data: data.decode("utf-8", "surrogateescape")),
)


@given(_TEXTS, st.booleans(), st.sampled_from([PLAN, BARE, AMERICAN, ITALIAN]))
def test_any_text_gives_a_number_that_keeps_the_rules(raw: str, dialled: bool, plan: NumberingPlan) -> None:  # noqa: FBT001 - property
    """No exception; digits are counted for external numbers alone, withheld and unknown have no canonical form."""
    number = normalise(raw, plan, dialled=dialled)
    assert (number.national_digits_count > 0) is (number.category is Category.EXTERNAL)
    assert (number.canonical is None) is (number.category in {Category.WITHHELD, Category.UNKNOWN, Category.SERVICE})
    assert not (dialled and number.category is Category.WITHHELD)
    if number.canonical is not None:
        assert number.canonical.encode()


@given(_TEXTS, st.booleans())
def test_an_external_number_is_e164(raw: str, dialled: bool) -> None:  # noqa: FBT001 - property
    """A plus, a calling code, and its national digits are what is counted."""
    number = normalise(raw, PLAN, dialled=dialled)
    if number.category is Category.EXTERNAL:
        assert number.canonical is not None
        found = split_international(number.canonical.removeprefix("+"))
        assert found is not None
        assert number.canonical == f"+{found[0].calling_code}{found[1]}"
        assert number.national_digits_count == len(found[1])
    elif number.category in {Category.SHORT, Category.INTERNAL, Category.EMERGENCY}:
        assert number.canonical is not None
        assert number.canonical.isdecimal()


@given(st.text("0123456789", min_size=1, max_size=18), st.booleans())
def test_a_canonical_number_is_a_fixed_point(digits: str, dialled: bool) -> None:  # noqa: FBT001 - property
    """Normalising E.164 again changes nothing."""
    number = normalise(digits, PLAN, dialled=dialled)
    if number.category is Category.EXTERNAL and number.canonical is not None:
        assert normalise(number.canonical, PLAN, dialled=dialled) == number


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "0",
            "1",
            "0475123456",
            "+",
            "*31#",
            "#",
            "<",
            ">",
            "<sip:",
            "sip:",
            "@",
            ";",
            ";phone-context=+32",
            "%2b",
            ":",
        ),
        *(
            "x1",
            " ",
            "\u0660",
            "\u202a",
            "\uff0b",
            "[",
            "]",
            "anonymous",
            ".",
            "(0)",
            ",",
            "3651",
            "00",
            "ext",
            "1-800-a",
        ),
    ],
)
def test_long_texts_cost_their_length(piece: str) -> None:
    """64 KiB of anything; a quadratic step would take minutes and trip the time limit of the tests."""
    french = NumberingPlan.parse(country="FR", outside_line="0", extension_lengths=[3])
    text = piece * (65_536 // len(piece))
    for raw in (text, f"+{text}", f"sip:{text}@h", f"<{text}>", f"0475123456{text}"):
        for plan in (PLAN, french):
            assert normalise(raw, plan, dialled=True).category in Category
            assert normalise(raw, plan, dialled=False).category in Category
