"""A real software TPM for tests: ``swtpm`` as a process of its own, on ports of its own, with a state folder.

Rules: it is ended by the process id that started it; its two ports (commands, and control beside it) stay its own
from ``Swtpm(...)`` until ``close``, so that a restart answers where it did; a test that wants the bus on record names
``Bus.tcti`` in place of ``Swtpm.tcti``. There is no resource manager: three transient slots, and leaks stay.
"""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_START_SECONDS: Final = 20.0
_HOST: Final = "127.0.0.1"
_SHUTDOWN_CLEAR: Final = bytes.fromhex("8001 0000000c 00000145 0000")
"""TPM2_Shutdown(CLEAR), TPM 2.0 part 3, 9.4: what an operating system sends before power goes."""


class Swtpm:
    """One software TPM. Use as a context manager, or call ``start`` and ``close``."""

    def __init__(self, folder: Path, *, endorsement_certificate: bool = False) -> None:
        """Name the state folder; nothing is started yet.

        Args:
            folder: the TPM's state; made, and manufactured by the first start, if it is not there.
            endorsement_certificate: manufacture with an EK and its certificate of a local CA (a second or two).
        """
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._places = Places()
        if endorsement_certificate and not folder.exists():
            _manufacture(folder)
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and give the ports back."""
        self.close()

    @property
    def running(self) -> bool:
        """Whether the power is on."""
        return self._process is not None

    @property
    def port(self) -> int:
        """The port of the commands; control is the next one."""
        return self._places.port

    @property
    def tcti(self) -> str:
        """What a TPM client is told."""
        return f"swtpm:host={_HOST},port={self.port}"

    def start(self) -> None:
        """Power on; the client must send TPM2_Startup."""
        log = (self.folder.parent / f"{self.folder.name}.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [
                    *("swtpm", "socket", "--tpm2", "--flags", "not-need-init"),
                    *("--tpmstate", f"dir={self.folder}"),
                    *("--server", f"type=tcp,port={self.port},bindaddr={_HOST}"),
                    *("--ctrl", f"type=tcp,port={self.port + 1},bindaddr={_HOST}"),
                ],
                stdout=log,
                stderr=log,
            )
        self._await()

    def stop(self) -> None:
        """Switch off in order: TPM2_Shutdown, then the end."""
        if self._process is None:
            return
        with socket.create_connection((_HOST, self.port), timeout=_START_SECONDS) as connection:
            connection.sendall(_SHUTDOWN_CLEAR)
            connection.recv(64)
        self._process.terminate()
        self._end()

    def kill(self) -> None:
        """Cut the power."""
        if self._process is None:
            return
        self._process.kill()
        self._end()

    def restart(self) -> None:
        """Switch off in order and on again."""
        self.stop()
        self.start()

    def cut_power(self) -> None:
        """Cut the power and switch on again."""
        self.kill()
        self.start()

    def copy_state(self, folder: Path) -> None:
        """Copy the state as a hypervisor's clone does; name the copy to another ``Swtpm``."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns(".lock"))

    def close(self) -> None:
        """Cut the power, if it is on, and give the ports back."""
        self.kill()
        self._places.close()

    def _await(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                break
            # It listens for control first and for commands last.
            with suppress(OSError), socket.create_connection((_HOST, self.port), timeout=1):
                return
            time.sleep(0.01)
        self.kill()
        raise RuntimeError("swtpm does not start; its log stands beside the state folder")

    def _end(self) -> None:
        if self._process is not None:
            self._process.wait(_START_SECONDS)
            self._process = None


class Bus:
    """Everything that goes over the wire to a TPM, both ways; and a place to meddle with it."""

    def __init__(self, tpm: Swtpm, port: int) -> None:
        """Stand before ``tpm``, on ``port`` and the next."""
        self.port = port
        self.commands = 0
        """How many the clients have sent so far."""
        self._tpm = tpm
        self._cut: tuple[int, bool] | None = None
        self._recorded = bytearray()
        self._slipped_in: list[tuple[int, bytes]] = []
        self._falsified: list[tuple[bytes, bytes, int]] = []
        self._lock = threading.Lock()

    @property
    def tcti(self) -> str:
        """The TPM behind the recorder, as a client is told."""
        return f"swtpm:host={_HOST},port={self.port}"

    @property
    def recorded(self) -> bytes:
        """The bytes so far."""
        with self._lock:
            return bytes(self._recorded)

    def slip_in(self, command: bytes, *, before: int, times: int = 1) -> None:
        """Send a whole command before the next ones with the code ``before``, as another program may at any time."""
        self._slipped_in += [(before, command)] * times

    def falsify(self, true: bytes, false: bytes, *, times: int = 1000) -> None:
        """Put ``false``, as long, in the place of ``true`` in what the TPM answers, the next ``times`` times."""
        self._falsified.append((true, false, times))

    def cut_power(self, at: int, *, done: bool) -> None:
        """Cut the TPM's power at its command ``at`` from now: before it, or once it was done but not answered."""
        self._cut = (self.commands + at, done)

    def carry_commands(self, client: socket.socket, tpm: socket.socket) -> None:
        """Pass on commands and responses in turn, until one side ends."""
        while command := message(client):
            code = int.from_bytes(command[6:10], "big")
            due = next((item for item in self._slipped_in if item[0] == code), None)
            if due is not None:
                self._slipped_in.remove(due)
                tpm.sendall(due[1])
                message(tpm)
            if self._cut == (self.commands, False):
                self._tpm.kill()
            tpm.sendall(command)
            response = message(tpm)
            if self._cut == (self.commands, True):
                self._tpm.kill()
                return
            if not response:
                return
            response = self._falsely(response)
            self.commands += 1
            with self._lock:
                self._recorded += command + response
            client.sendall(response)

    def _falsely(self, response: bytes) -> bytes:
        for place, (true, false, times) in enumerate(self._falsified):
            if times and true in response:
                self._falsified[place] = (true, false, times - 1)
                response = response.replace(true, false)
        return response


@contextmanager
def recorded_bus(tpm: Swtpm) -> Iterator[Bus]:
    """Stand between a client and ``tpm``, and keep every byte of the commands and responses."""
    with ExitStack() as stack:
        places = Places()
        stack.callback(places.close)
        bus = Bus(tpm, places.port)
        for place, carry in enumerate((bus.carry_commands, _carry)):
            listener = stack.enter_context(places.listen(place))
            thread = threading.Thread(target=_serve, args=(carry, listener, tpm.port + place))
            thread.start()
            stack.callback(thread.join)
            stack.callback(_wake, listener)
        yield bus


def message(source: socket.socket) -> bytes:
    """A command or response: tag, its whole size, and the rest (TPM 2.0 part 1, 18); empty at the end."""
    message = source.recv(6, socket.MSG_WAITALL)
    size = int.from_bytes(message[2:6], "big")
    return message + source.recv(size - len(message), socket.MSG_WAITALL) if message else b""


def _carry(client: socket.socket, tpm: socket.socket) -> None:
    """The control channel: one answer a request."""
    while request := client.recv(4096):
        tpm.sendall(request)
        if not (answer := tpm.recv(4096)):
            return
        client.sendall(answer)


def _wake(listener: socket.socket) -> None:
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def _serve(carry: Callable[[socket.socket, socket.socket], None], listener: socket.socket, port: int) -> None:
    """Carry one connection after the other, as swtpm itself serves them."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with suppress(OSError), client, socket.create_connection((_HOST, port)) as tpm:
            carry(client, tpm)


class Places:
    """Two ports side by side, bound (but not listened on) for as long as the owner lives: nobody else gets them."""

    def __init__(self) -> None:
        for _ in range(200):
            first = _bound(0)
            self.port: int = first.getsockname()[1]
            try:
                self._held = [first, _bound(self.port + 1)]
            except (OSError, OverflowError):
                first.close()
            else:
                return
        raise RuntimeError("no two free ports side by side")

    def listen(self, place: int) -> socket.socket:
        """A listener on the first (0) or second (1) port."""
        listener = _bound(self.port + place)
        listener.listen()
        return listener

    def close(self) -> None:
        """Give them back."""
        for held in self._held:
            held.close()


def _bound(port: int) -> socket.socket:
    found = socket.socket()
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((_HOST, port))
    except (OSError, OverflowError):
        found.close()
        raise
    return found


def _manufacture(folder: Path) -> None:
    """Make the state with an endorsement key and its certificate, of a CA beside the state folder."""
    authority = folder.parent / f"{folder.name}-authority"
    authority.mkdir(parents=True)
    folder.mkdir()
    paths = {"statedir": "", "signingkey": "key.pem", "issuercert": "issuer.pem", "certserial": "serial"}
    (authority / "ca.conf").write_text(
        "".join(f"{name} = {authority / path}\n" for name, path in paths.items()), encoding="ascii"
    )
    (authority / "options").write_text("--platform-manufacturer Test\n--platform-version 1\n--platform-model Test\n")
    (authority / "setup.conf").write_text(
        f"create_certs_tool = {shutil.which('swtpm_localca')}\n"
        f"create_certs_tool_config = {authority / 'ca.conf'}\n"
        f"create_certs_tool_options = {authority / 'options'}\n",
        encoding="ascii",
    )
    subprocess.run(
        [
            *("swtpm_setup", "--tpm2", "--tpmstate", str(folder), "--config", str(authority / "setup.conf")),
            *("--createek", "--create-ek-cert", "--pcr-banks", "sha256", "--lock-nvram"),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
