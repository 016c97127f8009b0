"""The steps of a rollover on files: in order, one at a time, with the roots' keys here or on a medium."""

import resource
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from receiver.domain.authority_ledger import Step
from receiver.domain.certificate_profile import MACHINE_LIFETIME, OLD_WITH_NEW_LIFETIME
from receiver.errors import FileUnusableError, NotInitialisedError, RolloverRefusedError, RootKeyMissingError
from receiver.kms.generation_files import key_to_pem, read_root_key, root_key_name
from receiver.kms.local_authority import LocalFileAuthority
from receiver.kms.local_rollover import LocalRollover
from tests.receiver.authorities import DAY, START, issue_machine, roll_over


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A fresh authority."""
    LocalFileAuthority.ensure(tmp_path / "ca", now=START)
    return tmp_path / "ca"


@pytest.fixture
def rollover(folder: Path) -> LocalRollover:
    """Its operator."""
    return LocalRollover(folder)


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """An empty medium."""
    (tmp_path / "medium").mkdir()
    return tmp_path / "medium"


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_announced_generation_is_trusted_and_issues_nothing(folder: Path, rollover: LocalRollover) -> None:
    """Its root is an anchor and is told; leaves come from the one before."""
    before = LocalFileAuthority.load(folder)
    first, chain = before.issuing, before.chain
    view = rollover.announce(now=START)
    after = LocalFileAuthority.load(folder)
    assert (view.entry.number, view.entry.step, after.anchors[-1]) == (2, Step.ANNOUNCED, view.root)
    assert (after.issuing, after.chain) == (first, chain)
    assert issue_machine(after).certificate.issuer == first.subject


def test_what_is_published_grows_with_the_announcement(folder: Path, rollover: LocalRollover) -> None:
    """RFC 7030 4.1.3: both roots, both issuing certificates, old with new, new with old."""
    rollover.announce(now=START)
    names = [
        (each.subject.rfc4514_string(), each.issuer.rfc4514_string())
        for each in LocalFileAuthority.load(folder).published
    ]
    root, issuing = "CN=Natalia machine root {}", "CN=Natalia machine issuing {}"
    one, two = (root.format(number) for number in (1, 2))
    leaves = [(issuing.format(number), root.format(number)) for number in (1, 2)]
    assert sorted(names) == sorted([(one, one), (two, two), *leaves, (one, two), (two, one)])


def test_a_switch_issues_under_the_new_generation(folder: Path, rollover: LocalRollover) -> None:
    """Leaves come from the new one, with the way from the old root behind them; the old one stays an anchor."""
    (old,) = LocalFileAuthority.load(folder).anchors
    new = rollover.announce(now=START)
    view = rollover.switch(now=START + DAY)
    authority = LocalFileAuthority.load(folder)
    assert (view.entry.number, view.entry.step) == (2, Step.ISSUING)
    assert (authority.issuing, authority.anchors) == (new.issuing, [old, new.root])
    issuing, rung = authority.chain
    rung.verify_directly_issued_by(old)
    assert (issuing, rung.public_key()) == (new.issuing, new.root.public_key())


@pytest.mark.parametrize("wait", [0 * DAY, 30 * DAY, 200 * DAY], ids=["at once", "after a month", "after long"])
def test_the_date_of_retirement_covers_leaves_and_bridge(rollover: LocalRollover, wait: timedelta) -> None:
    """Seven days after the switch, or when the old root is no longer vouched for: whichever is later."""
    rollover.announce(now=START)
    rollover.switch(now=START + wait)
    retire_from = rollover.show()[0].entry.retire_from
    assert retire_from == START + max(wait + MACHINE_LIFETIME, OLD_WITH_NEW_LIFETIME)
    with pytest.raises(RolloverRefusedError):
        rollover.retire(now=retire_from - timedelta(seconds=1))
    assert rollover.retire(now=retire_from) == 1


def test_a_retired_generation_is_gone(folder: Path, rollover: LocalRollover) -> None:
    """Its keys lie nowhere any more, and it is neither trusted nor told."""
    secrets = [(folder / "0001" / name).read_bytes() for name in ("issuing.key", "root.key")]
    roll_over(folder)
    rollover.retire(now=START + 300 * DAY)
    assert not set(secrets) & set(_files(folder).values())
    authority = LocalFileAuthority.load(folder)
    assert len(authority.anchors) == 1
    assert [view.entry.number for view in rollover.show()] == [2]


@pytest.mark.parametrize("step", ["announce", "switch", "retire"])
def test_a_refused_step_changes_nothing(folder: Path, rollover: LocalRollover, step: str) -> None:
    """A step out of turn leaves every file as it was."""
    if step == "announce":
        rollover.announce(now=START)
    before = _files(folder)
    with pytest.raises(RolloverRefusedError):
        getattr(rollover, step)(now=START)
    assert _files(folder) == before


def test_steps_wait_for_one_another(folder: Path) -> None:
    """Of many announcements at once one happens and the others are refused."""

    def announce(_: int) -> bool:
        try:
            LocalRollover(folder).announce(now=START)
        except RolloverRefusedError:
            return False
        return True

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert sorted(pool.map(announce, range(8))) == [False] * 7 + [True]
    assert len(LocalFileAuthority.load(folder).anchors) == 2


def test_what_is_not_the_authoritys_is_left_alone(folder: Path, rollover: LocalRollover) -> None:
    """Folders that an operator put there stay; those of generations that do not count go."""
    (folder / "backup").mkdir()
    (folder / "0007").mkdir()
    rollover.announce(now=START)
    assert sorted(path.name for path in folder.iterdir()) == ["0001", "0002", "authority.json", "backup"]


def test_without_the_root_keys_all_goes_on_but_an_announcement(
    folder: Path, rollover: LocalRollover, medium: Path
) -> None:
    """With the keys offline leaves are issued, and an announced generation is switched to."""
    rollover.announce(now=START)
    moved = rollover.take_offline(medium)
    assert [path.name for path in moved] == [root_key_name(view.root) for view in rollover.show()]
    assert [view.root_key_is_here for view in rollover.show()] == [False, False]
    assert not list(folder.rglob("root.key"))
    assert issue_machine(LocalFileAuthority.load(folder)).certificate.not_valid_before_utc < START
    rollover.switch(now=START + DAY)
    before = _files(folder)
    with pytest.raises(RootKeyMissingError) as refusal:
        rollover.announce(now=START + 2 * DAY)
    assert "--root-keys" in refusal.value.hint
    assert _files(folder) == before


def test_with_the_medium_an_announcement_works(folder: Path, rollover: LocalRollover, medium: Path) -> None:
    """The new root's key goes to the medium and never lies in the state folder."""
    rollover.take_offline(medium)
    view = rollover.announce(now=START, root_keys=medium)
    assert not list(folder.rglob("root.key"))
    assert {path.name for path in medium.iterdir()} == {root_key_name(each.root) for each in rollover.show()}
    assert read_root_key(medium / root_key_name(view.root), root=view.root).public_key() == view.root.public_key()
    assert {path.stat().st_mode & 0o777 for path in medium.iterdir()} == {0o600}


def test_taking_offline_again_moves_nothing(rollover: LocalRollover, medium: Path) -> None:
    """What went already stays where it is."""
    assert len(rollover.take_offline(medium)) == 1
    assert rollover.take_offline(medium) == []
    assert len(list(medium.iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"no key", None], ids=["empty", "no key", "of another root"])
def test_another_key_on_the_medium_is_refused(rollover: LocalRollover, medium: Path, content: bytes | None) -> None:
    """A file that is not the newest root's key signs nothing."""
    (moved,) = rollover.take_offline(medium)
    moved.write_bytes(key_to_pem(ec.generate_private_key(ec.SECP256R1())) if content is None else content)
    with pytest.raises(RootKeyMissingError):
        rollover.announce(now=START, root_keys=medium)
    assert len(rollover.show()) == 1


def test_a_damaged_key_is_not_taken_away(folder: Path, rollover: LocalRollover, medium: Path) -> None:
    """What cannot be read as the root's key is not moved either, so that nobody thinks it safe."""
    (folder / "0001" / "root.key").write_bytes(b"damaged")
    with pytest.raises(RootKeyMissingError):
        rollover.take_offline(medium)
    assert (folder / "0001" / "root.key").exists()
    assert list(medium.iterdir()) == []


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_a_medium_that_is_none_is_refused(folder: Path, rollover: LocalRollover, tmp_path: Path, kind: str) -> None:
    """A folder that is not there is not made: it would lie on the disk that the key is to leave."""
    medium = tmp_path / "medium"
    if kind == "a file":
        medium.write_bytes(b"")
    with pytest.raises(FileUnusableError):
        rollover.take_offline(medium)
    assert (folder / "0001" / "root.key").exists()
    assert not medium.is_dir()


def test_a_full_disk_keeps_the_announcement_from_happening(rollover: LocalRollover, medium: Path) -> None:
    """Where the new keys cannot be kept there is no new generation; with space again there is."""
    rollover.take_offline(medium)
    with _no_space(), pytest.raises(FileUnusableError):
        rollover.announce(now=START, root_keys=medium)
    assert len(rollover.show()) == 1
    rollover.announce(now=START, root_keys=medium)
    assert len(rollover.show()) == 2


@contextmanager
def _no_space() -> Iterator[None]:
    """Let no file of this process grow, which is what a full disk is to it."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_no_authority_is_nothing_to_roll_over(tmp_path: Path) -> None:
    """Each step refuses a folder without an authority."""
    rollover = LocalRollover(tmp_path / "ca")
    for step in (rollover.show, lambda: rollover.announce(now=START), lambda: rollover.take_offline(tmp_path)):
        with pytest.raises(NotInitialisedError):
            step()
    assert list(tmp_path.iterdir()) == []
