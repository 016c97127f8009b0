"""Files that are there whole or not at all, with a fault at each step."""

import errno
import os
import threading
from pathlib import Path

import pytest

from appliance.sealing.durable import (
    Disk,
    create_file,
    make_folder,
    move_file,
    read_from_disk,
    remove_file,
    replace_file,
    share,
    shred_file,
    write_new,
)

OLD, NEW = b"old", b"new content"


class Failing:
    """A disk on which one step fails: ``before`` it was done, or though it was done."""

    def __init__(self, step: str, *, done: bool = False, at: int = 1) -> None:
        self._step = step
        self._done = done
        self._left = at

    def disk(self) -> Disk:
        """The system calls with the fault in them."""
        return Disk(write=self._write, fsync=self._fsync, replace=self._replace)

    def _due(self, step: str) -> bool:
        if step == self._step:
            self._left -= 1
        return step == self._step and self._left == 0

    def _write(self, file: int, content: bytes) -> int:
        if self._due("write"):
            if self._done:
                os.write(file, content[:2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(file, content[:3])

    def _fsync(self, file: int) -> None:
        if self._due("fsync"):
            raise OSError(errno.EIO, "Input/output error")
        os.fsync(file)

    def _replace(self, source: Path, target: Path) -> None:
        due = self._due("replace")
        if not due or self._done:
            source.replace(target)
        if due:
            raise OSError(errno.EIO, "Input/output error")


FAULTS = [
    (Failing("write"), OLD),
    (Failing("write", done=True), OLD),
    (Failing("write", at=2), OLD),
    (Failing("fsync"), OLD),
    (Failing("replace"), OLD),
    (Failing("replace", done=True), NEW),
    (Failing("fsync", at=2), NEW),
]
NAMES = ["write", "torn write", "second write", "fsync", "rename", "rename done", "fsync of the folder"]


@pytest.mark.parametrize(("fault", "left"), FAULTS, ids=NAMES)
def test_after_any_fault_the_file_is_the_old_or_the_new_one_whole(tmp_path: Path, fault: Failing, left: bytes) -> None:
    """The error reaches the caller, no part of a file is ever seen, and nothing half-written is left."""
    path = tmp_path / "file"
    path.write_bytes(OLD)
    with pytest.raises(OSError, match=r"device|error"):
        replace_file(path, NEW, disk=fault.disk())
    assert path.read_bytes() == left
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_a_slow_disk_gets_all_of_it(tmp_path: Path) -> None:
    """A write may take a part; the rest follows."""
    replace_file(tmp_path / "file", NEW * 10, disk=Failing("none").disk())
    assert (tmp_path / "file").read_bytes() == NEW * 10


def test_the_file_and_then_its_folder_are_synced(tmp_path: Path) -> None:
    """The name before the content, or the content without its name, would be lost in a power cut."""
    steps: list[str] = []

    def fsync(number: int) -> None:
        steps.append(Path(f"/proc/self/fd/{number}").resolve().name)

    def replace(source: Path, target: Path) -> None:
        steps.append("rename")
        source.replace(target)

    replace_file(tmp_path / "file", NEW, disk=Disk(fsync=fsync, replace=replace))
    assert steps == [".file.new", "rename", tmp_path.name]


def test_files_and_folders_are_their_owners_alone(tmp_path: Path) -> None:
    """0600 and 0700, the folders above included."""
    make_folder(tmp_path / "a" / "b")
    create_file(tmp_path / "a" / "b" / "file", NEW)
    paths = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "file"]
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o700, 0o700, 0o600]


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    """The second time nothing happens."""
    make_folder(tmp_path / "a")
    make_folder(tmp_path / "a", disk=Failing("fsync").disk())
    assert (tmp_path / "a").is_dir()


def test_what_is_there_is_not_created_again(tmp_path: Path) -> None:
    """It stays as it was."""
    create_file(tmp_path / "file", OLD)
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "file", NEW)
    assert (tmp_path / "file").read_bytes() == OLD


def test_of_many_creators_one_wins(tmp_path: Path) -> None:
    """And the file is that one's, whole."""
    won: list[bytes] = []

    def create(content: bytes) -> None:
        try:
            create_file(tmp_path / "file", content)
        except FileExistsError:
            return
        won.append(content)

    threads = [threading.Thread(target=create, args=(bytes([number]) * 1000,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [(tmp_path / "file").read_bytes()]


def test_a_leftover_of_a_power_cut_is_in_nobodys_way(tmp_path: Path) -> None:
    """A half-written file of an earlier life is written anew, never followed if it is a link."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(OLD)
    (tmp_path / ".file.new").symlink_to(elsewhere)
    replace_file(tmp_path / "file", NEW)
    assert (tmp_path / "file").read_bytes() == NEW
    assert elsewhere.read_bytes() == OLD


def test_a_file_is_removed_if_it_is_there(tmp_path: Path) -> None:
    """Twice is once."""
    create_file(tmp_path / "file", OLD)
    remove_file(tmp_path / "file")
    remove_file(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_file_takes_the_place_of_another(tmp_path: Path) -> None:
    """Whole; who finds it moved already is told."""
    create_file(tmp_path / "old", OLD)
    create_file(tmp_path / "new", NEW)
    move_file(tmp_path / "new", tmp_path / "old")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old": NEW}
    with pytest.raises(FileNotFoundError):
        move_file(tmp_path / "new", tmp_path / "old")


def test_a_shredded_file_held_noise_before_it_went(tmp_path: Path) -> None:
    """Who had it open reads noise of the same length; a file that is not there is none to shred."""
    create_file(tmp_path / "file", NEW)
    with (tmp_path / "file").open("rb") as kept:
        shred_file(tmp_path / "file", disk=Failing("none").disk())
        left = kept.read()
    assert (len(left), left == NEW) == (len(NEW), False)
    assert list(tmp_path.iterdir()) == []
    shred_file(tmp_path / "file")


def test_a_link_is_not_shredded_through(tmp_path: Path) -> None:
    """What it points to is somebody else's."""
    create_file(tmp_path / "file", NEW)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(OSError, match="symbolic links"):
        shred_file(tmp_path / "link")
    assert (tmp_path / "file").read_bytes() == NEW


def test_a_place_is_shared_by_many_or_had_alone(tmp_path: Path) -> None:
    """Nobody waits: who cannot have it is told."""
    first, second = share(tmp_path / "lock", alone=False), share(tmp_path / "lock", alone=False)
    os.close(first)
    with pytest.raises(BlockingIOError):
        share(tmp_path / "lock", alone=True)
    os.close(second)
    alone = share(tmp_path / "lock", alone=True)
    for again in (True, False):
        with pytest.raises(BlockingIOError):
            share(tmp_path / "lock", alone=again)
    os.close(alone)
    os.close(share(tmp_path / "lock", alone=False))


def test_a_new_file_is_written_where_nothing_is(tmp_path: Path) -> None:
    """0600; it is read back from the disk as it was written."""
    write_new(tmp_path / "file", NEW, disk=Failing("none").disk())
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert read_from_disk(tmp_path / "file") == NEW
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "file", OLD)
    assert read_from_disk(tmp_path / "file") == NEW
