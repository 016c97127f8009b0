"""Find statements on a tenant's table that do not go through ``receiver/storage/tenant_scope.py``.

A statement is run by a call of ``execute``, ``scalar(s)``, ``stream(_scalars)`` or ``exec_driver_sql``. Rules:

- outside ``receiver/storage`` and the migrations nobody runs statements, imports a table or opens a session or an
  engine's connection;
- in storage, a function that runs statements and touches a tenant's table (an imported table, SQL text that names
  one, or a module's own name built from either) runs them on its parameter annotated ``TenantSession``, and on
  nothing else;
- only ``tenant_scope`` makes a session.

Names are followed within one module. A table is a tenant's if its module in ``receiver/schema`` has a ``tenant_id``;
the list of tenants itself is the operator's.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Final

DOOR: Final = "receiver/storage/tenant_scope.py"
_RUNS: Final = {"execute", "scalar", "scalars", "stream", "stream_scalars", "exec_driver_sql", "run_sync"}
_RUNS_OUTSIDE: Final = _RUNS - {"stream"}
"""A request's body has a ``stream`` too."""
_SESSIONS: Final = {"TenantSession", "AsyncSession", "Session", "sessionmaker", "async_sessionmaker"}
_OPERATORS_TABLE: Final = "tenant"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def tenant_tables(schema_sources: Iterable[str]) -> set[str]:
    """Give the names of the tables that have a ``tenant_id``, from the sources of ``receiver/schema``."""
    calls = [node for source in schema_sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    tables = [call for call in calls if _title(call.func) == "Table" and "'tenant_id'" in ast.unparse(call)]
    return {str(ast.literal_eval(table.args[0])) for table in tables} - {_OPERATORS_TABLE}


def unscoped(path: str, source: str, tables: set[str]) -> list[str]:
    """Give ``line: what`` for every statement of the module at ``path`` that is past the door."""
    if path == DOOR or path.startswith("receiver/migrations/"):
        return []
    tree = ast.parse(source)
    in_storage = path.startswith("receiver/storage/")
    found = list(_sessions_made(tree))
    if in_storage:
        return found + [item for function in _functions(tree) for item in _unscoped_in(function, tree, tables)]
    return found + list(_statements_outside(tree, path))


def _statements_outside(tree: ast.Module, path: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _RUNS_OUTSIDE:
            yield f"{node.lineno}: {node.func.attr} outside storage"
        module = getattr(node, "module", None) or ""
        if isinstance(node, ast.ImportFrom) and module.startswith("receiver.schema") and "/schema/" not in path:
            yield f"{node.lineno}: a table outside storage"


def _sessions_made(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _title(node.func) in _SESSIONS:
            yield f"{node.lineno}: makes a {_title(node.func)}"


def _unscoped_in(function: Function, tree: ast.Module, tables: set[str]) -> Iterator[str]:
    if not _touches(function, _tainted(tree, tables), tables):
        return
    arguments = function.args
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    scoped = {item.arg for item in parameters if item.annotation and _title(item.annotation) == "TenantSession"}
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _RUNS:
            owner = node.func.value
            if not (isinstance(owner, ast.Name) and owner.id in scoped):
                yield f"{node.lineno}: {function.name} runs a tenant's statement past its TenantSession"


def _tainted(tree: ast.Module, tables: set[str]) -> set[str]:
    """Give the module's names that stand for a tenant's table or a statement on one, until no more are found."""
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("receiver.schema")
        for alias in node.names
        if alias.name in tables
    }
    while True:
        more = {title for node in tree.body for title in _defines(node) if _touches(node, names, tables)} - names
        if not more:
            return names
        names |= more


def _defines(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, Function):
        yield node.name
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    yield from (target.id for target in targets if isinstance(target, ast.Name))


def _touches(node: ast.AST, names: set[str], tables: set[str]) -> bool:
    statement = re.compile(
        rf"\b(?:FROM|INTO|UPDATE|JOIN|TABLE|ONLY)\s+(?:natalia\.)?(?:{'|'.join(sorted(tables))})\b", re.IGNORECASE
    )
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id in names and isinstance(inner.ctx, ast.Load):
            return True
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and statement.search(inner.value):
            return True
    return False


def _functions(tree: ast.Module) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def _title(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
