"""The house rules that a program can check: pure functions from source text to findings or counts.

What is counted, on both sides of every ratio: a *code line* is a physical line that holds a token which is neither a
comment nor part of a docstring. A *function line* is any physical line from ``def`` (decorators left out) to the
function's end, docstring and blank lines included. A finding is ``line: what is wrong``.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from typing import Final

Function = ast.FunctionDef | ast.AsyncFunctionDef
FORBIDDEN_NAMES: Final = frozenset({"utils", "helpers", "common", "misc", "manager", "base", "core", "shared"})
_LAYOUT: Final = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
_WALL_CLOCK: Final = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime"},
}
_REASON: Final = r"\s+\S+(?:\s+\S+)+"
_NOQA: Final = re.compile(rf"#\s*noqa:\s*[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+)*{_REASON}")


def functions(source: str) -> list[tuple[str, int]]:
    """Give each function's name and its number of function lines, nested ones too."""
    return [(node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in _functions(ast.parse(source))]


def code_lines(source: str) -> int:
    """Count the code lines."""
    documentation = {line for node in _docstrings(ast.parse(source)) for line in _lines_of(node)}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _LAYOUT:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - documentation)


def unannotated(source: str) -> list[str]:
    """Find functions with a parameter or a result that has no annotation; ``self`` and ``cls`` need none."""
    return [f"{node.lineno}: {node.name}" for node in _functions(ast.parse(source)) if not _is_annotated(node)]


def undocumented(source: str) -> list[str]:
    """Find a module, public classes and public functions (public methods of public classes) without docstring."""
    tree = ast.parse(source)
    found = [] if ast.get_docstring(tree) else ["1: module"]
    return found + [f"{node.lineno}: {node.name}" for node in _public(tree.body) if not ast.get_docstring(node)]


def unreasoned_exceptions(source: str) -> list[str]:
    """Find ``noqa`` without code and reason, and ``type: ignore``, for which there is no reason."""
    found = []
    for line, comment in _comments(source):
        if re.search(r"#\s*noqa", comment, re.IGNORECASE) and not _NOQA.search(comment):
            found.append(f"{line}: noqa needs a code and a reason")
        if re.search(r"#\s*type:\s*ignore", comment):
            found.append(f"{line}: type: ignore")
    return found


def environment_reads(source: str) -> list[str]:
    """Find every use of the process environment."""
    return list(_uses(ast.parse(source), {"os": {"environ", "environb", "getenv", "getenvb"}}))


def wall_clock_reads(source: str) -> list[str]:
    """Find every read of the wall clock; the monotonic clock is another matter."""
    return list(_uses(ast.parse(source), _WALL_CLOCK))


def patches(source: str) -> list[str]:
    """Find what replaces code under test from outside: the ``monkeypatch`` fixture and ``unittest.mock``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg) and node.arg == "monkeypatch":
            found.append(f"{node.lineno}: monkeypatch")
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [f"{getattr(node, 'module', '')}.{alias.name}" for alias in node.names]
            found += [f"{node.lineno}: {item}" for item in names if "unittest.mock" in item]
    return found


def forbidden_names(paths: Iterable[str]) -> list[str]:
    """Find paths with a part that says nothing."""
    return [path for path in paths if FORBIDDEN_NAMES & set(path.removesuffix(".py").split("/"))]


def _functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def _is_annotated(node: Function) -> bool:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    own = [argument for place, argument in enumerate(positional) if place or argument.arg not in {"self", "cls"}]
    stars = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    return node.returns is not None and all(item.annotation for item in [*own, *arguments.kwonlyargs, *stars])


def _public(body: list[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body)


def _docstrings(tree: ast.AST) -> Iterator[ast.expr]:
    """Give the strings that document a module, class, function or, standing after it, an attribute."""
    for node in ast.walk(tree):
        for statement in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
            is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if is_text and isinstance(statement.value.value, str):
                yield statement.value


def _lines_of(node: ast.expr) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _uses(tree: ast.AST, members: dict[str, set[str]]) -> Iterator[str]:
    """Find ``owner.member`` and ``from owner import member``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in members.get(_last_name(node.value), set()):
            yield f"{node.lineno}: {_last_name(node.value)}.{node.attr}"
        if isinstance(node, ast.ImportFrom):
            taken = members.get(node.module or "", set()) & {alias.name for alias in node.names}
            yield from (f"{node.lineno}: from {node.module} import {name}" for name in sorted(taken))


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
