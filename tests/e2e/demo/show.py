"""The demo's table: each call as the API returns it, and above it the line that the PBX had written."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

Call = dict[str, Any]
WIDTH = 118
COLUMNS = (("started (UTC)", 19), ("direction", 9), ("disposition", 11), ("calling", 32), ("called", 32), ("talk", 5))


def party(value: Call | None) -> str:
    """A party as an analyst sees it: category, a few letters of the pseudonym, clear digits."""
    if value is None:
        return ""
    pseudonym = f" {value['pseudonym'][:9]}…" if value["pseudonym"] else ""
    digits = f" …{value['clear_digits']}" if value["clear_digits"] else ""
    return f"{value['category']}{pseudonym}{digits}"


def row(call: Call) -> str:
    """One call as a table row."""
    cells = (
        call["started_at"][:19].replace("T", " "),
        call["direction"],
        call["disposition"],
        party(call["calling"]),
        party(call["called"]) + (" ↪" if call["forwarded_to"] else ""),
        str(call["talk_seconds"]),
    )
    return "  ".join(cell.ljust(width)[:width] for cell, (_, width) in zip(cells, COLUMNS, strict=True))


def telling(pairs: Sequence[tuple[bytes, Call]]) -> Call:
    """The call that shows most: an external party, and a forward if there is one."""

    def score(call: Call) -> int:
        return sum(
            side is not None and side["category"] == "external" for side in (call["calling"], call["forwarded_to"])
        )

    return max((call for _, call in pairs), key=score)


def choose(pairs: Sequence[tuple[bytes, Call]], count: int = 10) -> list[tuple[bytes, Call]]:
    """A few calls that differ in kind: direction, disposition, categories, forwards."""
    chosen: dict[tuple[object, ...], tuple[bytes, Call]] = {}
    for line, call in pairs:
        kind = (
            call["direction"],
            call["calling"]["category"],
            call["called"]["category"],
            call["forwarded_to"] is not None,
        )
        chosen.setdefault(kind, (line, call))
    rest = [pair for pair in pairs if pair not in chosen.values()] if len(chosen) < count else []
    return [*chosen.values(), *rest][:count]


def table(pairs: Iterable[tuple[bytes, Call]]) -> list[str]:
    """What the PBX wrote, and below each line what the API returns of it."""
    head = "  ".join(name.ljust(width) for name, width in COLUMNS)
    lines = ["what the PBX wrote (stays on site), and below it the call as the API returns it:", "", f"  {head}"]
    for written, call in pairs:
        text = written.decode("utf-8", errors="replace").strip()
        lines += [f"- {text if len(text) <= WIDTH else text[: WIDTH - 1] + '…'}", f"+ {row(call)}"]
    return lines


def whole(call: Call) -> list[str]:
    """One record in full, as it left the site."""
    return ["one of them in full, as it left the site:", "", *json.dumps(call, indent=2).splitlines()]
