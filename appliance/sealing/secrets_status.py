"""What can be said of the secrets without opening one, also while no TPM answers."""

from datetime import datetime
from pathlib import Path

from msgspec import Struct

from appliance.errors import SealAnchorError
from appliance.sealing.anchor import ANCHORS
from appliance.sealing.anchor_record import read_record
from appliance.sealing.escrow_note import escrow_made_at


class SecretsStatus(Struct, frozen=True):
    """How the secrets are kept, as it was written down; the appliance itself has verified it at its start."""

    why_not_higher: list[str]
    """Codes of ``anchor_record.WhyFile``, ``vtpm.level.Obstacle``, or of the error that the record gives."""
    escrow_made_at: datetime | None


def read_secrets_status(state_directory: Path) -> SecretsStatus:
    """Read what is written down in a state directory."""
    try:
        record = read_record(state_directory / ANCHORS)
        why = record.why_not_higher if record else []
    except SealAnchorError as error:
        why = [error.code]
    return SecretsStatus(why, escrow_made_at(state_directory))
