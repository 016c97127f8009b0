"""Adapter: what the running appliance says of itself, in a small file that ``status`` reads.

The buffer is held by the daemon alone, so other processes read this file instead. It holds counts, codes and times;
no number, no name, no secret. It is replaced atomically and not synced: after a power cut an older one is as good.
"""

import logging
import os
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, structs

from appliance.errors import ApplianceError, UplinkError
from appliance.policy.renewal_window import RenewalWindow
from appliance.ports import BufferStats, CallBuffer, Clock, MachineIdentity
from appliance.settings import Settings
from appliance.wire.batch import KeyProtection, Verdict

_LOG = logging.getLogger("natalia.link")
FILE_NAME: Final = "status.json"


class StatusUnknownError(ApplianceError):
    """No appliance has written its status here."""

    code = "status_unknown"
    hint = "Start the appliance with `natalia-appliance run`."


class LinkStatus(Struct, frozen=True):
    """How the way to the receiver is: ``ok``, ``unavailable``, ``refused`` or ``not_tried``."""

    state: str
    receiver: str
    last_contact_at: datetime | None
    last_problem: str | None
    """A code, never a message."""


class FeedStatus(Struct, frozen=True):
    """How one feed is: ``reading``, ``waiting`` (nothing new), ``paused`` (the buffer is full) or ``unreadable``."""

    feed: str
    dialect: str
    state: str
    last_read_at: datetime | None
    file_problems: dict[str, int] = {}
    """How many files could not be read, or not to their end, since the start, by the problem's code."""
    zone_fits: bool | None = None
    """Whether the records' own epochs agree with the site's time zone; None where they do not say."""
    zones_that_fit: list[str] = []
    """Where they do not agree: zones that would fit."""


class LinkRecorder:
    """Keeps ``LinkStatus`` current from what delivery tells it, and logs each change once (``delivery.LinkState``)."""

    def __init__(self, receiver: str, clock: Clock) -> None:
        """Start as not tried."""
        self._clock = clock
        self.status = LinkStatus("not_tried", receiver, None, None)

    def delivered(self, verdict: Verdict) -> None:
        """A batch was acknowledged."""
        self._change("ok", None, contact=True)
        if verdict.refused:
            _LOG.warning("link=ok refused_records=%d", len(verdict.refused))

    def refused(self, error: UplinkError) -> None:
        """A batch was set aside."""
        self._change("refused", error.problem_code, contact=True)

    def unavailable(self, error: ApplianceError) -> None:
        """The receiver could not be asked."""
        self._change("unavailable", error.code, contact=False)

    def older_copy(self) -> None:
        """The receiver holds batches that this buffer never issued."""
        _LOG.error("buffer=older_copy hint=%s", "a snapshot was restored, or a second machine runs as this one")

    def _change(self, state: str, problem: str | None, *, contact: bool) -> None:
        before = self.status
        last_contact_at = self._clock.now() if contact else before.last_contact_at
        self.status = LinkStatus(state, before.receiver, last_contact_at, problem)
        if (state, problem) != (before.state, before.last_problem):
            _LOG.log(logging.INFO if state == "ok" else logging.WARNING, "link=%s problem=%s", state, problem or "none")


class ReportStatus(Struct, frozen=True):
    """What the receiver knows of completeness: when it was last told, and why it could not be since."""

    last_reported_at: datetime | None = None
    last_problem: str | None = None
    """A code, never a message."""


class ReportRecorder:
    """Keeps ``ReportStatus`` current, and logs each change once (``reporting.ReportState``)."""

    def __init__(self, clock: Clock) -> None:
        """Start as not told."""
        self._clock = clock
        self.status = ReportStatus()

    def reported(self) -> None:
        """The receiver took a report."""
        self._change(ReportStatus(self._clock.now(), None))

    def unreported(self, error: ApplianceError) -> None:
        """The receiver did not take a report."""
        code = error.problem_code if isinstance(error, UplinkError) else error.code
        self._change(ReportStatus(self.status.last_reported_at, code))

    def _change(self, status: ReportStatus) -> None:
        if status.last_problem != self.status.last_problem:
            level = logging.WARNING if status.last_problem else logging.INFO
            _LOG.log(level, "completeness=%s", status.last_problem or "reported")
        self.status = status


class CertificateStatus(Struct, frozen=True):
    """How the machine's certificate is, and when it is renewed."""

    valid_until: datetime
    renewed_at: datetime
    """When this machine took it into use."""
    planned_at: datetime | None = None
    """When the next one will be asked for."""
    last_problem: str | None = None
    """Why what was due did not come about yet: a code, never a message."""
    key_in_tpm: bool = False


def certificate_status(identity: MachineIdentity) -> CertificateStatus:
    """How it is before anything was planned."""
    return CertificateStatus(identity.expires_at, identity.renewed_at, key_in_tpm=identity.key_in_tpm)


class CertificateRecorder:
    """Keeps ``CertificateStatus`` current, and logs each change once (``renewal.RenewalState``)."""

    def __init__(self, status: CertificateStatus) -> None:
        """Start with what is in use, before the first look."""
        self.status = status

    def holds(self, identity: MachineIdentity, window: RenewalWindow) -> None:
        """An identity is in use, and is to be renewed as planned."""
        if identity.expires_at != self.status.valid_until:
            _LOG.info("certificate=renewed until=%s", identity.expires_at.isoformat())
        planned, problem = window.planned_at, self.status.last_problem
        self.status = structs.replace(certificate_status(identity), planned_at=planned, last_problem=problem)

    def hindered(self, error: ApplianceError) -> None:
        """Something was due and did not come about."""
        self._note(error.code)

    def unhindered(self) -> None:
        """Nothing is due."""
        self._note(None)

    def went_back(self) -> None:
        """The receiver did not go with the new identity; the one before is in use."""
        _LOG.error("certificate=went_back until=%s", self.status.valid_until.isoformat())

    def _note(self, problem: str | None) -> None:
        if problem != self.status.last_problem:
            _LOG.log(logging.WARNING if problem else logging.INFO, "certificate=%s", problem or "well")
            self.status = structs.replace(self.status, last_problem=problem)


class Status(Struct, frozen=True):
    """The whole status of one appliance."""

    version: str
    tenant: str
    appliance: str
    process: int
    started_at: datetime
    written_at: datetime
    key_protection: KeyProtection
    certificate: CertificateStatus
    link: LinkStatus
    feeds: list[FeedStatus]
    buffer: BufferStats
    completeness: ReportStatus = ReportStatus()


def first_status(
    settings: Settings, identity: MachineIdentity, buffer: CallBuffer, *, clock: Clock, key_protection: KeyProtection
) -> Status:
    """The status at start: nothing read, nothing tried."""
    now = clock.now()
    return Status(
        version=version("natalia-appliance"),
        tenant=identity.tenant,
        appliance=identity.appliance,
        process=os.getpid(),
        started_at=now,
        written_at=now,
        key_protection=key_protection,
        certificate=certificate_status(identity),
        link=LinkRecorder(settings.receiver.url, clock).status,
        feeds=[FeedStatus(feed.id, feed.dialect, "waiting", None) for feed in settings.feeds],
        buffer=buffer.stats(),
    )


def write_status(directory: Path, status: Status) -> None:
    """Replace the status file in ``directory``."""
    partial = directory / f"{FILE_NAME}.partial"
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(status), indent=2) + b"\n")
    partial.replace(directory / FILE_NAME)


def read_status(directory: Path) -> Status:
    """Read it back.

    Raises:
        StatusUnknownError: never written, or not readable.
    """
    try:
        return msgspec.json.decode((directory / FILE_NAME).read_bytes(), type=Status)
    except (OSError, msgspec.MsgspecError):
        raise StatusUnknownError("there is no readable status file in the state directory") from None
