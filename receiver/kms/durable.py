"""Write, fsync, rename, fsync of the folder: a reader sees the whole or nothing, also after a power cut.

Rules: what holds a secret is 0600 from its first moment. The sad path that remains: if the last fsync, that of the
folder, fails, the new file is in place but may be gone again after a power cut; that raises ``OSError``.
"""

import os
from pathlib import Path


def replace_private(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``, readable by its owner alone, in place of what is there; raises ``OSError``."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    write_private(fresh, content)
    fresh.rename(path)
    sync_folder(path.parent)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that is not there yet, readable by its owner alone, and on the disk; raises ``OSError``."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def sync_folder(path: Path) -> None:
    """Make the names in a folder last; raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
