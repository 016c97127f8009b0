"""`natalia-appliance enroll` at a desk over real TLS: what it says, and what it refuses before it asks."""

import asyncio
import io
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from appliance.cli import main
from appliance.cli.enroll import require_same_receiver
from appliance.errors import SettingsError
from appliance.settings import load_settings
from appliance.wire.invitation import encode_file, encode_qr
from appliance.wire.problem import ProblemCode
from tests.support.appliance_process import SETTINGS
from tests.support.enrollment_desk import TOKEN, Desk, key_of
from tests.support.tls_peer import TENANT, TlsPeer, reply, server_context

ROOT = Path(__file__).parents[2]
SITE = (Path(__file__).parents[1] / "testdata/demo/site.toml").read_text(encoding="utf-8")


class Installer:
    """Whoever stands before the machine: a settings file, an invitation, and a terminal."""

    def __init__(self, folder: Path, desk: Desk, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.settings = folder / "appliance.toml"
        self.write_settings(url)
        self.invitation = folder / "edge-a.invitation.toml"
        self.invitation.write_text(encode_file(desk.invitation(url)), encoding="utf-8")
        self.qr = folder / "qr.txt"
        self.qr.write_text(encode_qr(desk.invitation(url)) + "\n", encoding="utf-8")

    def write_settings(self, url: str) -> None:
        """Settings with that receiver."""
        text = SETTINGS.format(
            state=self.folder / "state", url=url, site=SITE, dialect="asterisk_csv", feed=self.folder / "Master.csv"
        )
        self.settings.write_text(text, encoding="utf-8")

    async def enroll(self, *options: str, invitation: Path | str | None = None) -> tuple[int, str, str]:
        """Run the command; give exit status, stdout and stderr. The token is in neither."""
        arguments = ["enroll", "--invitation", str(invitation or self.invitation), "--settings", str(self.settings)]
        status = await asyncio.to_thread(_run, [*arguments, *options])
        said = self.capsys.readouterr()
        assert TOKEN not in said.out + said.err
        return status, said.out, said.err


def _run(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.fixture
def installer(tmp_path: Path, desk: Desk, peer: TlsPeer, capsys: pytest.CaptureFixture[str]) -> Installer:
    """An installer at a fresh machine."""
    return Installer(tmp_path, desk, peer.url, capsys)


async def test_it_says_what_became_of_the_machine(installer: Installer, desk: Desk) -> None:
    """Whose it is, how its secrets are guarded, until when its certificate is valid, and what to do next."""
    status, out, err = await installer.enroll()
    assert (status, err) == (0, "")
    assert f"appliance edge-a of tenant {TENANT}." in out
    assert "Protection of its secrets: level 1 of 3" in out
    assert f"valid until {desk.issued[0].not_valid_after_utc:%Y-%m-%d %H:%M} UTC and renews itself." in out
    assert "delete the invitation's file" in out


async def test_the_text_of_the_qr_code_serves_as_well(installer: Installer) -> None:
    """From a file."""
    status, out, _ = await installer.enroll(invitation=installer.qr)
    assert (status, "appliance edge-a" in out) == (0, True)


async def test_standard_input_serves_as_well(installer: Installer) -> None:
    """So that the invitation need not lie on the machine's disk."""
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(installer.invitation.read_bytes()))
    try:
        status, out, _ = await installer.enroll(invitation="-")
    finally:
        sys.stdin = before
    assert (status, "appliance edge-a" in out) == (0, True)


async def test_a_second_time_it_has_nothing_to_do(installer: Installer, desk: Desk) -> None:
    """And says so, with the certificate's end; the receiver is not asked."""
    await installer.enroll()
    status, _, err = await installer.enroll()
    assert status == 1
    assert "error[already_enrolled]: this machine is enrolled as edge-a, certificate until " in err
    assert "hint: Nothing to do" in err
    assert len(desk.asked) == 1


async def test_told_to_it_enrols_again(installer: Installer, desk: Desk) -> None:
    """After the receiver revoked the certificate, with another invitation."""
    await installer.enroll()
    desk.owner = None
    status, out, _ = await installer.enroll("--again")
    assert (status, "appliance edge-a" in out) == (0, True)
    assert desk.keys_certified == 2


async def test_while_somebody_must_agree_it_ends_and_says_whom_to_ask(installer: Installer, desk: Desk) -> None:
    """The same command goes on."""
    desk.waiting = 1
    status, _, err = await installer.enroll()
    assert status == 1
    assert "error[approval_pending]" in err
    assert "hint: Ask an administrator" in err
    assert (await installer.enroll())[0] == 0


async def test_told_to_wait_it_asks_again_by_itself(
    tmp_path: Path, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each time it says why, and when it asks again."""
    answers = [reply(503, headers=["Retry-After: 0"])]
    peer = TlsPeer(server_context(desk.root, ask_client=False), lambda asked: answers.pop() if answers else desk(asked))
    async with peer:
        status, out, _ = await Installer(tmp_path, desk, peer.url, capsys).enroll("--wait")
    assert status == 0
    assert "Not yet [enrollment_unavailable]: " in out
    assert "Asking again in 1 seconds" in out
    assert "appliance edge-a" in out


async def test_waiting_ends_with_ctrl_c_and_goes_on_later(installer: Installer, desk: Desk) -> None:
    """The key that waits is on disk; the receiver knows it again."""
    desk.waiting = 1
    command = ["-m", "appliance", "enroll", "--wait", "--invitation", str(installer.invitation)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, "--settings", str(installer.settings), stdout=PIPE, stderr=PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    while b"Not yet [approval_pending]" not in (line := await process.stdout.readline()):
        assert line
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 1
    assert b"Traceback" not in err
    assert (await installer.enroll())[0] == 0
    assert len({key_of(asked.request) for asked in desk.asked}) == 1


async def test_a_refusal_is_told_with_its_code_and_hint(installer: Installer, desk: Desk) -> None:
    """Waiting or not."""
    desk.refuse = ProblemCode.INVITATION_USED
    for options in ([], ["--wait"]):
        status, _, err = await installer.enroll(*options)
        assert status == 1
        assert "error[invitation_used]" in err
        assert "tell the receiver's operator at once" in err


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"natalia-invitation = 2\n", b"NATALIA1:A", b" " * 40_000],
    ids=["empty", "no text", "newer", "half a QR code", "too long"],
)
async def test_a_damaged_invitation_is_refused_before_anything_is_made(installer: Installer, content: bytes) -> None:
    """No anchor, no key."""
    installer.invitation.write_bytes(content)
    status, out, err = await installer.enroll()
    assert (status, out) == (1, "")
    assert "error[invitation_damaged]" in err
    assert not (installer.folder / "state").exists()


async def test_an_invitation_that_is_not_there_is_said(installer: Installer) -> None:
    """By its path."""
    status, _, err = await installer.enroll(invitation=installer.folder / "none")
    assert status == 1
    assert f"{installer.folder / 'none'}: cannot be read" in err


async def test_an_invitation_of_another_receiver_is_refused(installer: Installer, desk: Desk) -> None:
    """The settings would ship to the wrong place."""
    installer.write_settings("https://receiver.example")
    status, _, err = await installer.enroll()
    assert status == 1
    assert "error[settings_invalid]: receiver.url: the invitation is of https://127.0.0.1:" in err
    assert desk.asked == []


@pytest.mark.parametrize(
    ("settings", "invited", "same"),
    [
        ("https://receiver.example", "https://receiver.example:443", True),
        ("https://Receiver.Example/", "https://receiver.example", True),
        ("https://receiver.example:8443", "https://receiver.example:8443", True),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", True),
        ("https://receiver.example", "https://receiver.example:8443", False),
        ("https://receiver.example", "https://other.example", False),
    ],
)
def test_one_receiver_has_several_spellings(
    installer: Installer, desk: Desk, settings: str, invited: str, *, same: bool
) -> None:
    """Letters' size, a slash, the usual port; another host or port is another receiver."""
    installer.write_settings(settings)
    read = load_settings(installer.settings)
    if same:
        require_same_receiver(read, desk.invitation(invited))
        return
    with pytest.raises(SettingsError):
        require_same_receiver(read, desk.invitation(invited))
