"""What the image is made of: every Debian and Python package, with the files that each brought.

The list of packages is the image's own (dpkg's status, ``*.dist-info``); what each brought, its licences and its digest
come from the very archives that it was installed from, which the build keeps. Licences are what the package states, in
its own words; nothing is concluded.
"""

import email.message
import email.parser
import io
import os
import re
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

import zstandard

from image.errors import InventoryError
from image.release import sha256_of
from image.wheels import SITE

STATUS: Final = "usr/lib/sysimage/dpkg/status"
_MERGED: Final = re.compile(r"(?:bin|sbin|lib|lib32|lib64|libx32)/")
_AR: Final = b"!<arch>\n"
_LICENCE: Final = re.compile(r"(?m)^License:[ \t]*(\S[^\n]{0,200})$")
_COMMON: Final = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package as it was installed."""

    kind: str
    """``deb`` or ``pypi``."""
    name: str
    version: str
    architecture: str = ""
    source: str = ""
    """Source package and its version, of a Debian package."""
    licences: tuple[str, ...] = ()
    expression: str = ""
    """An SPDX expression, where the package states one."""
    sha256: str
    """Of the archive."""
    files: frozenset[str]
    """Files and links, as paths in the root; folders are not counted."""
    initrd: bool = False
    """Whether only the initrd has it."""

    @property
    def purl(self) -> str:
        """The package URL (ECMA-427)."""
        version = quote(self.version, safe="~.-_")
        if self.kind == "deb":
            return f"pkg:deb/debian/{quote(self.name)}@{version}?arch={self.architecture}&distro=trixie"
        return f"pkg:pypi/{normalized(self.name)}@{version}"


def debian_packages(root: Path, archives: Path) -> list[Package]:
    """Give the Debian packages that the root's dpkg status says are installed.

    Args:
        root: the image's root, unpacked.
        archives: the folder with the ``.deb`` files of the build.

    Raises:
        InventoryError: the status or an archive is not there, or cannot be read.
    """
    try:
        status = (root / STATUS).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise InventoryError(f"{STATUS} is not in the image") from None
    parser = email.parser.Parser()
    paragraphs = [parser.parsestr(text, headersonly=True) for text in re.split(r"\n{2,}", status.strip())]
    installed = [fields for fields in paragraphs if fields.get("Status", "").split()[-1:] == ["installed"]]
    if not installed:
        raise InventoryError(f"{STATUS} lists no package")
    return _packages(installed, archives)


def initrd_packages(files: frozenset[str], archives: Path, *, known: frozenset[str]) -> list[Package]:
    """Give the packages that only the initrd has: it keeps no list, so what has a file in it is found by its files.

    Args:
        files: of the initrd.
        archives: the folder with the ``.deb`` files of the build.
        known: names of the root's packages.

    Raises:
        InventoryError: an archive cannot be read, or there are two versions of one of them.
    """
    controls = [_control(path) for path in sorted(archives.glob("*.deb")) if path.name.partition("_")[0] not in known]
    packages = [package for package in _packages(controls, archives) if not files.isdisjoint(package.files)]
    if len({package.name for package in packages}) != len(packages):
        raise InventoryError("the package cache has two versions of a package of the initrd; empty it and build again")
    return [replace(package, initrd=True) for package in packages]


def _packages(installed: "Sequence[email.message.Message[str, str]]", archives: Path) -> list[Package]:
    contents = {fields["Package"]: _contents(_archive(fields, archives), fields["Package"]) for fields in installed}
    packages = []
    for fields in installed:
        own = contents[fields["Package"]]
        # Packages of one source share a copyright file: the folder of one is a link to that of another.
        told = own.copyright or (contents[own.documented_in].copyright if own.documented_in in contents else "")
        packages.append(_debian(fields, archives, own.files, told))
    return sorted(packages, key=lambda package: package.purl)


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a ``.deb`` brings."""

    files: frozenset[str]
    copyright: str
    documented_in: str


def _archive(fields: "email.message.Message[str, str]", archives: Path) -> Path:
    return archives / f"{fields['Package']}_{fields['Version'].replace(':', '%3a')}_{fields['Architecture']}.deb"


def _debian(
    fields: "email.message.Message[str, str]", archives: Path, files: frozenset[str], copyright_: str
) -> Package:
    source = fields.get("Source", fields["Package"])
    return Package(
        kind="deb",
        name=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        source=source if "(" in source else f"{source} ({fields['Version']})",
        licences=_licences(copyright_),
        sha256=sha256_of(_archive(fields, archives)),
        files=files,
    )


def _contents(path: Path, name: str) -> _Contents:
    """Read a ``.deb`` (deb(5))."""
    files, text, link = set(), "", ""
    try:
        with tarfile.open(fileobj=io.BytesIO(_part_of(path, "data.tar"))) as archive:
            for member in archive:
                place = merged(member.name.removeprefix("./"))
                if not member.isdir():
                    files.add(place)
                if place == f"usr/share/doc/{name}/copyright" and (file := archive.extractfile(member)):
                    text = file.read().decode("utf-8", "replace")
                if place == f"usr/share/doc/{name}" and member.issym():
                    link = member.linkname
    except (OSError, KeyError, tarfile.TarError, zstandard.ZstdError, ValueError):
        raise InventoryError(f"{path.name}: the package's archive is missing or cannot be read") from None
    return _Contents(frozenset(files), text, link)


def _control(path: Path) -> "email.message.Message[str, str]":
    try:
        with tarfile.open(fileobj=io.BytesIO(_part_of(path, "control.tar"))) as archive:
            file = archive.extractfile("./control")
            return email.parser.BytesParser().parse(file or io.BytesIO(), headersonly=True)
    except (OSError, KeyError, tarfile.TarError, zstandard.ZstdError, ValueError):
        raise InventoryError(f"{path.name}: the package's archive cannot be read") from None


def _part_of(path: Path, part: str) -> bytes:
    """Give the ``control.tar`` or ``data.tar`` of a package, as tarfile reads it."""
    with path.open("rb") as file:
        if file.read(8) != _AR:
            raise ValueError(path.name)
        while header := file.read(60):
            name, size = header[:16].rstrip(b" /").decode("ascii"), int(header[48:58])
            if name.startswith(part):
                data = file.read(size)
                return zstandard.ZstdDecompressor().stream_reader(data).read() if name.endswith(".zst") else data
            file.seek(size + size % 2, 1)
    raise ValueError(path.name)


def _licences(text: str) -> tuple[str, ...]:
    """Names in a machine-readable copyright file (DEP 5), or else the common licences that it refers to."""
    named = _LICENCE.findall(text) if text.startswith("Format:") or "\nFormat:" in text[:400] else []
    return tuple(sorted({name.strip() for name in named} or set(_COMMON.findall(text))))


def python_packages(root: Path, wheels: Sequence[Path]) -> list[Package]:
    """Give the Python packages whose ``*.dist-info`` lies in the root.

    Args:
        root: the image's root, unpacked.
        wheels: folders with the wheels of the build.

    Raises:
        InventoryError: one was not installed from a wheel of the build, or none is there.
    """
    by_name = {}
    for path in (path for folder in wheels for path in folder.glob("*.whl")):
        name, version = path.name.split("-")[:2]
        by_name[normalized(name), version] = path
    found = []
    for metadata in sorted((root / SITE).glob("*.dist-info/METADATA")):
        fields = email.parser.Parser().parsestr(metadata.read_text("utf-8"), headersonly=True)
        wheel = by_name.get((normalized(fields["Name"]), fields["Version"]))
        if wheel is None:
            raise InventoryError(f"{fields['Name']} {fields['Version']}: not from a wheel of the build")
        found.append(_python(fields, wheel))
    if not found:
        raise InventoryError("the image holds no Python package")
    return sorted(found, key=lambda package: package.purl)


def _python(fields: "email.message.Message[str, str]", wheel: Path) -> Package:
    stated = [line.rpartition(" :: ")[2] for line in fields.get_all("Classifier", []) if line.startswith("License ::")]
    licence = fields.get("License", "").strip()
    if licence and "\n" not in licence:
        stated = [licence]
    try:
        with zipfile.ZipFile(wheel) as archive:
            files = frozenset(f"{SITE}/{name}" for name in archive.namelist() if not name.endswith("/"))
    except (OSError, zipfile.BadZipFile):
        raise InventoryError(f"{wheel.name}: cannot be read") from None
    return Package(
        kind="pypi",
        name=fields["Name"],
        version=fields["Version"],
        licences=tuple(sorted(stated)),
        expression=fields.get("License-Expression", ""),
        sha256=sha256_of(wheel),
        files=files,
    )


def normalized(name: str) -> str:
    """Give a Python package's name in its one form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def merged(path: str) -> str:
    """Give a path as it is where ``/bin``, ``/sbin`` and ``/lib`` are links into ``/usr``."""
    return f"usr/{path}" if _MERGED.match(path) else path


def files_of(root: Path) -> Iterator[str]:
    """Give every file and link below ``root``, as paths in it; links are not followed."""
    for folder, folders, names in os.walk(root):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        yield from (Path(folder, name).relative_to(root).as_posix() for name in [*names, *links])
