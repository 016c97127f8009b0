"""Real rows from a real Asterisk, and where its package is looked for. What is marked slow builds the tree."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from appliance.cdr.record import CallRecord
from image.apt_sources import (
    AptSource,
    carried_apt_options,
    debian_archives,
    parse_deb822_sources,
    parse_one_line_sources,
)
from tests.support.asterisk_tree import (
    CALLS,
    ORIGINATING_END,
    SETTINGS,
    AptUnusableError,
    AsteriskStartError,
    AsteriskTree,
    NotRootError,
    TreeBuildError,
)
from tests.support.cdr_rows import parse

ROOT: Final = Path(__file__).parents[2]
TREE: Final = ROOT / "build" / "asterisk-tree"
ROUNDS: Final = 2
GONE_SECONDS: Final = 20

ONE_LINE: Final = """\
# deb http://commented.example/debian bookworm main
deb cdrom:[Debian GNU/Linux 12.5.0 _Bookworm_ - Official amd64 NETINST]/ bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/own.gpg] https://mirror.example/debian/ bookworm main contrib # ours
deb-src https://mirror.example/debian/ bookworm main
deb http://mirror.example/debian bookworm-updates main
deb http://mirror.example/debian-security bookworm-security main
deb https://packages.example/sdk sdk-bookworm main
deb https://download.example/linux/debian bookworm stable
"""
DEB822: Final = """\
Types: deb deb-src
# a comment within the stanza
URIs: http://mirror.example/debian
  mirror+file:///etc/apt/mirrors/debian.list
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: trixie-security
Components: main

Types: deb
Enabled: no
URIs: http://disabled.example/debian
Suites: trixie
Components: main

Types: deb
URIs: http://inline.example/debian
Suites: stable
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 bm90IGEga2V5
 -----END PGP PUBLIC KEY BLOCK-----
"""
APT_CONFIG: Final = """\
APT::Architecture "amd64";
Acquire::Check-Valid-Until "false";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::https::mirror.example::CaInfo "/etc/ssl/own.pem";
Acquire::AllowInsecureRepositories "1";
DPkg::Post-Invoke:: "echo host only";
"""


def test_one_line_sources_give_the_release_archive_and_its_keyring() -> None:
    """Comments, media, sources, updates, security and third parties are passed over."""
    found = list(parse_one_line_sources(ONE_LINE))
    assert found == [AptSource(uri="https://mirror.example/debian/", signed_by=" /usr/share/keyrings/own.gpg")]


def test_deb822_sources_give_every_uri_of_an_enabled_release() -> None:
    """A stanza may name several archives, hold comments, be switched off, or carry its key."""
    keyring = " /usr/share/keyrings/debian-archive-keyring.gpg"
    found = list(parse_deb822_sources(DEB822))
    assert found[:2] == [
        AptSource(uri="http://mirror.example/debian", signed_by=keyring),
        AptSource(uri="mirror+file:///etc/apt/mirrors/debian.list", signed_by=keyring),
    ]
    assert [source.uri for source in found[2:]] == ["http://inline.example/debian"]


@pytest.mark.parametrize("source", list(parse_deb822_sources(DEB822)), ids=["keyring", "mirror_list", "key_block"])
def test_a_stanza_reads_back_as_the_archive_it_was_made_of(source: AptSource) -> None:
    """The archive and its key survive the way into the file that mmdebstrap is given."""
    text = source.stanza("sid")
    assert (list(parse_deb822_sources(text)), "Suites: sid\n" in text) == ([source], True)


def test_an_archive_without_a_keyring_asks_for_none() -> None:
    """An empty Signed-By would name no key at all, so the field is left out."""
    assert "Signed-By" not in AptSource(uri="http://mirror.example/debian").stanza("sid")


def test_the_machine_s_settings_are_read_in_apt_s_order_each_archive_once(tmp_path: Path) -> None:
    """The main file comes first, then the folder's by name; files that apt itself would not read are left alone."""
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (tmp_path / "sources.list").write_text("deb http://first.example/debian bookworm main\n")
    (folder / "b.sources").write_text("Types: deb\nURIs: http://third.example/debian\nSuites: sid\nComponents: main\n")
    (folder / "a.list").write_text(
        "deb http://second.example/debian stable main\ndeb http://first.example/debian sid main"
    )
    (folder / "c.list.bak").write_text("deb http://never.example/debian bookworm main\n")
    found = [source.uri for source in debian_archives(tmp_path)]
    assert found == [f"http://{name}.example/debian" for name in ("first", "second", "third")]


def test_a_machine_without_apt_settings_has_no_archive(tmp_path: Path) -> None:
    """Nothing is made up in their place."""
    assert debian_archives(tmp_path) == []


def test_only_the_way_to_the_archive_is_carried_along() -> None:
    """Proxies, certificates and dates are; hooks of the host and leave to skip signatures are not."""
    kept = [line.partition(" ")[0] for line in carried_apt_options(APT_CONFIG).splitlines()]
    assert kept == [
        "Acquire::Check-Valid-Until",
        "Acquire::http::Proxy",
        "Acquire::https::mirror.example::CaInfo",
    ]


def test_every_call_of_the_round_starts_in_a_context_of_the_dialplan() -> None:
    """A caller that the dialplan lacks would leave no row and no error."""
    contexts = set(re.findall(r"(?m)^\[([\w-]+)\]$", (SETTINGS / "extensions.conf").read_text("utf-8")))
    assert {call.partition("@")[2] for call in (*CALLS, ORIGINATING_END)} <= contexts


def test_no_channel_driver_and_no_listener_is_loaded() -> None:
    """Besides the namespace without network, nothing in Asterisk would open a port."""
    loaded = re.findall(r"(?m)^load = (\S+)$", (SETTINGS / "modules.conf").read_text("utf-8"))
    assert loaded
    assert [module for module in loaded if module.startswith(("chan_", "res_pjsip", "res_http", "res_ari"))] == []


def test_an_asterisk_that_was_not_started_has_no_records(tmp_path: Path) -> None:
    """The mistake is named instead of a path that never comes to be."""
    with AsteriskTree(tmp_path / "tree") as tree, pytest.raises(AsteriskStartError):
        _ = tree.master_csv


def test_a_machine_whose_apt_knows_no_debian_is_told_so(tmp_path: Path) -> None:
    """The build stops before anything is installed or made, and no archive is guessed."""
    tree = AsteriskTree(tmp_path / "tree", apt=tmp_path)
    with pytest.raises(AptUnusableError):
        tree.build()
    assert list(tmp_path.iterdir()) == []


def test_an_unbuilt_tree_is_not_started(tmp_path: Path) -> None:
    """The error names the missing step; no process is started and no folder made."""
    with AsteriskTree(tmp_path / "tree") as tree, pytest.raises((AsteriskStartError, NotRootError)):
        tree.start(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_archive_out_of_reach_leaves_no_half_tree(tmp_path: Path) -> None:
    """The error is typed, and the next build starts from nothing."""
    (tmp_path / "sources.list").write_text("deb http://127.0.0.1:9/debian trixie main\n")
    lines: list[str] = []
    with pytest.raises(TreeBuildError):
        AsteriskTree(tmp_path / "tree", lines.append, apt=tmp_path).build()
    assert ([path.name for path in tmp_path.iterdir()], bool(lines)) == (["sources.list"], True)


class Session(NamedTuple):
    """One run: how many rows ``make_calls`` said, and the file."""

    rows: int
    content: bytes
    written_at: datetime


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Two rounds of calls on a tree that is built if need be."""
    with AsteriskTree(TREE) as tree:
        tree.build()
        tree.start(tmp_path_factory.mktemp("asterisk"))
        rows = tree.make_calls(ROUNDS * len(CALLS))
        written_at = datetime.fromtimestamp(tree.master_csv.stat().st_mtime, UTC)
        return Session(rows, tree.master_csv.read_bytes(), written_at)


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[Callable[[], tuple[int, list[int]]]]:
    """Start Asterisk from a process of its own; the call returns that process and those that must end with it."""
    program = (
        "import sys, time; from pathlib import Path; from tests.support.asterisk_tree import AsteriskTree\n"
        "tree = AsteriskTree(Path(sys.argv[1]), log=lambda _: None); tree.build(); tree.start(Path(sys.argv[2]))\n"
        "print(tree.pid, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(TREE), str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:

        def start() -> tuple[int, list[int]]:
            assert parent.stdout is not None
            return parent.pid, descendants(int(parent.stdout.readline()))

        yield start
        parent.kill()


def descendants(pid: int) -> list[int]:
    """Give a process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return [pid, *(below for child in children for below in descendants(int(child)))]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_row_has_the_newest_form_s_columns(session: Session) -> None:
    """Twenty-one columns: uniqueid, userfield and the three of newcdrcolumns are there."""
    rows = list(csv.reader(session.content.decode().splitlines()))
    assert (len(rows), {len(row) for row in rows}) == (session.rows, {21})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_each_call_leaves_its_rows_with_its_way_of_ending(session: Session) -> None:
    """The two forwarded calls of a round leave two rows each, every other call one."""
    found = Counter(row[14] for row in csv.reader(session.content.decode().splitlines()))
    expected = {"ANSWERED": 11, "BUSY": 3, "NO ANSWER": 2, "CONGESTION": 1}
    assert found == {name: ROUNDS * count for name, count in expected.items()}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_withheld_and_forwarded_calls_are_among_them(session: Session) -> None:
    """A caller without number, the carrier's word for one, and two legs with one linkedid."""
    rows = list(csv.reader(session.content.decode().splitlines()))
    legs = Counter(row[19] for row in rows)
    assert {"", "anonymous"} <= {row[1] for row in rows}
    assert Counter(legs.values()) == {1: ROUNDS * (len(CALLS) - 2), 2: ROUNDS * 2}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_appliance_reads_every_row_that_asterisk_wrote(session: Session) -> None:
    """None is quarantined, and local time comes out as the instant that the row's own id names."""
    records = parse(session.content, now=session.written_at)
    epochs = [int(row[16].partition(".")[0]) for row in csv.reader(session.content.decode().splitlines())]
    read = [int(record.started_at.timestamp()) for record in records if isinstance(record, CallRecord)]
    assert read == epochs


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killing_whoever_started_it_leaves_no_asterisk_behind(
    orphan: Callable[[], tuple[int, list[int]]],
) -> None:
    """The kernel ends every process, even when the parent had no chance to."""
    parent, started = orphan()
    assert len(started) > 2
    os.kill(parent, signal.SIGKILL)
    deadline = time.monotonic() + GONE_SECONDS
    while (left := [pid for pid in started if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_host_keeps_no_mount_of_the_tree(session: Session) -> None:
    """What the tree was lent was mounted in a namespace that is gone."""
    assert session.rows
    assert str(TREE) not in Path("/proc/self/mountinfo").read_text("utf-8")
