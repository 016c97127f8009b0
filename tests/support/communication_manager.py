"""Lines of Communication Manager's CDR for tests, customized and in each standard format; every number is invented."""

from typing import Any

ITEMS = (
    *(("date", 6), ("space", 1), ("time", 4), ("space", 1), ("sec-dur", 5), ("space", 1), ("calling-num", 15)),
    *(("space", 1), ("dialed-num", 23), ("space", 1), ("auth-code", 13), ("space", 1), ("in-trk-code", 4)),
    *(("in-crt-id", 3), ("space", 1), ("code-dial", 4), ("space", 1), ("code-used", 4), ("out-crt-id", 3)),
    *(("space", 1), ("cond-code", 1), ("space", 1), ("return", 1), ("line-feed", 1)),
)
"""The customized layout of OlegPowerC/avayacdrparce."""
UNDATED = (
    *(("time", 4), ("space", 1), ("duration", 4), ("cond-code", 1), ("space", 1), ("clg-num-in-tac", 15)),
    *(("space", 1), ("dialed-num", 18), ("in-trk-code", 4), ("out-crt-id", 3), ("-", 5), ("ucid", 20)),
)
VALUES = {
    "date": "102026",
    "time": "0901",
    "duration": "0010",
    "sec-dur": "60",
    "calling-num": "0470112233",
    "clg-num-in-tac": "0470112233",
    "dialed-num": "2101",
    "in-trk-code": "801",
    "cond-code": "9",
}
STANDARD = {
    "teleseer": "space:3 time:4 duration:4 cond-code:1 -:6 dialed-num:15 calling-num:5 -:38",
    "printer": "time:4 space:1 duration:4 space:1 cond-code:1 -:9 dialed-num:15 space:1 calling-num:5 -:41",
    "enhanced printer": "time:4 space:1 duration:4 space:1 cond-code:1 -:11 dialed-num:15 space:1 calling-num:5 -:40",
    "lsu-expand": "time:4 space:1 duration:4 space:1 cond-code:1 -:8 dialed-num:15 space:1 calling-num:4 -:34",
    "unformatted": "time:4 duration:4 cond-code:1 -:8 dialed-num:15 calling-num:10 -:34 in-trk-code:4 -:20",
    "expanded": "time:4 space:1 duration:4 space:1 cond-code:1 -:11 dialed-num:15 space:1 calling-num:10 -:87",
}
"""What the tests fill in of each."""


def layout(items: tuple[tuple[str, int], ...] = ITEMS, date_order: str | None = "mdy") -> dict[str, Any]:
    """The declaration of a customized layout."""
    made: dict[str, Any] = {"columns": [name for name, _ in items], "widths": [width for _, width in items]}
    return made | ({"date_order": date_order} if date_order else {})


def line(changes: dict[str, str] | None = None, items: tuple[tuple[str, int], ...] = ITEMS) -> bytes:
    """One line, the columns named replaced, everything adjusted to the right as the manual says."""
    values = VALUES | (changes or {})
    cells = (values.get(name, "").rjust(width) for name, width in items if name not in {"return", "line-feed"})
    return "".join(cells).encode() + b"\r\n"


def standard(name: str, changes: dict[str, str] | None = None) -> bytes:
    """One line of a standard format."""
    pairs = (item.split(":") for item in STANDARD[name].split())
    return line(
        {"calling-num": "2101", "dialed-num": "00470112233", "cond-code": "A"} | (changes or {}), (*_typed(pairs),)
    )


def _typed(pairs: Any) -> list[tuple[str, int]]:
    return [(column, int(width)) for column, width in pairs]
