"""A cut at any action on the disk leaves the authority as it was, or as it was to be; the step can be done again."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from receiver.kms.generation_files import read_root_key, root_key_name
from receiver.kms.local_authority import LocalFileAuthority, read_ledger
from receiver.kms.local_rollover import LocalRollover
from tests.receiver.authorities import DAY, START, issue_machine, openssl_verify, roll_over
from tests.receiver.kms.cut_program import STEPS

_ROOT = Path(__file__).resolve().parents[3]
_LATER = START + 100 * DAY
_LEAST = {"ensure": 10, "announce": 10, "announce with the medium": 10, "switch": 3, "retire": 8, "offline": 4}
"""So many actions a step has at the least; fewer would mean that the cuts came nowhere."""


def _prepare(site: Path, step: str) -> None:
    """Bring a site to where ``step`` is the next."""
    site.mkdir()
    (site / "medium").mkdir()
    if step == "ensure":
        return
    LocalFileAuthority.ensure(site / "ca", now=START)
    rollover = LocalRollover(site / "ca")
    if step == "announce with the medium":
        rollover.take_offline(site / "medium")
    if step == "switch":
        rollover.announce(now=START)
    if step in {"retire", "offline"}:
        roll_over(site / "ca")


def _cut_sites(folder: Path, step: str) -> list[Path]:
    """Cut the step at every action; give the sites that were left."""
    template, work = folder / "template", folder / "work"
    _prepare(template, step)
    work.mkdir()
    command = [sys.executable, "-m", "tests.receiver.kms.cut_program", step, str(template), str(work)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=_ROOT, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    sites = [work / number for number in done.stdout.split()]
    assert len(sites) >= _LEAST[step]
    return sites


def _root_keys(site: Path) -> Iterator[tuple[x509.Certificate, list[Path]]]:
    """Give each root that counts, and where its key lies."""
    for view in LocalRollover(site / "ca").show():
        places = [site / "ca" / f"{view.entry.number:04}" / "root.key", site / "medium" / root_key_name(view.root)]
        yield view.root, [place for place in places if place.exists()]


@pytest.mark.parametrize("step", sorted(STEPS))
def test_a_cut_step_leaves_an_authority_that_issues(tmp_path: Path, step: str) -> None:
    """After any cut the authority opens, holds every root's key, and what it issues verifies under the oldest."""
    for site in _cut_sites(tmp_path, step):
        if step == "ensure" and not (site / "ca").exists():
            continue
        authority = LocalFileAuthority.load(site / "ca")
        leaf = issue_machine(authority, now=_LATER)
        told = openssl_verify(site, leaf, anchors=authority.anchors[:1], purpose="sslclient", now=_LATER)
        assert told.returncode == 0, (site.name, told.stderr)
        for root, places in _root_keys(site):
            assert places, site.name
            for place in places:
                read_root_key(place, root=root)


@pytest.mark.parametrize("step", sorted(STEPS))
def test_a_cut_step_can_be_done_again(tmp_path: Path, step: str) -> None:
    """After any cut the step has happened or happens when asked for again, and leaves nothing half made behind."""
    finished = tmp_path / "finished"
    _prepare(finished, step)
    STEPS[step](finished)
    for site in _cut_sites(tmp_path, step):
        if not (site / "ca").exists() or read_ledger(site / "ca") != read_ledger(finished / "ca") or step == "offline":
            STEPS[step](site)
        assert _shape(site / "ca") == _shape(finished / "ca"), site.name
        assert not (site / "ca.new").exists()


def _shape(folder: Path) -> list[str]:
    """Which files there are; what the next step clears away is cleared first."""
    cleared = folder.parent / "cleared"
    cleared.mkdir(exist_ok=True)
    LocalRollover(folder).take_offline(cleared)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
