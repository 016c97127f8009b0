"""A machine without a keyboard becomes an appliance: a disk, real processes, real PostgreSQL, real TLS, a real TPM."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.appliance_process import APPLIANCE, NO_TPM, ApplianceProcess
from tests.support.cdr_generator import generate
from tests.support.receiver_process import ReceiverProcess
from tests.support.stored_calls import Expected, fetch_calls
from tests.support.swtpm import Swtpm

ROOT = Path(__file__).parents[2]
SITE = (ROOT / "tests/testdata/demo/site.toml").read_text(encoding="utf-8")
CONTENT = generate(rows=40, seed=7)
PATIENCE_SECONDS = 120
TENANT = "clinic"


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    """One receiver with one tenant."""
    with ReceiverProcess(tmp_path_factory.mktemp("receiver") / "state") as process:
        process.create_tenant(TENANT)
        yield process


class Machine(ApplianceProcess):
    """A machine that knows its settings from a disk alone."""

    def __init__(self, folder: Path, receiver: ReceiverProcess, *, tpm: Swtpm) -> None:
        self.feed = folder / "Master.csv"
        self.disk = folder / "disk"
        self.disk.mkdir()
        super().__init__(self.disk, url=receiver.url, feed=self.feed, dialect="asterisk_csv", site=SITE)
        text = self.settings.read_text(encoding="utf-8").replace(NO_TPM, tpm.tcti)
        self.settings.write_text(text.replace(str(self.state), str(folder / "state")), encoding="utf-8")
        self.state.rmdir()
        self.state = folder / "state"
        self.place = ["--state", str(self.state)]

    def give(self, invitation: Path) -> None:
        """Put an invitation on the disk."""
        (self.disk / "invitation.toml").write_bytes(invitation.read_bytes())

    def boot(self) -> tuple[int, str]:
        """Run ``first-boot``; give its status and all that it said."""
        done = subprocess.run(
            [*APPLIANCE, "first-boot", *self.place, "--disk", str(self.disk)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        return done.returncode, done.stdout + done.stderr

    def screen(self) -> str:
        """What the console shows."""
        return " ".join(self.command("console", "--once").split())

    def deliver(self) -> None:
        """Write as the PBX does, and run until nothing waits."""
        self.feed.write_bytes(CONTENT)
        self.start()
        lines = CONTENT.count(b"\n")
        done = self.wait_for(
            lambda counts: counts.get("read", 0) >= lines and counts.get("waiting") == 0, seconds=PATIENCE_SECONDS
        )
        assert done, self.log.read_text(encoding="utf-8")[-2000:]


def test_a_disk_is_all_that_a_machine_needs(tmp_path: Path, receiver: ReceiverProcess) -> None:
    """Settings and certificate are sealed to its TPM, it delivers without the disk, and the console says how it is."""
    with Swtpm(tmp_path / "tpm") as tpm:
        machine = Machine(tmp_path, receiver, tpm=tpm)
        assert "Enrollment not begun" in machine.screen()
        machine.give(receiver.invite("edge-one", tenant=TENANT))
        settings = machine.settings.read_bytes()
        status, said = machine.boot()
        assert (status, said) == (0, "First boot: enrolled. Seed: disk.\n")
        for path in machine.disk.iterdir():
            path.unlink()
        try:
            machine.deliver()
            shown = machine.screen()
        finally:
            machine.stop()
        assert "Appliance edge-one" in shown
        assert "Protection level 2 of 3" in shown
        assert "Receiver reached" in shown
        assert "Waiting 0 records" in shown
        key = receiver.create_api_key(TENANT, role="viewer")
        stored = fetch_calls(receiver.url, api_key=key, trust_anchors=receiver.trust_anchors)
        machine.settings.write_bytes(settings)
        expected = Expected(machine.settings, machine.feed)
        assert expected.records > 0
        assert expected.lost(stored) == set()
    status, said = machine.boot()
    assert (status, "Refused [seal_tpm_missing]" in said) == (1, True), said
    shown = machine.screen()
    assert "Enrollment stopped, see below" in shown
    assert "Give the VM its TPM back" in shown


def test_a_used_invitation_is_named_on_the_console(tmp_path: Path, receiver: ReceiverProcess) -> None:
    """The second machine is told what to do, and a new invitation on the disk helps."""
    with Swtpm(tmp_path / "tpm") as tpm, Swtpm(tmp_path / "other-tpm") as other_tpm:
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
        first = Machine(tmp_path / "first", receiver, tpm=tpm)
        second = Machine(tmp_path / "second", receiver, tpm=other_tpm)
        invitation = receiver.invite("edge-two", tenant=TENANT)
        first.give(invitation)
        second.give(invitation)
        assert first.boot()[0] == 0
        status, said = second.boot()
        assert (status, "Refused [invitation_used]" in said) == (1, True), said
        assert "then ask for a new invitation. [invitation_used]" in second.screen()
        second.give(receiver.invite("edge-three", tenant=TENANT))
        status, said = second.boot()
        assert (status, said) == (0, "First boot: enrolled. Seed: disk.\n")
