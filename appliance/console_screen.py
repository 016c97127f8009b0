"""The one screen that the appliance shows on its consoles: 80 by 24 characters, made of values.

Rules: whatever the values, it has that size and only printable characters; what there is to do stands below, a page at
a time where it does not fit, since no key turns a page. Nothing of calls or of people is on it.

Not here: where the values come from, and the terminal (``cli.console``).
"""

import textwrap
from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Final

from msgspec import Struct

WIDTH: Final = 80
HEIGHT: Final = 24
SUPPORT_URL: Final = "https://natalia.invalid/support"
SUPPORT_QR: Final = (
    "█████████████████████████████",
    "██ ▄▄▄▄▄ █▀▀▄▄ ▀▄▄ █ ▄▄▄▄▄ ██",
    "██ █   █ █ ▄▄▄ ▄▀▄ █ █   █ ██",
    "██ █▄▄▄█ ██▄  █ ▀▀▀█ █▄▄▄█ ██",
    "██▄▄▄▄▄▄▄█ █▄█ ▀ ▀▄█▄▄▄▄▄▄▄██",
    "██ ▀████▄▀ ▀█  █▄▄▄▄ █▀  ▄███",
    "████  ▀ ▄██▄▀▄▄█▀██▄▀  ▀█▄▄██",
    "██▀█▄█▀ ▄▄  ▀█▀ █ ▀▀█ █ ▄▄███",
    "██ █ ▄▀▄▄   ▄█▀▀▄▀▀▄▄▀▀▄ ▀▀██",
    "██▄█▄▄██▄█▀▄▄█▄█ ▀ ▄▄▄ ▀ ▀▄██",
    "██ ▄▄▄▄▄ ██▀▀▀▄▄▄▀ █▄█ ▀  ███",
    "██ █   █ ███ ▄▀▀▀█▄▄ ▄▄▀▀▄▀██",
    "██ █▄▄▄█ ██▀▄█▀ ▄ ▄ ▀▀▄▄██▄██",
    "██▄▄▄▄▄▄▄█▄█▄▄▄▄█▄▄▄▄█▄█▄▄▄██",
    "▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀",
)
"""``SUPPORT_URL`` in capitals, for a light pen on dark ground: QR code 2-M (ISO/IEC 18004), two modules a character."""
_QR_WIDTH: Final = 29
_LEFT: Final = WIDTH - _QR_WIDTH - 1
_LABEL: Final = 13
_BELOW: Final = HEIGHT - len(SUPPORT_QR) - 3
"""Lines for what there is to do."""
_TITLE: Final = "Natalia appliance"
_NOTHING: Final = "Nothing to do."


class Screen(Struct, frozen=True, kw_only=True):
    """What is on it."""

    now: datetime
    """Aware, UTC."""
    rows: Sequence[tuple[str, str]]
    """Label and text; a long text takes up to two lines."""
    tasks: Sequence[str]
    """What there is to do, in sentences, the gravest first."""


def render(screen: Screen, *, turn: int = 0) -> list[str]:
    """Give 24 lines of 80 characters; ``turn`` counts on where there is more to do than fits, from the first page."""
    moment = f"{screen.now:%Y-%m-%d %H:%M:%S} UTC"
    pages = _pages(screen.tasks)
    page = turn % len(pages)
    count = f" ({page + 1} of {len(pages)})" if len(pages) > 1 else ""
    lines = [
        f"{_TITLE}{moment:>{WIDTH - len(_TITLE)}}",
        "=" * WIDTH,
        *(f"{left:<{_LEFT}} {right}" for left, right in zip(_left(screen.rows), SUPPORT_QR, strict=True)),
        f"-- What to do{count} ".ljust(WIDTH, "-"),
        *pages[page],
    ]
    return [_plain(line)[:WIDTH].ljust(WIDTH) for line in lines]


def _left(rows: Sequence[tuple[str, str]]) -> list[str]:
    lines = []
    for label, text in rows:
        wrapped = textwrap.wrap(_plain(text), _LEFT - _LABEL, max_lines=2, placeholder=" ...") or [""]
        lines += [f"{head:<{_LABEL}}{part}" for head, part in zip_longest([label], wrapped, fillvalue="")]
    return [*lines, *[""] * len(SUPPORT_QR)][: len(SUPPORT_QR)]


def _pages(tasks: Sequence[str]) -> list[list[str]]:
    lines = [
        line
        for task in tasks or [_NOTHING]
        for line in textwrap.wrap(_plain(task), WIDTH, initial_indent="* ", subsequent_indent="  ")
    ]
    starts = range(0, max(len(lines), 1), _BELOW)
    return [[*lines[start : start + _BELOW], *[""] * _BELOW][:_BELOW] for start in starts]


def _plain(text: str) -> str:
    """Without what moves a cursor or hides: a value may have come from a stranger's file."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
