"""Follows the files of a feed, growing and rotated, so that each line is read once.

The rules, each with its test:
- A file is known again by its bytes (``followed_file``): whatever renamed it, it is read on, not again. What rotation
  left behind is read to its end first, oldest first, also when several rotations happened while nobody looked.
- Truncated or written anew: read from its start, after what its copy (copytruncate) or its ``.gz`` holds of the rest.
- A last line without line end waits until its file is rotated or gone; where many files match, also until it has been
  quiet for a minute and a newer file exists.
- At the first start only what the pattern names is read; what rotation had left by then is passed over.
- What cannot be read is tried again. One file of many does not stop the others; it is counted by its kind.
- Nothing that was read is read again, but where nobody can know (``position``): then the keys of its calls are equal,
  and the receiver counts each once. The same holds for rows that a PBX writes to two files of one feed (Asterisk's
  ``<accountcode>.csv`` beside ``Master.csv``).

Not here: more than ``position.MARKS`` files of one feed that all keep growing; they would be read anew each time.
"""

import logging
from collections import Counter, deque
from contextlib import suppress
from pathlib import PurePath
from typing import Final

from appliance.cdr.framing import LineFramer
from appliance.cdr.record import Line
from appliance.clock import SystemClock
from appliance.errors import SourceError
from appliance.ports import Clock, SourceBatch
from appliance.sources.content import FileProblem
from appliance.sources.disk import Disk, FileStatus
from appliance.sources.file_opener import FileOpener
from appliance.sources.folder_watch import FolderWatch, Found
from appliance.sources.followed_file import FollowedFile, MakeFramer
from appliance.sources.read_marks import ReadMarks

QUIET_SECONDS: Final = 60.0
"""How long the last line of one file among many stays open for its end."""
SETTLE_SECONDS: Final = 3.0
"""Within a tick of its file system's clock (FAT: two seconds) a file can change and look the same."""
OPEN_FILES: Final = 16
RECENT_PATHS: Final = 64
_FILES_A_READ: Final = 500
_LOG = logging.getLogger("natalia.sources")


class FileSource:
    """Implements ``ports.CdrSource`` for the files that a pattern names."""

    def __init__(
        self,
        feed: str,
        pattern: PurePath,
        framer: MakeFramer = LineFramer,
        *,
        clock: Clock | None = None,
        disk: Disk | None = None,
    ) -> None:
        """Follow ``pattern`` for ``feed``, cut by the dialect's framer; nothing is touched before ``read``."""
        self._feed = feed
        self._pattern = pattern
        self._framer = framer
        self._clock = clock or SystemClock()
        self._disk = disk or Disk()
        self.problems: Counter[str] = Counter()
        """See ``ports.CdrSource``; the codes are ``FileProblem``'s."""
        self._opened: dict[int, FollowedFile] = {}
        self.resume(None)

    @property
    def feed(self) -> str:
        """See ``ports.CdrSource``."""
        return self._feed

    def resume(self, position: bytes | None) -> None:
        """See ``ports.CdrSource``."""
        self.close()
        self._watch = FolderWatch(self._pattern, self._disk, self._clock.monotonic)
        self._marks = ReadMarks(position, self._watch.present)
        self._opener = FileOpener(self._disk, self._watch, self._marks, self._framer)
        self._looked = False
        self._recent: dict[str, None] = {}
        self._torn: dict[int, tuple[int, float]] = {}
        self._late: set[int] = set()
        self._unreadable: dict[str, OSError] = {}
        self._noted: set[tuple[int, FileProblem]] = set()

    def close(self) -> None:
        """Let go of all open files."""
        while self._opened:
            self._opened.popitem()[1].close()
        self._queue: deque[Found] = deque()
        self._current: tuple[FollowedFile, Found] | None = None
        self._given: FollowedFile | None = None

    def read(self, *, max_bytes: int) -> SourceBatch | None:
        """See ``ports.CdrSource``."""
        try:
            if self._current is None and not self._queue:
                self._look()
            for _ in range(_FILES_A_READ):
                batch = self._next(max_bytes)
                if batch is not None or (self._current is None and not self._queue):
                    break
            else:
                return None
        except OSError as error:
            raise _unreadable(error) from None
        if batch is None:
            self._complain()
        return batch

    def _complain(self) -> None:
        """Nothing was read: if something could not be, say so."""
        found = self._watch.found
        self._unreadable = {path: error for path, error in self._unreadable.items() if path in found}
        failure = self._watch.failure or next(iter(self._unreadable.values()), None)
        if failure is None and not (self._watch.many or self._opened or self._watch.newest):
            failure = FileNotFoundError()
        if failure is not None:
            raise _unreadable(failure)

    def _look(self) -> None:
        """Queue what may hold something new."""
        seen = self._watch.look(self._marks.inodes, self._recent.keys())
        if not self._looked:
            self._looked = True
            self._marks.confirm()
            self._pass_over([item for item in seen if item.rotated and self._marks.is_new])
        gone = [inode for inode in self._opened if self._watch.at(inode) is None]
        unread = [item for item in seen if item.key not in self._marks and not self._is_waiting(item)]
        self._queue.extend(Found("", FileStatus(inode, 0, 0), 0, rotated=True) for inode in gone)
        self._queue.extend(sorted(unread, key=lambda item: item.order))

    def _pass_over(self, rotated: list[Found]) -> None:
        for item in sorted(rotated, key=lambda item: item.order):
            with suppress(OSError):
                self._opener.pass_over(item)

    def _is_waiting(self, found: Found) -> bool:
        """Whether the file is as it was when its last line was seen to be torn, and may still get its end."""
        inode = found.status.inode
        return self._is_torn(found) and inode not in self._late and not self._is_final(found)

    def _next(self, max_bytes: int) -> SourceBatch | None:
        """Read on in the current file, or in the next one; None if there is nothing in it."""
        if self._current is None and self._queue:
            self._start(self._queue.popleft())
        if self._current is None:
            return None
        file, found = self._current
        try:
            if file.was_rewritten():
                self._drop(file)
                return None
            lines = file.read(max_bytes)
            return self._batch(file, found, lines) if lines else self._at_end(file, found)
        except OSError as error:
            self._fail(found, error)
            self._drop(file)
            return None

    def _start(self, found: Found) -> None:
        """Make ``found`` the current file, if there may be something to read in it."""
        self._recent.pop(found.path, None)
        if found.path:
            self._recent[found.path] = None
            if len(self._recent) > RECENT_PATHS:
                del self._recent[next(iter(self._recent))]
        try:
            file = self._open(found)
        except FileNotFoundError:
            if not self._watch.many:
                self._queue.clear()  # it was renamed since the look
            return
        except OSError as error:
            self._fail(found, error)
            return
        self._unreadable.pop(found.path, None)
        self._current = (file, found) if file else None

    def _fail(self, found: Found, error: OSError) -> None:
        """Note that one file cannot be read now; among many it is tried again at the next look at all."""
        self._note(found, FileProblem.UNREADABLE)
        self._unreadable[found.path] = error
        if self._watch.many:
            self._recent.pop(found.path, None)
        else:
            self._queue.clear()  # the next file is this one's successor

    def _open(self, found: Found) -> FollowedFile | None:
        """Open a file where it was left; None if there is nothing to read in it."""
        file = self._opened.pop(found.status.inode, None)
        if file is not None:
            self._opened[file.inode] = file
            if not found.path or not file.was_rewritten():
                return file
            self._drop(file)
        file = self._opener.open(found)
        if file is None:
            return None
        if file.content.problem is FileProblem.COMPRESSION_UNKNOWN:
            self._note(found, file.content.problem)
            self._marks.done(found.key)
            file.close()
            return None
        self._opened[file.inode] = file
        if len(self._opened) > OPEN_FILES:
            self._opened.pop(next(iter(self._opened))).close()
        return file

    def _drop(self, file: FollowedFile) -> None:
        self._opened.pop(file.inode, None)
        self._current = None
        file.close()

    def _at_end(self, file: FollowedFile, found: Found) -> SourceBatch | None:
        """Nothing new in this file: give its last line if nothing will follow, and note that it was read."""
        if file.content.problem is not None:
            self._note(found, file.content.problem)
        is_late = file.content.problem is FileProblem.GZIP_TRUNCATED or (
            not file.content.compressed and file.read_to < found.status.size
        )
        if is_late:
            self._late.add(found.status.inode)
        else:
            self._late.discard(found.status.inode)
        if file.pending or is_late:
            if not self._is_torn(found):
                self._torn[found.status.inode] = found.key, self._clock.monotonic()
            if not self._is_final(found) or (is_late and not self._is_quiet(found)):
                self._current = None
                return None
            last = file.finish()
            if last is not None:
                return self._batch(file, found, [last], torn=True)
        self._torn.pop(found.status.inode, None)
        self._current = None
        if not found.path and self._is_final(found):
            self._drop(file)
        elif found.path and self._is_settled(found):
            self._marks.done(found.key)
        return None

    def _is_torn(self, found: Found) -> bool:
        return self._torn.get(found.status.inode, (None,))[0] == found.key

    def _is_final(self, found: Found) -> bool:
        """Whether a last line without line end will never get one."""
        if found.rotated:
            return self._watch.newest > 0
        return self._watch.newest > found.status.modified and self._is_quiet(found)

    def _is_quiet(self, found: Found) -> bool:
        return self._is_torn(found) and (self._clock.monotonic() >= self._torn[found.status.inode][1] + QUIET_SECONDS)

    def _is_settled(self, found: Found) -> bool:
        """Whether a change of the file would show in its time."""
        return self._clock.now().timestamp() - found.status.modified / 1e9 > SETTLE_SECONDS

    def _note(self, found: Found, problem: FileProblem) -> None:
        if (found.key, problem) not in self._noted:
            self._noted.add((found.key, problem))
            self.problems[problem] += 1
            _LOG.warning("feed=%s problem=%s", self._feed, problem)

    def _batch(self, file: FollowedFile, found: Found, lines: list[Line], *, torn: bool = False) -> SourceBatch:
        restarted = file is not self._given
        self._given = file
        preceding = file.preceding() if restarted else []
        before, mark = file.mark, file.take_mark(found.key)
        self._marks.add(mark, instead_of=before)
        return SourceBatch(
            lines=lines,
            unterminated=torn,
            position=self._marks.encode(),
            restarted=restarted,
            preceding=preceding,
        )


def _unreadable(error: OSError) -> SourceError:
    return SourceError(f"the feed's file cannot be read ({type(error).__name__})")
