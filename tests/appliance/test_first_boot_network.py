"""The network of a seed: it is there before the receiver is asked, and goes when it is not wanted any more."""

from pathlib import Path

import pytest

from appliance.seed_ports import Stage
from tests.support.enrollment_desk import Desk
from tests.support.first_boot_installer import STATIC, Installer
from tests.support.tls_peer import TlsPeer


@pytest.fixture
def installer(tmp_path: Path, desk: Desk, peer: TlsPeer, capsys: pytest.CaptureFixture[str]) -> Installer:
    """An installer at a fresh machine."""
    return Installer(tmp_path, desk, peer.url, capsys)


async def test_the_static_network_is_there_before_the_receiver_is_asked(installer: Installer, desk: Desk) -> None:
    """Else nothing could be reached; the file can be read by networkd, and stays through every boot."""
    installer.fill_disk(settings=installer.settings + STATIC)
    desk.waiting = 1
    await installer.boot()
    (file,) = installer.network.iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == ("10-natalia.network", 0o644)
    assert "Address=192.0.2.10/24\nGateway=192.0.2.1\n" in file.read_text()
    await installer.boot()
    file.unlink()
    await installer.boot()
    assert file.exists()


async def test_a_network_that_is_not_wanted_any_more_goes(installer: Installer, desk: Desk) -> None:
    """Others' files stay; what is right already is not touched."""
    (installer.network / "70-other.network").touch()
    desk.waiting = 3
    installer.fill_disk(settings=installer.settings + STATIC)
    await installer.boot()
    before = (installer.network / "10-natalia.network").stat().st_ino
    await installer.boot()
    assert (installer.network / "10-natalia.network").stat().st_ino == before
    installer.fill_disk()
    await installer.boot()
    assert [path.name for path in installer.network.iterdir()] == ["70-other.network"]


async def test_a_network_folder_that_cannot_be_written_is_waited_for(installer: Installer) -> None:
    """It is not there yet."""
    installer.network.rmdir()
    installer.fill_disk(settings=installer.settings + STATIC)
    status, _, state = await installer.boot()
    assert state.notice is not None
    assert (status, state.stage, state.notice.code) == (0, Stage.WAITING, "network_unwritable")
