"""The real ``natalia-appliance`` as a process: enrolled, supervised, observed through its own commands only."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

APPLIANCE = [sys.executable, "-m", "appliance"]

NO_TPM = "device:/dev/tpmrm9"
"""Where none answers: a test never touches the TPM of the machine that it runs on."""

SETTINGS = f"""\
[appliance]
state_directory = "{{state}}"
tpm = "{NO_TPM}"

[receiver]
url = "{{url}}"

{{site}}
[[feeds]]
id = "main"
dialect = "{{dialect}}"
path = "{{feed}}"
"""


class ApplianceProcess:
    """One appliance with its state below ``directory``, reading ``feed``."""

    def __init__(self, directory: Path, *, url: str, feed: Path, dialect: str, site: str) -> None:
        """Write its settings; ``site`` is the text of a SITE.toml."""
        self.state = directory / "state"
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.settings = directory / "appliance.toml"
        self.settings.write_text(
            SETTINGS.format(state=self.state, url=url, site=site, dialect=dialect, feed=feed), encoding="utf-8"
        )
        self.place = ["--settings", str(self.settings)]
        self.log = directory / "appliance.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts = 0

    def command(self, *arguments: str) -> str:
        """Run one of its commands; give stdout."""
        done = subprocess.run([*APPLIANCE, *arguments, *self.place], check=True, capture_output=True, text=True)
        return done.stdout

    def enroll(self, invitation: Path) -> None:
        """Become an appliance, by the receiver's invitation."""
        self.command("enroll", "--invitation", str(invitation))

    def start(self) -> int:
        """Start the daemon; give its process id."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*APPLIANCE, "run", *self.place],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.process.pid

    def supervise(self) -> bool:
        """Start it again if it has died, as its service manager would; True if that was needed."""
        if self.process is None or self.process.poll() is None:
            return False
        self.restarts += 1
        self.start()
        return True

    def kill(self) -> None:
        """SIGKILL: nothing is written any more."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int | None:
        """SIGTERM and wait; give the exit status."""
        if self.process is None:
            return None
        self.process.terminate()
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def status(self) -> dict[str, Any]:
        """What ``status --json`` says; empty before the first report."""
        try:
            return dict(json.loads(self.command("status", "--json")))
        except subprocess.CalledProcessError:
            return {}

    def counts(self) -> dict[str, int]:
        """The tallies of all feeds and days, as the running daemon last reported them."""
        try:
            report = json.loads((self.state / "status.json").read_bytes())
        except (OSError, ValueError):
            return {}
        total: dict[str, int] = {"waiting": report["buffer"]["records"]}
        for tally in report["buffer"]["tallies"]:
            for kind, number in tally["counts"].items():
                total[kind] = total.get(kind, 0) + number
        return total

    def wait_for(self, done: Callable[[dict[str, int]], bool], *, seconds: float, supervise: bool = True) -> bool:
        """Look at the counts until ``done`` says so; False when the time is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if supervise:
                self.supervise()
            if done(self.counts()):
                return True
            time.sleep(0.1)
        return False
