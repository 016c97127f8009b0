"""Check a release on any machine, offline and without root; each check gives one line.

What is checked: the signature over ``SHA256SUMS`` and the file's place in it; that the file opens as what its name
says; that the disk in it is, to the bit, the one that the release's manifest names, with nothing behind it; for an OVA
also order, manifest, certificate and descriptor; for a bill of materials that it lists the manifest's packages. Files
are read where they are; nothing is unpacked or written.

Without ``signer`` the certificate beside the file is used, and the line says so: who can change the file can change
that one too, so its fingerprint has to be compared with the published one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from cryptography import x509

from image.archive import Member, members, section_of, text_of
from image.compare import compare_disks, compare_files
from image.errors import FormatError, ImageError, SignatureError
from image.ova import manifest as ova_manifest
from image.ovf_check import check_descriptor
from image.readers.content import Content, digest
from image.readers.qcow2 import read_qcow2
from image.readers.raw import read_raw, read_zstd
from image.readers.vhdx import read_vhdx
from image.readers.vmdk import read_vmdk
from image.release import (
    CERTIFICATE,
    MAX_LIST,
    SIGNATURE,
    SUMS,
    Manifest,
    file_name,
    parse_manifest,
    parse_sums,
    sha256_of,
)
from image.sbom import BILLS, package_set_of
from image.signing import fingerprint, title, verify_signature

_DISKS: Final[dict[str, Callable[[BinaryIO], Content]]] = {
    ".raw.zst": read_zstd,
    ".raw": read_raw,
    ".qcow2": read_qcow2,
    ".vmdk": read_vmdk,
    ".vhdx": read_vhdx,
}
_RAW: Final = {".raw.zst", ".raw"}
_OVAS: Final = {"_tpm.ova": True, ".ova": False}
_MAX_BILL: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was checked, what came of it."""

    name: str
    note: str
    ok: bool

    def line(self) -> str:
        """Give the line as it is printed."""
        return f"{'ok    ' if self.ok else 'NOT OK'}  {self.name}{': ' if self.note else ''}{self.note}"


class _Report:
    """Runs one check after another; one that fails does not end the rest."""

    def __init__(self, folder: Path, signer: x509.Certificate | None) -> None:
        """Check what lies in ``folder``."""
        self.folder = folder
        self.signer = signer
        self.checks: list[Check] = []
        self.listed: dict[str, str] = {}

    def check(self, name: str, by: Callable[[], str]) -> None:
        """Run a check; it raises, or gives a note."""
        try:
            self.checks.append(Check(name, by(), ok=True))
        except ImageError as error:
            self.checks.append(Check(name, str(error), ok=False))
        except OSError as error:
            self.checks.append(Check(name, error.strerror or "cannot be read", ok=False))


def verify(path: Path, *, signer: x509.Certificate | None = None, rebuild: Path | None = None) -> list[Check]:
    """Check a file of a release, or all of them when ``path`` is the folder or its ``SHA256SUMS``.

    Args:
        path: beside it lie ``SHA256SUMS``, its signature and the release's manifest.
        signer: whose signature it has to be; None takes the certificate that lies beside it.
        rebuild: a folder with an unsigned export of one's own, which the release has to equal but for signatures.
    """
    report = _Report(path if path.is_dir() else path.parent, signer)
    release: list[Manifest] = []
    report.check(SUMS, lambda: _read_sums(report))
    report.check("signature", lambda: _signature(report))
    report.check("manifest", lambda: _manifest(report, release))
    names = sorted(report.listed) if path.is_dir() or path.name == SUMS else [path.name]
    for name in names:
        report.check(f"{name}: sum", partial(_sum, report.folder / name, report.listed))
        if release:
            _verify_form(report, report.folder / name, release[0])
    if rebuild and release:
        _compare(report, rebuild, names, release[0])
    return report.checks


def _compare(report: _Report, rebuild: Path, names: list[str], release: Manifest) -> None:
    """Hold the release against a rebuild; where the disks differ by signatures, the formats do too."""
    other: list[Manifest] = []

    def manifest() -> str:
        other.append(parse_manifest(_bounded(rebuild / file_name(release.version, ".manifest.json"), MAX_LIST)))
        if (release.package_set_sha256, release.root_sha256) != (other[0].package_set_sha256, other[0].root_sha256):
            raise FormatError("the rebuild is of other packages, or has another root")
        return "the same packages and root"

    report.check("rebuild: manifest", manifest)
    if not other:
        return
    report.check("rebuild: disk", lambda: compare_disks(report.folder, rebuild, release, other[0]))
    if release.disk_sha256 == other[0].disk_sha256:
        for name in names:
            report.check(f"{name}: rebuild", partial(compare_files, report.folder / name, rebuild / name))


def _read_sums(report: _Report) -> str:
    report.listed.update(parse_sums(_bounded(report.folder / SUMS, MAX_LIST)))
    return f"{len(report.listed)} files"


def _signature(report: _Report) -> str:
    owner = _owner(report)
    signature = _bounded(report.folder / SIGNATURE, MAX_LIST)
    verify_signature(_bounded(report.folder / SUMS, MAX_LIST), signature, owner)
    name = f"by {title(owner)}, SHA-256 {fingerprint(owner)}"
    return name if report.signer else f"{name}; that certificate lay beside the file: compare it with the published one"


def _owner(report: _Report) -> x509.Certificate:
    """Whose signature it has to be."""
    if report.signer:
        return report.signer
    try:
        return x509.load_pem_x509_certificate(_bounded(report.folder / CERTIFICATE, MAX_LIST))
    except ValueError:
        raise SignatureError(f"{CERTIFICATE}: not a certificate") from None


def _manifest(report: _Report, release: list[Manifest]) -> str:
    names = [name for name in report.listed if name.endswith(".manifest.json")]
    if len(names) != 1:
        raise FormatError(f"{SUMS} lists {len(names)} manifests where one belongs")
    manifest = parse_manifest(_bounded(report.folder / names[0], MAX_LIST))
    if names[0] != file_name(manifest.version, ".manifest.json"):
        raise FormatError(f"{names[0]}: is of version {manifest.version}")
    _sum(report.folder / names[0], report.listed)
    release.append(manifest)
    return f"version {manifest.version}, disk {manifest.disk_sha256}"


def _sum(path: Path, listed: dict[str, str]) -> str:
    if path.name not in listed:
        raise FormatError(f"{SUMS} does not list this name")
    if sha256_of(path) != listed[path.name]:
        raise FormatError(f"the file is not the one that {SUMS} lists")
    return ""


def _verify_form(report: _Report, path: Path, release: Manifest) -> None:
    """Check that a file is what its name says; the name says it by its ending."""
    suffix = path.name.removeprefix(file_name(release.version, ""))
    if suffix in _DISKS:
        report.check(f"{path.name}: disk", lambda: _disk(path, suffix, release))
    elif suffix in _OVAS:
        _ova(report, path, release, tpm=_OVAS[suffix])
    elif suffix in BILLS:
        report.check(f"{path.name}: packages", lambda: _bill(path, suffix, release))
    elif suffix != ".manifest.json":
        report.check(f"{path.name}: form", _unknown)


def _unknown() -> str:
    raise FormatError("the name is not one of this release's files")


def _disk(path: Path, suffix: str, release: Manifest) -> str:
    with path.open("rb") as file:
        content = _DISKS[suffix](file)
        return _same_disk(content, release, release.disk_bytes if suffix in _RAW else release.capacity_bytes)


def _same_disk(content: Content, release: Manifest, size: int) -> str:
    if content.size != size:
        raise FormatError(f"the disk has {content.size} bytes, not {size}")
    if digest(content, release.disk_bytes).hex() != release.disk_sha256:
        raise FormatError("the disk is not the release's")
    return f"equals the raw disk, {size} bytes"


def _ova(report: _Report, path: Path, release: Manifest, *, tpm: bool) -> None:
    """An OVA's checks share one open file."""
    found: list[Member] = []

    def order(file: BinaryIO) -> str:
        found.extend(members(file))
        if found[0].name != file_name(release.version, ".ovf"):
            raise FormatError("its files are not named after the release")
        return " ".join(member.name for member in found)

    try:
        file = path.open("rb")
    except OSError:
        return  # the check of its sum has said so
    with file:
        report.check(f"{path.name}: order", lambda: order(file))
        if not found:
            return
        by_suffix = {member.suffix: member for member in found}
        disk = by_suffix[".vmdk"]
        report.check(f"{path.name}: manifest", lambda: _ova_manifest(file, by_suffix))
        report.check(f"{path.name}: certificate", lambda: _ova_certificate(file, by_suffix, report))
        report.check(f"{path.name}: descriptor", lambda: _ova_descriptor(file, by_suffix, release, tpm=tpm))
        report.check(
            f"{path.name}: disk", lambda: _same_disk(read_vmdk(section_of(file, disk)), release, release.capacity_bytes)
        )


def _ova_manifest(file: BinaryIO, found: dict[str, Member]) -> str:
    said = text_of(file, found[".mf"])
    listed = [(member.name, _digest_of(file, member)) for member in (found[".ovf"], found[".vmdk"])]
    if said != ova_manifest(listed).encode("ascii"):
        raise FormatError("its manifest does not list exactly descriptor and disk as they are")
    return ""


def _ova_certificate(file: BinaryIO, found: dict[str, Member], report: _Report) -> str:
    if ".cert" not in found:
        raise SignatureError("this archive has no certificate")
    head, _, pem = text_of(file, found[".cert"]).partition(b"\n")
    match = re.fullmatch(rb"SHA256\(([^()]+)\)= ([0-9a-f]{512,2048})", head)
    if match is None or match[1].decode("ascii", "replace") != found[".mf"].name or len(match[2]) % 2:
        raise SignatureError("its certificate file is not a signature of the manifest")
    try:
        owner = x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise SignatureError("its certificate cannot be read") from None
    if owner != _owner(report):
        raise SignatureError("its certificate is another than the one of the release")
    verify_signature(text_of(file, found[".mf"]), bytes.fromhex(match[2].decode("ascii")), owner)
    return f"by {title(owner)}"


def _ova_descriptor(file: BinaryIO, found: dict[str, Member], release: Manifest, *, tpm: bool) -> str:
    disk = found[".vmdk"]
    text = text_of(file, found[".ovf"])
    check_descriptor(text, version=release.version, disk=disk.name, disk_bytes=disk.size, tpm=tpm)
    return "with a TPM" if tpm else "without a TPM"


def _digest_of(file: BinaryIO, member: Member) -> bytes:
    return digest(read_raw(section_of(file, member)), member.size)


def _bill(path: Path, suffix: str, release: Manifest) -> str:
    if package_set_of(_bounded(path, _MAX_BILL), suffix) != release.package_set_sha256:
        raise FormatError("lists other packages than the release is made of")
    return ""


def _bounded(path: Path, most: int) -> bytes:
    """Read a small file whole.

    Raises:
        FormatError: it is longer than such a file can be.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise FormatError(f"{path.name}: too long")
    return content
