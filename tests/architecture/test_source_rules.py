"""Each house rule accepts what is right and finds what is wrong: samples of both for every check."""

from collections.abc import Callable

import pytest

from tests.support import source_rules

NOQA = "# no" + "qa"
IGNORE = "# type: " + "ignore"
Rule = Callable[[str], list[str]]

VALID: list[tuple[Rule, str]] = [
    (source_rules.unannotated, "def f(a: int, *b: str, c: int = 1, **d: int) -> None: ..."),
    (
        source_rules.unannotated,
        "class C:\n  def m(self, a: int) -> None: ...\n  @classmethod\n  def n(cls) -> int: ...",
    ),
    (source_rules.undocumented, '"""M."""\ndef f():\n  """F."""\nclass C:\n  """C."""\n  def m(self):\n    """M."""'),
    (
        source_rules.undocumented,
        '"""M."""\ndef _f(): ...\nclass _C:\n  def m(self): ...\nclass D:\n  """D."""\n  def _m(self): ...',
    ),
    (source_rules.unreasoned_exceptions, f"import os  {NOQA}: F401  re-exported here"),
    (source_rules.unreasoned_exceptions, f"import os  {NOQA}: F401, S404  the one door to it"),
    (source_rules.unreasoned_exceptions, f"text = '{NOQA}'"),
    (source_rules.environment_reads, "import os\nos.urandom(3)\nsettings.environ"),
    (source_rules.wall_clock_reads, "import time\ntime.monotonic()\nclock.now()\nclock.time()"),
    (source_rules.patches, "import mockery\ndef test_a(tmp_path): patch = 1"),
]
INVALID: list[tuple[Rule, str]] = [
    (source_rules.unannotated, "def f(a) -> None: ..."),
    (source_rules.unannotated, "def f(): ..."),
    (source_rules.unannotated, "def f(*a) -> None: ..."),
    (source_rules.unannotated, "def f(**a) -> None: ..."),
    (source_rules.unannotated, "def f(*, a) -> None: ..."),
    (source_rules.unannotated, "def f(a, /) -> None: ..."),
    (source_rules.unannotated, "async def f(): ..."),
    (source_rules.unannotated, "def f(a: int, self) -> None: ..."),
    (source_rules.unannotated, "class C:\n  def m(self, a) -> None: ..."),
    (source_rules.undocumented, "a = 1"),
    (source_rules.undocumented, '"""M."""\ndef f(): ...'),
    (source_rules.undocumented, '"""M."""\nclass C: ...'),
    (source_rules.undocumented, '"""M."""\nclass C:\n  """C."""\n  async def m(self): ...'),
    (source_rules.unreasoned_exceptions, f"import os  {NOQA}"),
    (source_rules.unreasoned_exceptions, f"import os  {NOQA}: F401"),
    (source_rules.unreasoned_exceptions, f"import os  {NOQA}: because I said so"),
    (source_rules.unreasoned_exceptions, f"a = b  {IGNORE}"),
    (source_rules.unreasoned_exceptions, f"a = b  {IGNORE}[misc]  the stub is wrong"),
    (source_rules.environment_reads, "import os\nos.environ['A']"),
    (source_rules.environment_reads, "import os as o\nimport os\nos.getenv('A')"),
    (source_rules.environment_reads, "from os import path, environ"),
    (source_rules.wall_clock_reads, "from datetime import datetime\ndatetime.now(tz=UTC)"),
    (source_rules.wall_clock_reads, "import datetime\ndatetime.datetime.utcnow()"),
    (source_rules.wall_clock_reads, "from datetime import date\ndate.today()"),
    (source_rules.wall_clock_reads, "import time\ntime.time()"),
    (source_rules.wall_clock_reads, "from time import time_ns"),
    (source_rules.patches, "def test_a(monkeypatch): ..."),
    (source_rules.patches, "from unittest import mock"),
    (source_rules.patches, "from unittest.mock import Mock"),
    (source_rules.patches, "import unittest.mock"),
]


@pytest.mark.parametrize(("rule", "source"), VALID)
def test_what_is_right_gives_no_finding(rule: Rule, source: str) -> None:
    """A rule that cries at right code would be switched off."""
    assert rule(source) == []


@pytest.mark.parametrize(("rule", "source"), INVALID)
def test_what_is_wrong_is_found(rule: Rule, source: str) -> None:
    """A rule that finds nothing guards nothing."""
    assert len(rule(source)) == 1


def test_function_lines_run_from_def_to_the_end() -> None:
    """Decorators do not count; docstring, blank lines and nested functions do."""
    source = '@wrap\n@twice\ndef f() -> None:\n  """F."""\n\n  def g() -> int:\n    return 1\n\n  g()\n\na = 1\n'
    assert source_rules.functions(source) == [("f", 7), ("g", 2)]


def test_code_lines_leave_out_what_is_written_for_people() -> None:
    """Comments, blank lines and docstrings (an attribute's too) are no code; a text that is data is."""
    documented = '"""M.\n\nMore.\n"""\n\n# why\na = 1  # how\n"""What a is."""\n'
    source = documented + 'b = """x\ny"""\n\n\ndef f() -> None:\n  """F."""\n'
    assert source_rules.code_lines(source) == 4


def test_names_that_say_nothing_are_found_in_folders_and_files() -> None:
    """A forbidden name counts as a whole part of the path."""
    paths = ["a/utils.py", "a/shared/b.py", "a/basement.py", "core.py", "a/score.py"]
    assert source_rules.forbidden_names(paths) == ["a/utils.py", "a/shared/b.py", "core.py"]
