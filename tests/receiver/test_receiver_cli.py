"""The operator's commands, beside the running service."""

import re
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from receiver.cli import main
from tests.receiver.office import Office
from tests.support.receiver_process import CommandRefusedError, ReceiverProcess

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Commands:
    """Runs commands on one state folder."""

    def __init__(self, state_dir: Path) -> None:
        """Work on ``state_dir``."""
        self._state = ["--state", str(state_dir)]

    def run(self, *arguments: str) -> Result:
        """Run a command, whatever its status."""
        return CliRunner().invoke(main, [*self._state, *arguments])

    def done(self, *arguments: str) -> list[str]:
        """Run a command that ends with status 0; give its lines."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()

    def refused(self, code: str, *arguments: str) -> str:
        """Run a command that is refused with ``code`` and a hint; give its stderr."""
        result = self.run(*arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        error, hint = result.stderr.splitlines()
        assert error.startswith(f"error[{code}]: ")
        assert hint.startswith("hint: ")
        return result.stderr


@pytest.fixture
def commands(receiver: ReceiverProcess) -> Commands:
    """Commands on the running receiver's state folder."""
    return Commands(receiver.state_dir)


@pytest.fixture
def tenant(office: Office) -> str:
    """A tenant's name."""
    return office.tenant()[0]


def test_a_tenant_is_created_and_listed(commands: Commands) -> None:
    """Create prints the id; the list shows id and name."""
    (tenant_id,) = commands.done("tenant", "create", "Bakery Ltd")
    assert _UUID.fullmatch(tenant_id)
    assert f"{tenant_id}\tBakery Ltd" in commands.done("tenant", "list")


def test_a_tenants_name_is_unique(commands: Commands, tenant: str) -> None:
    """The same name again is refused."""
    commands.refused("tenant_exists", "tenant", "create", tenant)


@pytest.mark.parametrize("name", ["", " padded ", "x" * 101, "tab\there"])
def test_a_tenants_name_is_a_line(commands: Commands, name: str) -> None:
    """Empty, padded, long and unprintable names are refused."""
    commands.refused("name_invalid", "tenant", "create", name)


def test_an_api_key_is_shown_once(commands: Commands, tenant: str) -> None:
    """Create prints the key; the list shows its id and role and no secret."""
    (key,) = commands.done("api-key", "create", "--tenant", tenant, "--role", "analyst")
    (line,) = commands.done("api-key", "list", "--tenant", tenant)
    _, _, key_id, secret, _ = key.split("_")
    assert line.split("\t")[:2] == [key_id, "analyst"]
    assert line.endswith("\tlive")
    assert secret not in line


@pytest.mark.parametrize("command", [("api-key", "create", "--role", "viewer"), ("api-key", "list")])
def test_an_unknown_tenant_is_refused(commands: Commands, command: tuple[str, ...]) -> None:
    """A name that is not a tenant's is refused; the message does not repeat it."""
    assert "nobody" not in commands.refused("tenant_unknown", *command, "--tenant", "nobody")


@pytest.mark.parametrize("command", [["tenant", "list"], ["migrate"], ["serve", "--port", "0"]])
def test_an_empty_state_folder_is_refused(tmp_path: Path, command: list[str]) -> None:
    """Nothing but init makes a receiver."""
    Commands(tmp_path).refused("not_initialised", *command)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["tenant", "create"],
        ["api-key", "create", "--tenant", "x", "--role", "owner"],
        ["serve", "--port", "65536"],
        ["appliance", "invite"],
    ],
)
def test_wrong_usage_is_status_2(commands: Commands, arguments: list[str]) -> None:
    """Usage errors are told apart from refusals."""
    assert commands.run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    "command", [[], ["init"], ["serve"], ["tenant"], ["api-key", "create"], ["appliance", "invite"]]
)
def test_every_command_has_help(commands: Commands, command: list[str]) -> None:
    """``--help`` works everywhere."""
    assert "Usage: " in "".join(commands.done(*command, "--help"))


def test_init_and_migrate_are_repeatable(commands: Commands, receiver: ReceiverProcess) -> None:
    """Both may run again beside the service, and change nothing."""
    before = {path: path.read_bytes() for path in (receiver.state_dir / "ca").rglob("*.*")}
    pepper = (receiver.state_dir / "pepper").read_bytes()
    (revision,) = commands.done("migrate")
    assert re.fullmatch("database at revision [0-9]{4}", revision)
    assert commands.done("init") == [f"receiver initialised, {revision}"]
    assert {path: path.read_bytes() for path in (receiver.state_dir / "ca").rglob("*.*")} == before
    assert (receiver.state_dir / "pepper").read_bytes() == pepper


def test_init_refuses_a_name_that_is_none(commands: Commands, receiver: ReceiverProcess) -> None:
    """A host that is neither name nor address is refused before anything is changed."""
    settings = (receiver.state_dir / "receiver.toml").read_bytes()
    commands.refused("settings_invalid", "init", "--name", "not a host")
    assert (receiver.state_dir / "receiver.toml").read_bytes() == settings


def test_a_taken_port_is_refused(receiver: ReceiverProcess) -> None:
    """Serve says that it cannot listen, and leaves."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandRefusedError) as refusal:
            receiver.run("serve", "--port", str(port))
    assert refusal.value.status == 1
    assert "error[address_unusable]: " in refusal.value.stderr
