"""The command that shows the appliance on its consoles: ``console``."""

import asyncio
import itertools
import os
import signal
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from appliance.cli.console_view import Findings, screen_of
from appliance.clock import SystemClock
from appliance.console_screen import render
from appliance.machine_facts import read_facts

REDRAW_SECONDS: Final = 2.0
DRAWS_A_PAGE: Final = 3
_KEYS: Final = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
"""What a terminal makes of keys."""
_HOME: Final = "\x18\x1b[0m\x1b[?25l\x1b[H"
"""End a sequence that was cut off; no colours, no cursor, the first line (ECMA-48, and DEC for the cursor)."""
_TO_LINE_END: Final = "\x1b[K"
_TO_SCREEN_END: Final = "\x1b[J"
_LOCAL_FLAGS: Final = 3
"""Where ``termios.tcgetattr`` has them."""
PLACE: Final = click.Path(path_type=Path)


@click.command()
@click.option("--state", "directory", required=True, type=PLACE, help="The appliance's state directory.")
@click.option(
    "--tty",
    "terminals",
    type=PLACE,
    multiple=True,
    help="A terminal to draw on instead of standard output; repeatable.",
)
@click.option("--once", is_flag=True, help="Print the screen once, and end.")
def console(directory: Path, *, terminals: tuple[Path, ...], once: bool) -> None:
    """Show how the appliance is, on one screen that is drawn anew every two seconds and cannot be left.

    Nothing is read from the keyboard. It shows what is there, also before the first boot is finished and while the
    appliance does not run.
    """
    if once:
        click.echo("\n".join(line.rstrip() for line in _lines(directory)))
        return
    for number in _KEYS:
        signal.signal(number, signal.SIG_IGN)
    numbers = _open(terminals) if terminals else [sys.stdout.fileno()]
    for terminal in filter(os.isatty, numbers):
        _silence_keys(terminal)
    asyncio.run(_draw_for_ever(directory, numbers))


async def _draw_for_ever(directory: Path, terminals: list[int]) -> None:
    clock = SystemClock()
    for drawn in itertools.count():
        # No line end after the last line: it would scroll the first one away.
        text = f"{_TO_LINE_END}\r\n".join(_lines(directory, turn=drawn // DRAWS_A_PAGE))
        for number in terminals:
            with suppress(OSError):  # one that is gone or held up must not hold up the others
                os.write(number, f"{_HOME}{text}{_TO_SCREEN_END}".encode())
        await clock.sleep(REDRAW_SECONDS)


def _lines(directory: Path, *, turn: int = 0) -> list[str]:
    return render(screen_of(Findings(directory, read_facts(directory), SystemClock().now())), turn=turn)


def _open(terminals: tuple[Path, ...]) -> list[int]:
    """Those that there are, such that nothing waits for one and no key of one makes a signal."""
    numbers = []
    for path in terminals:
        with suppress(OSError):
            numbers.append(os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
    return numbers


def _silence_keys(terminal: int) -> None:
    """Neither echo keys, which would write over the screen, nor make signals of them."""
    with suppress(termios.error):
        attributes = termios.tcgetattr(terminal)
        attributes[_LOCAL_FLAGS] &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
        termios.tcsetattr(terminal, termios.TCSANOW, attributes)
