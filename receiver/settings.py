"""Where the receiver's state lies and what its operator said: the only reader of settings and secrets.

``receiver.toml`` is read strictly: an unknown option is a mistake, and all mistakes are listed at once.
"""

import ipaddress
import re
import secrets
import tomllib
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from receiver.errors import NotInitialisedError, SettingsError

DEFAULT_HOSTS: Final = ("localhost", "127.0.0.1")
_PEPPER_BYTES: Final = 32
_DNS_NAME: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.ASCII | re.IGNORECASE)


class StateFolder(Struct, frozen=True):
    """The names within the state folder."""

    path: Path

    @classmethod
    def at(cls, folder: Path) -> "StateFolder":
        """Name a folder that exists."""
        return cls(folder.resolve())

    @classmethod
    def ensure(cls, folder: Path) -> "StateFolder":
        """Make the folder where it is missing, for its owner alone."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        return cls.at(folder)

    @property
    def settings_file(self) -> Path:
        """What the operator said."""
        return self.path / "receiver.toml"

    @property
    def pepper_file(self) -> Path:
        """Hashed together with every API key's secret."""
        return self.path / "pepper"

    @property
    def authority_folder(self) -> Path:
        """The certificate authority of ``kms.local_authority``."""
        return self.path / "ca"

    @property
    def wrapping_key_file(self) -> Path:
        """The key of ``kms.local_wrapper``."""
        return self.path / "wrapping.key"

    @property
    def server_certificate(self) -> Path:
        """The server's private key and its chain, PEM."""
        return self.path / "server.pem"

    def password_file(self, role: str) -> Path:
        """A service role's password on a database of one's own."""
        return self.path / f"{role}.password"

    @property
    def postgres_folder(self) -> Path:
        """The embedded server's files."""
        return self.path / "postgres"


class Settings(Struct, frozen=True):
    """What ``receiver.toml`` may say."""

    hosts: tuple[str, ...] = DEFAULT_HOSTS
    """Names and addresses of the server certificate."""
    dsn: str | None = None
    """The owner's connection to a PostgreSQL of one's own; None is the embedded server."""


def load_settings(state: StateFolder) -> Settings:
    """Read the settings.

    Raises:
        NotInitialisedError: there is no settings file.
        SettingsError: every mistake in it.
    """
    try:
        document = tomllib.loads(state.settings_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotInitialisedError("the state folder holds no receiver") from None
    except (OSError, ValueError):
        raise SettingsError(["receiver.toml: not readable as TOML"]) from None
    return parse_settings(document)


def parse_settings(document: dict[str, Any]) -> Settings:
    """Check a settings document.

    Raises:
        SettingsError: every mistake in it.
    """
    known = {"tls": {"hosts"}, "database": {"dsn"}}
    mistakes = [f"{table}: no such table" for table in document if table not in known]
    tables = {table: document.get(table, {}) for table in known}
    for table, options in tables.items():
        if not isinstance(options, dict):
            mistakes.append(f"{table}: must be a table")
            tables[table] = {}
        else:
            mistakes += [f"{table}.{option}: no such option" for option in options if option not in known[table]]
    hosts, dsn = tables["tls"].get("hosts", list(DEFAULT_HOSTS)), tables["database"].get("dsn")
    if not isinstance(hosts, list) or not hosts or not all(_is_host(host) for host in hosts):
        mistakes.append("tls.hosts: must be a list of DNS names or IP addresses, at least one")
    if dsn is not None and not _is_dsn(dsn):
        mistakes.append("database.dsn: must be postgresql://user@host/database")
    if mistakes:
        raise SettingsError(mistakes)
    return Settings(hosts=tuple(hosts), dsn=dsn)


def ensure_settings(state: StateFolder, *, hosts: list[str], dsn: str | None) -> Settings:
    """Keep what the operator says now beside what was said before; give the settings.

    Raises:
        SettingsError: every mistake in what is said, or was.
    """
    known = load_settings(state) if state.settings_file.exists() else None
    wanted = known or Settings()
    said: dict[str, Any] = {"tls": {"hosts": hosts or list(wanted.hosts)}}
    if dsn or wanted.dsn:
        said["database"] = {"dsn": dsn or wanted.dsn}
    settings = parse_settings(said)
    if settings != known:
        _write_settings(state, settings)
    return settings


def _write_settings(state: StateFolder, settings: Settings) -> None:
    """Write the settings file whole, readable by its owner only: a DSN may hold a password."""
    hosts = ", ".join(f'"{host}"' for host in settings.hosts)
    text = f"[tls]\nhosts = [{hosts}]\n"
    if settings.dsn is not None:
        text += f"\n[database]\ndsn = '{settings.dsn}'\n"
    fresh = state.settings_file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.rename(state.settings_file)


def ensure_pepper(state: StateFolder) -> None:
    """Make the pepper where there is none; it never changes, or every API key would stop working."""
    if not state.pepper_file.exists():
        fresh = state.pepper_file.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(_PEPPER_BYTES))
        fresh.rename(state.pepper_file)


def load_pepper(state: StateFolder) -> bytes:
    """Read the pepper.

    Raises:
        NotInitialisedError: it is not there or not whole.
    """
    try:
        pepper = state.pepper_file.read_bytes()
    except OSError:
        pepper = b""
    if len(pepper) != _PEPPER_BYTES:
        raise NotInitialisedError("the pepper of the API keys cannot be read")
    return pepper


def ensure_password(state: StateFolder, role: str) -> str:
    """Give a service role's password; make it where there is none."""
    path = state.password_file(role)
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(_PEPPER_BYTES), encoding="ascii")
        fresh.rename(path)
    return path.read_text(encoding="ascii")


def _is_host(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return _DNS_NAME.fullmatch(value) is not None
    return True


def _is_dsn(value: object) -> bool:
    if not isinstance(value, str) or "'" in value or not value.isprintable():
        return False
    parts = urlsplit(value)
    return parts.scheme in {"postgresql", "postgres"} and bool(parts.username) and len(parts.path) > 1
