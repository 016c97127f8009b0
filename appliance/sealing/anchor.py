"""The one anchor of a state directory: a TPM if one answers at the first use, else a file; then that one or none.

Rules: a fresh directory takes the best there is and records it (``anchor_record``); afterwards the recorded anchor is
used, and where it is gone, or gives less than was recorded, nothing opens. Nothing falls back by itself, and where
sealed secrets are, no fresh anchor is made. A TPM that answers but refuses at the first use is an error too, not a
reason for the file. While anybody has the anchor open it is not moved (``rewrap``).
"""

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from appliance.clock import SystemClock
from appliance.errors import AnchorInUseError, AnchorLoweredError, SealAnchorError, SealDiskError, TpmMissingError
from appliance.ports import SecretBytes, SecretSealer
from appliance.sealing import file_sealer
from appliance.sealing.anchor_record import AnchorRecord, AnchorWay, WhyFile, read_record, write_record
from appliance.sealing.boot_state import BootState, read_boot_state
from appliance.sealing.durable import SYSTEM_DISK, Disk, make_folder, move_file, remove_file, share, shred_file
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.passphrase import read_passphrase_file
from appliance.sealing.secret_store import PREVIOUS, SEALED, SecretStore
from appliance.sealing.vtpm import anchor_folder
from appliance.sealing.vtpm.sealer import VtpmAnchor, VtpmSealer
from appliance.settings import ApplianceSettings, read_small_file
from appliance.wire.batch import KeyProtection

ANCHORS: Final = "anchor"
SECRETS: Final = "secrets"
REWRAPPED: Final = ".rewrapped"
"""A secret that is sealed under the TPM already, while the file anchor is still the recorded one."""
_LOCK: Final = ".anchor.lock"
_LEVELS: Final = list(KeyProtection)


class StateAnchor:
    """Implements ``ports.SecretSealer`` over the recorded anchor, which is not moved while this lives."""

    def __init__(self, sealer: SecretSealer, record: AnchorRecord, lock: int) -> None:
        """Seal by ``sealer``; ``lock`` is closed in the end."""
        self._sealer = sealer
        self.record: Final = record
        self._end = weakref.finalize(self, os.close, lock)

    @property
    def key_protection(self) -> KeyProtection:
        """What guards the sealed secrets."""
        return self._sealer.key_protection

    @property
    def why_not_higher(self) -> list[str]:
        """Codes of ``WhyFile``, or of ``vtpm.level.Obstacle``."""
        return self.record.why_not_higher

    @property
    def sealer(self) -> SecretSealer:
        """The anchor's own sealer."""
        return self._sealer

    def seal(self, secret: SecretBytes, *, purpose: str) -> bytes:
        """See ``ports.SecretSealer``."""
        return self._sealer.seal(secret, purpose=purpose)

    def unseal(self, blob: bytes, *, purpose: str) -> SecretBytes:
        """See ``ports.SecretSealer``."""
        return self._sealer.unseal(blob, purpose=purpose)

    def close(self) -> None:
        """Let the anchor be moved."""
        self._end()


class AnchorFiles:
    """The anchor of a state directory, to be opened."""

    def __init__(self, state_directory: Path, *, boot: BootState | None = None, disk: Disk = SYSTEM_DISK) -> None:
        """Name it; nothing is opened yet.

        Args:
            state_directory: the appliance's own folder.
            boot: how the machine was booted; None asks the machine.
            disk: where the folder lies.
        """
        self.directory: Final = state_directory / ANCHORS
        self.secrets: Final = state_directory / SECRETS
        self.disk: Final = disk
        self._boot = boot

    def open(self, way: AnchorWay | None = None, *, alone: bool = False) -> StateAnchor:
        """Open the anchor; make it, once, if there is none.

        Args:
            way: how it is reached; None: as recorded.
            alone: nobody else may have it open.

        Raises:
            AnchorInUseError: somebody has it open, or has it alone.
            TpmMissingError: the recorded TPM does not answer.
            AnchorLoweredError: what opens gives less than was recorded.
            PassphraseError: the file anchor's passphrase is not there, or another.
            SealAnchorError: an anchor's file is gone or damaged.
            SealedBlobTamperedError: the record was altered.
            SealingError: as the anchor says.
        """
        lock = self._lock(alone=alone)
        try:
            sealer, record = self._open(way)
        except BaseException:
            os.close(lock)
            raise
        return StateAnchor(sealer, record, lock)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep everybody else from opening the anchor.

        Raises:
            AnchorInUseError: somebody has it open.
        """
        lock = self._lock(alone=True)
        try:
            yield
        finally:
            os.close(lock)

    def tpm(self, way: AnchorWay, *, recovery_key: bytes | None = None) -> VtpmAnchor:
        """The anchor in the TPM, whatever is recorded; ``recovery_key`` (PEM) goes into what it seals."""
        boot = read_boot_state() if self._boot is None else self._boot
        return VtpmAnchor(
            self.directory,
            tcti=way.tpm,
            boot=boot,
            clock=SystemClock(),
            recovery_key=recovery_key,
            disk=self.disk,
        )

    def record(self, sealer: SecretSealer, way: AnchorWay, why: list[str]) -> AnchorRecord:
        """Write down that ``sealer`` is the anchor from now on, and what keeps it from a higher level."""
        record = AnchorRecord(1, sealer.key_protection, why, way).proven(sealer)
        write_record(self.directory, record, disk=self.disk)
        return record

    def finish_rewrap(self) -> None:
        """The TPM is the recorded anchor: put what was sealed under it into place and destroy the file anchor.

        Raises:
            SealDiskError: the disk refuses; the next opening goes on.
        """
        with self.named_errors():
            for path in sorted(self.secrets.glob(f"*{REWRAPPED}")):
                remove_file(path.with_suffix(PREVIOUS), disk=self.disk)
                with suppress(FileNotFoundError):  # another process finishes the same
                    move_file(path, path.with_suffix(SEALED), disk=self.disk)
            shred_file(self._file_anchor, disk=self.disk)

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Raise what the disk refuses within as an error of this package.

        Raises:
            SealDiskError: the disk refuses.
        """
        try:
            yield
        except OSError as error:
            raise SealDiskError(f"{self.directory}: {error.strerror}") from error

    @property
    def _file_anchor(self) -> Path:
        return self.directory / file_sealer.ANCHOR_FILE

    @property
    def _tpm_anchor(self) -> Path:
        return self.directory / anchor_folder.ANCHOR_FILE

    def _lock(self, *, alone: bool) -> int:
        with self.named_errors():
            make_folder(self.directory, disk=self.disk)
            try:
                return share(self.directory / _LOCK, alone=alone)
            except BlockingIOError:
                raise AnchorInUseError("another process has the sealed secrets in use") from None

    def _open(self, way: AnchorWay | None) -> tuple[SecretSealer, AnchorRecord]:
        record = read_record(self.directory)
        if record is None:
            return self._open_unrecorded(way)
        way = way or record.way
        sealer = self._open_file(way) if record.protection is KeyProtection.FILE else self._open_tpm(way)
        record.verify(sealer)
        if _LEVELS.index(sealer.key_protection) < _LEVELS.index(record.protection):
            raise AnchorLoweredError("the anchor gives less protection than was recorded")
        why = why_not_higher(sealer) if isinstance(sealer, VtpmSealer) else record.why_not_higher
        if (sealer.key_protection, way, why) != (record.protection, record.way, record.why_not_higher):
            record = self.record(sealer, way, why)
        if record.protection is not KeyProtection.FILE:
            self.finish_rewrap()
        return sealer, record

    def _open_unrecorded(self, way: AnchorWay | None) -> tuple[SecretSealer, AnchorRecord]:
        """Take what is there: a first use, one that was cut off, or a state directory of before there were records."""
        if way is None:
            raise SealAnchorError(f"{self.directory}: there is no anchor here")
        if self._tpm_anchor.exists():
            tpm = self._open_tpm(way)
            return tpm, self.record(tpm, way, why_not_higher(tpm))
        if self._file_anchor.exists():
            file = self._open_file(way)
            return file, self.record(file, way, [WhyFile.ANCHORED_BEFORE.value])
        if any(self.secrets.glob(f"*{SEALED}")):
            raise SealAnchorError(f"{self.directory}: the anchor of the sealed secrets is gone")
        return self._make(way)

    def _make(self, way: AnchorWay) -> tuple[SecretSealer, AnchorRecord]:
        try:
            tpm = self.tpm(way, recovery_key=read_recovery_key(way)).open()
        except TpmMissingError:
            file = FileSealer.open(self.directory, passphrase=_passphrase(way))
            return file, self.record(file, way, [WhyFile.NO_TPM.value])
        return tpm, self.record(tpm, way, why_not_higher(tpm))

    def _open_file(self, way: AnchorWay) -> FileSealer:
        if not self._file_anchor.exists():
            raise SealAnchorError(f"{self._file_anchor}: the anchor of the sealed secrets is gone")
        return FileSealer.open(self.directory, passphrase=_passphrase(way))

    def _open_tpm(self, way: AnchorWay) -> VtpmSealer:
        if not self._tpm_anchor.exists():
            raise SealAnchorError(f"{self._tpm_anchor}: the anchor of the sealed secrets is gone")
        return self.tpm(way).open()


def why_not_higher(sealer: VtpmSealer) -> list[str]:
    """What keeps a TPM's anchor from level 3."""
    return [obstacle.value for obstacle in sealer.level.obstacles]


def read_recovery_key(way: AnchorWay) -> bytes | None:
    """The customer's public key, PEM, for what is to be sealed; None if the settings name none.

    Raises:
        SettingsError: it cannot be read.
    """
    return None if way.recovery_key_file is None else read_small_file(Path(way.recovery_key_file))


def open_secrets(state_directory: Path, way: AnchorWay | None = None) -> tuple[SecretStore, StateAnchor]:
    """The sealed secrets of a state directory, and their anchor. Raises as ``AnchorFiles.open``."""
    files = AnchorFiles(state_directory)
    anchor = files.open(way)
    return SecretStore(files.secrets, anchor), anchor


def secrets_of(settings: ApplianceSettings) -> tuple[SecretStore, StateAnchor]:
    """The sealed secrets of an appliance, and their anchor. Raises as ``AnchorFiles.open``."""
    return open_secrets(settings.state_directory, AnchorWay.of(settings))


def _passphrase(way: AnchorWay) -> SecretBytes | None:
    return None if way.passphrase_file is None else read_passphrase_file(Path(way.passphrase_file))
