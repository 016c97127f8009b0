"""This machine, as the first boot sets it up: its state directory, its network folder, its receiver."""

from pathlib import Path
from typing import Final

from appliance.cli.enroll import enroll_machine, require_same_receiver
from appliance.clock import SystemClock
from appliance.daemon import identities_of
from appliance.errors import (
    IdentityError,
    InvitationDamagedError,
    NotEnrolledError,
    SealedBlobFormatError,
    SealedBlobTamperedError,
    SealedPurposeError,
    SealedSettingsMissingError,
)
from appliance.network import FILE_PREFIX, networkd_files
from appliance.ports import SecretBytes
from appliance.sealing.anchor import SECRETS, secrets_of
from appliance.sealing.sealed_settings import load_sealed_settings, seal_settings_text
from appliance.sealing.secret_store import SecretStore
from appliance.sealing.tenant_key import TenantKeyStore
from appliance.seed_ports import Membership, NetworkUnwritableError, SeedOrigin
from appliance.settings import Settings, parse_settings
from appliance.wire.codec import WireError
from appliance.wire.invitation import Invitation, decode_invitation

INVITATION: Final = "seed-invitation"
_DAMAGED: Final = (IdentityError, SealedBlobFormatError, SealedBlobTamperedError, SealedPurposeError)


class StateDirectoryTarget:
    """Implements ``seed_ports.SetupTarget``."""

    def __init__(self, directory: Path, *, network_directory: Path | None) -> None:
        """Set up the machine whose state is in ``directory``; ``network_directory`` is where networkd looks."""
        self._directory = directory
        self._network_directory = network_directory

    def membership(self) -> Membership:
        """See ``seed_ports.SetupTarget``."""
        settings = self._settings()
        if settings is None:
            return Membership.NEVER
        store, anchor = secrets_of(settings.appliance)
        try:
            identity = identities_of(store, anchor).load()
        except NotEnrolledError:
            return Membership.NEVER
        except _DAMAGED:
            return Membership.ENDED
        is_current = SystemClock().now() <= identity.expires_at and TenantKeyStore(store).is_kept()
        return Membership.CURRENT if is_current else Membership.ENDED

    def is_configured(self) -> bool:
        """See ``seed_ports.SetupTarget``."""
        return self._settings() is not None

    def configure(self, settings: SecretBytes, *, origin: SeedOrigin) -> None:
        """See ``seed_ports.SetupTarget``; what is sealed already is not sealed again at every try."""
        place = f"the settings ({origin})"
        if self._settings() != parse_settings(settings.reveal(), place=place):
            seal_settings_text(settings.reveal(), self._directory, place=place)

    def prepare_network(self) -> None:
        """See ``seed_ports.SetupTarget``; what stands there of an earlier call and is not wanted any more goes."""
        if self._network_directory is None:
            return
        files = networkd_files(self._required().network)
        try:
            for path in self._network_directory.glob(f"{FILE_PREFIX}*"):
                if path.name not in files:
                    path.unlink()
            for name, text in files.items():
                _replace(self._network_directory / name, text)
        except OSError as error:
            raise NetworkUnwritableError(f"{self._network_directory}: {error.strerror}") from None

    def keep_invitation(self, content: SecretBytes) -> None:
        """See ``seed_ports.SetupTarget``."""
        require_same_receiver(self._required(), _decoded(content))
        store = self._store()
        if INVITATION not in store.names() or store.get(INVITATION).reveal() != content.reveal():
            store.put(INVITATION, content)

    def has_invitation(self) -> bool:
        """See ``seed_ports.SetupTarget``."""
        return INVITATION in self._store().names()

    def drop_invitation(self) -> None:
        """See ``seed_ports.SetupTarget``."""
        self._store().discard(INVITATION)

    async def enroll(self) -> None:
        """See ``seed_ports.SetupTarget``."""
        invitation = _decoded(self._store().get(INVITATION))
        await enroll_machine(self._required(), invitation, wait=False, again=False)

    def _settings(self) -> Settings | None:
        """The sealed settings; None before any were sealed, so also before there is an anchor to open them."""
        if not any((self._directory / SECRETS).glob("*")):
            return None
        try:
            return load_sealed_settings(self._directory)
        except SealedSettingsMissingError:
            return None

    def _required(self) -> Settings:
        return load_sealed_settings(self._directory)

    def _store(self) -> SecretStore:
        return secrets_of(self._required().appliance)[0]


def _decoded(content: SecretBytes) -> Invitation:
    try:
        return decode_invitation(content.reveal())
    except WireError as error:
        raise InvitationDamagedError(str(error)) from None


def _replace(path: Path, text: str) -> None:
    if path.exists() and path.read_text(encoding="ascii", errors="replace") == text:
        return
    # networkd reads only names that end as its own do.
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="ascii")
    partial.chmod(0o644)
    partial.replace(path)
