"""Whoever leaves a seed for a machine without a keyboard, and starts it: `first-boot` at a desk over real TLS."""

import asyncio
from pathlib import Path

import pytest

from appliance.cli import main
from appliance.cli.setup_machine import INVITATION
from appliance.daemon import identities_of
from appliance.sealing.anchor import secrets_of
from appliance.sealing.sealed_settings import load_sealed_settings
from appliance.seed_ports import FirstBootState
from appliance.seeds.state_file import FILE_NAME, read_state
from appliance.wire.invitation import encode_file
from tests.support.appliance_process import SETTINGS
from tests.support.enrollment_desk import TOKEN, Desk
from tests.support.tls_peer import APPLIANCE

SITE = (Path(__file__).parents[1] / "testdata/demo/site.toml").read_text(encoding="utf-8")
STATIC = '\n[network]\naddress = "192.0.2.10/24"\ngateway = "192.0.2.1"\n'


class Installer:
    """Whoever makes a seed and starts the machine; what the command says holds no token."""

    def __init__(self, folder: Path, desk: Desk, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.state = folder / "state"
        self.disk, self.credentials, self.network = (folder / name for name in ("disk", "credentials", "network"))
        for place in (self.disk, self.credentials, self.network):
            place.mkdir()
        self.ovf = folder / "ovf-env.xml"
        self.feed = folder / "Master.csv"
        self.invitation = desk.invitation(url)
        self.settings = self.settings_of(url)

    def settings_of(self, url: str) -> str:
        """Settings with that receiver."""
        return SETTINGS.format(state=self.state, url=url, site=SITE, dialect="asterisk_csv", feed=self.feed)

    def fill_disk(self, *, settings: str | None = None, invitation: str | None = None) -> None:
        """Put both files on the disk."""
        (self.disk / "appliance.toml").write_text(settings or self.settings, encoding="utf-8")
        (self.disk / "invitation.toml").write_text(invitation or encode_file(self.invitation), encoding="utf-8")

    def empty_disk(self) -> None:
        """Take it away."""
        for path in self.disk.iterdir():
            path.unlink()

    async def boot(self, *options: str) -> tuple[int, str, FirstBootState]:
        """Run the command; give exit status, what it said, and the state that it wrote."""
        places = ["--disk", str(self.disk), "--ovf", str(self.ovf), "--credentials", str(self.credentials)]
        network = ["--network-directory", str(self.network)]
        arguments = ["first-boot", "--state", str(self.state), *places, *network, *options]
        status = await asyncio.to_thread(run_command, arguments)
        said = self.capsys.readouterr()
        written = (self.state / FILE_NAME).read_text(encoding="utf-8")
        assert TOKEN not in said.out + said.err + written
        state = read_state(self.state)
        assert state is not None
        return status, said.out + said.err, state

    def is_enrolled(self) -> bool:
        """Whether the identity opens, and no invitation is kept any more."""
        store, anchor = secrets_of(load_sealed_settings(self.state).appliance)
        assert INVITATION not in store.names()
        return identities_of(store, anchor).load().appliance == APPLIANCE


def run_command(arguments: list[str]) -> int:
    """Run a command; give its exit status."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)
