"""systemd's credentials as a seed."""

from pathlib import Path

import pytest

from appliance.seed_ports import SeedError, SeedOrigin
from appliance.seeds.credential_seed import CredentialSeed


def test_both_credentials_are_taken(tmp_path: Path) -> None:
    """By their names, without regard to what else was imported."""
    (tmp_path / "natalia.settings").write_bytes(b"settings")
    (tmp_path / "natalia.invitation").write_bytes(b"invitation")
    (tmp_path / "other").write_bytes(b"other")
    seed = CredentialSeed(tmp_path).read()
    assert seed is not None
    assert seed.settings is not None
    assert seed.invitation is not None
    assert (seed.origin, seed.settings.reveal(), seed.invitation.reveal()) == (
        SeedOrigin.CREDENTIALS,
        b"settings",
        b"invitation",
    )


@pytest.mark.parametrize("name", ["natalia.settings", "natalia.invitation"])
def test_one_alone_is_a_seed(tmp_path: Path, name: str) -> None:
    """What is missing is said later."""
    (tmp_path / name).write_bytes(b"x")
    seed = CredentialSeed(tmp_path).read()
    assert seed is not None
    assert [part is not None for part in (seed.settings, seed.invitation)] == [
        name == "natalia.settings",
        name == "natalia.invitation",
    ]


def test_without_any_there_is_no_seed(tmp_path: Path) -> None:
    """Nor without the folder."""
    assert CredentialSeed(tmp_path).read() is None
    assert CredentialSeed(tmp_path / "nowhere").read() is None


def test_a_link_is_refused(tmp_path: Path) -> None:
    """The service manager makes none."""
    (tmp_path / "natalia.settings").symlink_to("/nowhere")
    with pytest.raises(SeedError, match=r"natalia\.settings: cannot be read"):
        CredentialSeed(tmp_path).read()
