"""A real Asterisk for tests and the demo: Debian's own package in a folder, with calls whose records it writes itself.

The host is not touched: the package lies in a tree that mmdebstrap makes, and Asterisk runs in its own mount, PID,
IPC and network namespaces, where no interface is up, so it can listen to nobody. Its mounts end with its processes,
and these end with the thread that started them, however that ends. Needs root (chroot, namespaces) and Debian 12 or 13.

Debian has Asterisk in sid only, so the tree is sid's, from the archive that the machine's own apt uses: no host name
stands here. The dialplan is invented and lies, with all other settings, in ``tests/support/asterisk/``.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path
from typing import IO, ClassVar, Final, Self

from image.apt_sources import AptSource, carried_apt_options, debian_archives

SETTINGS: Final = Path(__file__).parent / "asterisk"
SUITE: Final = "sid"
PACKAGES: Final = "asterisk,tzdata"
ZONE: Final = "Europe/Brussels"
ORIGINATING_END: Final = "s@far-end"

# One round of calls, each DIALLED@CALLER with the contexts of extensions.conf. Two are forwarded and leave two rows.
CALLS: Final = (
    "102@caller-101",
    "0025550151@caller-101",
    "025550111@caller-landline",
    "104@caller-101",
    "025550112@caller-mobile",
    "105@caller-102",
    "106@caller-103",
    "025550113@caller-abroad",
    "00470550157@caller-102",
    "025550111@caller-withheld",
    "000442079460159@caller-103",
    "025550114@caller-anonymous",
    "*97@caller-101",
    "025550116@caller-landline",
    "0025550158@caller-101",
)

_START_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 120.0
_COMMAND_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.25


class AsteriskTreeError(Exception):
    """Root of what this module raises on purpose: a stable ``code`` and a ``hint`` with the next step."""

    code: ClassVar[str] = "asterisk_tree"
    hint: ClassVar[str] = "Read the lines above."


class NotRootError(AsteriskTreeError):
    """The caller may neither change root nor make namespaces."""

    code = "asterisk_needs_root"
    hint = "Run the command as root, or with sudo."


class AptUnusableError(AsteriskTreeError):
    """The machine's apt names no Debian archive, or cannot install mmdebstrap."""

    code = "asterisk_no_archive"
    hint = "Use Debian 12 or 13 with a working /etc/apt/sources.list or sources.list.d; check `apt-get update`."


class TreeBuildError(AsteriskTreeError):
    """Sid's Asterisk is not to be had from any archive the machine knows."""

    code = "asterisk_unavailable"
    hint = "The archive must offer Debian sid with the package asterisk; see mmdebstrap's lines above."


class AsteriskStartError(AsteriskTreeError):
    """Asterisk did not come up."""

    code = "asterisk_not_started"
    hint = "See asterisk.log in the run's folder; namespaces need a machine or container that allows unshare."


class AsteriskCommandError(AsteriskTreeError):
    """The running Asterisk refused a command, or its calls did not end in time."""

    code = "asterisk_command_refused"
    hint = "See asterisk.log in the run's folder."


def _contained(command: Sequence[str], *, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a command in namespaces of its own, with no network, that end with the calling thread."""
    guard = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child=KILL"]
    return subprocess.Popen(
        [*guard, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches the caller alone, who then ends the child in order
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a contained command with all its descendants and wait until they and their mounts are gone.

    The namespace's first process is killed rather than ``unshare``, which returns only when that process is reaped, and
    the kernel lets it be reaped only after every other process in the namespace.
    """
    if process.poll() is None:
        first = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
        for pid in first:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        if not first:
            process.kill()
    process.wait()


class AsteriskTree:
    """Build, start, use and stop one Asterisk. A context manager: leaving it stops Asterisk.

    Call ``start`` from a thread that lives as long as Asterisk is needed: the kernel ends Asterisk with that thread.
    """

    def __init__(self, tree: Path, log: Callable[[str], None] = print, *, apt: Path = Path("/etc/apt")) -> None:
        """Take the tree's folder, which need not exist, where lines of progress go, and apt's settings."""
        self.tree = tree.absolute()
        self._log = log
        self._apt = apt
        self._process: subprocess.Popen[bytes] | None = None
        self._workdir: Path | None = None

    def __enter__(self) -> Self:
        """Return itself; nothing is started yet."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop Asterisk, whatever happened."""
        self.stop()

    @property
    def pid(self) -> int:
        """The process whose end, by whatever means, ends Asterisk and all its mounts.

        Raises:
            AsteriskStartError: Asterisk was not started.
        """
        return self._running().pid

    @property
    def master_csv(self) -> Path:
        """The file that Asterisk's cdr_csv appends to, on the host's side; absent until the first call ends.

        Raises:
            AsteriskStartError: Asterisk was never started, so no folder is known.
        """
        if self._workdir is None:
            raise AsteriskStartError("start() has not been called")
        return self._workdir / "srv" / "log" / "cdr-csv" / "Master.csv"

    def build(self) -> None:
        """Make the tree unless it is there: about a minute, 330 MB.

        Raises:
            NotRootError: the caller is not root.
            AptUnusableError: apt names no Debian archive or cannot install mmdebstrap.
            TreeBuildError: no archive gave sid's Asterisk.
        """
        if self._is_built():
            self._log(f"asterisk: using the tree in {self.tree}")
            return
        archives = debian_archives(self._apt)
        if not archives:
            raise AptUnusableError("the machine's apt settings name no Debian archive")
        _require_root()
        self._install_mmdebstrap()
        partial = self.tree.with_name(f"{self.tree.name}.partial")
        for archive in archives:
            if self._bootstrap(archive, partial):
                partial.rename(self.tree)
                self._log(f"asterisk: tree ready in {self.tree}")
                return
        raise TreeBuildError(f"mmdebstrap failed with each of {len(archives)} archives")

    def _is_built(self) -> bool:
        """Tell whether the tree is whole: it gets its name only when mmdebstrap is done."""
        return (self.tree / "usr/sbin/asterisk").is_file()

    def _install_mmdebstrap(self) -> None:
        """Install mmdebstrap from the machine's own release when it is missing."""
        if shutil.which("mmdebstrap"):
            return
        self._log("asterisk: installing mmdebstrap")
        install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "mmdebstrap"]
        for command in (["apt-get", "update", "--quiet"], install):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            done = subprocess.run(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            if done.returncode:
                self._log(done.stdout)
                raise AptUnusableError(f"`{' '.join(command)}` ended with {done.returncode}")

    def _bootstrap(self, archive: AptSource, partial: Path) -> bool:
        """Make the tree in ``partial`` from one archive; tell whether that worked."""
        self._log(f"asterisk: building {SUITE} with {PACKAGES} in {partial} (about a minute)")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        dump = subprocess.run(["apt-config", "dump"], stdout=subprocess.PIPE, text=True, check=True).stdout
        with tempfile.TemporaryDirectory() as folder:
            sources, options = Path(folder, "debian.sources"), Path(folder, "options")
            sources.write_text(archive.stanza(SUITE), "utf-8")
            options.write_text(carried_apt_options(dump), "utf-8")
            make = ["--mount-proc", "mmdebstrap", "--variant=essential", f"--include={PACKAGES}"]
            command = [*make, f"--aptopt={options}", SUITE, str(partial), str(sources)]
            with _contained(command, output=subprocess.PIPE) as process:
                try:
                    for line in process.stdout or ():
                        self._log(f"  {line.decode('utf-8', 'replace').rstrip()}")
                    process.wait()
                finally:
                    _end(process)
        # The machine's apt options may hold a proxy's password; the tree never installs anything again.
        (partial / "etc/apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
        if process.returncode:
            shutil.rmtree(partial, ignore_errors=True)
            return False
        # Asterisk's own ast_tzset reads this file and not TZ (main/stdtime/localtime.c).
        localtime = partial / "etc/localtime"
        localtime.unlink(missing_ok=True)
        localtime.symlink_to(f"/usr/share/zoneinfo/{ZONE}")
        return True

    def start(self, workdir: Path) -> None:
        """Start Asterisk; settings, sockets, logs and records go into ``workdir``, which may hold an earlier run's.

        Raises:
            NotRootError: the caller is not root.
            AsteriskStartError: it did not come up within a minute; ``asterisk.log`` in ``workdir`` says why.
        """
        _require_root()
        if not self._is_built():
            raise AsteriskStartError(f"there is no tree in {self.tree}: call build() first")
        self.stop()
        self._workdir = workdir.absolute()
        own = self._workdir / "srv"
        self._lay_out(own)
        command = ["--net", str(SETTINGS / "inside.sh"), str(self.tree), str(own)]
        with (self._workdir / "asterisk.log").open("wb") as output:
            self._process = _contained(command, output=output)
        try:
            self._wait_until_booted()
        except BaseException:
            self.stop()
            raise
        self._log("asterisk: up, in namespaces of its own, listening nowhere")

    def make_calls(self, count: int) -> int:
        """Make ``count`` calls at once, round and round ``CALLS``, and wait until the last has ended (about 10 s).

        Returns:
            The rows that Asterisk wrote meanwhile: one a call, two for a call that was forwarded.

        Raises:
            AsteriskStartError: Asterisk is not running.
            AsteriskCommandError: a call was refused, or the calls did not end within two minutes.
        """
        before = self._rows()
        for call in islice(cycle(CALLS), count):
            answer = self._command(f"channel originate Local/{call}/n extension {ORIGINATING_END}")
            if answer.strip():
                raise AsteriskCommandError(f"a call was refused: {answer.strip()}")
        self._wait_until_quiet()
        rows = self._rows() - before
        self._log(f"asterisk: {count} calls made, {rows} rows written")
        return rows

    def stop(self) -> None:
        """Stop Asterisk: at its own pace if it can, else at once. Does nothing when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if process.poll() is None:
                with suppress(subprocess.TimeoutExpired, AsteriskCommandError):
                    self._enter(process, "core stop now")
                    process.wait(_STOP_SECONDS)
        finally:
            _end(process)

    def _lay_out(self, own: Path) -> None:
        """Make the folders that asterisk.conf names, with the settings, and give them to the tree's own user.

        Modes are set, not inherited: the caller's umask and temporary folders shut out the user Asterisk becomes.
        """
        passwd = (self.tree / "etc/passwd").read_text("utf-8")
        uid, gid = (int(number) for number in passwd.partition("\nasterisk:")[2].split(":")[1:3])
        for folder in (own, *(own / name for name in ("etc", "db", "spool", "run", "log", "log/cdr-csv"))):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)
            os.chown(folder, uid, gid)
        for settings in SETTINGS.glob("*.conf"):
            copy = own / "etc" / settings.name
            copy.write_bytes(settings.read_bytes())
            copy.chmod(0o644)

    def _wait_until_booted(self) -> None:
        """Wait until every module is loaded."""
        process = self._running()
        deadline = time.monotonic() + _START_SECONDS
        while "fully booted" not in self._enter(process, "core waitfullybooted").stdout:
            if process.poll() is not None:
                raise AsteriskStartError(f"asterisk ended with {process.returncode} while starting")
            if time.monotonic() > deadline:
                raise AsteriskStartError("asterisk did not come up in time")
            time.sleep(_POLL_SECONDS)

    def _wait_until_quiet(self) -> None:
        """Wait until no channel is left and Master.csv has stopped growing."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        rows = -1
        while (busy := not self._command("core show channels count").startswith("0 ")) or rows != self._rows():
            if time.monotonic() > deadline:
                raise AsteriskCommandError(f"calls did not end in time (channels left: {busy})")
            rows = self._rows()
            time.sleep(_POLL_SECONDS)

    def _rows(self) -> int:
        """Count the rows of Master.csv; no invented value holds a line end."""
        return self.master_csv.read_bytes().count(b"\n") if self.master_csv.exists() else 0

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the running process."""
        if self._process is None:
            raise AsteriskStartError("asterisk is not running")
        return self._process

    def _command(self, command: str) -> str:
        """Give a command to the running Asterisk and return what it printed."""
        done = self._enter(self._running(), command)
        if done.returncode:
            raise AsteriskCommandError(f"`asterisk -rx` ended with {done.returncode}")
        return done.stdout

    def _enter(self, process: subprocess.Popen[bytes], command: str) -> subprocess.CompletedProcess[str]:
        """Run ``asterisk -rx`` where the run's folder is mounted: in the mount namespace of the started process."""
        inside = ["nsenter", "--target", str(process.pid), "--mount", "chroot", str(self.tree)]
        try:
            return subprocess.run(
                [*inside, "/usr/sbin/asterisk", "-C", "/srv/etc/asterisk.conf", "-rx", command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise AsteriskCommandError("asterisk did not answer a command in time") from None


def _require_root() -> None:
    """Refuse early what would fail late."""
    if os.geteuid() != 0:
        raise NotRootError("making a tree and entering it needs root")
