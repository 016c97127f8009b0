"""What the project is made of, as paths: every list asserts that it found something."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PRODUCTS: Final = ("appliance", "receiver", "image")
_NOT_OURS: Final = {".git", ".venv", "build", "node_modules", "__pycache__"}


def python_files(*folders: str) -> list[Path]:
    """Give the Python files below ``folders`` of the project, sorted."""
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    return found(file for file in files if not _NOT_OURS & set(file.relative_to(ROOT).parts))


def documents() -> list[Path]:
    """Give the project's own Markdown files, sorted."""
    return found([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def found(files: Iterable[Path]) -> list[Path]:
    """Give ``files`` sorted; an empty list would make every check over it pass."""
    result = sorted(files)
    assert result, "a list of files that is checked must not be empty"
    return result


def name(file: Path) -> str:
    """Give the file's path within the project."""
    return file.relative_to(ROOT).as_posix()
