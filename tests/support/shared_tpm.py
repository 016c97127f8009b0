"""One software TPM for several clients at once, each with its own room for objects, as the kernel's ``/dev/tpmrm0``.

swtpm itself serves one connection after the other, and OpenSSL's provider keeps its own open for as long as its process
lives. Here a command is done at a time; where it is another client's than the last, the last one's transient objects
are saved and flushed, and the other's are loaded again under the handles that they had (TPM 2.0 part 1, 30). So each
client has the TPM's three slots, and what it leaves goes with its connection. Sessions are not looked after.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from tests.support.swtpm import Places, Swtpm, message

_HOST: Final = "127.0.0.1"
_FIRST_OBJECT: Final = 0x80000000
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


class _SharedTpm:
    """The TPM behind the clients."""

    def __init__(self, way: socket.socket, control_port: int) -> None:
        self._way = way
        self._control_port = control_port
        self._one_at_a_time = threading.Lock()
        self._inside = _Room()

    def command(self, room: _Room, sent: bytes) -> bytes:
        """Do a client's command."""
        with self._one_at_a_time:
            self._let_in(room)
            return self._do(sent)

    def leave(self, room: _Room) -> None:
        """Flush what a client has left."""
        with self._one_at_a_time:
            self._let_in(room)
            for handle in self._objects():
                self._ask(_FLUSH_CONTEXT, handle.to_bytes(4, "big"))

    def control(self, sent: bytes) -> bytes:
        """Pass on what is said beside the commands."""
        with self._one_at_a_time, socket.create_connection((_HOST, self._control_port)) as channel:
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
        self._way.sendall(sent)
        return message(self._way)


@contextmanager
def shared_tpm(tpm: Swtpm) -> Iterator[str]:
    """Stand before ``tpm``; give the TCTI of what stands there. Nobody else may use the TPM meanwhile."""
    with ExitStack() as stack:
        places = Places()
        stack.callback(places.close)
        shared = _SharedTpm(stack.enter_context(socket.create_connection((_HOST, tpm.port))), tpm.port + 1)

        def commands(client: socket.socket) -> None:
            room = _Room()
            with suppress(OSError):
                while sent := message(client):
                    client.sendall(shared.command(room, sent))
            with suppress(OSError):
                shared.leave(room)

        def control(client: socket.socket) -> None:
            with suppress(OSError):
                while sent := client.recv(4096):
                    client.sendall(shared.control(sent))

        for place, serve in enumerate((commands, control)):
            _serve(stack, places.listen(place), serve)
        yield f"swtpm:host={_HOST},port={places.port}"


def _serve(stack: ExitStack, listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    """Serve every client in a thread of its own, until ``stack`` is unwound."""
    clients: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                clients.append(client)
                threads.append(threading.Thread(target=serve, args=(client,)))
                threads[-1].start()

    def end() -> None:
        _wake(listener)
        accepting.join()
        for client in clients:
            _wake(client)
        for thread in threads:
            thread.join()
        for client in (*clients, listener):
            client.close()

    accepting = threading.Thread(target=accept)
    accepting.start()
    stack.callback(end)


def _wake(waiting: socket.socket) -> None:
    with suppress(OSError):
        waiting.shutdown(socket.SHUT_RDWR)
