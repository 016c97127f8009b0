"""Daemon and commands use one anchor at the same time: they wait for one another and agree."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from appliance.sealing.durable import held
from appliance.sealing.vtpm.anchor_folder import ANCHOR_FILE, NEXT_FILE
from appliance.sealing.vtpm.sealer import VtpmSealer
from tests.support.swtpm import Swtpm
from tests.support.tpm_sealing import anchor_in


def together(works: Sequence[Callable[[], VtpmSealer]]) -> list[str]:
    """Do all at once, each as a program of its own would; the ids of the roots that they got."""
    roots: list[str] = []
    threads = [threading.Thread(target=lambda work=work: roots.append(work().key_id)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return roots


def test_first_starts_at_once_agree_on_one_anchor(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """One makes it, the others open it."""
    roots = together([anchor_in(tmp_path, clean_tpm).open for _ in range(6)])
    assert len(roots) == 6
    assert len(set(roots)) == 1


def test_sealing_anew_at_once_loses_nothing(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """One next anchor after the other, and starts between them."""
    root = anchor_in(tmp_path, clean_tpm).open().key_id
    anchors = [anchor_in(tmp_path, clean_tpm) for _ in range(6)]
    works = [anchor.reseal if place % 2 else anchor.open for place, anchor in enumerate(anchors)]
    assert set(together(works)) == {root}
    assert anchor_in(tmp_path, clean_tpm).open().key_id == root
    assert not (tmp_path / NEXT_FILE).exists()


def test_who_holds_the_work_has_it_alone(tmp_path: Path) -> None:
    """The other one waits until it is done, also after an error."""
    order: list[str] = []
    entered = threading.Event()

    def second() -> None:
        entered.set()
        with held(tmp_path / "lock"):
            order.append("second")

    thread = threading.Thread(target=second)
    with held(tmp_path / "lock"):
        thread.start()
        entered.wait()
        thread.join(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_the_folder_and_its_files_are_their_owners_alone(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """0700 and 0600, the lock included."""
    anchor_in(tmp_path / "anchor", clean_tpm).open()
    assert (tmp_path / "anchor").stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "anchor").iterdir()}
    assert modes == {ANCHOR_FILE: 0o600, ".tpm-anchor.lock": 0o600}
