"""Starts the real daemon hundreds of times: one process imports it once, and a fork of it is each start.

Importing takes most of a start. What runs in the fork is the command itself (``natalia-appliance run``), in a process
of its own that can be killed; nothing of the product was started before the fork.

As a program it takes ``start`` and ``reap PID`` on stdin and answers with a process id or an exit status.
"""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from appliance.cli import main as appliance_command


class Nursery:
    """Client of the program: at most one daemon at a time, on one settings file and one log."""

    def __init__(self, settings: Path, log: Path) -> None:
        self._command = [sys.executable, "-m", "tests.support.daemon_nursery", str(settings), str(log)]
        self.pid = 0

    def __enter__(self) -> Self:
        """Start the program."""
        self._program = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the daemon, if one runs, and the program."""
        if self.pid:
            self.kill()
        self._program.communicate()

    def start(self) -> None:
        """Start the daemon."""
        self.pid = self._ask("start")

    def kill(self) -> int:
        """SIGKILL; give the wait status, which tells if it had ended before."""
        os.kill(self.pid, signal.SIGKILL)
        status, self.pid = self._ask(f"reap {self.pid}"), 0
        return status

    def _ask(self, request: str) -> int:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(f"{request}\n")
        self._program.stdin.flush()
        return int(self._program.stdout.readline())


def main() -> None:
    """Serve requests until stdin ends."""
    settings, log = sys.argv[1:]
    for line in sys.stdin:
        request, *arguments = line.split()
        if request == "start":
            answer = os.fork() or _be_the_daemon(settings, log)
        else:
            answer = os.waitpid(int(arguments[0]), 0)[1]
        print(answer, flush=True)  # noqa: T201 - the answer


def _be_the_daemon(settings: str, log: str) -> int:
    os.setsid()
    random.seed()
    with Path(log).open("ab") as file, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    status = 1
    try:
        appliance_command(["run", "--settings", settings])
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
