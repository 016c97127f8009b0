"""Finds the files of a feed: those that its pattern names, and what rotation made of them.

A pattern is an absolute path; ``*``, ``?`` and ``[...]`` stand within one component, as in a shell, and do not match a
leading dot (rsync writes there). The rotated names of a file are its name with a number or a date (logrotate, also
with its ``extension``; FreeSWITCH) and perhaps ``.gz``. A file that had a matching name is found under any name.

A look is cheap: the folders' own times say whether names came or went, and only files that were read lately are asked
for their status. As those times lag on some servers, everything is looked at again from time to time: the more there
is, the more seldom, so that it takes about a thousandth of a core.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from fnmatch import translate
from pathlib import PurePath
from typing import Final, NamedTuple

from appliance.sources.disk import Disk, FileStatus, NotAFileError

FULL_SECONDS_PER_NAME: Final = 0.003
NAMES_SECONDS_PER_NAME: Final = 0.0001
_FEW_NAMES: Final = 100
_COARSE_SECONDS: Final = 2.5
"""Times of files are kept in ticks of up to two seconds (FAT): a folder just changed may change again unnoticed."""
WILDCARD: Final = re.compile(r"[*?\[]")
_STAMP: Final = r"(?:\.\d{1,4}|[.\-_]\d{4}[\d.\-_T:]*\d{2})"
"""A number, or a date: at least year and month."""
_ROTATED: Final = re.compile(rf"(?:{_STAMP}|\.old|)(?P<suffix>\.[A-Za-z]\w*)??(?P<gzip>\.gz)?")
_LOGROTATED: Final = re.compile(r"\.(\d{1,3})(?:\.gz)?\Z", re.ASCII)
"""A rotation that the pattern names too; in other names a number may count upwards."""
_GENERATION: Final = re.compile(r"[.\-_](\d{1,4})(?:\.\w+)*\Z")


class Found(NamedTuple):
    """One file of the feed."""

    path: str
    status: FileStatus
    key: int
    rotated: bool
    """Nothing more is written to it: it has a rotated name, or none that the pattern matches."""

    @property
    def order(self) -> tuple[bool, int, int, str]:
        """Sorts the oldest first; of two of one time, the one that was rotated more often."""
        generation = (_GENERATION if self.rotated else _LOGROTATED).search(self.path)
        return not self.rotated, self.status.modified, -int(generation[1]) if generation else 0, self.path


class FolderWatch:
    """Looks for a feed's files, as seldom as possible."""

    def __init__(self, pattern: PurePath, disk: Disk, monotonic: Callable[[], float]) -> None:
        """Look for ``pattern``; nothing is touched before ``look``."""
        self._parts = pattern.parts
        wild = [WILDCARD.search(part) is not None for part in self._parts]
        self._first = wild.index(True) if any(wild) else len(wild) - 1
        self._matches = [
            re.compile(translate(part)).match if is_wild else part.__eq__
            for part, is_wild in zip(self._parts, wild, strict=True)
        ]
        self.many = any(wild)
        """Whether the pattern may match several files at once."""
        self._disk = disk
        self._monotonic = monotonic
        self.found: dict[str, Found] = {}
        self.failure: OSError | None = None
        """Why a file's status could not be told at the last look."""
        self.newest = 0
        """When a file that the pattern names was last modified; 0 if there is none."""
        self._places: dict[int, str] = {}
        self._folders: dict[str, int] = {}
        self._names = 0
        self._full_at = self._names_at = self._changed_at = -float("inf")

    def at(self, inode: int) -> Found | None:
        """The file that has the inode now."""
        found = self.found.get(self._places.get(inode, ""))
        return found if found and found.status.inode == inode else None

    def present(self) -> dict[int, int]:
        """The states of all files, and when each was modified."""
        return {found.key: found.status.modified for found in self.found.values()}

    def look(self, followed: AbstractSet[int], recent: AbstractSet[str]) -> list[Found]:
        """Bring ``found`` up to date; give all of it, or only the files at ``recent`` if only those were looked at.

        Args:
            followed: inodes of files that were read, to be found under whatever name.
            recent: paths whose status is asked for in any case.

        Raises:
            OSError: a folder cannot be read.
        """
        now = self._monotonic()
        self.failure = None
        names = 0 if self._names <= _FEW_NAMES else self._names
        full = now >= self._full_at + names * FULL_SECONDS_PER_NAME
        if full or (now >= self._names_at + names * NAMES_SECONDS_PER_NAME and self._folders_changed(now)):
            self._scan(followed, None if full else recent)
            self._names_at = now
            self._full_at = now if full else self._full_at
            self.newest, self._places = 0, {}
            return self._noted(self.found.values())
        for path in recent:
            known = self.found.pop(path, None)
            if known and (current := self._file(path, known, rotated=known.rotated)):
                self.found[path] = current
        return self._noted(self.found[path] for path in recent if path in self.found)

    def _noted(self, found: Iterable[Found]) -> list[Found]:
        seen = list(found)
        self._places.update((item.status.inode, item.path) for item in seen)
        self.newest = max([self.newest, *(item.status.modified for item in seen if not item.rotated)])
        return seen

    def _folders_changed(self, now: float) -> bool:
        times = {folder: self._folder_time(folder) for folder in self._folders}
        if times != self._folders:
            self._folders, self._changed_at = times, now
        return now < self._changed_at + _COARSE_SECONDS

    def _folder_time(self, folder: str) -> int:
        try:
            return self._disk.folder_modified(folder)
        except OSError:
            return 0

    def _scan(self, followed: AbstractSet[int], recent: AbstractSet[str] | None) -> None:
        """List the folders; ask for the status of all files, or of new ones and of ``recent``."""
        before, self.found, self._names = self.found, {}, 0
        times, self._folders = self._folders, {}
        for folder in self._expand(str(PurePath(*self._parts[: self._first])), self._first):
            for name, inode in self._entries(folder):
                path = f"{folder}/{name}"
                matched = self._is_match(name)
                if not matched and inode not in followed and not self._is_rotated(name):
                    continue
                current = before.get(path)
                if recent is None or path in recent or current is None or current.status.inode != inode:
                    current = self._file(path, current, rotated=not matched)
                if current:
                    self.found[path] = current
        self._folders = {folder: times.get(folder, 0) for folder in self._folders}
        if self.failure is not None:
            # What cannot be listed now is not gone.
            self.found = before | self.found

    def _expand(self, folder: str, depth: int) -> Iterator[str]:
        """The folders that files may be in."""
        if depth == len(self._parts) - 1:
            yield folder
            return
        for name, _ in self._entries(folder):
            if self._hit(name, depth):
                yield from self._expand(f"{folder}/{name}", depth + 1)

    def _entries(self, folder: str) -> list[tuple[str, int]]:
        """What is in a folder; nothing if a wildcard led to something else, or to what cannot be read now."""
        try:
            entries = self._disk.entries(folder)
        except OSError as error:
            if not self._folders:
                raise
            if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                self.failure = error
            return []
        self._folders[folder] = 0
        self._names += len(entries)
        return entries

    def _hit(self, name: str, depth: int) -> bool:
        hidden = name.startswith(".") and not self._parts[depth].startswith(".")
        return not hidden and bool(self._matches[depth](name))

    def _is_match(self, name: str) -> bool:
        return self._hit(name, len(self._parts) - 1)

    def _is_rotated(self, name: str) -> bool:
        """Whether ``name`` is a matching one with a number, a date or ``.gz`` added."""
        for place in [place for place, letter in enumerate(name) if letter in ".-_" and place]:
            added = _ROTATED.fullmatch(name, place)
            if added and self._is_match(name[:place] + (added["suffix"] or "")):
                return True
        return False

    def _file(self, path: str, known: Found | None, *, rotated: bool) -> Found | None:
        """A file's status; None where there is no file, or something else; ``known`` where it cannot be told now."""
        try:
            status = self._disk.status(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            if not self.many and not rotated:
                raise
            if isinstance(error, (IsADirectoryError, NotAFileError)):
                return None
            self.failure = error
            return known
        return Found(path, status, status.key, rotated)
