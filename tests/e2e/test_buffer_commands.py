"""``buffer drain``, ``fsck`` and ``rekey`` on a real appliance and a real receiver."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.appliance_process import ApplianceProcess
from tests.support.cdr_generator import generate
from tests.support.receiver_process import ReceiverProcess
from tests.support.stored_calls import Expected, fetch_calls

ROOT = Path(__file__).parents[2]
SITE = (ROOT / "tests/testdata/demo/site.toml").read_text(encoding="utf-8")
CONTENT = generate(rows=300, seed=31)
DEAD = "https://127.0.0.1:9"
"""The discard port: nothing listens."""
LINES = CONTENT.count(b"\n")


class Outage:
    """An appliance that has read its feed while its receiver's address was dead, and has stopped; now it is right."""

    def __init__(self, folder: Path, receiver: ReceiverProcess, tenant: str) -> None:
        self.receiver = receiver
        self.feed = folder / "Master.csv"
        self.feed.write_bytes(CONTENT)
        self.appliance = ApplianceProcess(folder, url=receiver.url, feed=self.feed, dialect="asterisk_csv", site=SITE)
        receiver.create_tenant(tenant)
        self.appliance.enroll(receiver.invite("edge-one", tenant=tenant))
        self.key = receiver.create_api_key(tenant, role="viewer")
        settings = self.appliance.settings.read_text(encoding="utf-8")
        self.appliance.settings.write_text(settings.replace(receiver.url, DEAD), encoding="utf-8")
        self.appliance.start()
        assert self.appliance.wait_for(lambda counts: counts.get("read", 0) >= LINES, seconds=60)
        assert self.appliance.stop() == 0
        self.appliance.settings.write_text(settings, encoding="utf-8")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the appliance's commands, whatever its exit status."""
        command = [sys.executable, "-m", "appliance", *arguments, "--settings", str(self.appliance.settings)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def lost(self) -> set[str]:
        """Events of the feed that the receiver does not hold."""
        stored = fetch_calls(self.receiver.url, api_key=self.key, trust_anchors=self.receiver.trust_anchors)
        return Expected(self.appliance.settings, self.feed).lost(stored)


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    """One receiver for the module; each test has a tenant of its own."""
    with ReceiverProcess(tmp_path_factory.mktemp("receiver") / "state") as process:
        yield process


@pytest.fixture
def outage(tmp_path: Path, receiver: ReceiverProcess, request: pytest.FixtureRequest) -> Iterator[Outage]:
    """Everything waits in the buffer."""
    built = Outage(tmp_path, receiver, re.sub(r"[^a-z]+", "-", request.node.name.lower())[:40].strip("-"))
    yield built
    built.appliance.stop()


def test_drain_ships_what_waits_and_says_so(outage: Outage) -> None:
    """With the appliance stopped; afterwards nothing waits, nothing is lost, and a second drain has nothing to do."""
    done = outage.command("buffer", "drain")
    assert done.returncode == 0, done.stderr
    assert "the buffer is empty" in done.stderr
    assert "[" + "#" * 30 + "]" in done.stderr
    assert outage.lost() == set()
    assert outage.command("buffer", "drain").stderr.endswith("0 records shipped, the buffer is empty\n")


def test_drain_watches_a_running_appliance(outage: Outage) -> None:
    """The appliance holds the buffer and ships; the command shows how far it is."""
    outage.appliance.start()
    assert outage.appliance.wait_for(lambda counts: counts.get("acknowledged", 0) > 0, seconds=60)
    done = outage.command("buffer", "drain")
    assert done.returncode == 0, done.stderr
    assert outage.lost() == set()


def test_fsck_and_rekey_by_command(outage: Outage) -> None:
    """A sound buffer has no findings; a new key is taken into use by the running appliance, and the old one goes."""
    done = outage.command("buffer", "fsck", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"salvaged": None, "findings": []})
    assert "key version 2" in outage.command("buffer", "rekey").stdout
    secrets = outage.appliance.state / "secrets"
    assert (secrets / "buffer-master-1.sealed").exists()
    outage.appliance.start()
    assert outage.appliance.wait_for(
        lambda counts: counts.get("waiting") == 0 and not (secrets / "buffer-master-1.sealed").exists(), seconds=60
    )
    refused = outage.command("buffer", "fsck")
    assert (refused.returncode, "buffer_unusable" in refused.stderr) == (1, True)
    assert outage.lost() == set()
    assert outage.appliance.stop() == 0
    assert outage.command("buffer", "fsck").returncode == 0


def test_a_damaged_buffer_is_salvaged_at_the_start(outage: Outage) -> None:
    """Noise over the middle of the file: the appliance starts, says so, reads the feed again, and nothing is lost."""
    path = outage.appliance.state / "buffer.db"
    content = bytearray(path.read_bytes())
    page = len(content) // 8192 * 4096
    content[page : page + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    outage.appliance.start()
    assert outage.appliance.wait_for(
        lambda counts: counts.get("salvaged") == 1 and counts.get("waiting") == 0 and counts.get("acknowledged", 0) > 0,
        seconds=60,
    )
    assert "buffer=salvaged" in outage.appliance.log.read_text(encoding="utf-8")
    assert outage.lost() == set()
