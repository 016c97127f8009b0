"""`natalia-appliance first-boot` at a desk over real TLS: from what an installer left to an enrolled machine."""

import asyncio
import base64
import os
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.cli.setup_machine import INVITATION
from appliance.errors import SealedSecretMissingError
from appliance.sealing.anchor import SECRETS, secrets_of
from appliance.sealing.sealed_settings import load_sealed_settings
from appliance.seed_ports import SeedOrigin, Stage
from appliance.seeds.state_file import FILE_NAME, read_state
from appliance.wire.invitation import encode_file, encode_qr
from appliance.wire.problem import ProblemCode
from tests.appliance.seeds.test_ovf_seed import environment
from tests.support.enrollment_desk import TOKEN, Desk
from tests.support.first_boot_installer import Installer, run_command
from tests.support.tls_peer import TlsPeer


@pytest.fixture
def installer(tmp_path: Path, desk: Desk, peer: TlsPeer, capsys: pytest.CaptureFixture[str]) -> Installer:
    """An installer at a fresh machine."""
    return Installer(tmp_path, desk, peer.url, capsys)


async def test_a_disk_makes_an_appliance(installer: Installer) -> None:
    """Settings sealed, identity there, the invitation gone; the log says where it came from."""
    installer.fill_disk()
    status, said, state = await installer.boot()
    assert (status, state.stage, state.origin, state.notice) == (0, Stage.ENROLLED, SeedOrigin.DISK, None)
    assert said == "First boot: enrolled. Seed: disk.\n"
    assert installer.is_enrolled()
    assert load_sealed_settings(installer.state).feeds[0].id == "main"


async def test_ovf_properties_make_an_appliance(installer: Installer) -> None:
    """Settings in base64, the network beside them, and the invitation as its QR code's text."""
    properties = {
        "natalia.settings": base64.b64encode(installer.settings.encode()).decode(),
        "natalia.invitation": encode_qr(installer.invitation),
        "natalia.address": "192.0.2.10/24",
    }
    installer.ovf.write_bytes(environment(properties))
    status, _, state = await installer.boot()
    assert (status, state.stage, state.origin) == (0, Stage.ENROLLED, SeedOrigin.OVF)
    assert installer.is_enrolled()
    assert "Address=192.0.2.10/24\n" in (installer.network / "10-natalia.network").read_text()


async def test_credentials_make_an_appliance(installer: Installer) -> None:
    """Where neither a disk nor properties are."""
    (installer.credentials / "natalia.settings").write_text(installer.settings, encoding="utf-8")
    (installer.credentials / "natalia.invitation").write_text(encode_qr(installer.invitation), encoding="utf-8")
    status, _, state = await installer.boot()
    assert (status, state.stage, state.origin) == (0, Stage.ENROLLED, SeedOrigin.CREDENTIALS)
    assert installer.is_enrolled()


async def test_the_disk_goes_before_the_others(installer: Installer) -> None:
    """As the documentation says: disk, properties, credentials."""
    installer.fill_disk()
    installer.ovf.write_bytes(environment({"natalia.invitation": "another"}))
    (installer.credentials / "natalia.invitation").write_bytes(b"another")
    _, _, state = await installer.boot()
    assert (state.stage, state.origin) == (Stage.ENROLLED, SeedOrigin.DISK)


async def test_a_second_boot_asks_nobody_and_reads_no_seed(installer: Installer, desk: Desk) -> None:
    """Also if the disk is still there, with other settings and another invitation."""
    installer.fill_disk()
    await installer.boot()
    asked = len(desk.asked)
    installer.fill_disk(settings="broken", invitation="broken")
    status, said, state = await installer.boot()
    assert (status, state.stage, state.ignored, state.origin) == (0, Stage.ENROLLED, SeedOrigin.DISK, SeedOrigin.DISK)
    assert "A seed (disk) is there and was not read: this machine is enrolled.\n" in said
    assert len(desk.asked) == asked
    assert installer.is_enrolled()


async def test_every_mistake_of_the_settings_is_said(installer: Installer) -> None:
    """And written down for the console; nothing was sealed."""
    installer.fill_disk(
        settings=installer.settings.replace("asterisk_csv", "no such").replace("[receiver]", "[receive]")
    )
    status, said, state = await installer.boot()
    assert (status, state.stage) == (1, Stage.REFUSED)
    assert state.notice is not None
    assert [sentence.partition(":")[0] for sentence in state.notice.sentences] == [
        "receive",
        "receiver",
        "feeds[0].dialect",
    ]
    assert all(f"Refused [settings_invalid]: {sentence}\n" in said for sentence in state.notice.sentences)
    assert not (installer.state / SECRETS).exists()


async def test_a_corrected_disk_is_taken(installer: Installer) -> None:
    """At the next start; nothing of the first one is in the way."""
    installer.fill_disk(settings="[appliance]\n")
    await installer.boot()
    installer.fill_disk()
    status, _, state = await installer.boot()
    assert (status, state.stage, state.notice) == (0, Stage.ENROLLED, None)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\xff\x00\x01" * 1000, "settings_invalid"),
        (b"", "settings_invalid"),
        (b"[a]\n[a]\n", "settings_invalid"),
        (b"a = " + b"[" * 100_000, "settings_invalid"),
        (b"x" * 300_000, "seed_unusable"),
        (b"[appliance]\nstate_directory = 1\n", "settings_invalid"),
    ],
    ids=["binary", "empty", "table twice", "deep", "huge", "wrong type"],
)
async def test_hostile_settings_are_refused(installer: Installer, content: bytes, code: str) -> None:
    """With their code; a person must act, so it is not tried again."""
    installer.fill_disk()
    (installer.disk / "appliance.toml").write_bytes(content)
    status, _, state = await installer.boot()
    assert state.notice is not None
    assert (status, state.stage, state.notice.code) == (1, Stage.REFUSED, code)


async def test_settings_of_another_state_directory_are_refused(installer: Installer) -> None:
    """They would be looked for elsewhere."""
    installer.fill_disk(settings=installer.settings.replace(str(installer.state), "/srv/other"))
    status, said, _ = await installer.boot()
    assert (status, "appliance.state_directory: is another folder" in said) == (1, True)


@pytest.mark.parametrize("content", ["", "broken", "NATALIA1:", "NATALIA1:ABC", "natalia-invitation = 2\n"], ids=ascii)
async def test_a_damaged_invitation_is_named(installer: Installer, content: str) -> None:
    """The settings stay sealed, and a new disk with an invitation alone goes on."""
    installer.fill_disk()
    (installer.disk / "invitation.toml").write_text(content, encoding="utf-8")
    status, _, state = await installer.boot()
    assert state.notice is not None
    assert (status, state.notice.code) == (1, "invitation_damaged")
    installer.empty_disk()
    (installer.disk / "invitation.txt").write_text(encode_qr(installer.invitation), encoding="utf-8")
    status, _, state = await installer.boot()
    assert (status, state.stage) == (0, Stage.ENROLLED)


async def test_an_invitation_of_another_receiver_is_named(installer: Installer, desk: Desk) -> None:
    """It is not sealed, and nobody is asked."""
    installer.fill_disk(settings=installer.settings_of("https://receiver.example"))
    status, said, _ = await installer.boot()
    assert (status, "receiver.url: the invitation is of https://127.0.0.1" in said, desk.asked) == (1, True, [])


async def test_without_a_receiver_it_waits_with_the_invitation_sealed(
    installer: Installer, desk: Desk, peer: TlsPeer
) -> None:
    """The disk may be taken away: the next call goes on where it was."""
    installer.fill_disk()
    await peer.__aexit__(None, None, None)
    status, said, state = await installer.boot()
    assert state.notice is not None
    assert (status, state.stage, state.notice.code) == (0, Stage.WAITING, "enrollment_unavailable")
    assert "Not yet [enrollment_unavailable]" in said
    kept = secrets_of(load_sealed_settings(installer.state).appliance)[0].get(INVITATION)
    assert kept.reveal() == encode_file(installer.invitation).encode()
    assert not [path for path in installer.state.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    installer.empty_disk()
    status, _, again = await installer.boot()
    assert (status, again.stage, again.origin, desk.asked) == (0, Stage.WAITING, SeedOrigin.DISK, [])


async def test_after_waiting_it_is_enrolled_without_the_disk(installer: Installer, desk: Desk) -> None:
    """An administrator agreed meanwhile."""
    installer.fill_disk()
    desk.waiting = 1
    status, _, state = await installer.boot()
    assert state.notice is not None
    assert (status, state.stage, state.notice.code) == (0, Stage.WAITING, "approval_pending")
    installer.empty_disk()
    status, _, state = await installer.boot()
    assert (status, state.stage, state.origin) == (0, Stage.ENROLLED, SeedOrigin.DISK)
    assert installer.is_enrolled()


async def test_waiting_seals_nothing_again(installer: Installer, desk: Desk) -> None:
    """A disk that stays attached for hours does not wear the machine's."""
    installer.fill_disk()
    desk.waiting = 2
    await installer.boot()
    files = [installer.state / SECRETS / f"{name}.sealed" for name in ("settings", INVITATION)]
    before = [file.stat().st_ino for file in files]
    _, _, state = await installer.boot()
    assert (state.stage, [file.stat().st_ino for file in files]) == (Stage.WAITING, before)


async def test_with_wait_it_asks_again_by_itself(installer: Installer, desk: Desk) -> None:
    """Until it is enrolled; what hinders is said once."""
    installer.fill_disk()
    desk.waiting = 1
    status, said, state = await installer.boot("--wait")
    assert (status, state.stage) == (0, Stage.ENROLLED)
    assert said.count("Not yet [approval_pending]") == 1
    assert said.endswith("First boot: enrolled. Seed: disk.\n")


@pytest.mark.parametrize(
    "code",
    [ProblemCode.INVITATION_USED, ProblemCode.INVITATION_EXPIRED, ProblemCode.INVITATION_UNKNOWN],
    ids=lambda code: str(code.value),
)
async def test_a_spent_token_is_named_and_forgotten(installer: Installer, desk: Desk, code: ProblemCode) -> None:
    """With the remedy; also with --wait it is not asked for again."""
    installer.fill_disk()
    desk.refuse = code
    status, said, state = await installer.boot("--wait")
    assert state.notice is not None
    assert (status, state.stage, state.notice.code) == (1, Stage.REFUSED, str(code.value))
    assert "hint: " in said
    with pytest.raises(SealedSecretMissingError):
        secrets_of(load_sealed_settings(installer.state).appliance)[0].get(INVITATION)
    installer.empty_disk()
    _, _, state = await installer.boot()
    assert state.notice is not None
    assert state.notice.code == "seed_invitation_missing"


async def test_a_wrong_clock_is_waited_for(installer: Installer, desk: Desk) -> None:
    """A time server may set it; the invitation is kept."""
    installer.fill_disk()
    desk.valid = (timedelta(days=1), timedelta(days=2))
    status, _, state = await installer.boot()
    assert state.notice is not None
    assert (status, state.stage, state.notice.code) == (0, Stage.WAITING, "clock_off")
    assert "time server" in state.notice.remedy


async def test_without_anything_it_says_what_to_bring(installer: Installer) -> None:
    """The state is written all the same."""
    status, said, state = await installer.boot()
    assert (status, state.stage, state.origin) == (1, Stage.REFUSED, None)
    assert "First boot: refused. Seed: none.\nRefused [seed_missing]" in said


async def test_a_state_directory_of_another_machine_stays_closed(installer: Installer) -> None:
    """Its anchor is gone: no seed makes a new one over what is sealed there."""
    installer.fill_disk()
    await installer.boot()
    anchor = installer.state / "anchor"
    for path in anchor.iterdir():
        path.unlink()
    sealed = sorted(path.name for path in (installer.state / SECRETS).iterdir())
    status, _, state = await installer.boot()
    assert state.notice is not None
    assert (status, state.stage, state.notice.code) == (1, Stage.REFUSED, "seal_anchor_unusable")
    assert sorted(path.name for path in (installer.state / SECRETS).iterdir()) == sealed


async def test_an_identity_that_is_damaged_is_cured_by_an_invitation(installer: Installer, desk: Desk) -> None:
    """The settings stand, whatever the disk says."""
    installer.fill_disk()
    await installer.boot()
    (installer.state / SECRETS / "machine-identity.sealed").write_bytes(b"damaged")
    desk.owner = None
    other = installer.settings.replace('id = "main"', 'id = "other"')
    installer.fill_disk(settings=other)
    status, _, state = await installer.boot()
    assert (status, state.stage) == (0, Stage.ENROLLED)
    assert load_sealed_settings(installer.state).feeds[0].id == "main"
    assert installer.is_enrolled()


async def test_a_machine_that_was_enrolled_by_hand_needs_no_seed(installer: Installer) -> None:
    """The command finds it as it is, and asks nobody; places that were not named are not looked at."""
    installer.fill_disk()
    await installer.boot()
    (installer.state / FILE_NAME).unlink()
    assert await asyncio.to_thread(run_command, ["first-boot", "--state", str(installer.state)]) == 0
    state = read_state(installer.state)
    assert state is not None
    assert (state.stage, state.origin, state.ignored) == (Stage.ENROLLED, None, None)


async def test_settings_that_were_lost_are_taken_from_the_disk_again(installer: Installer, desk: Desk) -> None:
    """The identity beside them stays, and nobody is asked."""
    installer.fill_disk()
    await installer.boot()
    (installer.state / SECRETS / "settings.sealed").unlink()
    asked = len(desk.asked)
    status, _, state = await installer.boot()
    assert (status, state.stage, len(desk.asked)) == (0, Stage.ENROLLED, asked)
    assert installer.is_enrolled()


async def test_a_state_disk_that_cannot_be_written_is_a_typed_error(
    installer: Installer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The console then shows that nothing was written."""
    installer.state.touch()
    status = await asyncio.to_thread(run_command, ["first-boot", "--state", str(installer.state), "--disk", os.devnull])
    assert (status, "error[seal_disk_refused]" in capsys.readouterr().err) == (1, True)
