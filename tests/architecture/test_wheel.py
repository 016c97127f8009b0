"""What ships is what is tested: the appliance's wheel, installed alone from its own lock, does its work anywhere.

The wheel and the environment are made once for all tests here, by the programs that the image builder uses.
"""

import json
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.tree import ROOT

FEED = ROOT / "tests/testdata/demo/Master.csv"
SITE = ROOT / "tests/testdata/demo/site.toml"


def _run(arguments: Sequence[str | Path], *, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in ``folder`` with an empty environment but for what a shell would give it."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        list(map(str, arguments)), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = _run(build, folder=folder)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` folder of a fresh environment that holds the appliance's lock and its wheel, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    # Not through _run: which index answers is the machine's configuration, which may stand in its environment.
    install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for what in (["--require-hashes", "-r", str(ROOT / "appliance.lock")], ["--no-deps", "--no-index", str(wheel)]):
        done = subprocess.run([*install, *what], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    return folder / "bin"


def test_the_wheel_holds_the_appliance_and_nothing_else(wheel: Path) -> None:
    """Every module of the appliance, its metadata, and no file of another room."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].rpartition(".")[2] for name in names} == {"appliance", "dist-info"}
    assert {name for name in names if name.startswith("appliance/")} == {
        file.relative_to(ROOT).as_posix() for file in (ROOT / "appliance").rglob("*.py")
    }


@pytest.mark.parametrize("package", ["appliance", "receiver"])
def test_the_development_environment_runs_the_checkout(package: str, tmp_path: Path) -> None:
    """No copy from the day of the installation is run in its place."""
    done = _run([sys.executable, "-c", f"import {package}; print({package}.__file__)"], folder=tmp_path)
    assert Path(done.stdout.strip()) == ROOT / package / "__init__.py"


def test_the_wheel_has_the_projects_version(wheel: Path) -> None:
    """One version, in one place."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert wheel.name == f"natalia_appliance-{version}-py3-none-any.whl"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["dialects"], ["preview", "--help"]], ids=" ".join)
def test_the_installed_command_answers_anywhere(installed: Path, arguments: list[str], tmp_path: Path) -> None:
    """It needs nothing of the checkout."""
    done = _run([installed / "natalia-appliance", *arguments], folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_installed_command_shows_what_would_leave(installed: Path, tmp_path: Path) -> None:
    """A preview of a real file: as many records as its summary says, and each is a record of the contract."""
    summary = tmp_path / "summary.json"
    arguments = ["preview", "--dialect", "asterisk_csv", "--site", str(SITE), "--summary-json", str(summary), str(FEED)]
    done = _run([installed / "natalia-appliance", *arguments], folder=tmp_path)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert {record["type"] for record in records} == {"call.v1"}
    assert len(records) == json.loads(summary.read_bytes())["records"] > 0


@pytest.mark.parametrize("module", ["receiver", "tests", "pytest", "sqlalchemy", "fastapi"])
def test_nothing_else_can_be_imported_there(installed: Path, module: str, tmp_path: Path) -> None:
    """No other room of the house, and no tool of ours, is in what ships."""
    done = _run([installed / "python", "-c", f"import {module}"], folder=tmp_path)
    assert done.stderr.endswith(f"ModuleNotFoundError: No module named '{module}'\n")


def test_every_module_of_the_wheel_imports_with_the_locked_packages_alone(installed: Path, tmp_path: Path) -> None:
    """The lock is complete: no module needs a package that only development has."""
    program = (
        "import appliance, importlib, pkgutil\n"
        "names = [m.name for m in pkgutil.walk_packages(appliance.__path__, 'appliance.')]\n"
        "[importlib.import_module(name) for name in names if not name.endswith('__main__')]\n"
        "print(len(names))"
    )
    done = _run([installed / "python", "-W", "error", "-c", program], folder=tmp_path)
    assert done.stderr == ""
    assert int(done.stdout) > 30
