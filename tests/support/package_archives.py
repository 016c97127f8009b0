"""Debian packages and wheels, small and by hand, and a root in which they are installed."""

import io
import lzma
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import zstandard

SITE = "usr/lib/python3/dist-packages"
LINK = "link to "
DEP5 = "Format: copyright-format/1.0\n\nFiles: *\nLicense: GPL-2+\n ...\n"


def write_deb(folder: Path, name: str, files: Mapping[str, str], *, version: str = "1.0-1", packer: str = "xz") -> Path:
    """Write a package (deb(5)) of ``files``; a text that begins with LINK is a symbolic link."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        folder_entry = tarfile.TarInfo("./usr")
        folder_entry.type = tarfile.DIRTYPE
        archive.addfile(folder_entry)
        for path, text in files.items():
            member = tarfile.TarInfo(f"./{path}")
            if text.startswith(LINK):
                member.type, member.linkname = tarfile.SYMTYPE, text.removeprefix(LINK)
            else:
                member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()) if member.isreg() else None)
    packed = {"xz": lzma.compress, "zst": zstandard.compress, "": bytes}[packer](data.getvalue())
    suffix = f".{packer}" if packer else ""
    control = io.BytesIO()
    with tarfile.open(fileobj=control, mode="w:xz") as archive:
        text = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n".encode()
        member = tarfile.TarInfo("./control")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    parts = [("debian-binary", b"2.0\n"), ("control.tar.xz", control.getvalue()), (f"data.tar{suffix}", packed)]
    content = b"!<arch>\n"
    for part, body in parts:
        content += (
            f"{part:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n".encode() + body + b"\n" * (len(body) % 2)
        )
    path = folder / f"{name}_{version.replace(':', '%3a')}_amd64.deb"
    path.write_bytes(content)
    return path


def write_wheel(folder: Path, name: str, files: Mapping[str, str], *, version: str = "1.0", metadata: str = "") -> Path:
    """Write a wheel of ``files`` and its METADATA."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for place, text in files.items():
            archive.writestr(place, text)
        archive.writestr(f"{name}-{version}.dist-info/METADATA", f"Name: {name}\nVersion: {version}\n{metadata}\n")
    return path


def status_of(name: str, version: str = "1.0-1", *, state: str = "install ok installed", source: str = "") -> str:
    """Give a paragraph of dpkg's status file."""
    line = f"Source: {source}\n" if source else ""
    return f"Package: {name}\nStatus: {state}\nArchitecture: amd64\n{line}Version: {version}\nDescription: d\n more\n\n"


class Root:
    """An image's root, with the archives that it was installed from."""

    def __init__(self, folder: Path) -> None:
        self.root, self.archives, self.wheels = (folder / name for name in ("root", "archives", "wheels"))
        for path in (self.root, self.archives, self.wheels):
            path.mkdir()
        self.status = ""

    def add_deb(
        self,
        name: str,
        files: Mapping[str, str],
        *,
        removed: bool = False,
        version: str = "1.0-1",
        source: str = "",
        packer: str = "xz",
    ) -> None:
        """Install a package; ``removed`` takes its files out again."""
        write_deb(self.archives, name, files, version=version, packer=packer)
        self.status += status_of(name, version, source=source)
        self.write("usr/lib/sysimage/dpkg/status", self.status)
        for path, text in {} if removed else files.items():
            self.write(path if path.startswith(("usr/", "etc/")) else f"usr/{path}", text)

    def add_wheel(self, name: str, files: Mapping[str, str], *, metadata: str = "", version: str = "1.0") -> None:
        """Install a Python package."""
        path = write_wheel(self.wheels, name, files, metadata=metadata, version=version)
        with zipfile.ZipFile(path) as archive:
            archive.extractall(self.root / SITE)  # noqa: S202 - the archive that was just written

    def write(self, path: str, text: str = "") -> None:
        """Put a file or link into the root."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith(LINK):
            place.symlink_to(text.removeprefix(LINK))
        else:
            place.write_text(text)
