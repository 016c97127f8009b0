"""A disk labelled NATALIA: what is taken from it, and what a hostile one gets."""

import os
from pathlib import Path

import pytest

from appliance.seed_ports import MAX_SEED_BYTES, Seed, SeedDisksError, SeedError, SeedOrigin
from appliance.seeds.disk_seed import DiskSeed, labelled_media, read_plain_file


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Where the disk is mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.fixture
def udev(tmp_path: Path) -> Path:
    """What udev has written down."""
    folder = tmp_path / "udev"
    folder.mkdir()
    return folder


def parts(seed: Seed | None) -> tuple[bytes | None, bytes | None]:
    """Settings and invitation of a seed."""
    assert seed is not None
    assert seed.origin is SeedOrigin.DISK
    settings, invitation = (part.reveal() if part else None for part in (seed.settings, seed.invitation))
    return settings, invitation


def refusal(folder: Path, udev: Path) -> str:
    """Why a disk is refused."""
    with pytest.raises(SeedError) as refused:
        DiskSeed(folder, udev=udev).read()
    return str(refused.value)


@pytest.mark.parametrize("name", ["invitation.toml", "invitation.txt"])
def test_settings_and_invitation_are_taken(disk: Path, udev: Path, name: str) -> None:
    """The invitation as its file, or as the text of its QR code."""
    (disk / "appliance.toml").write_bytes(b"settings")
    (disk / name).write_bytes(b"invitation")
    assert parts(DiskSeed(disk, udev=udev).read()) == (b"settings", b"invitation")


def test_names_may_be_in_capitals(disk: Path, udev: Path) -> None:
    """As a CD without extensions has them."""
    (disk / "APPLIANCE.TOML").write_bytes(b"settings")
    (disk / "INVITATION.TXT").write_bytes(b"invitation")
    assert parts(DiskSeed(disk, udev=udev).read()) == (b"settings", b"invitation")


@pytest.mark.parametrize(("name", "found"), [("appliance.toml", (b"x", None)), ("invitation.txt", (None, b"x"))])
def test_one_part_alone_is_a_seed(disk: Path, udev: Path, name: str, found: tuple[bytes | None, bytes | None]) -> None:
    """What is missing is said later."""
    (disk / name).write_bytes(b"x")
    assert parts(DiskSeed(disk, udev=udev).read()) == found


def test_a_folder_that_is_not_there_is_no_seed(tmp_path: Path, udev: Path) -> None:
    """No disk is attached, or it is empty, or something else stands there."""
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name in ("nowhere", "file", "empty"):
        assert DiskSeed(tmp_path / name, udev=udev).read() is None


def test_other_files_are_left_alone(disk: Path, udev: Path) -> None:
    """Also in folders, and such as only sound alike."""
    (disk / "readme.txt").write_bytes(b"x")
    (disk / "appliance.toml.bak").write_bytes(b"x")
    (disk / "old").mkdir()
    (disk / "old" / "appliance.toml").write_bytes(b"x")
    assert DiskSeed(disk, udev=udev).read() is None


def test_two_of_one_kind_are_refused(disk: Path, udev: Path) -> None:
    """Which of them counts is not guessed."""
    (disk / "invitation.toml").write_bytes(b"x")
    (disk / "invitation.txt").write_bytes(b"x")
    assert refusal(disk, udev) == "the disk has more than one of invitation.toml and invitation.txt"


def test_a_name_in_two_cases_is_refused(disk: Path, udev: Path) -> None:
    """On a file system that tells them apart."""
    (disk / "appliance.toml").write_bytes(b"x")
    (disk / "Appliance.toml").write_bytes(b"x")
    assert refusal(disk, udev) == "the disk has more than one of appliance.toml"


@pytest.mark.parametrize("target", ["../secret", "beside", "nowhere", "appliance.toml"])
def test_a_link_is_not_followed(disk: Path, udev: Path, tmp_path: Path, target: str) -> None:
    """Neither out of the disk, nor within it, nor to itself."""
    (tmp_path / "secret").write_bytes(b"of the machine's own")
    (disk / "beside").write_bytes(b"x")
    (disk / "appliance.toml").symlink_to(target)
    assert refusal(disk, udev).startswith("appliance.toml: cannot be read")


def test_a_folder_of_that_name_is_refused(disk: Path, udev: Path) -> None:
    """It is no file."""
    (disk / "appliance.toml").mkdir()
    assert refusal(disk, udev) == "appliance.toml: is not a regular file"


def test_a_pipe_of_that_name_is_refused_without_waiting(disk: Path, udev: Path) -> None:
    """Nobody will ever write to it."""
    os.mkfifo(disk / "appliance.toml")
    assert refusal(disk, udev) == "appliance.toml: is not a regular file"


def test_a_file_that_is_too_long_is_refused(disk: Path, udev: Path) -> None:
    """Also one that takes no room on its disk; one of just that length is taken."""
    with (disk / "appliance.toml").open("wb") as file:
        file.truncate(2**40)
    assert refusal(disk, udev) == f"appliance.toml: longer than {MAX_SEED_BYTES} bytes"
    with (disk / "appliance.toml").open("wb") as file:
        file.truncate(MAX_SEED_BYTES)
    assert len(read_plain_file(disk / "appliance.toml").reveal()) == MAX_SEED_BYTES


def test_a_file_that_vanishes_is_refused(disk: Path) -> None:
    """The disk was taken away just now."""
    with pytest.raises(SeedError, match="No such file"):
        read_plain_file(disk / "appliance.toml")


def test_a_read_that_fails_is_refused() -> None:
    """As on a scratched CD; here a file of the kernel's that cannot be read."""
    with pytest.raises(SeedError, match="mem: cannot be read"):
        read_plain_file(Path("/proc/self/mem"))


def test_a_folder_name_that_cannot_be_is_refused(tmp_path: Path, udev: Path) -> None:
    """Too long for any file system."""
    assert "cannot be read" in refusal(tmp_path / ("x" * 300), udev)


def test_what_a_seed_holds_is_not_shown(disk: Path, udev: Path) -> None:
    """Passwords may stand in it."""
    (disk / "appliance.toml").write_bytes(b"s3cret")
    assert "s3cret" not in repr(DiskSeed(disk, udev=udev).read())


def describe(udev: Path, name: str, *lines: str) -> None:
    """Write what udev knows of a block device."""
    (udev / name).write_text("".join(f"{line}\n" for line in ("S:disk/by-id/x", *lines)), encoding="utf-8")


def test_two_disks_of_that_label_are_refused(disk: Path, udev: Path) -> None:
    """By the label alone: only one of them is mounted."""
    (disk / "appliance.toml").write_bytes(b"x")
    describe(udev, "b8:16", "E:ID_FS_LABEL=NATALIA", "E:ID_FS_UUID=one")
    describe(udev, "b11:0", "E:ID_FS_LABEL=NATALIA", "E:ID_FS_UUID=two")
    with pytest.raises(SeedDisksError) as refused:
        DiskSeed(disk, udev=udev).read()
    assert (refused.value.code, "Detach all" in refused.value.hint) == ("seed_two_disks", True)


def test_one_medium_that_shows_twice_is_one(disk: Path, udev: Path) -> None:
    """A hybrid image is a disk and a partition of one file system."""
    (disk / "appliance.toml").write_bytes(b"x")
    describe(udev, "b8:16", "E:ID_FS_LABEL=NATALIA", "E:ID_FS_UUID=one")
    describe(udev, "b8:17", "E:ID_FS_LABEL=NATALIA", "E:ID_FS_UUID=one")
    assert parts(DiskSeed(disk, udev=udev).read()) == (b"x", None)


def test_other_labels_and_other_devices_do_not_count(udev: Path) -> None:
    """Nor one that only begins so; a file system without an id counts by its device."""
    describe(udev, "b8:1", "E:ID_FS_LABEL=NATALIA2", "E:ID_FS_UUID=one")
    describe(udev, "b8:2", "E:ID_PART_ENTRY_NAME=NATALIA")
    describe(udev, "c4:64", "E:ID_FS_LABEL=NATALIA")
    describe(udev, "b8:3", "E:ID_FS_LABEL=NATALIA")
    assert labelled_media(udev) == {"b8:3"}


def test_without_udev_there_is_one_disk_at_most(tmp_path: Path) -> None:
    """As in a container."""
    assert labelled_media(tmp_path / "nowhere") == set()
