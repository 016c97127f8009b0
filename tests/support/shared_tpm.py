"""One software TPM for several clients at once, each with its own room for objects, as the kernel's ``/dev/tpmrm0``.

A command is done at a time; where it is another client's than the last, the last one's transient objects are saved and
flushed, and the other's are loaded again under the handles that they had (TPM 2.0 part 1, 30). So each client has the
TPM's three slots, and OpenSSL's provider, which keeps its keys loaded, leaves the appliance its own.

A client is known by its port, because the library connects anew for each command. Sessions are not looked after.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from tests.support.swtpm import Places, Swtpm, message

_HOST: Final = "127.0.0.1"
_FIRST_OBJECT: Final = 0x80000000
_STARTUP: Final = 0x144
_CONTEXT_LOAD: Final = 0x161
_CONTEXT_SAVE: Final = 0x162
_FLUSH_CONTEXT: Final = 0x165
_GET_CAPABILITY: Final = 0x17A
_OBJECTS: Final = bytes.fromhex("00000001 80000000 00000040")
"""TPM_CAP_HANDLES, from the first transient object, at most 64."""


@dataclass(eq=False)
class _Room:
    """The objects of a client that is not being served."""

    saved: dict[int, bytes] = field(default_factory=dict)
    """Saved contexts, by the handle that the client knows."""


class SharedTpm:
    """Stands before a TPM that nobody else may use meanwhile; in a ``with``."""

    def __init__(self, tpm: Swtpm) -> None:
        """Name the TPM, which is running."""
        self._tpm = tpm
        self._stack = ExitStack()
        self._one_at_a_time = threading.Lock()
        self._inside = _Room()

    def __enter__(self) -> Self:
        """Connect, and start the TPM: the kernel has done so before any program asks."""
        self._line = self._stack.enter_context(socket.create_connection((_HOST, self._tpm.port)))
        self._ask(_STARTUP, bytes(2))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send every client away."""
        self._stack.close()

    def open(self) -> str:
        """Give a new client its TCTI: what opening ``/dev/tpmrm0`` is to a program."""
        room, places = _Room(), Places()
        self._stack.callback(places.close)
        self._listen(places.listen(0), message, lambda sent: self._command(room, sent))
        self._listen(places.listen(1), lambda client: client.recv(4096), self._control)
        return f"swtpm:host={_HOST},port={places.port}"

    def _listen(
        self, listener: socket.socket, read: Callable[[socket.socket], bytes], answer: Callable[[bytes], bytes]
    ) -> None:
        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with suppress(OSError), client:
                    while sent := read(client):
                        client.sendall(answer(sent))

        thread = threading.Thread(target=serve, daemon=True)
        self._stack.callback(listener.close)
        self._stack.callback(thread.join)
        self._stack.callback(listener.shutdown, socket.SHUT_RDWR)
        thread.start()

    def _command(self, room: _Room, sent: bytes) -> bytes:
        with self._one_at_a_time:
            self._let_in(room)
            return self._do(sent)

    def _control(self, sent: bytes) -> bytes:
        """What is said beside the commands."""
        with self._one_at_a_time, socket.create_connection((_HOST, self._tpm.port + 1)) as channel:
            channel.sendall(sent)
            return channel.recv(4096)

    def _let_in(self, room: _Room) -> None:
        if room is self._inside:
            return
        for handle in self._objects():
            spelt = handle.to_bytes(4, "big")
            self._inside.saved[handle] = self._ask(_CONTEXT_SAVE, spelt)
            self._ask(_FLUSH_CONTEXT, spelt)
        # The TPM gives the lowest handle that is free, so what lies between needs something in its place for a moment.
        fillers = []
        for handle in range(_FIRST_OBJECT, max(room.saved, default=_FIRST_OBJECT - 1) + 1):
            context = room.saved.get(handle) or next(iter(room.saved.values()))
            assert self._ask(_CONTEXT_LOAD, context) == handle.to_bytes(4, "big")
            fillers += [] if handle in room.saved else [handle]
        for handle in fillers:
            self._ask(_FLUSH_CONTEXT, handle.to_bytes(4, "big"))
        room.saved.clear()
        self._inside = room

    def _objects(self) -> list[int]:
        answer = self._ask(_GET_CAPABILITY, _OBJECTS)[9:]
        return [int.from_bytes(answer[start : start + 4], "big") for start in range(0, len(answer), 4)]

    def _ask(self, code: int, parameters: bytes) -> bytes:
        """A command without sessions; what the answer holds beside its head, nothing if the TPM refuses."""
        size = 10 + len(parameters)
        answer = self._do(b"\x80\x01" + size.to_bytes(4, "big") + code.to_bytes(4, "big") + parameters)
        return answer[10:] if answer[6:10] == bytes(4) else b""

    def _do(self, sent: bytes) -> bytes:
        self._line.sendall(sent)
        return message(self._line)
