"""One built disk in every format, with what proves it: sums, signature, manifest, report.

Every format is the same bytes for the same disk; only ``SHA256SUMS.sig`` and the ``.cert`` in an OVA depend on the key.
The disk is grown to its capacity by a hole, not written: its GPT stays as it was built, with the backup at the built
disk's end. The primary header names that place, which is where firmware and kernel look (UEFI 2.10, 5.3.2), and
systemd-repart moves it to the true end at the first boot, as with any cloud image on a larger disk.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from image.build import Disk
from image.errors import FormatError
from image.formats import SECTOR, settle_vhdx, settle_vmdk
from image.ova import certificate, manifest, write_ova
from image.ovf import Appliance, descriptor
from image.release import (
    CAPACITY,
    CERTIFICATE,
    SIGNATURE,
    SUMS,
    Manifest,
    file_name,
    sha256_of,
    sums,
)
from image.run import Runner
from image.signing import Signer
from image.tools_tree import ToolsTree

EPOCH: Final = 1764028800
"""The time that every file of a release claims, as in the disk itself."""
OVAS: Final = {".ova": False, "_tpm.ova": True}
"""Whether each has a TPM item."""
_LEVEL: Final = "-12"
_CHUNK: Final = 1 << 20
_WORK: Final = ".export"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What comes with the disk into its release."""

    version: str
    signer: Signer | None
    """None leaves signatures and certificates out, for a rebuild that is compared."""
    package_set: str
    """SHA-256, hex, of the packages that the image is made of."""
    documents: Mapping[str, str] = field(default_factory=dict)
    """Bills of materials: texts by the file name's suffix."""


@dataclass(frozen=True, slots=True)
class _Export:
    """One export on its way."""

    package: Package
    folder: Path
    tree: ToolsTree
    runner: Runner
    seconds: dict[str, float]

    @property
    def work(self) -> Path:
        return self.folder / _WORK

    def name(self, suffix: str) -> str:
        return file_name(self.package.version, suffix)

    def make(self, suffix: str, by: Callable[[Path], None]) -> Path:
        """Make one file in the work folder, then put it in its place."""
        began, partial = time.monotonic(), self.work / self.name(suffix)
        with self.runner.stage(partial.name):
            by(partial)
        self.seconds[partial.name] = round(time.monotonic() - began, 1)
        return partial.replace(self.folder / partial.name)

    def convert(self, *words: str) -> None:
        self.tree.run(self.work, words)


def export(disk: Disk, folder: Path, package: Package, *, tree: ToolsTree, runner: Runner) -> list[Path]:
    """Write a release of ``disk`` into ``folder``; files of the same names are replaced.

    Raises:
        FormatError: the disk is too large or not whole sectors, or the version cannot be in a file name.
        CommandError: a converter failed.
    """
    run = _Export(package, folder, tree, runner, {})
    run.name("")
    size = disk.raw.stat().st_size
    if size % SECTOR or not 0 < size <= CAPACITY:
        raise FormatError(f"{disk.raw.name}: {size} bytes are not a disk of up to {CAPACITY}")
    shutil.rmtree(run.work, ignore_errors=True)
    run.work.mkdir(parents=True)
    try:
        what = _describe(disk, package)
        files = [*_disks(run, disk, bytes.fromhex(what.disk_sha256)), *_texts(run, what)]
        vmdk = folder / run.name(".vmdk")
        files += [run.make(suffix, _ova(run, vmdk, what, tpm=tpm)) for suffix, tpm in OVAS.items()]
        return [*files, *_seal(run, files, what)]
    finally:
        shutil.rmtree(run.work, ignore_errors=True)


def _describe(disk: Disk, package: Package) -> Manifest:
    return Manifest(
        version=package.version,
        disk_sha256=sha256_of(disk.raw),
        disk_bytes=disk.raw.stat().st_size,
        capacity_bytes=CAPACITY,
        kernel_image_sha256=sha256_of(disk.uki),
        root_sha256=sha256_of(disk.root),
        package_set_sha256=package.package_set,
    )


def _disks(run: _Export, disk: Disk, identity: bytes) -> list[Path]:
    """Raw, qcow2, VMDK and VHDX; the grown disk and a sparse step for vmdk-convert, which would read every hole."""
    _copy_sparse(disk.raw, run.work / "disk.raw")

    def packed(path: Path) -> None:
        run.convert("zstd", "--quiet", "--check", "--threads=1", _LEVEL, "disk.raw", "-o", path.name)

    def qcow2(path: Path) -> None:
        run.convert("qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", "-c", "disk.raw", path.name)

    def vmdk(path: Path) -> None:
        run.convert("qemu-img", "convert", "-q", "-f", "raw", "-O", "vmdk", "disk.raw", "sparse.vmdk")
        run.convert("vmdk-convert", "sparse.vmdk", path.name)
        settle_vmdk(path, identity=identity)

    def vhdx(path: Path) -> None:
        # 1 MiB is the block that Hyper-V's own guide asks for with Linux.
        form = ("-o", "subformat=dynamic,block_size=1M")
        run.convert("qemu-img", "convert", "-q", "-f", "raw", "-O", "vhdx", *form, "disk.raw", path.name)
        settle_vhdx(path, identity=identity)

    first = run.make(".raw.zst", packed)
    with (run.work / "disk.raw").open("r+b") as file:
        file.truncate(CAPACITY)
    return [first, *(run.make(suffix, by) for suffix, by in ((".qcow2", qcow2), (".vmdk", vmdk), (".vhdx", vhdx)))]


def _texts(run: _Export, what: Manifest) -> list[Path]:
    documents = {".manifest.json": what.text(), **run.package.documents}
    return [_write(run.folder / run.name(suffix), text.encode("utf-8")) for suffix, text in documents.items()]


def _ova(run: _Export, vmdk: Path, what: Manifest, *, tpm: bool) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        ovf, mf = run.name(".ovf"), run.name(".mf")
        build = Appliance(what.version, vmdk.name, vmdk.stat().st_size, identity=what.disk_sha256, tpm=tpm)
        text = descriptor(build)
        digests = [(ovf, _digest(text)), (vmdk.name, bytes.fromhex(sha256_of(vmdk)))]
        texts = [(ovf, text), (mf, manifest(digests))]
        if signer := run.package.signer:
            texts.append((run.name(".cert"), certificate(mf, texts[1][1], key=signer.key, signer=signer.certificate)))
        write_ova(path, texts=texts, disk=vmdk, mtime=EPOCH)

    return write


def _seal(run: _Export, files: list[Path], what: Manifest) -> list[Path]:
    """Sums and signature over them, and the report."""
    digests = {path.name: sha256_of(path) for path in files}
    text = sums(digests).encode("ascii")
    made = [_write(run.folder / SUMS, text)]
    for name in (SIGNATURE, CERTIFICATE):
        (run.folder / name).unlink(missing_ok=True)
    if signer := run.package.signer:
        made.append(_write(run.folder / SIGNATURE, signer.sign(text)))
        made.append(_write(run.folder / CERTIFICATE, signer.pem))
    rows = [
        {"name": path.name, "bytes": path.stat().st_size, "sha256": digests[path.name]}
        | ({"seconds": run.seconds[path.name]} if path.name in run.seconds else {})
        for path in files
    ]
    report = {"release": asdict(what), "signed": run.package.signer is not None, "files": rows}
    text = (json.dumps(report, indent=2) + "\n").encode("utf-8")
    return [*made, _write(run.folder / run.name(".report.json"), text)]


def _copy_sparse(source: Path, target: Path) -> None:
    """Copy, and leave holes where there are only zeros."""
    with source.open("rb") as old, target.open("wb") as new:
        while chunk := old.read(_CHUNK):
            if chunk.count(0) == len(chunk):
                new.seek(len(chunk), 1)
            else:
                new.write(chunk)
        new.truncate(source.stat().st_size)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8")).digest()


def _write(path: Path, content: bytes) -> Path:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    return partial.replace(path)
