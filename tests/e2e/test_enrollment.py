"""A machine becomes an appliance as its installer does it: real processes, real PostgreSQL, real TLS, a real TPM."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.support.appliance_process import APPLIANCE, NO_TPM, ApplianceProcess
from tests.support.cdr_generator import generate
from tests.support.receiver_process import ReceiverProcess
from tests.support.stored_calls import Expected, fetch_calls
from tests.support.swtpm import Swtpm
from tests.support.tpm_sealing import flush_left_behind

ROOT = Path(__file__).parents[2]
SITE = (ROOT / "tests/testdata/demo/site.toml").read_text(encoding="utf-8")
CONTENT = generate(rows=40, seed=7)
PATIENCE_SECONDS = 120
FEWEST_KILLS = 3


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    """One receiver for the module; each test has tenants of its own."""
    with ReceiverProcess(tmp_path_factory.mktemp("receiver") / "state") as process:
        yield process


@pytest.fixture
def tenant(receiver: ReceiverProcess, request: pytest.FixtureRequest) -> str:
    """A tenant of the test's own."""
    name = request.node.name.translate(str.maketrans("[]", "  ")).strip()
    receiver.create_tenant(name)
    return str(name)


class Machine(ApplianceProcess):
    """A machine that may become an appliance; what its commands say is kept."""

    def __init__(self, folder: Path, receiver: ReceiverProcess, *, tpm: Swtpm | None = None) -> None:
        folder.mkdir()
        super().__init__(folder, url=receiver.url, feed=folder / "Master.csv", dialect="asterisk_csv", site=SITE)
        self.feed = folder / "Master.csv"
        if tpm is not None:
            text = self.settings.read_text(encoding="utf-8")
            self.settings.write_text(text.replace(NO_TPM, tpm.tcti), encoding="utf-8")

    def ask(self, invitation: Path, *options: str) -> tuple[int, str]:
        """Run ``enroll``; give its status and all that it said."""
        command = [*APPLIANCE, "enroll", "--invitation", str(invitation), "--settings", str(self.settings), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        return done.returncode, done.stdout + done.stderr

    def ask_and_die(self, invitation: Path, *, after_seconds: float) -> int | None:
        """Run ``enroll`` and kill it; its status, None if it was killed."""
        command = [*APPLIANCE, "enroll", "--invitation", str(invitation), "--settings", str(self.settings)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        try:
            return process.wait(after_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def deliver(self) -> None:
        """Write as the PBX does, and run until nothing waits."""
        self.feed.write_bytes(CONTENT)
        self.start()
        try:
            lines = CONTENT.count(b"\n")
            done = self.wait_for(
                lambda counts: counts.get("read", 0) >= lines and counts.get("waiting") == 0, seconds=PATIENCE_SECONDS
            )
            assert done, self.log.read_text(encoding="utf-8")[-2000:]
        finally:
            self.stop()


def appliances_of(receiver: ReceiverProcess, tenant: str) -> list[list[str]]:
    """What the tenant's administrator sees: a line an appliance, its fields."""
    return [line.split("\t") for line in receiver.run("appliance", "list", "--tenant", tenant).splitlines()]


def test_a_machine_without_a_tpm_is_enrolled_and_delivers(
    tmp_path: Path, receiver: ReceiverProcess, tenant: str
) -> None:
    """It says that it is level 1, and so does the receiver."""
    machine = Machine(tmp_path / "site", receiver)
    status, said = machine.ask(receiver.invite("edge-one", tenant=tenant))
    assert status == 0, said
    assert "level 1 of 3" in said
    machine.deliver()
    key = receiver.create_api_key(tenant, role="viewer")
    stored = fetch_calls(receiver.url, api_key=key, trust_anchors=receiver.trust_anchors)
    expected = Expected(machine.settings, machine.feed)
    assert expected.records > 0
    assert expected.lost(stored) == set()
    ((name, state, protection, *_),) = appliances_of(receiver, tenant)
    assert (name, state, protection) == ("edge-one", "active", "file")


def test_a_machine_with_a_tpm_is_enrolled_and_delivers(tmp_path: Path, receiver: ReceiverProcess, tenant: str) -> None:
    """Its TPM proves what it is; its secrets open under that TPM alone."""
    with Swtpm(tmp_path / "tpm") as tpm:
        machine = Machine(tmp_path / "site", receiver, tpm=tpm)
        status, said = machine.ask(receiver.invite("edge-one", tenant=tenant))
        assert status == 0, said
        assert "level 2 of 3" in said
        machine.deliver()
        key = receiver.create_api_key(tenant, role="viewer")
        stored = fetch_calls(receiver.url, api_key=key, trust_anchors=receiver.trust_anchors)
        assert Expected(machine.settings, machine.feed).lost(stored) == set()
        ((name, state, protection, *_),) = appliances_of(receiver, tenant)
        assert (name, state, protection) == ("edge-one", "active", "tpm")
    status, said = machine.ask(receiver.invite("edge-two", tenant=tenant))
    assert status == 1
    assert "error[seal_tpm_missing]" in said


def test_machines_of_one_tenant_give_equal_pseudonyms(tmp_path: Path, receiver: ReceiverProcess, tenant: str) -> None:
    """Whatever guards their secrets; another tenant's are others."""
    receiver.create_tenant(f"{tenant}-other")
    feed = tmp_path / "Master.csv"
    feed.write_bytes(CONTENT)
    with Swtpm(tmp_path / "tpm") as tpm:
        one = Machine(tmp_path / "one", receiver)
        two = Machine(tmp_path / "two", receiver, tpm=tpm)
        other = Machine(tmp_path / "other", receiver)
        one.enroll(receiver.invite("edge-one", tenant=tenant))
        two.enroll(receiver.invite("edge-two", tenant=tenant))
        other.enroll(receiver.invite("edge-one", tenant=f"{tenant}-other"))
        ones, twos, others = (Expected(machine.settings, feed).by_event for machine in (one, two, other))
    assert ones == twos
    assert ones.keys().isdisjoint(others)


def test_an_invitation_serves_one_machine(tmp_path: Path, receiver: ReceiverProcess, tenant: str) -> None:
    """The second is told that somebody was faster; the first one stays as it is, and has nothing to do."""
    invitation = receiver.invite("edge-one", tenant=tenant)
    first, second = Machine(tmp_path / "first", receiver), Machine(tmp_path / "second", receiver)
    first.enroll(invitation)
    status, said = second.ask(invitation)
    assert (status, "error[invitation_used]" in said) == (1, True), said
    status, said = first.ask(invitation)
    assert (status, "error[already_enrolled]" in said) == (1, True), said
    assert len(appliances_of(receiver, tenant)) == 1


def test_an_invitation_that_was_taken_back_is_unknown(tmp_path: Path, receiver: ReceiverProcess, tenant: str) -> None:
    """And another one helps."""
    machine, taken_back = Machine(tmp_path / "site", receiver), receiver.invite("edge-one", tenant=tenant)
    receiver.run("appliance", "withdraw", "--tenant", tenant, "--name", "edge-one")
    status, said = machine.ask(taken_back)
    assert (status, "error[invitation_unknown]" in said) == (1, True), said
    machine.enroll(receiver.invite("edge-one", tenant=tenant))


def test_a_machine_does_not_go_over_to_another_tenant(tmp_path: Path, receiver: ReceiverProcess, tenant: str) -> None:
    """Its pseudonyms would be cut off from their past: the secret in use wins, and the appliance stays whose it was."""
    receiver.create_tenant(f"{tenant}-other")
    machine = Machine(tmp_path / "site", receiver)
    machine.enroll(receiver.invite("edge-one", tenant=tenant))
    status, said = machine.ask(receiver.invite("edge-one", tenant=f"{tenant}-other"), "--again")
    assert (status, "error[tenant_secret_conflict]" in said) == (1, True), said
    machine.deliver()
    assert [line[1] for line in appliances_of(receiver, tenant)] == ["active"]


def test_a_revoked_machine_comes_back_by_an_invitation(tmp_path: Path, receiver: ReceiverProcess, tenant: str) -> None:
    """Its certificate is still valid by its own lights, so the installer says that it is to be done again."""
    machine = Machine(tmp_path / "site", receiver)
    machine.enroll(receiver.invite("edge-one", tenant=tenant))
    receiver.run("appliance", "revoke", "--tenant", tenant, "edge-one")
    status, said = machine.ask(receiver.invite("edge-one", tenant=tenant), "--again")
    assert status == 0, said
    machine.deliver()
    assert [line[1] for line in appliances_of(receiver, tenant)] == ["active"]


@pytest.mark.parametrize("with_tpm", [False, True], ids=["file", "tpm"])
def test_a_command_that_is_killed_again_and_again_completes(
    tmp_path: Path, receiver: ReceiverProcess, tenant: str, *, with_tpm: bool
) -> None:
    """At random moments, with one invitation: one appliance comes of it, and it delivers."""
    random = Random(11)  # noqa: S311 - repeatable, not a secret
    with Swtpm(tmp_path / "tpm") as tpm:
        machine = Machine(tmp_path / "site", receiver, tpm=tpm if with_tpm else None)
        invitation = receiver.invite("edge-one", tenant=tenant)
        seconds, kills = 0.0, 0
        while machine.ask_and_die(invitation, after_seconds=seconds) is None:
            flush_left_behind(tpm)
            # Ever a little further, until it is done before it dies.
            seconds += random.uniform(0.05, 0.15)
            kills += 1
        assert kills > FEWEST_KILLS
        status, said = machine.ask(invitation)
        assert status == 0 or "error[already_enrolled]" in said, said
        machine.deliver()
        ((name, state, protection, *_),) = appliances_of(receiver, tenant)
        assert (name, state, protection) == ("edge-one", "active", "tpm" if with_tpm else "file")
