"""The context for new connections: it serves nobody before its first certificate, and a bad one changes nothing."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from receiver.clock import SystemClock
from receiver.errors import FileUnusableError
from receiver.kms.local_authority import LocalFileAuthority
from receiver.kms.local_rollover import LocalRollover
from receiver.services.server_certificate import ensure_server_certificate
from receiver.settings import Settings, StateFolder
from receiver.tls_context import CurrentContext, current_context


class Site:
    """A state folder with an authority and a server certificate, and the context that follows them."""

    def __init__(self, folder: Path) -> None:
        """Make all of it."""
        self.state = StateFolder.ensure(folder)
        self.authority = LocalFileAuthority.ensure(self.state.authority_folder, now=datetime.now(tz=UTC))
        self.first_root = self.state.authority_folder / "0001" / "root.pem"
        self.tls: CurrentContext = current_context()

    def follow(self) -> None:
        """Renew the certificate where that is due, and take into use what is there."""
        ensure_server_certificate(self.state, settings=Settings(), authority=self.authority, clock=SystemClock())
        self.tls.follow(self.state, client_roots=self.authority.anchors)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A fresh receiver's TLS."""
    return Site(tmp_path / "state")


def shake_hands(server: ssl.SSLContext, *, anchors: Path) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Carry a handshake between two ends in memory, as an event loop would; give client's and server's end."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=str(anchors))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    waiting = list(ends)
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
    return ends


def _issuer(end: ssl.SSLObject) -> str:
    certificate = end.getpeercert()
    assert certificate is not None
    return str(certificate["issuer"])


def test_without_a_certificate_it_serves_nobody(site: Site) -> None:
    """Before the first follow a handshake fails; there is nothing to fall back on."""
    with pytest.raises(ssl.SSLError):
        shake_hands(site.tls, anchors=site.first_root)


def test_it_serves_what_it_follows(site: Site) -> None:
    """A client that knows the root verifies the server, with TLS 1.3."""
    site.follow()
    client, _ = shake_hands(site.tls, anchors=site.first_root)
    assert (client.version(), "issuing 1" in _issuer(client)) == ("TLSv1.3", True)


def test_a_connection_keeps_its_context_and_the_next_has_the_new_one(site: Site) -> None:
    """After a switch an open connection still carries data, and a new one shows the new certificate."""
    site.follow()
    client, server = shake_hands(site.tls, anchors=site.first_root)
    rollover = LocalRollover(site.state.authority_folder)
    rollover.announce(now=datetime.now(tz=UTC))
    rollover.switch(now=datetime.now(tz=UTC))
    site.follow()
    client.write(b"still here")
    assert server.read() == b"still here"
    fresh, _ = shake_hands(site.tls, anchors=site.first_root)
    assert "issuing 2" in _issuer(fresh)


def test_a_certificate_that_is_none_changes_nothing(site: Site) -> None:
    """A damaged or missing file is told, and what served goes on serving."""
    site.follow()
    for damage in (lambda path: path.write_bytes(b"damaged"), lambda path: path.unlink()):
        damage(site.state.server_certificate)
        with pytest.raises(FileUnusableError):
            site.tls.follow(site.state, client_roots=site.authority.anchors)
        shake_hands(site.tls, anchors=site.first_root)
    site.follow()
    shake_hands(site.tls, anchors=site.first_root)


def test_an_announced_root_is_asked_for(site: Site) -> None:
    """The roots that clients are verified against are those that count now, no more and no fewer."""
    site.follow()
    rollover = LocalRollover(site.state.authority_folder)
    rollover.announce(now=datetime.now(tz=UTC))
    site.follow()
    _, server = shake_hands(site.tls, anchors=site.first_root)
    assert len(server.context.get_ca_certs()) == 2
