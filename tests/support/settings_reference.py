"""Writes docs/reference/settings.md from the settings' own types: ``python -m tests.support.settings_reference``."""

import typing
from pathlib import Path
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct, structs

from appliance.cdr.dialect import Layout
from appliance.settings import Settings, description_of

REFERENCE = Path(__file__).parents[2] / "docs/reference/settings.md"
HEAD = """\
# Settings

Generated from `appliance/settings.py` by `python -m tests.support.settings_reference`; do not edit.

The appliance reads one TOML file (`--settings`, by default `/etc/natalia/appliance.toml`). `SITE.toml` for
`natalia-appliance preview --site` holds the tables `[site]`, `[privacy]` and, in place of `[feeds.layout]`, `[layout]`.
An option that is not listed here is refused, every mistake is reported at once, and nothing invalid falls back to a
default.
"""


def render() -> str:
    """The whole document."""
    tables = [_table(f"[{item.encode_name}]", item.type) for item in structs.fields(Settings)]
    return HEAD + "".join(tables) + _table("[feeds.layout]", Layout)


def _table(title: str, of: Any) -> str:
    kind = _struct_of(of)
    if kind is not of:
        title = f"[{title}]"
    lines = [f"\n## `{title}`\n", f"{(kind.__doc__ or '').splitlines()[0]}\n"]
    lines += ["| option | what it is | form | default |", "|---|---|---|---|"]
    lines += [_row(option) for option in structs.fields(kind) if option.type is not Layout]
    return "\n".join(lines) + "\n"


def _row(option: structs.FieldInfo) -> str:
    default = "required" if option.default is NODEFAULT else f"`{_toml(option.default)}`"
    return f"| `{option.encode_name}` | {description_of(option.type)} | {_form(option.type)} | {default} |"


def _struct_of(kind: Any) -> type[Struct]:
    """The table itself, or the element of a list of tables."""
    while not (isinstance(kind, type) and issubclass(kind, Struct)):
        kind = typing.get_args(kind)[0]
    return kind


def _form(kind: Any) -> str:
    schema = msgspec.json.schema(kind, schema_hook=lambda _: {"type": "string"})
    if "anyOf" in schema:
        schema = next(choice for choice in schema["anyOf"] if choice != {"type": "null"})
    bounds = [schema.get(lower, schema.get(exclusive)) for lower, exclusive in _BOUNDS]
    limits = "" if bounds == [None, None] else f", {'above ' if 'exclusiveMinimum' in schema else ''}{_span(bounds)}"
    if schema.get("type") == "array":
        return f"list of {_form_of_items(schema['items'])}"
    return f"{schema['type']}{limits}" if "type" in schema else " or ".join(f"`{value}`" for value in schema["enum"])


_BOUNDS = (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))


def _form_of_items(schema: dict[str, Any]) -> str:
    bounds = f", {_span([schema['minimum'], schema['maximum']])}" if "minimum" in schema else ""
    return f"{schema['type']}s{bounds}"


def _span(bounds: list[Any]) -> str:
    return f"{bounds[0]} to {bounds[1]}"


def _toml(value: object) -> str:
    if value is None:
        return "none"
    return f'"{value}"' if isinstance(value, str) else str(list(value) if isinstance(value, tuple) else value)


if __name__ == "__main__":
    REFERENCE.parent.mkdir(exist_ok=True)
    REFERENCE.write_text(render())
