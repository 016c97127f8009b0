"""What the console says: from files that the daemon and the first boot left, and from the machine's facts, to words.

Each of these may be missing; that is said in words too. No secret is opened for it.
"""

from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Final

from appliance.cli.anchor_words import PROTECTION_WORDS
from appliance.console_screen import SUPPORT_URL, Screen
from appliance.errors import SealAnchorError, SettingsError, TpmMissingError
from appliance.policy.machine_needs import MachineFacts, needs_of
from appliance.sealing.anchor import ANCHORS
from appliance.sealing.anchor_record import AnchorRecord, WhyFile, read_record
from appliance.sealing.vtpm.level import Obstacle
from appliance.seed_ports import FirstBootState, Notice, Stage
from appliance.seeds.state_file import read_state
from appliance.status import Status, StatusUnknownError, read_status
from appliance.wire.batch import KeyProtection

SILENCE: Final = timedelta(seconds=30)
"""The daemon reports every two seconds; after so long it does not run."""
WHY_NOT_HIGHER: Final[dict[str, str]] = {
    WhyFile.NO_TPM: "no TPM answered at the first start",
    WhyFile.ANCHORED_BEFORE: "sealed by an older release",
    Obstacle.NO_UEFI: "not started by UEFI",
    Obstacle.SECURE_BOOT_OFF: "Secure Boot is off",
    Obstacle.NO_PCR_KEY: "the boot image has no key of its vendor",
    Obstacle.NO_PCR_SIGNATURE: "the boot image is not signed for this",
    Obstacle.SEALED_BEFORE: "sealed before signed software was started",
}
"""Short, for one line; the remedy is ``anchor_words``'."""
STAGE_WORDS: Final[dict[Stage, str]] = {
    Stage.ENROLLED: "enrolled",
    Stage.WAITING: "not yet; it is tried again by itself",
    Stage.REFUSED: "stopped, see below",
}
LINK_WORDS: Final = {
    "ok": "reached",
    "unavailable": "not reached",
    "refused": "refuses what is sent",
    "not_tried": "not tried yet",
}
_NO_DAEMON: Final = "The appliance's program does not run. It is started again by itself; if it stays, restart the VM."
_NO_STATE: Final = "The first start is not finished yet. Wait a minute; if this stays, restart the VM."


class Findings:
    """What there is to show, read once."""

    def __init__(self, directory: Path, facts: MachineFacts, now: datetime) -> None:
        """Read what the state directory holds."""
        self.facts = facts
        self.now = now
        self.first_boot = read_state(directory)
        self.anchor = _anchor(directory)
        self.status = _status(directory)

    @property
    def is_running(self) -> bool:
        """Whether the daemon has reported lately; a clock that was set back does not stop it."""
        return self.status is not None and self.now - self.status.written_at <= SILENCE


def screen_of(found: Findings) -> Screen:
    """Put it into words."""
    status, first_boot = found.status, found.first_boot
    return Screen(
        now=found.now,
        rows=[
            ("Appliance", status.appliance if status else "has no name yet"),
            ("Version", version("natalia-appliance")),
            ("Network", _network_words(found.facts)),
            ("Protection", _anchor_words(found.anchor)),
            *_why_rows(found.anchor),
            ("Enrollment", _enrollment_words(first_boot, status)),
            ("Certificate", f"until {_time(status.certificate.valid_until)}" if status else "none yet"),
            ("Receiver", _link_words(found)),
            ("Last contact", _time(status.link.last_contact_at if status else None)),
            ("Waiting", f"{status.buffer.records} records" if status else "no records yet"),
            ("Last CDR", _time(_last_read(status))),
            ("Support", SUPPORT_URL),
        ],
        tasks=_tasks(found),
    )


def _tasks(found: Findings) -> list[str]:
    tasks = [] if found.first_boot is None else _notices(found.first_boot)
    if found.first_boot is None and found.facts.state_bytes is not None and found.status is None:
        tasks.append(_NO_STATE)
    sealed_to_tpm = isinstance(found.anchor, AnchorRecord) and found.anchor.protection is not KeyProtection.FILE
    if sealed_to_tpm and not found.facts.has_tpm:
        tasks.append(f"The secrets are sealed to a TPM, and none is there. {TpmMissingError.hint}")
    if isinstance(found.anchor, SealAnchorError):
        tasks.append(f"{found.anchor}. {found.anchor.hint}")
    is_enrolled = found.first_boot is not None and found.first_boot.stage is Stage.ENROLLED
    if (is_enrolled or found.status is not None) and not found.is_running:
        tasks.append(_NO_DAEMON)
    return tasks + needs_of(found.facts)


def _notices(state: FirstBootState) -> list[str]:
    tasks = [] if state.notice is None else _task_lines(state.notice)
    if state.ignored is not None:
        tasks.append(
            f"Settings from outside ({state.ignored}) are attached and are not read: this machine is enrolled. "
            "Take them away; a factory reset is the way to begin anew."
        )
    return tasks


def _task_lines(notice: Notice) -> list[str]:
    """One line where there is one thing; the options of a settings file each have their own."""
    remedy = f"{notice.remedy} [{notice.code}]"
    if notice.code == SettingsError.code:
        return [*notice.sentences, remedy]
    return [f"{sentence[:1].upper()}{sentence[1:]}. {remedy}" for sentence in notice.sentences]


def _network_words(facts: MachineFacts) -> str:
    if not facts.has_carrier:
        return "not connected"
    return ", ".join(facts.addresses) or "connected, no address"


def _anchor_words(anchor: AnchorRecord | SealAnchorError | None) -> str:
    if isinstance(anchor, AnchorRecord):
        return PROTECTION_WORDS[anchor.protection].partition(";")[0]
    return "not known" if anchor else "nothing is sealed yet"


def _why_rows(anchor: AnchorRecord | SealAnchorError | None) -> list[tuple[str, str]]:
    if not isinstance(anchor, AnchorRecord) or not anchor.why_not_higher:
        return []
    return [("Not higher", "; ".join(WHY_NOT_HIGHER.get(code, code) for code in anchor.why_not_higher))]


def _enrollment_words(first_boot: FirstBootState | None, status: Status | None) -> str:
    if first_boot is not None:
        return STAGE_WORDS[first_boot.stage]
    return "enrolled" if status else "not begun"


def _link_words(found: Findings) -> str:
    if found.status is None:
        return "not known yet"
    if not found.is_running:
        return "not asked: the program does not run"
    link = found.status.link
    problem = f" ({link.last_problem})" if link.last_problem else ""
    return f"{LINK_WORDS.get(link.state, link.state)}{problem}"


def _last_read(status: Status | None) -> datetime | None:
    feeds = status.feeds if status else []
    return max((feed.last_read_at for feed in feeds if feed.last_read_at is not None), default=None)


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "never"


def _status(directory: Path) -> Status | None:
    try:
        return read_status(directory)
    except StatusUnknownError:
        return None


def _anchor(directory: Path) -> AnchorRecord | SealAnchorError | None:
    try:
        return read_record(directory / ANCHORS)
    except SealAnchorError as error:
        return error
