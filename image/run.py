"""The one door to other programs: each command is logged as it can be pasted into a shell, with its time.

Nothing is passed through a shell. A program that fails raises; its output stands in the log file.
"""

import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.errors import CommandError


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs programs for one build."""

    log: Path
    """Commands and their output are appended here."""
    say: Callable[[str], None]
    """Is told of each stage."""

    def run(self, command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None) -> None:
        """Run a program to its end.

        Raises:
            CommandError: it cannot be started, or ended with an error.
        """
        self._run(command, environment, output=None)

    def capture(self, command: Sequence[str | Path]) -> bytes:
        """Run a program and give what it wrote to stdout. Raises as ``run``."""
        return self._run(command, None, output=subprocess.PIPE)

    def stage(self, name: str) -> "Stage":
        """Say what is done now, and afterwards how long it took."""
        return Stage(self, name)

    def _run(
        self, command: Sequence[str | Path], environment: Mapping[str, str] | None, *, output: int | None
    ) -> bytes:
        # env(1) sets them, so that the line in the log is the whole command.
        given = [f"{name}={value}" for name, value in (environment or {}).items()]
        words = [*(["env", *given] if given else []), *(str(word) for word in command)]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            log.write(f"+ {shlex.join(words)}\n".encode())
            log.flush()
            try:
                done = subprocess.run(  # noqa: S603 - the one door; a list of words, no shell
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=log if output is None else output,
                    stderr=log,
                    check=False,
                )
            except OSError as error:
                raise CommandError(f"{words[0]}: {error.strerror}") from None
        if done.returncode:
            raise CommandError(f"{shlex.join(words)}: ended with {done.returncode}; see {self.log}")
        return done.stdout or b""


class Stage:
    """A part of the build, in a ``with``."""

    def __init__(self, runner: Runner, name: str) -> None:
        """Name it."""
        self._runner = runner
        self._name = name
        self._began = 0.0

    def __enter__(self) -> None:
        """Begin."""
        self._began = time.monotonic()
        self._runner.say(f"==> {self._name}")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Say how long it took."""
        if error is None:
            self._runner.say(f"    {self._name}: {time.monotonic() - self._began:.0f} s")
