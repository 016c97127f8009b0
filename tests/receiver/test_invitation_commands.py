"""What the operator does with invitations: the file, the QR code, the list, the withdrawal."""

import contextlib
import io
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import segno
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.wire.invitation import Invitation, decode_invitation, encode_qr
from receiver.cli import main
from receiver.domain.invitation import parse
from tests.receiver.office import Office
from tests.support.receiver_process import ReceiverProcess


@pytest.fixture
def tenant(office: Office) -> str:
    """A tenant's name."""
    return office.tenant()[0]


class Desk:
    """Runs ``appliance`` commands for one tenant, in a folder of its own."""

    def __init__(self, receiver: ReceiverProcess, tenant: str, folder: Path) -> None:
        self._start = ["--state", str(receiver.state_dir), "appliance"]
        self._tenant = ["--tenant", tenant]
        self.file = folder / "hq.toml"

    def run(self, command: str, *options: str) -> Result:
        """Run one, whatever its status."""
        return CliRunner().invoke(main, [*self._start, command, *self._tenant, *options])

    def invite(self, *options: str) -> tuple[str, Invitation]:
        """Invite ``hq``; give what was said, and what the file holds."""
        result = self.run("invite", "--name", "hq", "--out", str(self.file), *options)
        assert result.exit_code == 0, result.output
        return result.stdout, decode_invitation(self.file.read_bytes())


@pytest.fixture
def desk(receiver: ReceiverProcess, tenant: str, tmp_path: Path) -> Desk:
    """The operator's desk."""
    return Desk(receiver, tenant, tmp_path)


def test_an_invitation_is_a_private_file_with_all_that_is_needed(desk: Desk, office: Office) -> None:
    """Address, name, token, end in a day, and the roots; readable by its owner alone."""
    said, invitation = desk.invite()
    assert (invitation.receiver, invitation.appliance) == ("https://localhost:8443", "hq")
    day = invitation.expires_at - datetime.now(tz=UTC)
    assert timedelta(hours=23, minutes=55) < day <= timedelta(hours=24)
    assert invitation.trust_anchors == [root.public_bytes(Encoding.DER) for root in office.authority.anchors]
    assert stat.S_IMODE(desk.file.stat().st_mode) == 0o600
    assert "natalia-appliance enroll" in said
    assert f"{invitation.expires_at:%Y-%m-%d %H:%M} UTC" in said


def test_the_qr_code_holds_the_same(desk: Desk) -> None:
    """What the terminal shows is the file's content; outside the code the token is not shown."""
    said, invitation = desk.invite()
    drawn = io.StringIO()
    segno.make_qr(encode_qr(invitation), error="l", boost_error=False).terminal(drawn, border=2, compact=True)
    assert said.startswith(drawn.getvalue())
    assert invitation.token not in said
    assert max(map(len, drawn.getvalue().splitlines())) <= 100


def test_the_file_is_named_after_the_appliance(desk: Desk, tmp_path: Path) -> None:
    """Without --out it lies in the folder that the operator stands in."""
    with contextlib.chdir(tmp_path):
        result = desk.run("invite", "--name", "branch")
    assert result.exit_code == 0, result.output
    assert decode_invitation((tmp_path / "branch.invitation.toml").read_bytes()).appliance == "branch"


@pytest.mark.parametrize(
    ("options", "receiver_url"),
    [
        (["--port", "443"], "https://localhost:443"),
        (["--url", "https://127.0.0.1:9443"], "https://127.0.0.1:9443"),
        (["--url", "https://localhost"], "https://localhost"),
    ],
)
def test_the_address_is_the_operators(desk: Desk, options: list[str], receiver_url: str) -> None:
    """A port, or another certified name."""
    assert desk.invite(*options)[1].receiver == receiver_url


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "localhost",
        "https://localhost/path",
        "https://user@localhost",
        "https://LOCALHOST",
        "https://localhost:99999",
        "https://[::1",
        "https://elsewhere.example",
        "",
    ],
)
def test_an_address_that_no_machine_could_verify_is_wrong_usage(desk: Desk, url: str) -> None:
    """Another scheme, a path, or a name that the server certificate lacks; no invitation is made."""
    result = desk.run("invite", "--name", "hq", "--out", str(desk.file), f"--url={url}")
    assert result.exit_code == 2
    assert "--url" in result.stderr
    assert not desk.file.exists()
    assert desk.run("invitations").stdout == ""


def _refused(result: Result, code: str) -> None:
    assert (result.exit_code, result.stdout) == (1, "")
    error, hint = result.stderr.splitlines()
    assert error.startswith(f"error[{code}]: ")
    assert hint.startswith("hint: ")


def test_a_file_that_cannot_be_written_makes_no_invitation(desk: Desk, tmp_path: Path) -> None:
    """What cannot be handed over is not kept."""
    _refused(desk.run("invite", "--name", "hq", "--out", str(tmp_path / "no" / "hq.toml")), "file_unusable")
    assert desk.run("invitations").stdout == ""


@pytest.mark.parametrize("name", ["", "HQ", "-hq", "a" * 64, "h q", "../hq"])
def test_another_appliances_name_is_refused(desk: Desk, name: str) -> None:
    """Names are those that a certificate may hold."""
    _refused(desk.run("invite", f"--name={name}"), "name_invalid")


def test_an_unknown_tenant_is_refused(receiver: ReceiverProcess, tmp_path: Path) -> None:
    """There is nobody to invite for."""
    nobody = Desk(receiver, "nobody", tmp_path)
    for result in (
        nobody.run("invite", "--name", "hq"),
        nobody.run("invitations"),
        nobody.run("withdraw", "--name=hq"),
    ):
        _refused(result, "tenant_unknown")


def test_invitations_are_listed_without_a_secret(desk: Desk) -> None:
    """The list says for whom, until when and what became of it."""
    invitation = desk.invite()[1]
    listed = desk.run("invitations").stdout
    assert listed == f"hq\t{invitation.expires_at:%Y-%m-%dT%H:%M:%SZ}\topen\n"


def test_a_second_machine_shows_in_the_list(desk: Desk, office: Office) -> None:
    """Whoever tried to use an invitation that another owns is no secret to the operator."""
    invitation = desk.invite()[1]
    tenant_id = parse(invitation.token).tenant_id
    office.execute(tenant_id, "UPDATE natalia.invitation SET used_by = '', contested_at = '2026-03-10 12:00+00'")
    assert desk.run("invitations").stdout.endswith("\tbegun\tcontested 2026-03-10T12:00:00Z\n")


def test_withdrawing_ends_every_open_invitation_of_the_name(desk: Desk) -> None:
    """All of one appliance's go, another's stays; a second time there is nothing to withdraw."""
    for _ in range(2):
        desk.invite()
    desk.run("invite", "--name", "branch", "--out", str(desk.file))
    assert desk.run("withdraw", "--name", "hq").stdout == "2 withdrawn\n"
    words = [line.split("\t")[::2] for line in desk.run("invitations").stdout.splitlines()]
    assert sorted(words) == [["branch", "open"], ["hq", "withdrawn"], ["hq", "withdrawn"]]
    _refused(desk.run("withdraw", "--name", "hq"), "invitation_missing")


def test_another_tenants_invitations_are_not_touched(desk: Desk, office: Office, receiver: ReceiverProcess) -> None:
    """One tenant's operator commands see and end that tenant's invitations alone."""
    desk.invite()
    other = Desk(receiver, office.tenant()[0], desk.file.parent)
    assert other.run("invitations").stdout == ""
    _refused(other.run("withdraw", "--name", "hq"), "invitation_missing")
    assert desk.run("invitations").stdout.endswith("\topen\n")
