"""That an escrow was made, when and to whom: for ``status``, which must not open a secret to say it.

The note is sealed like a secret though it is none, so that nobody writes one by hand; when it was made, its file's own
time says.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from appliance.errors import SealDiskError
from appliance.ports import SecretBytes
from appliance.sealing.anchor import SECRETS
from appliance.sealing.secret_store import SEALED, SecretStore

NOTE: Final = "escrow-note"


class EscrowNote(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="escrow_note.v1"):
    """What is noted."""

    made_at: datetime
    recipient: str | None
    """An age recipient; None for an escrow that was restored from."""


def keep_note(store: SecretStore, state_directory: Path, note: EscrowNote) -> None:
    """Note an escrow, in place of an earlier one.

    Raises:
        SealingError: it cannot be kept.
    """
    store.put(NOTE, SecretBytes(msgspec.json.encode(note)))
    path = _path(state_directory)
    try:
        os.utime(path, (note.made_at.timestamp(),) * 2)
    except OSError as error:
        raise SealDiskError(f"{path}: {error.strerror}") from error


def escrow_made_at(state_directory: Path) -> datetime | None:
    """When the last escrow was made; None if none was."""
    try:
        return datetime.fromtimestamp(_path(state_directory).stat().st_mtime, UTC)
    except OSError:
        return None


def _path(state_directory: Path) -> Path:
    return state_directory / SECRETS / f"{NOTE}{SEALED}"
