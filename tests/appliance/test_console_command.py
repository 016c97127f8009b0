"""`natalia-appliance console`: what it says of a machine in every state, and that it cannot be left."""

import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import structs

from appliance.cli import cli
from appliance.cli.anchor_words import WHY_WORDS
from appliance.cli.console_view import WHY_NOT_HIGHER, Findings, screen_of
from appliance.console_screen import HEIGHT, Screen, render
from appliance.errors import EnrollmentUnavailableError, InvitationUsedError, SettingsError
from appliance.policy.machine_needs import MachineFacts
from appliance.ports import BufferStats
from appliance.sealing.anchor import ANCHORS, AnchorFiles
from appliance.sealing.anchor_record import AnchorWay, read_record, write_record
from appliance.seed_ports import FirstBootState, SeedMissingError, SeedOrigin, Stage
from appliance.seeding import notice_of
from appliance.seeds.state_file import write_state
from appliance.status import FILE_NAME, CertificateStatus, FeedStatus, LinkStatus, Status, write_status
from appliance.wire.batch import KeyProtection
from tests.appliance.policy.test_machine_needs import GOOD
from tests.support.appliance_process import APPLIANCE, NO_TPM

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
STATUS = Status(
    version="0.1.0",
    tenant="7f1f2b0e-6c1d-4f0a-9a55-0d7c3b7a1e11",
    appliance="edge-a",
    process=1,
    started_at=NOW - timedelta(hours=1),
    written_at=NOW - timedelta(seconds=2),
    key_protection=KeyProtection.FILE,
    certificate=CertificateStatus(NOW + timedelta(days=7), NOW),
    link=LinkStatus("ok", "https://receiver.example", NOW - timedelta(seconds=5), None),
    feeds=[
        FeedStatus("secret-feed", "asterisk_csv", "waiting", None),
        FeedStatus("second-feed", "asterisk_csv", "reading", NOW - timedelta(minutes=3)),
    ],
    buffer=BufferStats(2, 17, 0, 4096, 2**20, 0, [], [], []),
)
ENROLLED = FirstBootState(stage=Stage.ENROLLED, written_at=NOW, origin=SeedOrigin.DISK)


def look(directory: Path, facts: MachineFacts = GOOD) -> Screen:
    """The screen of a state directory."""
    return screen_of(Findings(directory, facts, NOW))


def rows(directory: Path, facts: MachineFacts = GOOD) -> dict[str, str]:
    """Its rows."""
    return dict(look(directory, facts).rows)


def tasks(directory: Path, facts: MachineFacts = GOOD) -> list[str]:
    """What there is to do."""
    return list(look(directory, facts).tasks)


def make_anchor(directory: Path) -> None:
    """Make a file anchor, since no TPM answers."""
    AnchorFiles(directory).open(AnchorWay(NO_TPM, None)).close()


def test_a_fresh_machine_says_so_in_every_row(tmp_path: Path) -> None:
    """Nothing is there yet, and each row says it in words."""
    assert rows(tmp_path) == {
        "Appliance": "has no name yet",
        "Version": "0.1.0",
        "Network": "192.0.2.10",
        "Protection": "nothing is sealed yet",
        "Enrollment": "not begun",
        "Certificate": "none yet",
        "Receiver": "not known yet",
        "Last contact": "never",
        "Waiting": "no records yet",
        "Last CDR": "never",
        "Support": "https://natalia.invalid/support",
    }
    assert tasks(tmp_path) == ["The first start is not finished yet. Wait a minute; if this stays, restart the VM."]


def test_a_running_appliance_shows_how_it_is(tmp_path: Path) -> None:
    """And there is nothing to do."""
    make_anchor(tmp_path)
    write_state(tmp_path, ENROLLED)
    write_status(tmp_path, STATUS)
    assert rows(tmp_path) == {
        "Appliance": "edge-a",
        "Version": "0.1.0",
        "Network": "192.0.2.10",
        "Protection": "level 1 of 3: a file on this disk",
        "Not higher": "no TPM answered at the first start",
        "Enrollment": "enrolled",
        "Certificate": "until 2026-03-08 12:00:00 UTC",
        "Receiver": "reached",
        "Last contact": "2026-03-01 11:59:55 UTC",
        "Waiting": "17 records",
        "Last CDR": "2026-03-01 11:57:00 UTC",
        "Support": "https://natalia.invalid/support",
    }
    assert tasks(tmp_path) == []


def test_nothing_of_tenant_or_feeds_is_shown(tmp_path: Path) -> None:
    """Whoever passes by the console sees the appliance, not whose it is."""
    write_state(tmp_path, ENROLLED)
    write_status(tmp_path, STATUS)
    text = "\n".join(render(look(tmp_path)))
    assert not [word for word in ("7f1f2b0e", "-feed", "asterisk") if word in text]


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (LinkStatus("not_tried", "r", None, None), "not tried yet"),
        (LinkStatus("unavailable", "r", None, "uplink_untrusted"), "not reached (uplink_untrusted)"),
        (LinkStatus("refused", "r", None, "batch_invalid"), "refuses what is sent (batch_invalid)"),
        (LinkStatus("newer_word", "r", None, None), "newer_word"),
    ],
    ids=lambda value: getattr(value, "state", ""),
)
def test_the_link_is_in_words(tmp_path: Path, link: LinkStatus, words: str) -> None:
    """With the code that support asks for."""
    write_status(tmp_path, structs.replace(STATUS, link=link))
    assert rows(tmp_path)["Receiver"] == words


def test_a_program_that_has_stopped_reporting_does_not_run(tmp_path: Path) -> None:
    """Its last report stays on the screen, but for the link."""
    write_state(tmp_path, ENROLLED)
    write_status(tmp_path, structs.replace(STATUS, written_at=NOW - timedelta(minutes=10)))
    assert rows(tmp_path)["Receiver"] == "not asked: the program does not run"
    assert rows(tmp_path)["Waiting"] == "17 records"
    assert tasks(tmp_path)[0].startswith("The appliance's program does not run.")


def test_an_enrolled_machine_whose_program_never_ran_says_so(tmp_path: Path) -> None:
    """There is no report at all."""
    write_state(tmp_path, ENROLLED)
    assert tasks(tmp_path) == [
        "The appliance's program does not run. It is started again by itself; if it stays, restart the VM."
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00", b"[" * 100_000], ids=["empty", "cut", "binary", "deep"])
def test_files_that_do_not_read_are_as_if_they_were_not_there(tmp_path: Path, content: bytes) -> None:
    """The screen goes on."""
    (tmp_path / ANCHORS).mkdir()
    for name in (FILE_NAME, "first-boot.json"):
        (tmp_path / name).write_bytes(content)
    assert rows(tmp_path)["Enrollment"] == "not begun"


def test_a_record_that_does_not_read_is_named_with_its_remedy(tmp_path: Path) -> None:
    """It is not taken for a machine without secrets."""
    (tmp_path / ANCHORS).mkdir()
    (tmp_path / ANCHORS / "record.json").write_bytes(b"{")
    write_state(tmp_path, ENROLLED)
    write_status(tmp_path, STATUS)
    assert rows(tmp_path)["Protection"] == "not known"
    assert [task for task in tasks(tmp_path) if "not a record" in task and "Restore" in task]


def test_a_tpm_that_is_gone_is_named(tmp_path: Path) -> None:
    """Where the secrets need it; with what to do."""
    make_anchor(tmp_path)
    record = read_record(tmp_path / ANCHORS)
    assert record is not None
    write_record(tmp_path / ANCHORS, structs.replace(record, protection=KeyProtection.TPM, why_not_higher=["new_code"]))
    write_state(tmp_path, ENROLLED)
    write_status(tmp_path, STATUS)
    assert rows(tmp_path)["Not higher"] == "new_code"
    assert tasks(tmp_path) == []
    first, *_ = tasks(tmp_path, structs.replace(GOOD, has_tpm=False))
    assert first.startswith("The secrets are sealed to a TPM, and none is there. Give the VM its TPM back")


def test_every_reason_has_its_short_words() -> None:
    """As it has its long ones."""
    assert WHY_NOT_HIGHER.keys() == WHY_WORDS.keys()


def test_a_state_disk_that_does_not_open_is_named_first(tmp_path: Path) -> None:
    """The disk of another machine: nothing can be read, and the screen says what to do."""
    first, *_ = tasks(tmp_path / "nowhere", structs.replace(GOOD, state_bytes=None, has_tpm=False))
    assert first.startswith("The state disk is not open")


def test_every_mistake_of_the_settings_is_on_the_screen(tmp_path: Path) -> None:
    """Each on its own line, and then what to do."""
    error = SettingsError([f"feeds[{number}].path: is missing" for number in range(9)])
    write_state(tmp_path, FirstBootState(stage=Stage.REFUSED, written_at=NOW, notice=notice_of(error)))
    assert tasks(tmp_path)[:9] == error.mistakes
    assert tasks(tmp_path)[9].endswith("[settings_invalid]")
    pages = [render(look(tmp_path), turn=page) for page in range(3)]
    text = "".join("".join(page) for page in pages)
    assert all(mistake in text for mistake in error.mistakes)


@pytest.mark.parametrize(
    ("stage", "error", "task"),
    [
        (
            Stage.REFUSED,
            InvitationUsedError("another machine has used it"),
            (
                "Another machine has used it. If you did not use it yourself, tell the receiver's operator at once; "
                "then ask for a new invitation. [invitation_used]"
            ),
        ),
        (
            Stage.WAITING,
            EnrollmentUnavailableError("no answer"),
            (
                "No answer. Check address, network and name resolution; then try again. "
                "The invitation is not used up. [enrollment_unavailable]"
            ),
        ),
        (
            Stage.REFUSED,
            SeedMissingError("no settings were given to this machine"),
            (
                "No settings were given to this machine. Attach a disk labelled NATALIA with appliance.toml and "
                "invitation.toml, and restart the machine. [seed_missing]"
            ),
        ),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_what_is_missing_is_one_sentence_with_its_remedy(
    tmp_path: Path, stage: Stage, error: EnrollmentUnavailableError, task: str
) -> None:
    """And the code that support asks for."""
    write_state(tmp_path, FirstBootState(stage=stage, written_at=NOW, notice=notice_of(error)))
    assert tasks(tmp_path) == [task]
    words = {Stage.REFUSED: "stopped, see below", Stage.WAITING: "not yet; it is tried again by itself"}
    assert rows(tmp_path)["Enrollment"] == words[stage]


def test_a_seed_that_is_not_read_any_more_is_named(tmp_path: Path) -> None:
    """So that nobody waits for it to work."""
    write_state(tmp_path, structs.replace(ENROLLED, ignored=SeedOrigin.DISK))
    write_status(tmp_path, STATUS)
    assert tasks(tmp_path) == [
        (
            "Settings from outside (disk) are attached and are not read: this machine is enrolled. "
            "Take them away; a factory reset is the way to begin anew."
        )
    ]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"has_carrier": False}, "not connected"),
        ({"addresses": ()}, "connected, no address"),
        ({"addresses": ("192.0.2.10", "2001:db8::10")}, "192.0.2.10, 2001:db8::10"),
    ],
    ids=["unplugged", "no address", "two"],
)
def test_the_network_is_in_words(tmp_path: Path, facts: dict[str, object], words: str) -> None:
    """Addresses as an administrator types them."""
    assert rows(tmp_path, structs.replace(GOOD, **facts))["Network"] == words


def test_once_prints_one_screen(tmp_path: Path) -> None:
    """Without a terminal's sequences, on any machine."""
    done = CliRunner().invoke(cli, ["console", "--state", str(tmp_path / "nowhere"), "--once"])
    assert (done.exit_code, len(done.output.splitlines())) == (0, HEIGHT)
    assert "\x1b" not in done.output


class Terminal:
    """A terminal with the console on it."""

    def __init__(self, directory: Path, *, by_path: bool) -> None:
        self.keyboard, screen = pty.openpty()
        self.screen = screen
        place = ["--tty", str(directory / "no-such-tty"), "--tty", os.ttyname(screen)] if by_path else []
        self.process = subprocess.Popen(
            [*APPLIANCE, "console", "--state", str(directory), *place],
            stdin=subprocess.DEVNULL if by_path else screen,
            stdout=subprocess.DEVNULL if by_path else screen,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def draws(self, times: int, *, seconds: float = 30.0) -> str:
        """Wait until the screen has been drawn so many times; give all that was written."""
        end, text = time.monotonic() + seconds, b""
        while text.count(b"\x1b[J") < times:
            ready, _, _ = select.select([self.keyboard], [], [], max(0.0, end - time.monotonic()))
            assert ready, text.decode(errors="replace")
            text += os.read(self.keyboard, 65536)
        return text.decode()

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self.keyboard)
        os.close(self.screen)


@pytest.fixture
def terminal(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """A terminal that shows a fresh machine."""
    shown = Terminal(tmp_path, by_path=getattr(request, "param", False))
    yield shown
    shown.close()


@pytest.mark.parametrize("terminal", [False, True], ids=["stdout", "by path"], indirect=True)
def test_it_cannot_be_left(terminal: Terminal) -> None:
    """No key, no sequence and no signal of a key ends it, and none of them shows."""
    terminal.draws(1)
    os.write(terminal.keyboard, b"q\x03\x1a\x1c\x04\x1b[A\x1bc~.exit\r\n")
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
        os.kill(terminal.process.pid, number)
    text = terminal.draws(2)
    assert terminal.process.poll() is None
    assert "exit" not in text
    assert "^C" not in text


def test_it_draws_in_place(terminal: Terminal) -> None:
    """From the first line, and with no line end after the last, which would scroll."""
    text = terminal.draws(2)
    first, second, *_ = text.split("\x1b[J")
    assert second.startswith("\x18\x1b[0m\x1b[?25l\x1b[H")
    assert first.count("\r\n") == HEIGHT - 1
    assert "Natalia appliance" in first


def test_keys_make_no_echo(terminal: Terminal) -> None:
    """They would write over the screen."""
    terminal.draws(1)
    flags = termios.tcgetattr(terminal.screen)[3]
    assert isinstance(flags, int)
    assert not flags & (termios.ECHO | termios.ISIG | termios.ICANON)


def test_it_ends_when_the_service_manager_says_so(terminal: Terminal) -> None:
    """SIGTERM is not a key."""
    terminal.draws(1)
    terminal.process.terminate()
    assert terminal.process.wait(30) == -signal.SIGTERM
