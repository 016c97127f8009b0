"""Opens a found file where it was left, and tells a copy of a file that is read elsewhere from a new one.

A file is known by its bytes, so one that was renamed, copied before its truncation, or compressed, goes on at the mark
of the file that it was. As long as that file itself is intact, what is a copy of it is left alone.
"""

from collections.abc import Callable
from functools import partial

from appliance.sources.content import open_content
from appliance.sources.disk import Disk
from appliance.sources.folder_watch import FolderWatch, Found
from appliance.sources.followed_file import HASHED_BYTES, FollowedFile, MakeFramer
from appliance.sources.read_marks import ReadMarks


class FileOpener:
    """Opens the files of one feed."""

    def __init__(self, disk: Disk, watch: FolderWatch, marks: ReadMarks, framer: MakeFramer) -> None:
        """Open what ``watch`` finds, at ``marks``."""
        self._disk = disk
        self._watch = watch
        self._marks = marks
        self._framer = framer

    def open(self, found: Found) -> FollowedFile | None:
        """Open a file where it was left; None if what it holds is read elsewhere, for now or for good.

        Raises:
            OSError: it cannot be read.
        """
        file = self._open(found)
        try:
            if self._is_wanted(file, found):
                return file
        except OSError:
            file.close()
            raise
        file.close()
        return None

    def pass_over(self, found: Found) -> None:
        """Take a whole file as read, also when it is renamed, grows or is compressed later. Raises as ``open``."""
        self._marks.done(found.key)
        file = self._open(found)
        try:
            if found.status.size and not file.content.compressed:
                self._marks.add(file.pass_over(found.status.size, found.key))
        finally:
            file.close()

    def _open(self, found: Found) -> FollowedFile:
        content, inode = open_content(self._disk, found.path)
        return FollowedFile(content, inode, self._framer)

    def _is_wanted(self, file: FollowedFile, found: Found) -> bool:
        for mark in self._marks.likely(file.inode):
            if not file.holds(mark):
                continue
            original = self._watch.at(mark.inode) if mark.inode != file.inode else None
            is_there = original is not None and self._compare(original, partial(FollowedFile.holds, mark=mark))
            if original is None or not is_there or not self._is_copy_of(original, file, found):
                file.continue_at(mark, leaves_mark=is_there)
                return True
            if not file.content.compressed and found.status.size == mark.offset:
                self._marks.done(found.key)
            return False
        return not any(self._is_copy_of(original, file, found) for original in self._longer(file, found))

    def _longer(self, file: FollowedFile, found: Found) -> list[Found]:
        """Files that this one may be an unfinished copy of: one to be compressed, or truncated (copytruncate)."""
        if file.content.compressed:
            original = self._watch.found.get(found.path.removesuffix(".gz"))
            return [original] if original and original.path != found.path else []
        size = found.status.size
        marks = [mark for mark in self._marks.likely(file.inode) if mark.offset > size and mark.inode != file.inode]
        alike = [self._watch.at(mark.inode) for mark in marks if mark.head_bytes <= size and file.has_head(mark)]
        # Its own name without what rotation added: found also when the head is not there yet, or nothing was read.
        named = [self._watch.found.get(found.path[:end]) for end, letter in enumerate(found.path) if letter in ".-_"]
        return [original for original in alike + named if original and original.status.size >= size]

    def _is_copy_of(self, original: Found, file: FollowedFile, found: Found) -> bool:
        """Whether all that the file holds is, as far as can be told from its ends, in ``original``, which is there."""
        size = found.status.size
        if file.content.compressed:
            if found.path.removesuffix(".gz") != original.path:
                return False
            size = len(file.content.read(HASHED_BYTES, 0))
        return self._compare(original, lambda its: file.begins_like(its, size))

    def _compare(self, original: Found, is_alike: Callable[[FollowedFile], bool]) -> bool:
        try:
            file = self._open(original)
        except FileNotFoundError:
            return False
        try:
            return is_alike(file)
        finally:
            file.close()
