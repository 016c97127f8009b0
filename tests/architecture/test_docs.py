"""What the documents say is so: links, commands, paths of tests, generated parts, and nothing of this machine."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from appliance.cdr import asterisk_csv, asterisk_layout
from appliance.wire.problem import ProblemCode
from tests.support import data_inventory, docs_reference
from tests.support.tree import PRODUCTS, ROOT, documents, found, name, python_files

DOCUMENTS = documents()
RECORDS = found((ROOT / "docs/adr").glob("*.md"))
TEXT_SUFFIXES = {"", ".cfg", ".ini", ".lock", ".md", ".py", ".toml", ".txt", ".yml", ".yaml", ".sh", ".csv"}
NAMED_NUMBERS = {"1048576"}
"""Runs of six digits and more that are no number of anybody: a bound of the settings."""
MACHINE = re.compile(
    r"(?:https?://|[\s\"'=])[a-z.]*(?:debian|pypi|pythonhosted|npmjs)\.(?:org|com|net)"
    r"|/(?:work|farm|home|Users)/[a-z]"
)
ADR_PARTS = ["## Context", "## Decision", "## Rule", "## Alternatives", "## Enforced by"]


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _committed() -> list[Path]:
    """Every text file of the project that is committed or about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = (ROOT / line for line in listed.split("\0") if line)
    return found(file for file in files if file.suffix in TEXT_SUFFIXES and file.is_file())


def broken_links(text: str, folder: Path) -> list[str]:
    """Give the relative links of a document in ``folder`` that lead nowhere; what stands in backquotes is no link."""
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))
    return [link for link in targets if "://" not in link and not (folder / link.partition("#")[0]).exists()]


def missing_tests(text: str) -> list[str]:
    """Give the paths of tests that a document names and that do not exist."""
    return [path for path in re.findall(r"`(tests/[\w/.-]+)`", text) if not (ROOT / path).exists()]


def long_digits(text: str) -> list[str]:
    """Give runs of six and more digits that could be somebody's number."""
    return [run for run in re.findall(r"(?<![a-z0-9])[0-9]{6,}", text) if run not in NAMED_NUMBERS]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_leads_somewhere(document: Path) -> None:
    """A relative link names a file that is there."""
    assert broken_links(_text(document), document.parent) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_named_test_exists(document: Path) -> None:
    """A document that claims a proof names one that is there."""
    assert missing_tests(_text(document)) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_no_document_holds_a_number(document: Path) -> None:
    """Examples need no phone number, not even an invented one."""
    assert long_digits(_text(document)) == []


def test_a_broken_document_would_be_found() -> None:
    """The checks above see what they are for."""
    assert broken_links("[a](no/such.md) [b](https://example.org) [c](README.md#x)", ROOT) == ["no/such.md"]
    assert missing_tests("`tests/no_such.py` and `tests/conftest.py`") == ["tests/no_such.py"]
    assert long_digits("call 0470112233, not k1_a, 2026-10-20 or 1048576") == ["0470112233"]


@pytest.mark.parametrize("path", docs_reference.GENERATED)
def test_a_generated_document_is_what_its_source_gives(path: str) -> None:
    """`make docs` would change nothing."""
    assert _text(ROOT / path) == docs_reference.GENERATED[path]()


def test_writing_the_generated_documents_twice_changes_nothing(tmp_path: Path) -> None:
    """The generator writes what the check compares."""
    docs_reference.write_all(tmp_path)
    assert {path: _text(tmp_path / path) for path in docs_reference.GENERATED} == {
        path: _text(ROOT / path) for path in docs_reference.GENERATED
    }


def test_every_field_that_leaves_has_a_purpose() -> None:
    """The inventory says something of each field of each type, and of none that is not there."""
    said = {kind: list(purposes) for kind, purposes in data_inventory.PURPOSE.items()}
    assert said == {kind: [field.encode_name for field in data_inventory.fields_of(kind)] for kind in said}


def test_every_column_of_asterisk_is_accounted_for() -> None:
    """What is read, and only that, is said to be read; the columns are those of the layouts."""
    known = {*asterisk_layout._MASTER, *asterisk_layout._FREEPBX, *asterisk_layout._NEW_COLUMNS}
    unread = {column for column, treatment in asterisk_csv.COLUMNS.items() if treatment.endswith("is not read")}
    read = set(asterisk_layout.Fields._fields) | set(asterisk_layout._ALIASES)
    assert set(asterisk_csv.COLUMNS) == known
    assert set(asterisk_csv.COLUMNS) - unread == read


def test_every_problem_code_has_a_meaning() -> None:
    """The table of the wire protocol is complete."""
    assert set(docs_reference.MEANING) == set(ProblemCode)


def test_the_readmes_commands_exist() -> None:
    """Every `make target` that a document names is one of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", _text(ROOT / "Makefile"), re.MULTILINE))
    named = {target for file in DOCUMENTS for target in re.findall(r"`?make ([a-z-]+)", _text(file))}
    spoken = {target for target in named if re.search(rf"(?:^|`)make {target}", _all_documents(), re.MULTILINE)}
    assert {"demo", "test", "check", "docs"} <= spoken <= targets


def test_the_products_commands_in_documents_exist() -> None:
    """Every `natalia-… command` that a document or a hint names is one of the reference."""
    known = set(re.findall(r"### `(natalia-[^`]+)`", docs_reference.cli_reference()))
    sources = _all_documents() + "".join(_text(file) for file in python_files(*PRODUCTS))
    named = re.findall(r"`(natalia-(?:appliance|receiver) [a-z-][^`\n]*)`", sources.replace(" --state DIR", ""))
    assert len(known) > 10
    assert [words for words in named if not any(f"{words} ".startswith(f"{command} ") for command in known)] == []


def test_no_committed_file_names_a_registry_or_a_machines_path() -> None:
    """Which index answers, and where a checkout lies, is each machine's own business."""
    own = ROOT / "tests/architecture/test_docs.py"
    assert [
        name(file) for file in _committed() if file != own and MACHINE.search(file.read_text("utf-8", "replace"))
    ] == []


@pytest.mark.parametrize("record", RECORDS, ids=name)
def test_a_decision_record_has_its_form(record: Path) -> None:
    """Half a page: title with its number, status, and five parts in order."""
    lines = _text(record).splitlines()
    assert lines[0].startswith(f"# ADR {record.name[:4]}: ")
    assert "**Status:** accepted" in lines
    assert [line for line in lines if line.startswith("## ")] == ADR_PARTS
    assert len(lines) <= 45


def test_decision_records_are_numbered_without_a_gap() -> None:
    """The first is 0001, and each follows the one before."""
    assert [record.name[:4] for record in RECORDS] == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]


def test_the_glossary_has_each_term_once_in_order() -> None:
    """One word a thing."""
    terms = re.findall(r"^\| ([^|]+?) \|", _text(ROOT / "docs/glossary.md"), re.MULTILINE)[1:]
    terms = [term for term in terms if set(term) != {"-"}]
    assert terms == sorted(set(terms), key=str.casefold)
    assert len(terms) > 20


def test_the_changelog_has_the_current_version() -> None:
    """What is released is described."""
    version = tomllib.loads(_text(ROOT / "pyproject.toml"))["project"]["version"]
    assert re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d{{2}}-\d{{2}}$", _text(ROOT / "CHANGELOG.md"), re.MULTILINE
    )


def _all_documents() -> str:
    return "\n".join(_text(file) for file in DOCUMENTS)
