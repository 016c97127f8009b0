"""Does a step of the authority again and again, and ends before its first, second, third … action on the disk.

As a program: ``python -m tests.receiver.kms.cut_program STEP TEMPLATE WORK``. For each number of actions it copies
TEMPLATE to ``WORK/<number>``, forks, and the fork ends at once before that action, as a power cut would; it prints the
numbers for which it was cut. Python tells an audit hook of each action (``open``, ``os.rename``, …) before it is done.
"""

import os
import shutil
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Final

from receiver.kms.local_authority import LocalFileAuthority
from receiver.kms.local_rollover import LocalRollover
from tests.receiver.authorities import DAY, START

_CUT_STATUS: Final = 9
_ACTIONS: Final = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}
STEPS: Final[dict[str, Callable[[Path], Any]]] = {
    "ensure": lambda site: LocalFileAuthority.ensure(site / "ca", now=START),
    "announce": lambda site: LocalRollover(site / "ca").announce(now=START),
    "announce with the medium": lambda site: LocalRollover(site / "ca").announce(now=START, root_keys=site / "medium"),
    "switch": lambda site: LocalRollover(site / "ca").switch(now=START + DAY),
    "retire": lambda site: LocalRollover(site / "ca").retire(now=START + 300 * DAY),
    "offline": lambda site: LocalRollover(site / "ca").take_offline(site / "medium"),
}
"""Each works on a site: a folder with the authority ``ca`` and the medium for keys."""


def _cut_before(action: int, site: Path) -> None:
    """Arrange that this process ends before its ``action``-th action below ``site``."""
    done = count()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _ACTIONS and _is_below(arguments[0], site) and next(done) == action:
            os._exit(_CUT_STATUS)

    sys.addaudithook(hook)


def _is_below(place: object, site: Path) -> bool:
    """Say whether a path is the site's; a bare name is relative to a folder that ``rmtree`` opened there."""
    return isinstance(place, str | Path) and (str(place).startswith(str(site)) or "/" not in str(place))


def main(step: str, template: Path, work: Path) -> None:
    """Cut the step at every place."""
    for action in count():
        site = work / str(action)
        shutil.copytree(template, site)
        child = os.fork()
        if child == 0:
            _cut_before(action, site)
            STEPS[step](site)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != _CUT_STATUS:
            sys.exit(status)
        sys.stdout.write(f"{action}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
