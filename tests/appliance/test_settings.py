"""Settings are read whole or refused whole, with every mistake listed."""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from appliance.errors import SettingsError
from appliance.settings import (
    MAX_FILE_BYTES,
    default_site,
    load_settings,
    load_site,
    read_secret_file,
    read_small_file,
)
from tests.support import settings_reference

SITE = """
[site]
timezone = "Europe/Brussels"
country = "BE"
national_prefix = "0"
international_prefix = "00"
outside_line = "0"
extension_lengths = [3, 4]
[privacy]
clear_digits = 2
"""
SMALLEST = """
[site]
timezone = "UTC"
country = "FR"
[appliance]
state_directory = "/var/lib/natalia"
[receiver]
url = "https://receiver.example:8443"
[[feeds]]
id = "main"
dialect = "asterisk_csv"
path = "/var/log/asterisk/cdr-csv/Master.csv"
"""
WHOLE = (
    SMALLEST.replace("[appliance]", "[privacy]\nclear_digits = 0\n[appliance]")
    + """
[[feeds]]
id = "branch2"
dialect = "cisco_cucm"
path = "/srv/cdr"
[buffer]
cap_mib = 64
batch_records = 10
batch_seconds = 1
"""
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test writes its file."""
    return tmp_path / "settings.toml"


def mistakes_of(file: Path, text: str) -> list[str]:
    """Load ``text`` as settings; give what is wrong with it."""
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    return caught.value.mistakes


def mistakes_with(file: Path, old: str, new: str) -> list[str]:
    """What is wrong with the smallest settings after a replacement."""
    assert old in SMALLEST
    return mistakes_of(file, SMALLEST.replace(old, new))


def test_a_site_file_is_read(file: Path) -> None:
    """Every option of SITE.toml arrives as a plain value."""
    file.write_text(SITE)
    place = load_site(file)
    assert (place.zone.key, place.site.country, place.clear_digits) == ("Europe/Brussels", "BE", 2)
    assert (place.site.national_prefix, place.site.international_prefix) == ("0", "00")
    assert (place.site.outside_line, place.site.extension_lengths) == ("0", (3, 4))
    assert (place.plan.outside_lines, place.plan.extension_lengths) == (("0",), frozenset({3, 4}))


def test_the_optional_options_have_their_defaults(file: Path) -> None:
    """Time zone and country alone make a site; four digits stay clear unless it says less."""
    file.write_text('[site]\ntimezone = "UTC"\ncountry = "BE"')
    assert load_site(file) == default_site()
    assert default_site().clear_digits == 4
    assert default_site().site.extension_lengths == (2, 3, 4, 5)
    assert default_site().site.outside_line is None


def test_the_appliances_settings_are_read(file: Path) -> None:
    """All tables; two feeds."""
    file.write_text(WHOLE)
    read = load_settings(file)
    assert read.appliance.state_directory == Path("/var/lib/natalia")
    assert read.receiver.url == "https://receiver.example:8443"
    assert [feed.id for feed in read.feeds] == ["main", "branch2"]
    assert read.feeds[1].path == Path("/srv/cdr")
    assert (read.buffer.cap_mib, read.buffer.batch_records, read.buffer.batch_seconds) == (64, 10, 1.0)
    assert read.privacy.clear_digits == 0


def test_the_smallest_settings_have_the_buffers_defaults(file: Path) -> None:
    """1 GiB, 1,000 records, 200 ms."""
    file.write_text(SMALLEST)
    read = load_settings(file)
    assert (read.buffer.cap_mib, read.buffer.batch_records, read.buffer.batch_seconds) == (1024, 1000, 0.2)


def test_every_mistake_is_listed_at_once(file: Path) -> None:
    """An operator corrects a file once, not once a mistake; each has its option's path."""
    text = """
    extra = 1
    [site]
    timezone = "Europe/Nowhere"
    country = "ZZ"
    outside_line = 5
    extension_lengths = [3, 99]
    hidden = true
    [privacy]
    clear_digits = 9
    [receiver]
    url = "http://receiver.example"
    [[feeds]]
    id = "Main"
    dialect = "x"
    path = "relative"
    [[feeds]]
    id = "main"
    [buffer]
    cap_mib = "1"
    """
    paths = [mistake.partition(": ")[0] for mistake in mistakes_of(file, text)]
    assert sorted(paths) == [
        "appliance",
        "buffer.cap_mib",
        "extra",
        "feeds[0].id",
        "feeds[0].path",
        "feeds[1].dialect",
        "feeds[1].path",
        "privacy.clear_digits",
        "receiver.url",
        "site.country",
        "site.extension_lengths[1]",
        "site.hidden",
        "site.outside_line",
        "site.timezone",
    ]


def test_a_mistake_says_what_is_wanted_and_not_what_stands_there(file: Path) -> None:
    """A value may be a number or a secret that went astray."""
    (mistake,) = mistakes_with(file, '"FR"', '"+3225550193"')
    assert mistake == "site.country: wanted: The country whose numbers the site dials, ISO 3166-1 alpha-2"


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ('timezone = "UTC"', "", "site.timezone: is missing"),
        ('country = "FR"', "", "site.country: is missing"),
        ('"UTC"', '"../../etc/passwd"', "site.timezone: wanted: The zone of the PBX's clock, by its IANA name"),
        ('"UTC"', '"Europe"', "site.timezone: wanted: The zone of the PBX's clock, by its IANA name"),
        ('"UTC"', "1", "site.timezone: expected `str`"),
        ('"/var/lib/natalia"', "2026-01-01", "appliance.state_directory: expected `str`"),
        ("[receiver]", "[receiver]\nverify = false", "receiver.verify: no such option"),
        ('id = "main"', "id = 1", "feeds[0].id: expected `str`, got `int`"),
    ],
)
def test_each_wrong_value_has_its_own_words(file: Path, old: str, new: str, mistake: str) -> None:
    """Missing, unfit, of another type, unknown."""
    assert mistakes_with(file, old, new) == [mistake]


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example",
        "https://",
        "https://user@receiver.example",
        "https://receiver.example/path",
        "https://receiver.example?x",
        "https://receiver.example:0",
        "https://receiver.example:65536",
        "https://receiver.example\\n",
        "https://receiver example",
        "HTTPS://receiver.example",
    ],
)
def test_an_address_that_is_no_plain_https_origin_is_refused(file: Path, url: str) -> None:
    """No other scheme, no credentials, no path."""
    (mistake,) = mistakes_with(file, "https://receiver.example:8443", url)
    assert mistake.startswith("receiver.url: wanted: ")


@pytest.mark.parametrize(
    "url", ["https://a", "https://127.0.0.1:1", "https://[::1]:65535", "https://receiver.example/", "https://a-b.c:443"]
)
def test_a_plain_https_origin_is_taken(file: Path, url: str) -> None:
    """A name or an address, with or without a port."""
    file.write_text(SMALLEST.replace("https://receiver.example:8443", url))
    assert load_settings(file).receiver.url == url


@pytest.mark.parametrize("path", ["cdr.csv", "*.csv", "/srv/\\u0000", "", "/", "/srv/cdr/", "/srv/../cdr", "/srv/."])
def test_a_feeds_path_is_absolute_and_names_files(file: Path, path: str) -> None:
    """A feed is the same files wherever the process was started, and whatever a link on the way points to."""
    (mistake,) = mistakes_with(file, "/var/log/asterisk/cdr-csv/Master.csv", path)
    assert mistake.startswith("feeds[0].path: wanted: ")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("cap_mib", "15"),
        ("cap_mib", "true"),
        ("batch_records", "0"),
        ("batch_records", "10001"),
        ("batch_seconds", "0"),
        ("batch_seconds", "nan"),
        ("batch_seconds", "inf"),
        ("batch_seconds", '"1"'),
    ],
)
def test_the_buffers_bounds_hold(file: Path, option: str, value: str) -> None:
    """No number outside its bounds, no boolean or text for a number."""
    (mistake,) = mistakes_of(file, f"{SMALLEST}[buffer]\n{option} = {value}")
    assert mistake.startswith(f"buffer.{option}: expected ")


@pytest.mark.parametrize("value", ["-1", "5", "true", '"4"'])
def test_no_site_may_raise_the_clear_digits_above_the_contract(file: Path, value: str) -> None:
    """0 to 4, a whole number."""
    (mistake,) = mistakes_of(file, f"{SMALLEST}[privacy]\nclear_digits = {value}")
    assert mistake.startswith("privacy.clear_digits: expected `int`")


@pytest.mark.parametrize("path", ["/srv/*.csv", "/srv/cdr?", "/srv/[a]*/*.xml", "/srv/cdr_*"])
def test_a_feeds_path_may_name_several_files(file: Path, path: str) -> None:
    """The wildcards of a shell, in any component."""
    file.write_text(SMALLEST.replace("/var/log/asterisk/cdr-csv/Master.csv", path))
    assert load_settings(file).feeds[0].path == PurePosixPath(path)


def test_the_state_directory_is_one_place(file: Path) -> None:
    """Only a feed's path may be a pattern."""
    (mistake,) = mistakes_with(file, "/var/lib/natalia", "/var/lib/*")
    assert mistake.startswith("appliance.state_directory: wanted: ")


def test_a_feed_may_not_read_a_file_of_an_earlier_feeds_pattern(file: Path) -> None:
    """It would count the calls in it twice, under two keys."""
    feeds = "".join(
        f'[[feeds]]\nid = "{name}"\ndialect = "asterisk_csv"\npath = "{path}"\n'
        for name, path in (("a", "/srv/*.csv"), ("b", "/srv/b.csv"), ("c", "/srv/c.txt"), ("d", "/srv/c.*"))
    )
    assert mistakes_of(file, SMALLEST[: SMALLEST.index("[[feeds]]")] + feeds) == [
        "feeds[1].path: an earlier feed reads it",
        "feeds[3].path: an earlier feed reads it",
    ]


def test_two_feeds_may_share_neither_name_nor_file(file: Path) -> None:
    """One name would mix their positions; one file would count its calls twice."""
    feed = SMALLEST[SMALLEST.index("[[feeds]]") :]
    assert mistakes_of(file, SMALLEST + feed) == [
        "feeds[1].id: an earlier feed has it",
        "feeds[1].path: an earlier feed reads it",
    ]


@pytest.mark.parametrize("feeds", ["feeds = []", "feeds = 1", "feeds = [1]", "feeds = {}"])
def test_settings_without_a_feed_are_refused(file: Path, feeds: str) -> None:
    """There would be nothing to do."""
    (mistake,) = mistakes_of(file, feeds + SMALLEST[: SMALLEST.index("[[feeds]]")])
    assert mistake.startswith("feeds")


def test_a_table_must_be_one(file: Path) -> None:
    """A value where a table belongs."""
    (mistake,) = mistakes_of(file, "buffer = 1\n" + SMALLEST)
    assert mistake == "buffer: a table is expected"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"[site", " (at end of document)"),
        (b'a = "+3225550193" x', " (at line 1, column 19)"),
        (b"a = 1\nb c\n", " (at line 2, column 3)"),
        (b"\xff\xfe", ""),
        (b"a = " + b"[" * 100_000, ""),
        (b"a = " + b"9" * 5000, ""),
    ],
)
def test_what_is_no_toml_is_refused_with_its_place(file: Path, content: bytes, place: str) -> None:
    """The place, never the line."""
    file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_site(file)
    (mistake,) = caught.value.mistakes
    assert mistake.startswith(f"{file}: not valid TOML")
    assert mistake == f"{file}: not valid TOML{place}" or not place


@given(content=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_settings_or_a_typed_error(file: Path, content: bytes) -> None:
    """Nothing else comes out of a hostile file."""
    file.write_bytes(content)
    with pytest.raises(SettingsError):
        load_settings(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, a folder, or a name that no file can have."""
    for path in (tmp_path / "missing", tmp_path, Path("a\0b")):
        with pytest.raises(SettingsError, match="cannot be read"):
            load_site(path)


def test_a_long_file_is_refused_without_being_read(tmp_path: Path) -> None:
    """A settings file of more than 1 MiB is something else."""
    (tmp_path / "long").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(SettingsError, match="longer"):
        read_small_file(tmp_path / "long")


def test_a_secret_file_is_taken_as_it_is(tmp_path: Path) -> None:
    """Its last newline too, and it does not show itself."""
    path = tmp_path / "secret"
    path.write_bytes(b"0" * 31 + b"\n")
    secret = read_secret_file(path)
    assert secret.reveal() == b"0" * 31 + b"\n"
    assert "0" not in repr(secret)


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    """Fewer than 256 bits can be guessed; what stands there is not shown."""
    path = tmp_path / "secret"
    path.write_bytes(b"q" * 31)
    with pytest.raises(SettingsError, match="at least 32 bytes") as caught:
        read_secret_file(path)
    assert "qq" not in str(caught.value)


def test_the_reference_is_the_one_that_the_types_give() -> None:
    """docs/reference/settings.md is generated; ``python -m tests.support.settings_reference`` writes it anew."""
    assert settings_reference.REFERENCE.read_text() == settings_reference.render()
