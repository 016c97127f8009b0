"""What ``SITE.toml`` may say of a site's numbers beyond the ordinary."""

from pathlib import Path

import pytest

from appliance.errors import SettingsError
from appliance.settings import load_site

SMALLEST = '[site]\ntimezone = "UTC"\ncountry = "BE"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test writes its file."""
    return tmp_path / "site.toml"


def test_a_site_may_name_lines_area_and_codes(file: Path) -> None:
    """More outside lines, an area code, and codes in place of the country's own."""
    options = """
    outside_lines = ["9", "*8"]
    area_code = "2"
    withhold_prefixes = ["*31#", "1234"]
    carrier_prefixes = ["15xx"]
    """
    file.write_text(SMALLEST + options)
    site = load_site(file).site
    assert (site.outside_lines, site.area_code) == (("9", "*8"), "2")
    assert (site.withhold_prefixes, site.carrier_prefixes) == (("*31#", "1234"), ("15xx",))
    assert site.plan.outside_lines == ("9",)
    assert site.plan.signed_codes == ("*31#", "*8")


def test_what_a_site_leaves_out_is_its_countrys_own(file: Path) -> None:
    """Prefixes and codes; an empty list is a list."""
    file.write_text(SMALLEST)
    site = load_site(file).site
    assert (site.national_prefix, site.international_prefix) == (None, None)
    assert (site.withhold_prefixes, site.carrier_prefixes) == (None, None)
    assert "*31#" in site.plan.signed_codes
    file.write_text(SMALLEST + "withhold_prefixes = []")
    assert load_site(file).plan.signed_codes == ()


@pytest.mark.parametrize(
    ("option", "path"),
    [
        ('outside_lines = ["+"]', "site.outside_lines[0]"),
        ('area_code = ""', "site.area_code"),
        ('withhold_prefixes = ["*31#", "x"]', "site.withhold_prefixes[1]"),
        ('carrier_prefixes = ["x10"]', "site.carrier_prefixes[0]"),
        ('carrier_prefixes = "010xx"', "site.carrier_prefixes"),
        ('national_prefix = "+"', "site.national_prefix"),
        ('international_prefix = ""', "site.international_prefix"),
    ],
)
def test_a_code_that_is_none_is_named_by_its_option(file: Path, option: str, path: str) -> None:
    """And by its place in the list, never by its value."""
    file.write_text(SMALLEST + option)
    with pytest.raises(SettingsError) as caught:
        load_site(file)
    [mistake] = caught.value.mistakes
    assert mistake.partition(": ")[0] == path
