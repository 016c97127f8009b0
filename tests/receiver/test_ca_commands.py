"""``natalia-receiver ca``: what the operator types and reads. No database is needed for it."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from receiver.cli import main
from receiver.kms.local_authority import LocalFileAuthority
from receiver.settings import StateFolder, ensure_settings
from tests.receiver.authorities import bring_date_forward

_LINE = re.compile(
    r"(\d+)\t(announced|issuing|outgoing)\troot until \d{4}-\d\d-\d\d\tissuing until \d{4}-\d\d-\d\d"
    r"\troot key (here|offline)\t([0-9a-f]{64})(?:\tcan be retired from (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ))?"
)


class Operator:
    """Runs commands on a state folder with an authority."""

    def __init__(self, folder: Path) -> None:
        """Make the folder."""
        self.state = StateFolder.ensure(folder)
        ensure_settings(self.state, hosts=[], dsn=None)
        LocalFileAuthority.ensure(self.state.authority_folder, now=datetime.now(tz=UTC))

    def run(self, *arguments: str) -> list[str]:
        """Run a command that is done; give its lines."""
        result = CliRunner().invoke(main, ["--state", str(self.state.path), "ca", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()

    def refused(self, code: str, *arguments: str) -> str:
        """Run a command that is refused with ``code``; give its stderr."""
        result = CliRunner().invoke(main, ["--state", str(self.state.path), "ca", *arguments])
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"error[{code}]: ")
        assert "\nhint: " in result.stderr
        return result.stderr


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """An operator of a fresh receiver."""
    return Operator(tmp_path / "state")


def _read(line: str) -> tuple[str, str, str, bytes, str | None]:
    match = _LINE.fullmatch(line)
    assert match is not None, line
    return match[1], match[2], match[3], bytes.fromhex(match[4]), match[5]


def test_a_rollover_by_hand(operator: Operator) -> None:
    """Announce, switch, show: each says what is now, and `show` from when on the old generation can go."""
    (line,) = operator.run("announce")
    assert _read(line)[:3] == ("2", "announced", "here")
    (line,) = operator.run("switch")
    assert _read(line)[:3] == ("2", "issuing", "here")
    old, new = map(_read, operator.run("show"))
    assert (old[1], new[1]) == ("outgoing", "issuing")
    assert old[4] is not None
    assert datetime.fromisoformat(old[4]) > datetime.now(tz=UTC) + timedelta(days=6)


def test_the_fingerprints_are_those_of_the_roots(operator: Operator) -> None:
    """What an operator compares by eye is the SHA-256 of the root's certificate."""
    operator.run("announce")
    shown = [_read(line)[3] for line in operator.run("show")]
    anchors = LocalFileAuthority.load(operator.state.authority_folder).anchors
    assert shown == [root.fingerprint(SHA256()) for root in anchors]


def test_a_step_out_of_turn_is_refused(operator: Operator) -> None:
    """The refusal says which step it is the turn of."""
    assert "no generation is announced" in operator.refused("rollover_refused", "switch")
    assert "has gone out" in operator.refused("rollover_refused", "retire")
    operator.run("announce")
    assert "announced already" in operator.refused("rollover_refused", "announce")
    operator.run("switch")
    date = _read(operator.run("show")[0])[4]
    assert f"valid until {date}" in operator.refused("rollover_refused", "retire")


def test_a_generation_is_retired_when_its_date_has_come(operator: Operator) -> None:
    """Retire names what went."""
    operator.run("announce")
    operator.run("switch")
    bring_date_forward(operator.state.authority_folder)
    assert operator.run("retire") == ["generation 1 retired"]
    assert [_read(line)[0] for line in operator.run("show")] == ["2"]


def test_the_root_keys_are_taken_offline(operator: Operator, tmp_path: Path) -> None:
    """Offline names the files; `show` says where the key is; an announcement asks for the medium."""
    medium = tmp_path / "medium"
    medium.mkdir()
    (line,) = operator.run("offline", str(medium))
    assert [f"moved to {path}" for path in medium.iterdir()] == [line]
    assert _read(operator.run("show")[0])[2] == "offline"
    assert operator.run("offline", str(medium)) == ["no root key was here"]
    assert "--root-keys" in operator.refused("root_key_missing", "announce")
    (line,) = operator.run("announce", "--root-keys", str(medium))
    assert _read(line)[:3] == ("2", "announced", "offline")


def test_no_private_key_is_ever_printed(operator: Operator, tmp_path: Path) -> None:
    """No command's output holds a key, and an exported root file is public."""
    (tmp_path / "medium").mkdir()
    printed = [
        *operator.run("announce"),
        *operator.run("show"),
        *operator.run("export-root", str(tmp_path / "roots.pem")),
        *operator.run("offline", str(tmp_path / "medium")),
    ]
    assert "PRIVATE" not in "".join(printed) + (tmp_path / "roots.pem").read_text()


def test_the_roots_are_exported(operator: Operator, tmp_path: Path) -> None:
    """The file holds every trusted root, for clients that verify the server."""
    operator.run("announce")
    assert operator.run("export-root", str(tmp_path / "roots.pem")) == []
    exported = x509.load_pem_x509_certificates((tmp_path / "roots.pem").read_bytes())
    assert exported == LocalFileAuthority.load(operator.state.authority_folder).anchors
    operator.refused("file_unusable", "export-root", str(tmp_path))


def test_a_medium_that_is_not_there_is_refused(operator: Operator, tmp_path: Path) -> None:
    """A mistyped or unmounted medium takes no key."""
    operator.refused("file_unusable", "offline", str(tmp_path / "nowhere"))
    assert _read(operator.run("show")[0])[2] == "here"


@pytest.mark.parametrize("command", ["show", "announce", "switch", "retire"])
def test_a_folder_without_a_receiver_is_refused(tmp_path: Path, command: str) -> None:
    """Nothing but init makes an authority."""
    result = CliRunner().invoke(main, ["--state", str(tmp_path), "ca", command])
    assert (result.exit_code, "error[not_initialised]" in result.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [[], *([name] for name in ("show", "announce", "switch", "retire", "offline"))])
def test_each_command_says_what_it_does(operator: Operator, command: list[str]) -> None:
    """``--help`` works everywhere."""
    assert operator.run(*command, "--help")[0].startswith("Usage: ")
