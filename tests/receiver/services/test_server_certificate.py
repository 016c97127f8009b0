"""When the receiver's own certificate is issued anew, and that a cut leaves a pair that fits."""

import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from receiver.domain.certificate_profile import CA_LIFETIME, SERVER_LIFETIME, root_builder, subject
from receiver.errors import AuthorityEndedError, FileUnusableError
from receiver.kms.generation_files import key_to_pem, to_pem
from receiver.kms.local_authority import LocalFileAuthority
from receiver.kms.local_rollover import LocalRollover
from receiver.services.server_certificate import ensure_server_certificate
from receiver.settings import Settings, StateFolder
from tests.receiver.authorities import DAY, START


class Site:
    """A state folder with an authority, and a clock that the test sets."""

    def __init__(self, folder: Path, *, made_at: datetime = START) -> None:
        """Make the authority at a time."""
        self.state = StateFolder.ensure(folder)
        self.authority = LocalFileAuthority.ensure(self.state.authority_folder, now=made_at)
        self.time = START

    def now(self) -> datetime:
        """The time, as a clock."""
        return self.time

    def ensure(self, *hosts: str, after: timedelta = timedelta()) -> bytes:
        """See to the certificate, ``after`` so long; give the file."""
        self.time += after
        settings = Settings(hosts=hosts or ("localhost",))
        ensure_server_certificate(self.state, settings=settings, authority=self.authority, clock=self)
        return self.state.server_certificate.read_bytes()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A fresh receiver."""
    return Site(tmp_path / "state")


def test_what_is_fit_stays(site: Site) -> None:
    """Looking again changes nothing, also shortly before the last third begins."""
    first = site.ensure()
    assert site.ensure() == first
    assert site.ensure(after=SERVER_LIFETIME * 2 / 3 - DAY) == first


def test_the_last_third_is_too_late(site: Site) -> None:
    """With less than a third of its life left it is issued anew, with another key."""
    first = site.ensure()
    second = site.ensure(after=SERVER_LIFETIME * 2 / 3)
    old, new = (x509.load_pem_x509_certificates(pem)[0] for pem in (first, second))
    assert new.not_valid_after_utc - old.not_valid_after_utc == SERVER_LIFETIME * 2 / 3
    assert old.public_key() != new.public_key()


def test_other_names_need_another(site: Site) -> None:
    """Names that were added, taken away or put in another order are a reason; the first is the subject."""
    files = [site.ensure(*hosts) for hosts in (("a.test",), ("a.test", "::1"), ("::1", "a.test"), ("a.test",))]
    assert len(set(files)) == 4


def test_an_announcement_is_no_reason_and_a_switch_is(site: Site) -> None:
    """The certificate follows the generation that issues, and carries the ladder behind it."""
    rollover, first = LocalRollover(site.state.authority_folder), site.ensure()
    rollover.announce(now=START)
    assert site.ensure() == first
    rollover.switch(now=START)
    leaf, *chain = x509.load_pem_x509_certificates(site.ensure())
    assert chain == site.authority.chain
    assert len(chain) == 2
    leaf.verify_directly_issued_by(chain[0])


def test_a_leaf_of_another_generation_than_its_chain_is_replaced(site: Site) -> None:
    """Such a pair would verify for nobody, however it came to be."""
    rollover, first = LocalRollover(site.state.authority_folder), site.ensure()
    rollover.announce(now=START)
    rollover.switch(now=START)
    key, leaf = first.split(b"-----BEGIN CERTIFICATE-----")[:2]
    mixed = b"-----BEGIN CERTIFICATE-----".join([key, leaf]) + to_pem(site.authority.chain)
    site.state.server_certificate.write_bytes(mixed)
    (renewed, issuing, _) = x509.load_pem_x509_certificates(site.ensure())
    renewed.verify_directly_issued_by(issuing)


def _foreign() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    root = root_builder(key.public_key(), name=subject("no names"), now=START).sign(key, SHA256())
    return key_to_pem(key) + to_pem([root])


@pytest.mark.parametrize("content", [lambda: b"", lambda: b"no PEM", _foreign], ids=["empty", "no PEM", "no names"])
def test_a_file_that_is_no_server_certificate_is_replaced(site: Site, content: Callable[[], bytes]) -> None:
    """What a fault left there does not keep the receiver from serving."""
    site.state.server_certificate.write_bytes(content())
    (leaf, *_) = x509.load_pem_x509_certificates(site.ensure())
    assert leaf.issuer == site.authority.issuing.subject


def test_key_and_chain_are_one_file(site: Site) -> None:
    """There is no moment at which one is new and the other old; the file is for the owner alone."""
    site.ensure()
    assert [path.name for path in site.state.path.iterdir() if path.is_file()] == ["server.pem"]
    assert site.state.server_certificate.stat().st_mode & 0o777 == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(site.state.server_certificate)


def test_a_certificate_near_the_authoritys_end_is_not_issued_again_and_again(tmp_path: Path) -> None:
    """It ends with the authority, and is fit until a third of that shorter life is left."""
    site = Site(tmp_path / "state", made_at=START - CA_LIFETIME + 12 * DAY)
    first = site.ensure()
    assert site.ensure() == first
    assert site.ensure(after=7 * DAY) == first
    assert site.ensure(after=2 * DAY) != first
    with pytest.raises(AuthorityEndedError):
        site.ensure(after=3 * DAY)


def test_a_folder_that_cannot_be_written_is_told(site: Site) -> None:
    """The refusal is typed, and names no path."""
    site.state.server_certificate.mkdir()
    with pytest.raises(FileUnusableError) as refusal:
        site.ensure()
    assert str(site.state.path) not in str(refusal.value)
