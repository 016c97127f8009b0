"""The names of a release's files, and the two lists that bind them: ``SHA256SUMS`` and the release's manifest.

The manifest says what the disk is (its digest before any format, its size, what packages it is made of); ``SHA256SUMS``
lists every file that is the same for each build of the same disk. The build report holds times, so it is not in there.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from image.errors import FormatError

SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.sig"
CERTIFICATE: Final = "SHA256SUMS.pem"
CAPACITY: Final = 16 << 30
"""What a machine sees, in bytes; thin."""
MAX_LIST: Final = 1 << 20
_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *]([A-Za-z0-9][A-Za-z0-9._+~-]{0,127})")
_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.+~-]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a release is, apart from its forms."""

    version: str
    disk_sha256: str
    disk_bytes: int
    """Of the raw disk; behind it each format has nothing up to its capacity."""
    capacity_bytes: int
    kernel_image_sha256: str
    root_sha256: str
    package_set_sha256: str
    """Of the package URLs, sorted, a line each."""

    def text(self) -> str:
        """Give the manifest as JSON; the same for the same values."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"


def file_name(version: str, suffix: str) -> str:
    """Name a release's file.

    Raises:
        FormatError: the version would not be safe in a file name.
    """
    if not _VERSION.fullmatch(version):
        raise FormatError(f"version {version!r}: digits first, then letters, digits and . + ~ -")
    return f"natalia-appliance_{version}{suffix}"


def parse_manifest(content: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        FormatError: it is not one.
    """
    try:
        values = json.loads(content)
        manifest = Manifest(**values)
    except (ValueError, TypeError, RecursionError):
        raise FormatError("the manifest is not of the form that an export writes") from None
    for name, value in values.items():
        if name.endswith("_sha256") and not (isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value)):
            raise FormatError(f"the manifest's {name} is not one")
        if name.endswith("_bytes") and not (type(value) is int and 0 < value <= CAPACITY):
            raise FormatError(f"the manifest's {name} is out of range")
    if not (isinstance(values["version"], str) and _VERSION.fullmatch(manifest.version)):
        raise FormatError("the manifest's version is not one")
    return manifest


def sums(digests: dict[str, str]) -> str:
    """Give the text of ``SHA256SUMS``, as ``sha256sum -c`` reads it."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def parse_sums(content: bytes) -> dict[str, str]:
    """Read ``SHA256SUMS``: file names without a folder, each once, to digests in hex.

    Raises:
        FormatError: a line is something else.
    """
    found: dict[str, str] = {}
    try:
        lines = content.decode("ascii").splitlines()
    except UnicodeDecodeError:
        raise FormatError(f"{SUMS}: not plain text") from None
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in found:
            raise FormatError(f"{SUMS}: line {number} is not a digest and a file name, or names a file twice")
        found[match[2]] = match[1]
    if not found:
        raise FormatError(f"{SUMS}: empty")
    return found


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
