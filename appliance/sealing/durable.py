"""Write, fsync, rename, fsync of the folder: after a return the file is there whole, also after a power cut.

Rules: a reader sees the old file or the new one, never a part; files are 0600 and folders 0700; writers of one folder
wait for one another. A failed step leaves the old file in place and takes the half-written one away.

The sad path that remains: if the last fsync (of the folder) fails, the new file is in place but may be the old one
again after a power cut. That raises too; the caller must read what is there before it goes on.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700


@dataclass(frozen=True, slots=True)
class Disk:
    """The system calls that can fail on a bad or full disk; a test hands in failing ones."""

    write: Callable[[int, bytes], int] = os.write
    fsync: Callable[[int], None] = os.fsync
    replace: Callable[[Path, Path], None] = os.replace


SYSTEM_DISK: Final = Disk()


def make_folder(path: Path, *, disk: Disk = SYSTEM_DISK) -> None:
    """Make a folder 0700, and those above it, where they are not there yet.

    Raises:
        OSError: the disk refuses.
    """
    if path.is_dir():
        return
    make_folder(path.parent, disk=disk)
    with suppress(FileExistsError):
        path.mkdir(FOLDER_MODE)
    with _locked(path.parent) as folder:
        disk.fsync(folder)


def replace_file(path: Path, content: bytes, *, disk: Disk = SYSTEM_DISK) -> None:
    """Put ``content`` at ``path``, in place of what is there.

    Raises:
        OSError: the disk refuses; see the module for what is then at ``path``.
    """
    with _locked(path.parent) as folder:
        _put(path, content, folder, disk)


def create_file(path: Path, content: bytes, *, disk: Disk = SYSTEM_DISK) -> None:
    """Put ``content`` at ``path``, where nothing may be yet.

    Raises:
        FileExistsError: something is there; it was not touched.
        OSError: the disk refuses.
    """
    with _locked(path.parent) as folder:
        if path.exists():
            raise FileExistsError(path)
        _put(path, content, folder, disk)


def read_from_disk(path: Path) -> bytes:
    """Read what the disk has kept, not what memory still holds of the writing; only what was synced.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read()


def write_new(path: Path, content: bytes, *, disk: Disk = SYSTEM_DISK) -> None:
    """Write a file that is not there yet, in place: a power cut leaves a part of it. Its folder is not synced.

    Raises:
        FileExistsError: something is there, if only a link; it was not touched.
        OSError: the disk refuses; a part of it may be there.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        while content:
            content = content[disk.write(file, content) :]
        disk.fsync(file)
    finally:
        os.close(file)


def move_file(source: Path, target: Path, *, disk: Disk = SYSTEM_DISK) -> None:
    """Put ``source``, which is on the disk, in the place of ``target`` in the same folder.

    Raises:
        FileNotFoundError: somebody else has moved it.
        OSError: the disk refuses.
    """
    with _locked(target.parent) as folder:
        disk.replace(source, target)
        disk.fsync(folder)


def shred_file(path: Path, *, disk: Disk = SYSTEM_DISK) -> None:
    """Write noise over a file and take it away, if it is there.

    A flash disk or a file system that writes elsewhere may keep the old bytes all the same; nothing here can see that.

    Raises:
        OSError: the disk refuses.
    """
    with suppress(FileNotFoundError):
        number = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            noise = os.urandom(os.fstat(number).st_size)
            while noise:
                noise = noise[disk.write(number, noise) :]
            disk.fsync(number)
        finally:
            os.close(number)
        remove_file(path, disk=disk)


def remove_file(path: Path, *, disk: Disk = SYSTEM_DISK) -> None:
    """Take a file away, if it is there.

    Raises:
        OSError: the disk refuses.
    """
    with _locked(path.parent) as folder:
        path.unlink(missing_ok=True)
        disk.fsync(folder)


def share(path: Path, *, alone: bool) -> int:
    """Take ``path`` into use: beside others, or ``alone``. Give a descriptor, with whose closing the use ends.

    Raises:
        BlockingIOError: others use it, or another has it alone.
        OSError: the disk refuses.
    """
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(number, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError:
        os.close(number)
        raise
    return number


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold what ``path`` stands for, through all the steps of a work; who else wants it waits.

    Raises:
        OSError: the disk refuses; the file is made where it is missing, and stays.
    """
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def _put(path: Path, content: bytes, folder: int, disk: Disk) -> None:
    half = path.with_name(f".{path.name}.new")
    half.unlink(missing_ok=True)
    try:
        write_new(half, content, disk=disk)
        disk.replace(half, path)
    except OSError:
        half.unlink(missing_ok=True)
        raise
    disk.fsync(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """An open folder that no other writer of this module has at the same time."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield number
    finally:
        os.close(number)
