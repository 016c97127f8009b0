"""The settings file: strict, every mistake at once; and the secrets beside it."""

from pathlib import Path
from typing import Any

import pytest

from receiver.errors import NotInitialisedError, SettingsError
from receiver.settings import (
    Settings,
    StateFolder,
    ensure_password,
    ensure_pepper,
    ensure_settings,
    load_pepper,
    load_settings,
    parse_settings,
)

_DSN = "postgresql://owner@db.example/natalia"


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """An empty state folder."""
    return StateFolder.ensure(tmp_path / "state")


def test_the_defaults_are_local(state: StateFolder) -> None:
    """Without a word of the operator the receiver is local with its own database."""
    assert ensure_settings(state, hosts=[], dsn=None) == Settings(hosts=("localhost", "127.0.0.1"), dsn=None)
    assert load_settings(state) == Settings()


def test_what_was_said_is_kept(state: StateFolder) -> None:
    """What is said later adds to what was said before, and the file reads back as written."""
    ensure_settings(state, hosts=["receiver.example", "192.0.2.7", "2001:db8::7"], dsn=None)
    ensure_settings(state, hosts=[], dsn=_DSN)
    wanted = Settings(hosts=("receiver.example", "192.0.2.7", "2001:db8::7"), dsn=_DSN)
    assert ensure_settings(state, hosts=[], dsn=None) == load_settings(state) == wanted


def test_the_files_are_the_owners(state: StateFolder) -> None:
    """The folder and everything secret in it are readable by their owner only."""
    ensure_settings(state, hosts=[], dsn=_DSN)
    ensure_pepper(state)
    ensure_password(state, "natalia_app")
    assert state.path.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in state.path.iterdir()} == {0o600}


def test_all_mistakes_are_listed(state: StateFolder) -> None:
    """Every mistake is named with its option's path, in one go."""
    state.settings_file.write_text("[tls]\nhosts = []\nport = 1\n[database]\ndsn = 5\n[portal]\n", encoding="utf-8")
    with pytest.raises(SettingsError) as refusal:
        load_settings(state)
    assert refusal.value.mistakes == [
        "portal: no such table",
        "tls.port: no such option",
        "tls.hosts: must be a list of DNS names or IP addresses, at least one",
        "database.dsn: must be postgresql://user@host/database",
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"tls": 1},
        {"database": []},
        {"tls": {"hosts": "localhost"}},
        {"tls": {"hosts": [1]}},
        {"tls": {"hosts": ["-bad"]}},
        {"tls": {"hosts": ["a b"]}},
        {"tls": {"hosts": ["x" * 64]}},
        {"database": {"dsn": "mysql://owner@db/natalia"}},
        {"database": {"dsn": "postgresql://db/natalia"}},
        {"database": {"dsn": "postgresql://owner@db"}},
        {"database": {"dsn": "postgresql://owner@db/natalia'"}},
        {"database": {"dsn": "postgresql://owner@db/natalia\n"}},
    ],
)
def test_a_wrong_value_is_a_mistake(document: dict[str, Any]) -> None:
    """Each value has one form."""
    with pytest.raises(SettingsError):
        parse_settings(document)


@pytest.mark.parametrize("content", [b"[tls", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_refused(state: StateFolder, content: bytes) -> None:
    """A broken file is never read in part."""
    state.settings_file.write_bytes(content)
    with pytest.raises(SettingsError):
        load_settings(state)


def test_an_empty_folder_is_not_initialised(state: StateFolder) -> None:
    """Neither settings nor pepper are made up when they are read."""
    with pytest.raises(NotInitialisedError):
        load_settings(state)
    with pytest.raises(NotInitialisedError):
        load_pepper(state)


def test_the_pepper_never_changes(state: StateFolder) -> None:
    """Made once, 32 bytes; a cut one is refused, not replaced."""
    ensure_pepper(state)
    pepper = load_pepper(state)
    ensure_pepper(state)
    assert load_pepper(state) == pepper
    state.pepper_file.write_bytes(pepper[:31])
    with pytest.raises(NotInitialisedError):
        load_pepper(state)


def test_a_password_never_changes(state: StateFolder) -> None:
    """Each service role has its own password, made once."""
    first, second = ensure_password(state, "natalia_app"), ensure_password(state, "natalia_ingest")
    assert (ensure_password(state, "natalia_app"), len(first)) == (first, 43)
    assert first != second
