"""The operator's passphrase file."""

from pathlib import Path

import pytest

from appliance.errors import PassphraseError
from appliance.sealing.passphrase import read_passphrase_file


def written(folder: Path, content: bytes, *, mode: int = 0o600) -> Path:
    """A passphrase file."""
    path = folder / "passphrase"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"], ids=["none", "unix", "dos"])
def test_a_passphrase_is_the_file_without_its_line_end(tmp_path: Path, end: bytes) -> None:
    """An editor puts one there; a space belongs to the passphrase."""
    assert read_passphrase_file(written(tmp_path, b" twelve bytes" + end)).reveal() == b" twelve bytes"


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"eleven byte\n", b"x" * 1025, b"x" * 2**21], ids=["empty", "line", "short", "long", "huge"]
)
def test_a_passphrase_of_no_use_is_refused(tmp_path: Path, content: bytes) -> None:
    """Too short to guard, or some other file; what stands there is not shown."""
    with pytest.raises(PassphraseError) as caught:
        read_passphrase_file(written(tmp_path, content))
    assert "eleven" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622], ids=oct)
def test_a_passphrase_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    """It would guard nothing."""
    with pytest.raises(PassphraseError):
        read_passphrase_file(written(tmp_path, b"correct horse battery", mode=mode))


def test_a_passphrase_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Missing, or a folder: never taken for none."""
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(PassphraseError):
            read_passphrase_file(path)
