"""The product as its users run it: real processes, real PostgreSQL, real TLS; nothing lost, nothing twice."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.appliance_process import ApplianceProcess
from tests.support.cdr_generator import generate
from tests.support.receiver_process import ReceiverProcess
from tests.support.stored_calls import Expected, fetch_calls

ROOT = Path(__file__).parents[2]
SITE = (ROOT / "tests/testdata/demo/site.toml").read_text(encoding="utf-8")
PATIENCE_SECONDS = 120


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    """One receiver for the module; each test has a tenant of its own."""
    with ReceiverProcess(tmp_path_factory.mktemp("receiver") / "state") as process:
        yield process


class Site:
    """One appliance of one tenant, and what that tenant sees."""

    def __init__(self, folder: Path, receiver: ReceiverProcess, tenant: str) -> None:
        self.receiver = receiver
        self.feed = folder / "Master.csv"
        self.appliance = ApplianceProcess(folder, url=receiver.url, feed=self.feed, dialect="asterisk_csv", site=SITE)
        receiver.create_tenant(tenant)
        self.appliance.enroll(receiver.invite("edge-one", tenant=tenant))
        self.key = receiver.create_api_key(tenant, role="viewer")

    def append(self, content: bytes) -> None:
        """Write as the PBX does."""
        with self.feed.open("ab") as file:
            file.write(content)

    def settle(self, lines: int) -> None:
        """Wait until that many lines were read and nothing waits; start the appliance again whenever it has died."""
        done = self.appliance.wait_for(
            lambda counts: counts.get("read", 0) >= lines and counts.get("waiting") == 0, seconds=PATIENCE_SECONDS
        )
        assert done, self.appliance.log.read_text(encoding="utf-8")[-2000:]

    def stored(self) -> list[dict[str, object]]:
        """Every call that the tenant's API key shows."""
        return fetch_calls(self.receiver.url, api_key=self.key, trust_anchors=self.receiver.trust_anchors)


@pytest.fixture
def site(tmp_path: Path, receiver: ReceiverProcess, request: pytest.FixtureRequest) -> Iterator[Site]:
    """An enrolled site; its appliance ends with the test."""
    tenant = re.sub(r"[^a-z]+", "-", request.node.name.lower())[:40].strip("-")
    built = Site(tmp_path, receiver, tenant)
    yield built
    built.appliance.stop()


def test_what_the_pbx_wrote_is_stored_once(site: Site) -> None:
    """Every record of a growing file is stored, no record twice; a graceful stop ends with status 0."""
    content = generate(rows=400, seed=11)
    half = content.index(b"\n", len(content) // 2) + 10
    site.append(content[:half])
    site.appliance.start()
    site.append(content[half:])
    site.settle(content.count(b"\n"))
    expected = Expected(site.appliance.settings, site.feed)
    stored = site.stored()
    assert expected.lost(stored) == set()
    assert expected.doubled(stored) == 0
    assert len(stored) == len(expected.by_event) > 400
    assert site.appliance.stop() == 0


def test_a_receiver_that_dies_and_comes_back_is_waited_for(tmp_path: Path) -> None:
    """The receiver is killed while records wait; after its return everything is there, once."""
    with ReceiverProcess(tmp_path / "receiver") as receiver:
        site = Site(tmp_path / "site", receiver, "patient")
        port = int(receiver.url.rsplit(":", 1)[1])
        first = generate(rows=200, seed=13)
        site.append(first)
        site.appliance.start()
        site.settle(first.count(b"\n"))
        receiver.kill()
        second = generate(rows=200, seed=14)
        site.append(second)
        lines = (first + second).count(b"\n")
        assert site.appliance.wait_for(lambda counts: counts.get("read", 0) >= lines, seconds=PATIENCE_SECONDS)
        assert site.appliance.counts()["waiting"] > 0
        receiver.start(port=port)
        site.settle(lines)
        expected = Expected(site.appliance.settings, site.feed)
        stored = site.stored()
        assert expected.lost(stored) == set()
        assert expected.doubled(stored) == 0
        assert site.appliance.stop() == 0


def test_tenants_see_their_own_calls_only(tmp_path: Path, receiver: ReceiverProcess) -> None:
    """The same file at two tenants: equal counts, no pseudonym, event or call id in common."""
    content = generate(rows=60, seed=15)
    seen = []
    for name in ("tenant-left", "tenant-right"):
        site = Site(tmp_path / name, receiver, name)
        site.append(content)
        site.appliance.start()
        site.settle(content.count(b"\n"))
        seen.append(str(site.stored()))
        site.appliance.stop()
    left, right = (set(re.findall(r"[a-p]{32}", text)) for text in seen)
    assert len(left) == len(right) > 60
    assert left & right == set()


def run_demo(*arguments: str) -> subprocess.Popen[str]:
    """Start ``make demo``'s command."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.demo", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def processes_of(session: int) -> list[int]:
    """The processes that a demo started and that still run, found by the demo's folder on their command lines."""
    left = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"/build/demo-{session}-".encode() in command:
                left.append(int(entry.name))
    return left


def test_the_demo_loses_nothing_even_if_the_appliance_is_killed() -> None:
    """The demo's last line says so, after a SIGKILL of the appliance in its middle."""
    with run_demo() as demo:
        output = []
        for line in demo.stdout or ():
            output.append(line)
            if found := re.search(r"natalia-appliance run: process (\d+)", line):
                time.sleep(2.5)
                os.kill(int(found[1]), signal.SIGKILL)
        text = "".join(output)
        assert demo.wait(timeout=PATIENCE_SECONDS) == 0, text
    assert "restarted 1 times" in text
    last = re.fullmatch(r"demo: (\d+) records in, (\d+) shipped, (\d+) stored, 0 lost\n", output[-1])
    assert last, text
    assert len({*last.groups()}) == 1
    assert int(last[1]) >= 1000
    assert processes_of(demo.pid) == []


def test_ctrl_c_leaves_nothing_running() -> None:
    """SIGINT to the whole group, as a terminal sends it, ends the demo and everything that it started."""
    with run_demo("--keep") as demo:
        for line in demo.stdout or ():
            if line.startswith("append rows"):
                break
        assert processes_of(demo.pid)
        os.killpg(demo.pid, signal.SIGINT)
        demo.communicate()
        assert demo.wait(timeout=60) == 130
    assert processes_of(demo.pid) == []
