"""The project keeps its budgets. ``tests/support/source_rules.py`` says how each is counted."""

import statistics
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.support import source_rules
from tests.support.tree import PRODUCTS, name, python_files

MAX_FILE_LINES = 400
MEDIAN_FILE_LINES = 130
MAX_FUNCTION_LINES = 50
P90_FUNCTION_LINES = 35
MEDIAN_FUNCTION_LINES = 10
TEST_TO_PRODUCT = 1.5
MAX_PATCHES_PER_TEST = 0.05
NO_TESTS = ("tests/e2e/demo/", "tests/bench/")
"""Programs that live beside the tests: they use the product but promise nothing about it."""

PRODUCT_FILES = python_files(*PRODUCTS)
ALL_FILES = python_files(*PRODUCTS, "tests")
each_product = pytest.mark.parametrize("product", PRODUCTS)


def test_no_file_is_longer_than_the_cap() -> None:
    """At most 400 lines a file, tests included."""
    assert [name(file) for file in ALL_FILES if len(_text(file).splitlines()) > MAX_FILE_LINES] == []


@each_product
def test_the_median_file_is_short(product: str) -> None:
    """Half of the files have at most 130 lines."""
    assert statistics.median(len(_text(file).splitlines()) for file in python_files(product)) <= MEDIAN_FILE_LINES


def test_no_function_is_longer_than_the_cap() -> None:
    """At most 50 lines a function."""
    lengths = [(f"{name(file)}:{title}", lines) for file in ALL_FILES for title, lines in _functions(file)]
    assert [item for item in lengths if item[1] > MAX_FUNCTION_LINES] == []


@each_product
def test_functions_are_short(product: str) -> None:
    """Half of the functions have at most 10 lines, nine of ten at most 35."""
    lengths = [lines for file in python_files(product) for _, lines in _functions(file)]
    p90 = statistics.quantiles(lengths, n=10, method="inclusive")[-1]
    assert (statistics.median(lengths) <= MEDIAN_FUNCTION_LINES, p90 <= P90_FUNCTION_LINES) == (True, True)


@pytest.mark.parametrize(
    "rule", [source_rules.unannotated, source_rules.undocumented], ids=["unannotated", "undocumented"]
)
def test_everything_is_annotated_and_documented(rule: Callable[[str], list[str]]) -> None:
    """100 % of annotations and of module and public docstrings."""
    assert _findings(rule, PRODUCT_FILES) == []


def test_every_silenced_check_says_which_and_why() -> None:
    """A ``noqa`` has a code and a reason; there is no ``type: ignore``."""
    assert _findings(source_rules.unreasoned_exceptions, ALL_FILES) == []


def test_there_is_more_test_than_product() -> None:
    """At least 1.5 code lines of test for each code line of product."""
    tests = [file for file in python_files("tests") if not name(file).startswith(NO_TESTS)]
    product_lines = sum(source_rules.code_lines(_text(file)) for file in PRODUCT_FILES)
    test_lines = sum(source_rules.code_lines(_text(file)) for file in tests)
    assert test_lines / product_lines >= TEST_TO_PRODUCT, f"{test_lines} to {product_lines}"


def test_tests_pass_their_fakes_instead_of_patching() -> None:
    """At most one patch in twenty tests."""
    files = python_files("tests")
    tests = [title for file in files for title, _ in _functions(file) if title.startswith("test_")]
    assert len(_findings(source_rules.patches, files)) <= MAX_PATCHES_PER_TEST * len(tests)


@each_product
@pytest.mark.parametrize(
    ("rule", "doors"),
    [(source_rules.environment_reads, ("settings.py",)), (source_rules.wall_clock_reads, ("clock.py",))],
    ids=["environment", "wall_clock"],
)
def test_environment_and_wall_clock_have_one_door(
    rule: Callable[[str], list[str]], doors: tuple[str, ...], product: str
) -> None:
    """One module a product may read each."""
    files = [file for file in python_files(product) if rule(_text(file))]
    assert [name(file) for file in files if name(file) not in {f"{product}/{door}" for door in doors}] == []


def test_names_say_something() -> None:
    """No module or folder is called by a name that fits everything."""
    assert source_rules.forbidden_names(map(name, ALL_FILES)) == []


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _functions(file: Path) -> list[tuple[str, int]]:
    return source_rules.functions(_text(file))


def _findings(rule: Callable[[str], list[str]], files: Iterable[Path]) -> list[str]:
    return [f"{name(file)}:{finding}" for file in sorted(files) for finding in rule(_text(file))]
