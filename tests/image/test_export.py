"""One disk in every format: each reads back as the disk, and a second export gives the same bytes."""

import hashlib
import json
import os
import random
import struct
import zlib
from pathlib import Path

import pytest

from image.build import RAW, ROOT, UKI, Disk
from image.errors import FormatError
from image.export import Package, export
from image.ova import digest_of
from image.release import CAPACITY, CERTIFICATE, SIGNATURE, SUMS
from image.run import Runner
from image.tools_tree import ToolsTree
from image.verify import verify
from tests.support.releases import INVENTORY, signer
from tests.support.tree import ROOT as PROJECT

MIB = 1 << 20
NAME = "natalia-appliance_1.2.3"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the tools tree needs namespaces and mounts")


def gpt_disk(size: int) -> bytes:
    """A disk with a protective MBR, one partition of data that packs badly, and both GPT headers (UEFI 2.10, 5.3)."""
    sectors = size // 512
    disk = bytearray(size)
    disk[446:462] = struct.pack("<8B2I", 0, 0, 2, 0, 0xEE, 255, 255, 255, 1, sectors - 1)
    disk[510:512] = b"\x55\xaa"
    entry = bytes(range(1, 17)) + bytes(range(17, 33)) + struct.pack("<3Q", 2048, sectors - 2048, 0)
    table = (entry + "data".encode("utf-16-le")).ljust(128 * 128, b"\0")
    for here, other, entries in ((1, sectors - 1, 2), (sectors - 1, 1, sectors - 33)):
        head = bytearray(
            struct.pack("<8s4I4Q", b"EFI PART", 0x10000, 92, 0, 0, here, other, 34, sectors - 34)
            + bytes(range(33, 49))
            + struct.pack("<Q3I", entries, 128, 128, zlib.crc32(table))
        )
        struct.pack_into("<I", head, 16, zlib.crc32(head))
        disk[here * 512 : here * 512 + 92] = head
        disk[entries * 512 : entries * 512 + len(table)] = table
    disk[MIB : 2 * MIB] = random.Random(3).randbytes(MIB)  # noqa: S311 - test data
    disk[4 * MIB : 4 * MIB + 8192] = b"readable" * 1024
    return bytes(disk)


def built(folder: Path, content: bytes) -> Disk:
    """A built disk of that content."""
    folder.mkdir()
    (folder / RAW).write_bytes(content)
    (folder / UKI).write_bytes(b"kernel image")
    (folder / ROOT).write_bytes(b"root")
    return Disk(folder)


def package(*, signed: bool = True, version: str = "1.2.3") -> Package:
    """What comes with it."""
    return Package(
        version=version,
        signer=signer() if signed else None,
        package_set=INVENTORY.package_set,
        documents=INVENTORY.documents(version),
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> ToolsTree:
    """The tools tree of the build, made if it is not there."""
    made = ToolsTree(PROJECT / "build/image", Runner(tmp_path_factory.mktemp("log") / "log", print))
    made.ensure()
    return made


@pytest.mark.parametrize("size", [0, 513, CAPACITY + 512], ids=["empty", "odd", "huge"])
def test_what_is_no_disk_is_refused_before_anything_is_written(size: int, tmp_path: Path) -> None:
    """Not whole sectors, nothing at all, or more than its capacity (a hole: this costs no room)."""
    disk = built(tmp_path / "disk", b"")
    os.truncate(disk.raw, size)
    runner = Runner(tmp_path / "log", print)
    with pytest.raises(FormatError):
        export(disk, tmp_path / "out", package(), tree=ToolsTree(tmp_path, runner), runner=runner)
    assert not (tmp_path / "out").exists()


def test_a_version_that_is_no_file_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """It would name files elsewhere."""
    runner = Runner(tmp_path / "log", print)
    disk = built(tmp_path / "disk", gpt_disk(8 * MIB))
    wrong = Package(version="../1", signer=None, package_set=INVENTORY.package_set)
    with pytest.raises(FormatError, match="version"):
        export(disk, tmp_path / "out", wrong, tree=ToolsTree(tmp_path, runner), runner=runner)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def exported(tree: ToolsTree, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Two exports of one disk, and a third without a signature."""
    folder = tmp_path_factory.mktemp("export")
    disk = built(folder / "disk", gpt_disk(8 * MIB))
    for name in ("one", "two", "unsigned"):
        runner = Runner(folder / "log", print)
        export(disk, folder / name, package(signed=name != "unsigned"), tree=tree, runner=runner)
    return folder / "one", folder / "two", folder / "unsigned"


def contents(folder: Path) -> dict[str, bytes]:
    """Digest of each file, but the report, which holds times."""
    return {path.name: digest_of(path) for path in folder.iterdir() if not path.name.endswith(".report.json")}


@pytest.mark.slow
@needs_root
def test_two_exports_of_one_disk_are_equal_bit_for_bit(exported: tuple[Path, Path, Path]) -> None:
    """Every format, both OVAs, lists and, with the same key, the signatures."""
    one, two, _ = exported
    assert contents(one) == contents(two)
    assert {f"{NAME}{end}" for end in (".raw.zst", ".qcow2", ".vmdk", ".vhdx", ".ova", "_tpm.ova")} <= {*contents(one)}
    assert {SUMS, SIGNATURE, CERTIFICATE} <= {*contents(one)}


@pytest.mark.slow
@needs_root
def test_without_a_key_only_the_archives_and_lists_differ(exported: tuple[Path, Path, Path]) -> None:
    """No trace of a key in a disk."""
    one, _, unsigned = (contents(folder) for folder in exported)
    differing = {name for name in one if one[name] != unsigned.get(name)}
    assert differing == {f"{NAME}.ova", f"{NAME}_tpm.ova", SUMS, SIGNATURE, CERTIFICATE}


@pytest.mark.slow
@needs_root
def test_an_export_verifies(exported: tuple[Path, Path, Path]) -> None:
    """By our own readers, each format."""
    checks = verify(exported[0], signer=signer().certificate)
    assert [check.line() for check in checks if not check.ok] == []


@pytest.mark.slow
@needs_root
@pytest.mark.parametrize("form", ["qcow2", "vmdk", "vhdx"])
def test_qemu_reads_each_format_back_as_the_disk(
    form: str, exported: tuple[Path, Path, Path], tree: ToolsTree, tmp_path: Path
) -> None:
    """A program that is not ours: the grown disk, to the bit, of the capacity."""
    os.link(exported[0] / f"{NAME}.{form}", tmp_path / "disk")
    tree.run(tmp_path, ["qemu-img", "convert", "-f", form, "-O", "raw", "disk", "raw"])
    assert (tmp_path / "raw").stat().st_size == CAPACITY
    with (tmp_path / "raw").open("rb") as file:
        assert file.read(8 * MIB) == gpt_disk(8 * MIB)
    # What is behind is a hole: as many blocks as the data has, at most.
    assert (tmp_path / "raw").stat().st_blocks * 512 <= 8 * MIB


@pytest.mark.slow
@needs_root
def test_zstd_reads_the_raw_disk_back(exported: tuple[Path, Path, Path], tree: ToolsTree, tmp_path: Path) -> None:
    """As it was built, not grown."""
    os.link(exported[0] / f"{NAME}.raw.zst", tmp_path / "disk.zst")
    tree.run(tmp_path, ["zstd", "-q", "-d", "disk.zst", "-o", "raw"])
    assert (tmp_path / "raw").read_bytes() == gpt_disk(8 * MIB)


@pytest.mark.slow
@needs_root
def test_the_report_says_what_was_made_and_how_long_it_took(exported: tuple[Path, Path, Path]) -> None:
    """Sizes and digests as they are, times of what was converted."""
    folder = exported[0]
    report = json.loads((folder / f"{NAME}.report.json").read_text())
    assert report["release"]["disk_sha256"] == hashlib.sha256(gpt_disk(8 * MIB)).hexdigest()
    assert report["signed"] is True
    rows = {row["name"]: row for row in report["files"]}
    for name, row in rows.items():
        assert (row["bytes"], row["sha256"]) == ((folder / name).stat().st_size, digest_of(folder / name).hex())
    assert "seconds" in rows[f"{NAME}.vmdk"]


@pytest.mark.slow
@needs_root
def test_no_work_file_is_left(exported: tuple[Path, Path, Path]) -> None:
    """Only what belongs to a release."""
    assert [path.name for path in exported[0].iterdir() if path.name.startswith(".")] == []
