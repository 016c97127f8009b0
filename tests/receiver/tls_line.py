"""One TLS connection to a running receiver that stays open, for requests one after the other."""

import http.client
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

import httpx
from cryptography import x509

from tests.receiver.deliveries import Machine, client_context
from tests.support.receiver_process import ReceiverProcess


def machine_context(machine: Machine, *, anchors: Path) -> ssl.SSLContext:
    """A machine's context, which trusts the roots in ``anchors`` alone, strictly."""
    context = client_context(anchors)
    context.load_cert_chain(machine.certificate, machine.key)
    return context


class TlsLine:
    """The connection; it is never made anew, so a request on it tells that it was not broken."""

    def __init__(
        self, receiver: ReceiverProcess, context: ssl.SSLContext, *, session: ssl.SSLSession | None = None
    ) -> None:
        """Connect; ``session`` is that of an earlier connection with ``context``, to be resumed."""
        url = httpx.URL(receiver.url)
        plain = socket.create_connection((url.host, url.port or 0), timeout=30)
        try:
            self.tls = context.wrap_socket(plain, server_hostname=url.host, session=session)
        except OSError:
            plain.close()
            raise
        self._http = http.client.HTTPConnection(url.host, url.port or 0)
        self._http.sock = self.tls
        self._http.auto_open = 0

    def __enter__(self) -> Self:
        """Keep it open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self._http.close()

    @property
    def server(self) -> x509.Certificate:
        """The server's leaf."""
        der = self.tls.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der)

    def get(self, path: str) -> int:
        """Give the status of a GET on this very connection."""
        self._http.request("GET", path)
        answer = self._http.getresponse()
        answer.read()
        return answer.status


@contextmanager
def requests_throughout(line: TlsLine, path: str) -> Iterator[list[int]]:
    """Send one request after the other on ``line`` while the block runs; give the statuses, complete after it."""
    statuses: list[int] = []
    done = Event()

    def send() -> None:
        while not done.wait(0.05):
            statuses.append(line.get(path))

    with ThreadPoolExecutor(max_workers=1) as pool:
        sending = pool.submit(send)
        try:
            yield statuses
        finally:
            done.set()
        sending.result()
