"""An administrator's decisions on the command line, beside the running service."""

from pathlib import Path
from uuid import UUID

import httpx
import pytest
from click.testing import CliRunner, Result

from receiver.cli import main
from tests.receiver.deliveries import Machine
from tests.receiver.fleet_world import fresh_key
from tests.receiver.newcomer import Newcomer, answer_of, post_enrollment
from tests.receiver.office import Office
from tests.receiver.renewing import ENDED_LONG_AGO, reenroll, renewed, request_of, wish_of
from tests.support.receiver_process import ReceiverProcess


class Fleet:
    """Runs ``appliance`` commands for one tenant."""

    def __init__(self, state_dir: Path, tenant: str) -> None:
        """Work on ``state_dir``."""
        self._state_dir, self._tenant = state_dir, tenant

    def run(self, command: str, *arguments: str) -> Result:
        """Run a command, whatever its status."""
        line = ["--state", str(self._state_dir), "appliance", command, "--tenant", self._tenant, *arguments]
        return CliRunner().invoke(main, line)

    def done(self, command: str, *arguments: str) -> list[str]:
        """Run a command that ends with status 0; give its lines."""
        result = self.run(command, *arguments)
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()


@pytest.fixture
def fleet(receiver: ReceiverProcess, machine: Machine) -> Fleet:
    """Commands for the machine's tenant."""
    return Fleet(receiver.state_dir, machine.tenant)


@pytest.fixture
def copied(receiver: ReceiverProcess, machine: Machine, tmp_path: Path) -> tuple[Machine, Machine]:
    """A machine that goes on, and its copy that was found out."""
    after = renewed(receiver, machine, tmp_path)
    with after.connect(receiver) as client, machine.connect(receiver) as copy:
        assert client.get("/v1/ingest/high-water").status_code == 200
        assert reenroll(copy, request_of(machine, fresh_key())).status_code == 403
    return after, machine


def opens(receiver: ReceiverProcess, machine: Machine) -> bool:
    """Whether a machine is let in."""
    with machine.connect(receiver) as client:
        return client.get("/v1/ingest/high-water").status_code == 200


def test_appliances_are_listed(fleet: Fleet, machine: Machine) -> None:
    """One line each: name, state, protection, certificate's end, last delivery, alarms."""
    (line,) = fleet.done("list")
    name, state, protection, ends_at, seen_at, alarms = line.split("\t")
    assert (name, state, protection, seen_at, alarms) == (machine.name, "active", "-", "-", "-")
    assert ends_at.endswith("Z")


def test_alarms_are_shown_until_somebody_decides(fleet: Fleet, copied: tuple[Machine, Machine]) -> None:
    """The list marks the copy, the alarm says which certificate; settled ones are shown on request."""
    after, copy = copied
    (line,) = fleet.done("list")
    assert line.split("\t")[1::4] == ["active+copy", "certificate_reused"]
    (alarm,) = fleet.done("alarms")
    assert alarm.split("\t")[1:3] == [copy.name, "certificate_reused"]
    assert alarm.split("\t")[3].startswith("serial=")
    fleet.done("revoke", "--copy", "--reason", "key_compromise", after.name)
    assert fleet.done("alarms") == []
    decision, before = fleet.done("alarms", "--all")
    assert decision.split("\t")[2:] == ["revoked", "certificates=1 reason=key_compromise"]
    assert before == alarm


def test_a_copy_is_revoked_alone(receiver: ReceiverProcess, fleet: Fleet, copied: tuple[Machine, Machine]) -> None:
    """The appliance goes on."""
    after, copy = copied
    assert fleet.done("revoke", "--copy", after.name) == ["1 certificates revoked"]
    assert (opens(receiver, after), opens(receiver, copy)) == (True, False)


def test_a_release_turns_the_two_round(
    receiver: ReceiverProcess, fleet: Fleet, copied: tuple[Machine, Machine]
) -> None:
    """What was quarantined works, and what worked is revoked."""
    after, copy = copied
    assert fleet.done("release", copy.name) == ["1 certificates released, 1 others revoked"]
    assert (opens(receiver, after), opens(receiver, copy)) == (False, True)


def test_an_appliance_is_revoked_whole(receiver: ReceiverProcess, fleet: Fleet, machine: Machine) -> None:
    """From the next request on."""
    assert opens(receiver, machine)
    assert fleet.done("revoke", machine.name) == ["1 certificates revoked"]
    assert not opens(receiver, machine)
    (line,) = fleet.done("list")
    assert line.split("\t")[1:4] == ["revoked", "-", "-"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("approve", "nobody"), "appliance_unknown"),
        (("release", "nobody"), "appliance_unknown"),
        (("revoke", "nobody"), "appliance_unknown"),
        (("revoke", "--copy", "nobody"), "appliance_unknown"),
    ],
)
def test_an_unknown_appliance_is_refused(fleet: Fleet, command: tuple[str, ...], code: str) -> None:
    """With a hint, and without the name."""
    result = fleet.run(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error[{code}]: ")
    assert "hint: " in result.stderr
    assert "nobody" not in result.stderr


def test_nothing_to_decide_is_refused(fleet: Fleet, machine: Machine) -> None:
    """An approval of nobody, a release of nothing, and a copy that there is not."""
    for command in (("approve", machine.name), ("release", machine.name), ("revoke", "--copy", machine.name)):
        result = fleet.run(*command)
        assert result.exit_code == 1
        assert result.stderr.startswith(("error[return_not_waiting]: ", "error[nothing_quarantined]: "))


def test_a_reason_is_one_of_the_standards(fleet: Fleet, machine: Machine) -> None:
    """Free text could hold a name, and events hold none."""
    assert fleet.run("revoke", "--reason", "Bob stole it", machine.name).exit_code == 2


def test_a_return_is_marked_and_approved(
    office: Office, fleet: Fleet, machine: Machine, anonymous: httpx.Client
) -> None:
    """The list says who waits."""
    office.execute(UUID(machine.tenant_id), ENDED_LONG_AGO)
    answer_of(post_enrollment(anonymous, wish_of(machine, Newcomer())))
    assert fleet.done("list")[0].split("\t")[1] == "active+returning"
    assert fleet.done("approve", machine.name) == ["approved: the appliance fetches its certificate by itself"]
    assert fleet.done("list")[0].split("\t")[1] == "active"
