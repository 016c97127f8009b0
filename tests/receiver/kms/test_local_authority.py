"""The authority in a folder: made once, whole or not at all, read strictly, followed while it changes."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from receiver.domain.certificate_profile import machine_builder
from receiver.errors import AuthorityOutdatedError, NotInitialisedError
from receiver.kms.generation_files import key_to_pem
from receiver.kms.local_authority import LocalFileAuthority
from receiver.kms.local_rollover import LocalRollover
from receiver.ports import CertificateAuthority
from tests.receiver.authorities import DAY, MACHINE, START, roll_over


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the authority lies."""
    return tmp_path / "ca"


@pytest.fixture
def authority(folder: Path) -> CertificateAuthority:
    """A fresh authority."""
    return LocalFileAuthority.ensure(folder, now=START)


def test_the_authority_is_made_once(authority: CertificateAuthority, folder: Path) -> None:
    """Ensuring again loads what is there, and nothing lies beside it."""
    again = LocalFileAuthority.ensure(folder, now=START)
    assert (again.anchors, again.issuing) == (authority.anchors, authority.issuing)
    assert list(folder.parent.iterdir()) == [folder]


def test_its_files_are_for_the_owner_alone(authority: CertificateAuthority, folder: Path) -> None:
    """Folders are 0700, files 0600."""
    assert len(authority.anchors) == 1
    paths = [folder, *folder.rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o600}
    assert sorted(path.name for path in folder.rglob("*.key")) == ["issuing.key", "root.key"]


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize(
    "name",
    [
        "authority.json",
        "0001/root.pem",
        "0001/issuing.pem",
        "0001/issuing.key",
        "0001/ladder.pem",
        "0001/old-with-new.pem",
    ],
)
@pytest.mark.parametrize("content", [None, b"-----BEGIN CERTIFICATE-----\n"], ids=["missing", "cut"])
def test_a_broken_authority_is_refused(folder: Path, name: str, content: bytes | None) -> None:
    """A missing or broken file is a typed error, and is not made anew."""
    path = folder / name
    path.unlink() if content is None else path.write_bytes(content)
    for opening in (LocalFileAuthority.load, lambda folder: LocalFileAuthority.ensure(folder, now=START)):
        with pytest.raises(NotInitialisedError):
            opening(folder)


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize("name", ["authority.json", "0001/root.pem", "0001/issuing.pem", "0001/issuing.key"])
def test_an_empty_file_is_refused(folder: Path, name: str) -> None:
    """What a lost write left is a typed error."""
    (folder / name).write_bytes(b"")
    with pytest.raises(NotInitialisedError):
        LocalFileAuthority.load(folder)


def _keys() -> dict[str, bytes]:
    edwards = ed25519.Ed25519PrivateKey.generate()
    return {
        "of another kind": edwards.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "of another certificate": key_to_pem(ec.generate_private_key(ec.SECP256R1())),
    }


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize("kind", ["of another kind", "of another certificate"])
def test_another_key_is_refused(folder: Path, kind: str) -> None:
    """An issuing key that does not belong to the issuing certificate is a typed error, before it signs anything."""
    (folder / "0001" / "issuing.key").write_bytes(_keys()[kind])
    with pytest.raises(NotInitialisedError):
        LocalFileAuthority.load(folder)


def test_an_authority_of_release_0_1_is_told(folder: Path) -> None:
    """Its root could not vouch for a successor; the refusal says what to do, and nothing is changed."""
    folder.mkdir()
    (folder / "root.pem").write_bytes(b"")
    with pytest.raises(AuthorityOutdatedError) as refusal:
        LocalFileAuthority.ensure(folder, now=START)
    assert "init" in refusal.value.hint
    assert [path.name for path in folder.iterdir()] == ["root.pem"]


def test_a_half_made_authority_is_made_anew(folder: Path) -> None:
    """What a cut left of the first making does not stop the next, and does not stay."""
    half = folder.with_suffix(".new")
    half.mkdir()
    (half / "0001").mkdir()
    assert len(LocalFileAuthority.ensure(folder, now=START).anchors) == 1
    assert not half.exists()


def test_a_rollover_counts_at_once_in_a_process_that_runs(authority: CertificateAuthority, folder: Path) -> None:
    """An authority that was opened before announces, issues and forgets with the ledger, without being opened again."""
    rollover, first = LocalRollover(folder), authority.issuing
    rollover.announce(now=START)
    assert (len(authority.anchors), authority.issuing) == (2, first)
    rollover.switch(now=START)
    assert authority.issuing != first
    rollover.retire(now=rollover.show()[0].entry.retire_from or START)
    assert len(authority.anchors) == 1
    assert authority.published == LocalFileAuthority.load(folder).published


def test_a_leaf_belongs_to_the_issuer_that_was_read(authority: CertificateAuthority, folder: Path) -> None:
    """A switch between reading the issuer and signing for it does not give a leaf that nobody can verify."""
    issuer = authority.issuing
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    builder = machine_builder(key, machine=MACHINE, issuer=issuer, now=START)
    roll_over(folder)
    authority.sign(builder).verify_directly_issued_by(issuer)
    assert authority.issuing != issuer


def test_an_authority_that_breaks_while_it_runs_is_told(authority: CertificateAuthority, folder: Path) -> None:
    """A ledger that is damaged later is not overlooked, and once it is whole again all goes on."""
    ledger, whole = folder / "authority.json", (folder / "authority.json").read_bytes()
    anchors = authority.anchors
    _replace(ledger, b"{}")
    with pytest.raises(NotInitialisedError):
        assert authority.anchors
    ledger.unlink()
    with pytest.raises(NotInitialisedError):
        assert authority.anchors
    _replace(ledger, whole)
    assert authority.anchors == anchors


def test_a_reader_never_sees_half_a_step(authority: CertificateAuthority, folder: Path) -> None:
    """While generations come and go in another thread, each look finds an authority that is whole."""

    def roll() -> None:
        rollover = LocalRollover(folder)
        for days in range(0, 3000, 100):
            rollover.announce(now=START + days * DAY)
            rollover.switch(now=START + days * DAY)
            rollover.retire(now=START + (days + 99) * DAY)

    seen = set()
    with ThreadPoolExecutor(max_workers=1) as pool:
        rolling = pool.submit(roll)
        while not rolling.done():
            seen.add((authority.issuing, *LocalFileAuthority.load(folder).anchors))
        rolling.result()
    assert len(seen) > 5


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".other")
    fresh.write_bytes(content)
    os.replace(fresh, path)  # noqa: PTH105 as a command would do it
