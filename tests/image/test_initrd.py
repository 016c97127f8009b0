"""The files of an initrd are read from its cpio archives; what is none is refused."""

from pathlib import Path

import pytest
import zstandard

from image.errors import FormatError
from image.initrd import initrd_files


def cpio(files: list[tuple[str, int, bytes]]) -> bytes:
    """An archive of names, modes and contents in the form "newc"."""
    content = b""
    for name, mode, body in [*files, ("TRAILER!!!", 0, b"")]:
        fields = [1, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name) + 1, 0]
        entry = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        entry += bytes(-len(entry) % 4)
        content += entry + body + bytes(-len(body) % 4)
    return content + bytes(-len(content) % 512)


FILES = [("usr", 0o040755, b""), ("usr/lib/a", 0o100644, b"12345"), ("./init", 0o120777, b"usr/lib/a")]


def saved(path: Path, content: bytes) -> Path:
    """The archive, packed."""
    path.write_bytes(zstandard.compress(content))
    return path


def test_files_and_links_are_found_and_folders_not_counted(tmp_path: Path) -> None:
    """As paths from the top."""
    assert initrd_files(saved(tmp_path / "initrd", cpio(FILES))) == {"usr/lib/a", "init"}


def test_archives_one_after_another_are_all_read(tmp_path: Path) -> None:
    """The kernel unpacks them so; the padding between them is of any length."""
    content = cpio(FILES) + bytes(4) + cpio([("usr/lib/b", 0o100644, b"1")])
    assert initrd_files(saved(tmp_path / "initrd", content)) == {"usr/lib/a", "usr/lib/b", "init"}


def test_frames_one_after_another_are_all_read(tmp_path: Path) -> None:
    """As mkosi appends kernel modules."""
    first, second = (zstandard.compress(cpio([(name, 0o100644, b"1")])) for name in ("a", "b"))
    (tmp_path / "initrd").write_bytes(first + second)
    assert initrd_files(tmp_path / "initrd") == {"a", "b"}


@pytest.mark.parametrize("content", [b"", b"odd", b"\xff" * 500], ids=["empty", "short", "other"])
def test_what_is_not_packed_is_refused(content: bytes, tmp_path: Path) -> None:
    """Or has nothing in it."""
    (tmp_path / "initrd").write_bytes(content)
    with pytest.raises(FormatError):
        initrd_files(tmp_path / "initrd")


@pytest.mark.parametrize(
    "content",
    [b"x" * 200, b"070707" + b"0" * 200, cpio(FILES)[:50], cpio(FILES)[:150], cpio(FILES)[:245]],
    ids=["other", "old", "cut", "cut later", "cut in a file"],
)
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    """Another form of cpio, or a cut one."""
    with pytest.raises(FormatError):
        initrd_files(saved(tmp_path / "initrd", content))
