"""Pseudonyms: the standard's vectors, an independent program, and what must never be joined."""

import hashlib
import hmac
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import SettingsError
from appliance.numbering.number import Number, normalise
from appliance.pseudonymization.pseudonym import KeyedHash, Pseudonymizer, derive_key
from appliance.wire.call import Category
from tests.support.cdr_rows import SECRET, belgian_plan

EXTERNAL = Number(Category.EXTERNAL, "+32475123456", 9)
PSEUDONYMIZER = Pseudonymizer(SECRET, key_version=1)


def letters(mac: str) -> str:
    """The first 128 bits of a MAC in hexadecimal, as the wire spells them."""
    return "".join("abcdefghijklmnop"[int(digit, 16)] for digit in mac[:32])


@pytest.mark.parametrize(
    ("key", "message", "mac"),
    [
        (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    ],
)
def test_rfc_4231(key: bytes, message: bytes, mac: str) -> None:
    """Test cases 1 to 3 of HMAC-SHA256."""
    assert KeyedHash(key).hexdigest(message) == mac


@given(st.binary(max_size=64), st.binary(max_size=80), st.binary(max_size=200))
def test_the_keyed_states_give_what_hmac_gives(key: bytes, prefix: bytes, message: bytes) -> None:
    """Byte for byte, with and without a prefix, also when used again."""
    keyed = KeyedHash(key, prefix=prefix)
    for _ in range(2):
        assert keyed.hexdigest(message) == hmac.new(key, prefix + message, hashlib.sha256).hexdigest()
    assert keyed.token(message) == letters(keyed.hexdigest(message))


def test_keys_are_derived_as_rfc_5869_says() -> None:
    """HKDF-SHA256 without salt; the program openssl derives the same key."""
    label = "external"
    info = b"natalia/pseudonym/v1/" + label.encode()
    command = ["openssl", "kdf", "-keylen", "32", "-kdfopt", "digest:SHA256", "-kdfopt", f"hexkey:{SECRET.hex()}"]
    command += ["-kdfopt", f"hexinfo:{info.hex()}", "HKDF"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.strip().replace(":", "").lower() == derive_key(SECRET, label).hex()


def test_rfc_5869_without_salt() -> None:
    """The extract step of test case 3, on which ``derive_key`` rests: an absent salt is 32 zero bytes."""
    extracted = hmac.digest(bytes(32), b"\x0b" * 22, "sha256")
    assert extracted.hex() == "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04"
    expanded = hmac.digest(extracted, b"\x01", "sha256")
    assert expanded.hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


@pytest.mark.parametrize(
    ("number", "label", "domain"),
    [
        (EXTERNAL, "external", "external"),
        (Number(Category.INTERNAL, "201"), "extension", "internal"),
        (Number(Category.SHORT, "1207"), "other", "short"),
        (Number(Category.EMERGENCY, "112"), "other", "emergency"),
        (Number(Category.URI, "ann@pbx.example"), "other", "uri"),
    ],
)
def test_openssl_makes_the_same_pseudonym(number: Number, label: str, domain: str) -> None:
    """An independent program, from the derived key, the domain and the canonical number."""
    command = ["openssl", "mac", "-digest", "SHA256", "-macopt", f"hexkey:{derive_key(SECRET, label).hex()}", "HMAC"]
    message = f"{domain}\0{number.canonical}".encode()
    printed = subprocess.run(command, check=True, capture_output=True, input=message).stdout.decode()
    assert PSEUDONYMIZER.pseudonym(number) == "k1_" + letters(printed.strip().lower())


def test_ids_are_macs_of_feed_and_key() -> None:
    """Under keys of their own, recomputed with the standard library."""
    for label, keyed in (("call-id", PSEUDONYMIZER.call_ids), ("event-id", PSEUDONYMIZER.event_ids)):
        mac = hmac.new(derive_key(SECRET, label), b"main\0some key", hashlib.sha256).hexdigest()
        assert keyed(feed="main").token(b"some key") == letters(mac)


def test_classes_cannot_be_joined() -> None:
    """The same digits as extension, short number and emergency number, and the ids of one key, are all different."""
    categories = (Category.EXTERNAL, Category.INTERNAL, Category.SHORT, Category.EMERGENCY, Category.URI)
    pseudonyms = {PSEUDONYMIZER.pseudonym(Number(category, "112")) for category in categories}
    tokens = {
        make(feed=feed).token(b"112")
        for make in (PSEUDONYMIZER.call_ids, PSEUDONYMIZER.event_ids)
        for feed in ("main", "branch")
    }
    assert len(pseudonyms) == len(categories)
    assert len(tokens) == 4


def test_tenants_cannot_be_joined() -> None:
    """Another secret gives another pseudonym; another version of the key shows in the text."""
    assert Pseudonymizer(bytes(32), key_version=1).pseudonym(EXTERNAL) != PSEUDONYMIZER.pseudonym(EXTERNAL)
    first = PSEUDONYMIZER.pseudonym(EXTERNAL) or ""
    assert Pseudonymizer(SECRET, key_version=12).pseudonym(EXTERNAL) == first.replace("k1_", "k12_")


@pytest.mark.parametrize("category", [Category.WITHHELD, Category.UNKNOWN, Category.SERVICE])
def test_some_categories_have_no_pseudonym(category: Category) -> None:
    """Also if a canonical form were given: all withheld callers would look like one person."""
    assert PSEUDONYMIZER.pseudonym(Number(category, "anonymous")) is None
    assert PSEUDONYMIZER.pseudonym(Number(Category.EXTERNAL, None)) is None


@pytest.mark.parametrize(("secret", "version"), [(bytes(31), 1), (b"", 1), (SECRET, 0), (SECRET, 10_000)])
def test_a_weak_secret_or_a_version_out_of_range_is_refused(secret: bytes, version: int) -> None:
    """With a typed error that does not show it."""
    with pytest.raises(SettingsError) as caught:
        Pseudonymizer(secret, key_version=version)
    assert len(caught.value.mistakes) == 1
    assert secret.hex() not in str(caught.value) or not secret


def test_a_longer_secret_is_used_whole() -> None:
    """HKDF takes any length; the last byte matters."""
    one, other = (Pseudonymizer(bytes(99) + end, key_version=1) for end in (b"a", b"b"))
    assert one.pseudonym(EXTERNAL) != other.pseudonym(EXTERNAL)


def test_the_repr_shows_no_key() -> None:
    """Only the version."""
    assert repr(PSEUDONYMIZER) == "Pseudonymizer(key_version=1)"
    assert "\\x" not in repr(PSEUDONYMIZER.call_ids(feed="main"))


@given(*[st.text("0123456789+", min_size=3, max_size=16)] * 2)
def test_equal_numbers_and_equal_pseudonyms_are_the_same_thing(first: str, second: str) -> None:
    """Two spellings have one pseudonym if and only if they are one number."""
    one, other = (normalise(text, belgian_plan(), dialled=True) for text in (first, second))
    if one.canonical is not None and other.canonical is not None:
        assert (one == other) is (PSEUDONYMIZER.pseudonym(one) == PSEUDONYMIZER.pseudonym(other))
