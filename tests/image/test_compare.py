"""A signed release equals its unsigned rebuild but for signatures; anything else that differs is named."""

import io
import os
import shutil
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner

from image.authenticode import compare_programs
from image.cli import main
from image.compare import compare_raw
from image.errors import FormatError
from image.fat import fat_files
from image.release import SUMS
from image.run import Runner
from image.tools_tree import ToolsTree
from image.verify import verify
from tests.support.disk_writers import write_zstd
from tests.support.efi_disks import disk_with, fat16, program
from tests.support.releases import INVENTORY, NAME, Release, release
from tests.support.tree import ROOT as PROJECT

STUB = [(".text", b"code" * 200), (".osrel", b"ID=debian"), (".cmdline", b"roothash=00"), (".linux", b"kernel" * 999)]
SIGNED = [*STUB[:3], (".pcrpkey", b"-----BEGIN"), STUB[3], (".pcrsig", b'{"sha256": []}')]
FILES = {
    "EFI/a rather long name of a kernel image.efi": program(STUB),
    "loader/loader.conf": b"timeout 0\n",
    "empty": b"",
}


def changed(files: dict[str, bytes] | None = None, **more: bytes) -> bytes:
    """A disk with other files in its ESP."""
    return disk_with(fat16(files or FILES), **more)


def difference(signed: bytes, unsigned: bytes | None = None) -> str:
    """What a comparison says."""
    return compare_raw(io.BytesIO(signed), io.BytesIO(unsigned or changed()))


def test_signatures_are_left_out() -> None:
    """Certificate, checksum, and the two sections; what stands behind them may have moved."""
    signed = program(SIGNED, certificate=b"pkcs7" * 99, checksum=4711)
    assert compare_programs(signed, program(STUB)) == (".pcrpkey", ".pcrsig", "Authenticode")
    assert compare_programs(program(STUB), program(STUB)) == ()


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ([(".text", b"evil" * 200), *STUB[1:]], ".text differs"),
        ([*STUB[:2], (".cmdline", b"roothash=01"), STUB[3]], ".cmdline differs"),
        ([*STUB, (".initrd", b"more")], "others"),
        (STUB[:3], "others"),
        ([STUB[1], STUB[0], *STUB[2:]], "others"),
        ([STUB[0], (".osrel", b"ID=debian\0"), *STUB[2:]], ".osrel differs"),
        ([(".pcrsig", bytes(9000)), *STUB], "equal"),
    ],
    ids=["code", "command line", "section more", "section less", "order", "longer by a zero", "moved by a signature"],
)
def test_any_other_difference_of_a_program_is_named(sections: list[tuple[str, bytes]], reason: str) -> None:
    """Another byte of code or of the command line, another section, another order."""
    if reason == "equal":
        assert compare_programs(program(sections), program(STUB)) == (".pcrsig",)
        return
    with pytest.raises(FormatError, match=reason):
        compare_programs(program(sections), program(STUB))


def test_a_signature_that_lies_over_code_in_memory_is_refused() -> None:
    """It would replace what was compared."""
    with pytest.raises(FormatError, match="over each other"):
        compare_programs(program(SIGNED, overlap=True), program(STUB))


def test_data_that_no_header_names_is_refused() -> None:
    """Behind the last section, behind a section's end, before the certificate."""
    whole = program([*STUB, (".last", b"odd")])
    padded = bytearray(whole)
    padded[-100] = 1
    for content in (whole + b"more", bytes(padded), whole + bytes(1 << 17)):
        with pytest.raises(FormatError, match="data"):
            compare_programs(content, whole)


def test_a_certificate_that_is_not_at_the_end_is_refused() -> None:
    """Something behind it is in no signature."""
    with pytest.raises(FormatError, match="not at the end"):
        compare_programs(program(STUB, certificate=b"pkcs7") + bytes(8), program(STUB))


def test_another_header_is_named() -> None:
    """The entry point, say."""
    content = bytearray(program(STUB))
    content[64 + 24 + 16] = 1
    with pytest.raises(FormatError, match="headers"):
        compare_programs(bytes(content), program(STUB))


def test_no_damaged_program_gives_another_exception() -> None:
    """Cut anywhere, any byte flipped: equal, or a typed error."""
    whole = program(SIGNED, certificate=b"pkcs7")
    hostile = [whole[:length] for length in range(0, len(whole), 97)]
    hostile += [whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :] for place in range(600)]
    refused = 0
    for content in hostile:
        try:
            compare_programs(content, program(STUB))
        except FormatError:
            refused += 1
    assert refused > len(hostile) // 3


def test_the_files_of_a_volume_are_read() -> None:
    """Long names, folders, empty files; labels and deleted entries are none."""
    assert fat_files(io.BytesIO(fat16(FILES)), 0, 8192 * 512) == FILES


@pytest.mark.parametrize("place", [0x0B, 0x0D, 0x0E, 0x10, 0x13, 0x16, 510], ids=hex)
def test_a_volume_with_wrong_numbers_is_refused(place: int) -> None:
    """Sector, cluster and table sizes, the mark at the end."""
    content = bytearray(fat16(FILES))
    content[place : place + 2] = b"\0\0"
    with pytest.raises(FormatError):
        fat_files(io.BytesIO(content), 0, len(content))


def test_a_chain_in_a_circle_is_refused() -> None:
    """A folder without end would be read for ever."""
    content = bytearray(fat16(FILES))
    struct.pack_into("<4H", content, 512 + 4, 3, 2, 3, 2)
    with pytest.raises(FormatError):
        fat_files(io.BytesIO(content), 0, len(content))


def test_no_damaged_volume_gives_another_exception() -> None:
    """Bytes flipped in boot sector, table and folders: files, or a typed error."""
    whole = fat16(FILES)
    root = (1 + 32) * 512
    for place in [*range(0, 700, 5), *range(root, root + 600, 3)]:
        content = bytearray(whole)
        content[place] ^= 0xFF
        try:
            assert fat_files(io.BytesIO(content), 0, len(content)) is not None
        except FormatError as error:
            assert error.hint  # noqa: PT017 - either outcome is right; another exception is not


def test_a_signed_disk_equals_its_rebuild_but_for_signatures() -> None:
    """And the line says what it has more, and where."""
    name = next(iter(FILES))
    said = difference(changed({**FILES, name: program(SIGNED, certificate=b"pkcs7")}))
    assert f"{name}: .pcrpkey, .pcrsig, Authenticode" in said


@pytest.mark.parametrize(
    ("disk", "reason"),
    [
        (changed(root=b"evil" * 512), "outside the ESP"),
        (changed({**FILES, "loader/loader.conf": b"timeout 9\n"}), "loader.conf"),
        (changed({**FILES, "loader/more.conf": b""}), "more.conf"),
        (changed({**FILES, next(iter(FILES)): program([*STUB[:3], (".linux", b"other")])}), ".linux differs"),
        (changed() + bytes(512), "laid out"),
        (bytes(len(changed())), "no partition table"),
    ],
    ids=["root", "setting", "file more", "kernel", "longer", "none"],
)
def test_any_other_difference_of_a_disk_is_named(disk: bytes, reason: str) -> None:
    """One byte of the root; a file more; another kernel."""
    with pytest.raises(FormatError, match=reason):
        difference(disk)


def as_release(folder: Path, disk: bytes) -> Release:
    """A release of a disk that has a partition table, of raw disk and manifest alone."""
    folder.mkdir()
    made = Release(folder)
    write_zstd(made.path(".raw.zst"), disk)
    made.describe(disk)
    made.seal()
    return made


def test_verify_compares_a_signed_disk_with_a_rebuild(tmp_path: Path) -> None:
    """One line says that they are the same but for signatures."""
    signed = as_release(tmp_path / "signed", changed({**FILES, next(iter(FILES)): program(SIGNED)}))
    rebuilt = as_release(tmp_path / "rebuilt", changed())
    checks = {check.name: check for check in verify(signed.folder, rebuild=rebuilt.folder)}
    assert all(check.ok for check in checks.values())
    assert ".pcrsig" in checks["rebuild: disk"].note


def test_verify_refuses_a_rebuild_of_another_disk(tmp_path: Path) -> None:
    """One bit of the root is enough."""
    signed = as_release(tmp_path / "signed", changed(root=b"evil" * 512))
    rebuilt = as_release(tmp_path / "rebuilt", changed())
    assert [check.name for check in verify(signed.folder, rebuild=rebuilt.folder) if not check.ok] == ["rebuild: disk"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release, made once."""
    return release(tmp_path_factory.mktemp("release")).folder


def test_an_unsigned_rebuild_of_the_same_disk_is_the_same_in_every_format(whole: Path, tmp_path: Path) -> None:
    """Its archives have no certificate; all else is equal to the bit."""
    rebuilt = Path(shutil.copytree(whole, tmp_path / "rebuilt"))
    done = CliRunner().invoke(main, ["verify", str(whole), "--rebuild", str(rebuilt)])
    assert done.exit_code == 0
    assert f"ok      {NAME}.ova: rebuild: the same files, bit for bit, but for the certificate" in done.output
    assert f"ok      {NAME}.vhdx: rebuild: the same, bit for bit" in done.output


@pytest.mark.parametrize("suffix", [".vhdx", ".ova", ".spdx.json"])
def test_a_file_that_the_rebuild_has_not_is_named(suffix: str, whole: Path, tmp_path: Path) -> None:
    """Another byte in it, or no such file."""
    rebuilt = Release(Path(shutil.copytree(whole, tmp_path / "rebuilt")))
    content = bytearray(rebuilt.path(suffix).read_bytes())
    content[2000] ^= 1
    rebuilt.path(suffix).write_bytes(content)
    assert [check.name for check in verify(whole / SUMS, rebuild=rebuilt.folder) if not check.ok] == [
        f"{NAME}{suffix}: rebuild"
    ]
    rebuilt.path(suffix).unlink()
    assert [check.name for check in verify(whole / SUMS, rebuild=rebuilt.folder) if not check.ok] == [
        f"{NAME}{suffix}: rebuild"
    ]


UKIFY = """
set -e
cd /build
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out certificate -days 2 -subj /CN=test 2>/dev/null
openssl genrsa -out pcr 2048 2>/dev/null
head -c 100000 /dev/urandom >initrd
set -- --linux=/usr/lib/systemd/boot/efi/systemd-bootx64.efi --initrd=initrd --cmdline=a --uname=1 --os-release=ID=x
U=$(command -v ukify || echo /usr/lib/systemd/ukify)
$U build "$@" --output=unsigned.efi
$U build "$@" --output=signed.efi --secureboot-private-key=key --secureboot-certificate=certificate \\
  --pcr-private-key=pcr --pcr-banks=sha256 --phases=enter-initrd
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="the tools tree needs namespaces and mounts")
def test_what_ukify_signs_equals_what_it_does_not(tmp_path: Path) -> None:
    """The real programs: a kernel image signed for Secure Boot and for PCR 11 is its unsigned build and signatures."""
    tree = ToolsTree(PROJECT / "build/image", Runner(tmp_path / "log", print))
    tree.ensure()
    tree.run(tmp_path, ["bash", "-c", UKIFY])
    signed, unsigned = ((tmp_path / f"{name}.efi").read_bytes() for name in ("signed", "unsigned"))
    assert {".pcrsig", "Authenticode"} <= {*compare_programs(signed, unsigned)}
    edited = bytearray(signed)
    edited[edited.index((tmp_path / "initrd").read_bytes()[:64])] ^= 1
    with pytest.raises(FormatError, match="initrd"):
        compare_programs(bytes(edited), unsigned)


def test_a_raw_disk_that_is_not_its_manifests_is_refused(tmp_path: Path) -> None:
    """Both sides are held against their own manifests before they are compared."""
    signed = as_release(tmp_path / "signed", changed({**FILES, next(iter(FILES)): program(SIGNED)}))
    rebuilt = as_release(tmp_path / "rebuilt", changed())
    for content, reason in ((changed(root=b"evil" * 512), "not the manifest's"), (changed() + bytes(512), "size")):
        write_zstd(rebuilt.path(".raw.zst"), content)
        (check,) = [check for check in verify(signed.folder, rebuild=rebuilt.folder) if not check.ok]
        assert (check.name, reason in check.note) == ("rebuild: disk", True)


def test_a_rebuild_of_other_packages_is_named(tmp_path: Path) -> None:
    """It cannot be the same image."""
    signed, rebuilt = (as_release(tmp_path / name, changed()) for name in ("signed", "rebuilt"))
    text = rebuilt.path(".manifest.json").read_text()
    rebuilt.path(".manifest.json").write_text(text.replace(INVENTORY.package_set, "0" * 64))
    notes = {check.name: check.note for check in verify(signed.folder, rebuild=rebuilt.folder) if not check.ok}
    assert "other packages" in notes["rebuild: manifest"]
    assert notes.keys() == {"rebuild: manifest", f"{NAME}.manifest.json: rebuild"}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (512, b"odd"),
        (1024, bytes(16)),
        (1024 + 128, changed()[1024:1040]),
        (1024 + 40, b"\xff" * 8),
        (512 + 84, b"\1\0"),
    ],
    ids=["signature", "no ESP", "two", "outside", "entry size"],
)
def test_a_wrong_partition_table_is_refused(place: int, value: bytes) -> None:
    """Not exactly one ESP within the disk."""
    content = bytearray(changed())
    content[place : place + len(value)] = value
    with pytest.raises(FormatError, match="gpt"):
        difference(bytes(content))


def test_two_files_of_one_name_are_refused() -> None:
    """Which one firmware takes is anybody's guess."""
    content = fat16({"one": b"1", "two": b"2"})
    with pytest.raises(FormatError, match="twice"):
        fat_files(io.BytesIO(content.replace("two".encode("utf-16-le"), "one".encode("utf-16-le"))), 0, len(content))


def test_a_file_longer_than_its_clusters_is_refused() -> None:
    """And one longer than the volume."""
    content = bytearray(fat16({"one": b"1"}))
    root = (1 + 32) * 512
    at = content.index(b"FILE0000", root) + 28
    for size, reason in ((600, "cut"), (1 << 31, "fits")):
        struct.pack_into("<I", content, at, size)
        with pytest.raises(FormatError, match=reason):
            fat_files(io.BytesIO(content), 0, len(content))
