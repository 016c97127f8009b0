"""Which level of protection a machine reaches, and what keeps it from a higher one: codes, for words to be put to."""

from enum import StrEnum

from msgspec import Struct

from appliance.sealing.boot_state import BootState
from appliance.wire.batch import KeyProtection


class Obstacle(StrEnum):
    """What stands between level 2 and level 3."""

    NO_UEFI = "no_uefi"
    """The machine was not booted by UEFI, which alone has Secure Boot."""
    SECURE_BOOT_OFF = "secure_boot_off"
    """Without it anybody's loader may measure what it likes."""
    NO_PCR_KEY = "no_pcr_public_key"
    """The kernel image brings no key of its vendor."""
    NO_PCR_SIGNATURE = "no_pcr_signature"
    """The kernel image brings no signature of what it measures."""
    SEALED_BEFORE = "sealed_before_measured_boot"
    """All is there, but the secrets were sealed before it was; sealing them anew lifts them."""


class Level(Struct, frozen=True):
    """What guards the secrets, and why it is not more."""

    key_protection: KeyProtection
    obstacles: tuple[Obstacle, ...] = ()


def obstacles(boot: BootState) -> tuple[Obstacle, ...]:
    """What keeps a machine that was booted like this from level 3; none where it reaches it."""
    found = {
        Obstacle.NO_UEFI: boot.secure_boot is None,
        Obstacle.SECURE_BOOT_OFF: boot.secure_boot is False,
        Obstacle.NO_PCR_KEY: boot.public_key is None,
        Obstacle.NO_PCR_SIGNATURE: boot.signatures is None,
    }
    return tuple(obstacle for obstacle, stands in found.items() if stands)
