"""What is read of a boot, from the kernel's and systemd's files."""

from pathlib import Path

import pytest

from appliance.sealing.boot_state import BootState, read_boot_state
from appliance.sealing.vtpm.level import Obstacle, obstacles

VARIABLE = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
ATTRIBUTES = b"\x06\0\0\0"
WHOLE = BootState(secure_boot=True, public_key=b"key", signatures=b"signatures")


def put(root: Path, name: str, content: bytes) -> None:
    """A file of the machine under ``root``."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_measured_boot_is_read_whole(tmp_path: Path) -> None:
    """Secure Boot, the vendor's key and its signatures."""
    put(tmp_path, VARIABLE, ATTRIBUTES + b"\1")
    put(tmp_path, "run/systemd/tpm2-pcr-public-key.pem", b"key")
    put(tmp_path, "run/systemd/tpm2-pcr-signature.json", b"signatures")
    assert read_boot_state(tmp_path) == WHOLE
    assert obstacles(WHOLE) == ()


@pytest.mark.parametrize("content", [b"\0", b"", b"\2", b"\1\0"], ids=["off", "empty", "unknown", "too_long"])
def test_secure_boot_is_on_or_it_is_off(tmp_path: Path, content: bytes) -> None:
    """Only the one value that means on is on."""
    put(tmp_path, VARIABLE, ATTRIBUTES + content)
    assert read_boot_state(tmp_path).secure_boot is False


def test_a_machine_that_shows_nothing_is_no_error(tmp_path: Path) -> None:
    """Booted by BIOS, no kernel image with a signature."""
    assert read_boot_state(tmp_path) == BootState(secure_boot=None, public_key=None, signatures=None)


def test_this_machine_can_be_asked() -> None:
    """Whatever it is."""
    assert isinstance(read_boot_state(), BootState)


@pytest.mark.parametrize(
    ("boot", "expected"),
    [
        (BootState(secure_boot=None, public_key=b"", signatures=b""), [Obstacle.NO_UEFI]),
        (BootState(secure_boot=False, public_key=b"", signatures=b""), [Obstacle.SECURE_BOOT_OFF]),
        (BootState(secure_boot=True, public_key=None, signatures=b""), [Obstacle.NO_PCR_KEY]),
        (BootState(secure_boot=True, public_key=b"", signatures=None), [Obstacle.NO_PCR_SIGNATURE]),
        (
            BootState(secure_boot=False, public_key=None, signatures=None),
            [Obstacle.SECURE_BOOT_OFF, Obstacle.NO_PCR_KEY, Obstacle.NO_PCR_SIGNATURE],
        ),
    ],
    ids=["bios", "secure_boot_off", "no_key", "no_signature", "all"],
)
def test_each_obstacle_has_its_code(boot: BootState, expected: list[Obstacle]) -> None:
    """All that stand are named at once."""
    assert list(obstacles(boot)) == expected
