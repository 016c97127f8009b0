"""A real receiver for tests and the demo: ``natalia-receiver`` as a process of its own, on a free port.

Rules: it is ended by the process id that started it; after ``stop`` or ``kill`` the embedded database has ended too,
so that the state folder can be removed or started again. It knows no test framework.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_ROOT: Final = Path(__file__).resolve().parents[2]
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 30.0
_READY: Final = "receiver listening on "


class CommandRefusedError(RuntimeError):
    """A command ended with another status than 0; the message is its stderr."""

    def __init__(self, status: int, stderr: str) -> None:
        """Keep the status beside the message."""
        super().__init__(f"status {status}: {stderr}")
        self.status = status
        self.stderr = stderr


class ReceiverProcess:
    """One receiver and its state folder. ``start`` initialises an empty folder first.

    Use as a context manager, or call ``start`` and ``stop``. Admin methods work whether it runs or not.
    """

    def __init__(self, state_dir: Path, *, python: str = sys.executable) -> None:
        """Name the state folder; nothing is started yet."""
        self.state_dir = state_dir
        self._command = [python, "-m", "receiver", "--state", str(state_dir)]
        self._process: subprocess.Popen[str] | None = None
        self._url: str | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def url(self) -> str:
        """``https://127.0.0.1:<port>`` of the running receiver."""
        if self._url is None:
            raise RuntimeError("the receiver is not running")
        return self._url

    @property
    def pid(self) -> int:
        """Process id of the running receiver."""
        if self._process is None:
            raise RuntimeError("the receiver is not running")
        return self._process.pid

    @property
    def trust_anchors(self) -> Path:
        """PEM file of the first root, which stays good for the server certificate through every rollover."""
        return self.state_dir / "ca" / "0001" / "root.pem"

    def start(self, *, port: int = 0) -> None:
        """Initialise the folder where needed, serve, and return once connections are taken."""
        if not (self.state_dir / "receiver.toml").exists():
            self.run("init")
        with (self.state_dir.parent / f"{self.state_dir.name}.serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, "serve", "--port", str(port)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=_ROOT,
            )
        self._url = self._read_ready_line(self._process)

    def stop(self) -> int:
        """End it gracefully (SIGTERM); give its exit status. Without effect when it does not run."""
        return self._end(signal.SIGTERM)

    def interrupt(self) -> int:
        """End it as Ctrl-C does (SIGINT); give its exit status."""
        return self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        self._end(signal.SIGKILL)

    def run(self, *arguments: str) -> str:
        """Run a command of ``natalia-receiver`` on this state folder; give its stdout.

        Raises:
            CommandRefusedError: it ended with another status than 0.
        """
        done = subprocess.run(
            [*self._command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=_ROOT,
            check=False,
            timeout=_START_SECONDS,
        )
        if done.returncode != 0:
            raise CommandRefusedError(done.returncode, done.stderr)
        return done.stdout

    def create_tenant(self, name: str) -> str:
        """Create a tenant; give its id."""
        return self.run("tenant", "create", name).strip()

    def create_api_key(self, tenant: str, *, role: str = "viewer") -> str:
        """Make an API key of the tenant named ``tenant``; give its text."""
        return self.run("api-key", "create", "--tenant", tenant, "--role", role).strip()

    def invite(self, appliance: str, *, tenant: str) -> Path:
        """Invite a machine of the tenant named ``tenant`` to this running receiver; give the invitation's file."""
        out = self.state_dir.parent / f"{tenant}-{appliance}.invitation.toml"
        names = ["--tenant", tenant, "--name", appliance]
        self.run("appliance", "invite", *names, "--url", self.url, "--out", str(out))
        return out

    def _read_ready_line(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            line = process.stdout.readline() if selector.select(_START_SECONDS) else ""
        if not line.startswith(_READY):
            process.kill()
            self._end(signal.SIGKILL)
            raise RuntimeError("the receiver did not start; see the .serve.log beside its state folder")
        return line.removeprefix(_READY).strip()

    def _end(self, number: signal.Signals) -> int:
        process, self._process, self._url = self._process, None, None
        if process is None:
            return 0
        if process.poll() is None:
            os.kill(process.pid, number)
        status = process.wait(_STOP_SECONDS)
        assert process.stdout is not None
        process.stdout.close()
        self._await_database_end()
        return status

    def _await_database_end(self) -> None:
        """The database ends by itself once its last user has; wait until its files are at rest."""
        end = time.monotonic() + _STOP_SECONDS
        while (self.state_dir / "postgres" / "data" / "postmaster.pid").exists() and time.monotonic() < end:
            time.sleep(0.02)
