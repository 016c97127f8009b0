"""The lock files pin what an installer with ``--require-hashes`` will ask for, extras included.

pip takes a package with extras for another requirement than the package alone: where only the latter is pinned, it
looks for the newest release and refuses it for want of a hash, from the day a newer one is out.
"""

import re
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(ROOT.glob("*.lock"))


def pins(lock: str) -> dict[str, set[str]]:
    """Give the extras that each package of a lock's text is pinned with."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[([^]]*)\])?==", lock, re.MULTILINE)
    return {name.lower().replace("_", "-"): set(filter(None, extras.split(","))) for name, extras in found}


def unpinned_extras(pinned: dict[str, set[str]]) -> list[str]:
    """List the extras that a pinned package, as installed here, wants of another and the lock does not name."""
    found = []
    for package in distributions():
        if (package.name or "").lower().replace("_", "-") not in pinned:
            continue
        for line in package.requires or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                missing = wanted.extras - pinned.get(wanted.name.lower().replace("_", "-"), set())
                found += [f"{package.name} wants {wanted.name}[{extra}]" for extra in missing]
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_each_lock_pins_the_extras_that_its_packages_ask_for(lock: Path) -> None:
    """An old lock installs on a new machine also when newer releases are out."""
    pinned = pins(lock.read_text())
    assert len(pinned) >= 5
    assert unpinned_extras(pinned) == []


def test_a_pin_without_its_extra_is_found() -> None:
    """The check can fail: pytest-cov asks for coverage with an extra."""
    assert unpinned_extras(pins("coverage==1.0 \\\npytest-cov==7.0")) == ["pytest-cov wants coverage[toml]"]
