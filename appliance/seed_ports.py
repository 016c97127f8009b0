"""What the first boot asks of the outside world, what it reads there, and what it writes down; nothing here does I/O.

A *seed* is what an installer gives to a machine without a keyboard: settings and an invitation.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from appliance.errors import ApplianceError, RetryableError
from appliance.ports import SecretBytes

MAX_SEED_BYTES: Final = 256 * 1024
"""Settings of 64 feeds take some 20 KiB, an invitation at most 32 KiB."""


class SeedOrigin(StrEnum):
    """Where a seed came from; the order is that in which they are looked at."""

    DISK = "disk"
    OVF = "ovf"
    CREDENTIALS = "credentials"


class Seed(Struct, frozen=True, kw_only=True):
    """What was given; both parts may hold a secret."""

    origin: SeedOrigin
    settings: SecretBytes | None = None
    """A TOML file's bytes."""
    invitation: SecretBytes | None = None
    """As its file, or the text of its QR code."""


class SeedSource(Protocol):
    """One place where a seed may be."""

    @property
    def origin(self) -> SeedOrigin:
        """Which place that is."""
        ...

    def read(self) -> Seed | None:
        """Read it; None if nothing was given here.

        Raises:
            SeedError: something is there, and cannot be read.
        """
        ...


class Membership(StrEnum):
    """Whether this machine is an appliance."""

    NEVER = "never"
    ENDED = "ended"
    """Its certificate has ended, or cannot be used; the settings stand."""
    CURRENT = "current"


class SetupTarget(Protocol):
    """The machine that is set up. Every method raises ``SealingError`` where its secrets do not open or keep."""

    def membership(self) -> Membership:
        """Whether it is an appliance already."""
        ...

    def is_configured(self) -> bool:
        """Whether settings are sealed here.

        Raises:
            SettingsError: this release finds mistakes in them.
        """
        ...

    def configure(self, settings: SecretBytes, *, origin: SeedOrigin) -> None:
        """Seal settings, in place of those that are there.

        Raises:
            SettingsError: lists every mistake; nothing was sealed.
        """
        ...

    def prepare_network(self) -> None:
        """Hand the sealed settings' network to the system.

        Raises:
            NetworkUnwritableError: the folder cannot be written.
        """
        ...

    def keep_invitation(self, content: SecretBytes) -> None:
        """Seal an invitation, in place of the one that waits.

        Raises:
            InvitationDamagedError: it is none; nothing was sealed.
            SettingsError: it is of another receiver than the settings'.
        """
        ...

    def has_invitation(self) -> bool:
        """Whether an invitation waits."""
        ...

    def drop_invitation(self) -> None:
        """Forget the invitation that waits."""
        ...

    async def enroll(self) -> None:
        """Use the invitation that waits. Raises as ``Enrollment.run``."""
        ...


class Stage(StrEnum):
    """How far the machine is."""

    REFUSED = "refused"
    """Somebody must do something."""
    WAITING = "waiting"
    """It is tried again by itself."""
    ENROLLED = "enrolled"


class Notice(Struct, frozen=True):
    """One thing that hinders: an error's code, what is wrong, and what to do."""

    code: str
    sentences: list[str]
    remedy: str


class FirstBootState(Struct, frozen=True, kw_only=True):
    """What was read and decided; no secret is in it."""

    stage: Stage
    written_at: datetime
    origin: SeedOrigin | None = None
    """Where the seed came from that was last taken; None before any."""
    ignored: SeedOrigin | None = None
    """A seed that is there still, or again, and was not read, because the machine is enrolled."""
    notice: Notice | None = None


class SeedError(ApplianceError):
    """A seed is there and cannot be used."""

    code = "seed_unusable"
    hint = "Make the NATALIA disk anew, with appliance.toml and invitation.toml at its top, and restart the machine."


class SeedDisksError(SeedError):
    """More than one configuration disk is attached: which of them counts is not guessed."""

    code = "seed_two_disks"
    hint = "Detach all disks labelled NATALIA but the one that is meant, and restart the machine."


class OvfSeedError(SeedError):
    """The OVF environment is not one, or its properties are not those of this appliance."""

    code = "seed_ovf_invalid"
    hint = "Correct the virtual machine's vApp properties, or attach a disk labelled NATALIA instead; then restart it."


class SeedMissingError(SeedError):
    """Nothing was given to this machine yet."""

    code = "seed_missing"
    hint = "Attach a disk labelled NATALIA with appliance.toml and invitation.toml, and restart the machine."


class InvitationMissingError(SeedError):
    """The settings are here, and no invitation waits."""

    code = "seed_invitation_missing"
    hint = "Ask the receiver's operator for an invitation, put it on a disk labelled NATALIA, and restart the machine."


class NetworkUnwritableError(RetryableError):
    """The system does not take the network's settings."""

    code = "network_unwritable"
    hint = "Restart the machine; if it stays, send the code to support."
