"""The commands refuse wrong use with status 2 before they need root, the network or a built disk."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from image.cli import main


@pytest.mark.parametrize("command", ["build", "export", "sbom", "verify"])
def test_every_command_says_what_it_does(command: str) -> None:
    """A sentence and its options."""
    done = CliRunner().invoke(main, [command, "--help"])
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: main {command}")


@pytest.mark.parametrize(
    "options",
    [["--key", "k"], ["--certificate", "c"], ["--unsigned", "--key", "k", "--certificate", "c"], ["--nothing"]],
    ids=["key alone", "certificate alone", "unsigned with a key", "unknown"],
)
def test_wrong_options_of_an_export_are_refused(options: list[str], tmp_path: Path) -> None:
    """And nothing is made."""
    done = CliRunner().invoke(main, ["export", "--output", str(tmp_path / "out"), *options])
    assert done.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_cannot_be_verified(tmp_path: Path) -> None:
    """Wrong use, not a failed check."""
    assert CliRunner().invoke(main, ["verify", str(tmp_path / "none")]).exit_code == 2
