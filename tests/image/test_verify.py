"""A whole release verifies; each thing that can be wrong with a file of it is named, and nothing is written."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from image.cli import main
from image.errors import FormatError
from image.ova import certificate
from image.release import CERTIFICATE, SIGNATURE, SUMS, file_name, parse_manifest, parse_sums
from image.verify import Check, verify
from tests.support.disk_writers import write_qcow2, write_vmdk, write_zstd
from tests.support.releases import NAME, Release, a_disk, release, signer

SUFFIXES = [".raw.zst", ".qcow2", ".vmdk", ".vhdx", ".ova", "_tpm.ova", ".cdx.json", ".spdx.json", ".manifest.json"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release, made once."""
    return release(tmp_path_factory.mktemp("release")).folder


@pytest.fixture
def made(whole: Path, tmp_path: Path) -> Release:
    """A copy of it to change."""
    return Release(Path(shutil.copytree(whole, tmp_path / "release")))


def broken(checks: list[Check]) -> dict[str, str]:
    """What is not ok, and why."""
    return {check.name.removeprefix(NAME): check.note for check in checks if not check.ok}


def test_a_whole_release_verifies(whole: Path) -> None:
    """Every file, by the signer that was told another way."""
    checks = verify(whole, signer=signer().certificate)
    assert broken(checks) == {}
    names = {check.name.removeprefix(NAME) for check in checks}
    assert {f"{suffix}: sum" for suffix in SUFFIXES} <= names
    assert {".ova: order", ".ova: manifest", ".ova: certificate", "_tpm.ova: descriptor", ".vhdx: disk"} <= names


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_file_verifies_alone(suffix: str, whole: Path) -> None:
    """With the lists beside it."""
    checks = verify(whole / f"{NAME}{suffix}", signer=signer().certificate)
    assert broken(checks) == {}
    assert all(NAME not in check.name or check.name.startswith(f"{NAME}{suffix}") for check in checks)


def test_without_a_signer_given_the_line_says_so(whole: Path) -> None:
    """Who can change the file can change the certificate beside it."""
    (line,) = [check.line() for check in verify(whole / SUMS) if check.name == "signature"]
    assert "compare it with the published one" in line
    assert "Natalia test" in line


def test_openssl_alone_verifies_the_signature(whole: Path, tmp_path: Path) -> None:
    """The commands of the module's own text, without any of our code."""
    get_key = ["openssl", "x509", "-in", str(whole / CERTIFICATE), "-noout", "-pubkey"]
    (tmp_path / "key.pem").write_bytes(subprocess.run(get_key, capture_output=True, check=True).stdout)
    check = ["openssl", "dgst", "-sha256", "-verify", str(tmp_path / "key.pem"), "-signature", SIGNATURE, SUMS]
    assert subprocess.run(check, cwd=whole, capture_output=True, check=False).returncode == 0


def test_coreutils_check_the_sums(whole: Path) -> None:
    """The list is of the form that everybody has the program for."""
    assert (
        subprocess.run(["sha256sum", "--strict", "-c", SUMS], cwd=whole, capture_output=True, check=False).returncode
        == 0
    )


def test_verifying_writes_nothing(made: Release, tmp_path: Path) -> None:
    """Neither beside the files nor anywhere above."""
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    verify(made.folder)
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("how", ["cut", "edited", "longer"])
def test_a_changed_file_is_not_the_listed_one(suffix: str, how: str, made: Release) -> None:
    """Cut, one bit changed, or something added."""
    path = made.path(suffix)
    content = bytearray(path.read_bytes())
    if how == "edited":
        content[len(content) // 2] ^= 1
    path.write_bytes(content[:-1] if how == "cut" else content + b"x" * (how == "longer"))
    found = broken(verify(path, signer=signer().certificate))
    assert found
    assert all(SUMS in found.get(name, SUMS) for name in found if name.endswith(": sum"))


@pytest.mark.parametrize(("one", "other"), [(".qcow2", ".vhdx"), (".ova", "_tpm.ova"), (".cdx.json", ".spdx.json")])
def test_swapped_files_are_named_even_when_the_sums_fit(one: str, other: str, made: Release) -> None:
    """Each is opened as what its name says."""
    first, second = made.path(one).read_bytes(), made.path(other).read_bytes()
    made.path(one).write_bytes(second)
    made.path(other).write_bytes(first)
    made.seal()
    found = broken(verify(made.folder, signer=signer().certificate))
    assert {name.partition(":")[0] for name in found} == {one, other}


def another_disk() -> bytes:
    """The release's disk with one bit changed."""
    disk = bytearray(a_disk())
    disk[5000] ^= 1
    return bytes(disk)


@pytest.mark.parametrize(
    ("suffix", "write"),
    [(".raw.zst", write_zstd), (".qcow2", write_qcow2), (".vmdk", write_vmdk)],
    ids=["zstd", "qcow2", "vmdk"],
)
def test_another_disk_in_one_format_is_found(suffix: str, write: Callable[[Path, bytes], Path], made: Release) -> None:
    """A sum alone would not tell: the signer may have listed it by mistake."""
    write(made.path(suffix), another_disk())
    made.seal()
    assert list(broken(verify(made.folder, signer=signer().certificate))) == [f"{suffix}: disk"]


def test_another_capacity_is_found(made: Release) -> None:
    """A disk of 8 GiB has no room for what the appliance keeps."""
    write_qcow2(made.path(".qcow2"), a_disk(), size=8 << 30)
    made.seal()
    assert "bytes, not" in broken(verify(made.folder))[".qcow2: disk"]


def test_another_signer_is_refused(made: Release) -> None:
    """All fits together, and is somebody else's."""
    made.seal(signer("Somebody else"))
    assert "signature" in broken(verify(made.folder, signer=signer().certificate))


@pytest.mark.parametrize("name", [SIGNATURE, SUMS, CERTIFICATE, f"{NAME}.manifest.json"])
def test_a_missing_list_is_not_ok(name: str, made: Release) -> None:
    """No list, no signature, no certificate, no manifest: each is a line, not a silence."""
    (made.folder / name).unlink()
    assert broken(verify(made.path(".qcow2")))


def test_a_file_under_another_name_is_not_listed(made: Release) -> None:
    """A name is part of what is signed."""
    path = made.path(".qcow2").rename(made.folder / "natalia-appliance_9.9.9.qcow2")
    found = broken(verify(path))
    assert "does not list" in found[f"{path.name}: sum"]


def test_a_listed_file_of_no_known_form_is_not_ok(made: Release) -> None:
    """Nothing is in a release that nobody checked."""
    made.path(".exe").write_bytes(b"MZ")
    made.seal()
    assert list(broken(verify(made.folder))) == [".exe: form"]


@pytest.mark.parametrize(
    ("change", "which"),
    [
        ({"says": signer("Somebody else")}, "certificate"),
        ({"change": ('vmw:value="efi"', 'vmw:value="bios"')}, "descriptor"),
        ({"change": ("1.2.3<", "1.2.4<")}, "descriptor"),
    ],
    ids=["signer", "firmware", "version"],
)
def test_an_ova_that_is_wrong_inside_is_found(change: dict[str, Any], which: str, made: Release) -> None:
    """Though its own manifest and the release's sums fit."""
    made.ova(**change)
    made.seal()
    assert list(broken(verify(made.folder, signer=signer().certificate))) == [f".ova: {which}"]


def cert(name: str = f"{NAME}.mf", *, over: str = "another manifest") -> str:
    """A certificate file of the right signer, over something."""
    return certificate(name, over, key=signer().key, signer=signer().certificate)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (cert(), "not the signer's over this content"),
        (cert("other.mf"), "not a signature of the manifest"),
        (cert().replace("SHA256(", "SHA1("), "not a signature of the manifest"),
        (cert().partition("\n")[0] + "\n", "cannot be read"),
        ("\n", "not a signature of the manifest"),
        ("", "no certificate"),
    ],
    ids=["over another", "of another name", "weak", "no certificate in it", "empty", "missing"],
)
def test_an_ova_that_is_not_signed_as_it_should_be_is_found(text: str, reason: str, made: Release) -> None:
    """By the right signer, but over something else; of another form; not at all."""
    made.ova(cert=text)
    made.seal()
    found = broken(verify(made.folder, signer=signer().certificate))
    assert list(found) == [".ova: certificate"]
    assert reason in found[".ova: certificate"]


def test_an_ova_of_another_releases_names_is_found(made: Release) -> None:
    """Its files say which release they are of."""
    content = made.path(".ova").read_bytes()
    renamed = content.replace(b"natalia-appliance_1.2.3.", b"natalia-appliance_1.2.4.")
    for suffix in (b"ovf", b"mf", b"cert", b"vmdk"):
        at = renamed.index(b"natalia-appliance_1.2.4." + suffix + b"\0")
        header = bytearray(renamed[at : at + 512])
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        renamed = renamed[:at] + bytes(header) + renamed[at + 512 :]
    made.path(".ova").write_bytes(renamed)
    made.seal()
    assert "named after" in broken(verify(made.path(".ova")))[".ova: order"]


def test_a_missing_file_of_a_list_is_not_ok(made: Release) -> None:
    """It is listed, so it has to be there; the others are checked all the same."""
    made.path(".ova").unlink()
    found = broken(verify(made.folder))
    assert list(found) == [".ova: sum"]
    assert "No such file" in found[".ova: sum"]


def test_a_certificate_that_is_none_is_not_ok(made: Release) -> None:
    """Nobody is taken for the signer."""
    (made.folder / CERTIFICATE).write_text("none")
    assert "not a certificate" in broken(verify(made.path(".qcow2")))["signature"]


def test_a_manifest_of_another_version_is_not_ok(made: Release) -> None:
    """Its name and what it says are one."""
    made.path(".manifest.json").rename(made.folder / f"{NAME}9.manifest.json")
    made.seal()
    assert "is of version" in broken(verify(made.path(".qcow2")))["manifest"]


def test_an_ova_with_a_disk_that_its_manifest_does_not_list_is_found(made: Release) -> None:
    """One byte of the disk in the archive: manifest and disk are both named."""
    content = bytearray(made.path(".ova").read_bytes())
    content[-20_000] ^= 1
    made.path(".ova").write_bytes(content)
    made.seal()
    found = broken(verify(made.folder, signer=signer().certificate))
    assert ".ova: manifest" in found


def test_a_bill_that_leaves_a_package_out_is_found(made: Release) -> None:
    """It lists what the release is made of, all of it."""
    bill = json.loads(made.path(".cdx.json").read_text())
    del bill["components"][0]
    made.path(".cdx.json").write_text(json.dumps(bill))
    made.seal()
    assert list(broken(verify(made.folder))) == [".cdx.json: packages"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"ab  x\n",
        b"0" * 64 + b"  ../etc/passwd\n",
        b"0" * 64 + b"  /etc/passwd\n",
        (b"0" * 64 + b"  a\n") * 2,
        b"0" * 64 + b"  .hidden\n",
    ],
    ids=["empty", "binary", "short", "climbing", "absolute", "twice", "hidden"],
)
def test_a_hostile_list_of_sums_is_refused(content: bytes, made: Release) -> None:
    """No path but a file's beside it is ever opened."""
    with pytest.raises(FormatError):
        parse_sums(content)
    (made.folder / SUMS).write_bytes(content)
    assert SUMS in broken(verify(made.folder))


def test_a_list_without_end_is_not_read(made: Release) -> None:
    """A megabyte is a list of ten thousand files."""
    with (made.folder / SUMS).open("wb") as file:
        file.truncate(1 << 40)
    assert broken(verify(made.folder))[SUMS].endswith("too long")


@pytest.mark.parametrize(
    "change",
    [
        {"version": "../1"},
        {"version": 1},
        {"disk_bytes": -1},
        {"disk_bytes": True},
        {"capacity_bytes": 1 << 60},
        {"disk_sha256": "x"},
        {"root_sha256": None},
        {"more": 1},
    ],
    ids=str,
)
def test_a_hostile_manifest_is_refused(change: dict[str, object], whole: Path) -> None:
    """Each value is of its kind and in its range."""
    values = json.loads((whole / f"{NAME}.manifest.json").read_text())
    with pytest.raises(FormatError):
        parse_manifest(json.dumps({**values, **change}).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b"\xff"], ids=["empty", "list", "deep", "binary"])
def test_a_manifest_that_is_none_is_refused(content: bytes) -> None:
    """A typed error, whatever it is."""
    with pytest.raises(FormatError):
        parse_manifest(content)


@pytest.mark.parametrize("version", ["", "../1", "1/2", "v1", "1" * 40, "1 2"], ids=repr)
def test_a_version_that_is_no_file_name_is_refused(version: str) -> None:
    """It becomes part of one."""
    with pytest.raises(FormatError):
        file_name(version, ".ova")


def test_the_command_prints_a_line_a_check_and_ends_with_0(whole: Path) -> None:
    """What an auditor sees."""
    done = CliRunner().invoke(main, ["verify", str(whole), "--signer", str(whole / CERTIFICATE)])
    assert done.exit_code == 0
    assert all(line.startswith("ok ") for line in done.output.splitlines())


def test_the_command_ends_with_1_when_a_check_fails(made: Release) -> None:
    """And says which, and why."""
    made.path(".qcow2").write_bytes(b"")
    done = CliRunner().invoke(main, ["verify", str(made.path(".qcow2"))])
    assert done.exit_code == 1
    assert f"NOT OK  {NAME}.qcow2: sum: the file is not the one that {SUMS} lists" in done.output


def test_the_command_refuses_a_signer_that_is_no_certificate(made: Release) -> None:
    """With a code and a hint."""
    done = CliRunner().invoke(main, ["verify", str(made.folder), "--signer", str(made.folder / SUMS)])
    assert done.exit_code == 1
    assert "error[image_signing_key]" in done.output
    assert "hint: " in done.output
