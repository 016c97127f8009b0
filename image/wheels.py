"""The Python that goes into the image: the locked wheels that the tests ran with, and the appliance's own.

Rules: every package comes by its hash in ``appliance.lock``; what is source there (tpm2-pytss) is built in the tools
tree against the libtss2 of the image's own release; byte code is written beforehand and bound to its source by hash, so
that it is the same in each build.
"""

import shutil
from pathlib import Path
from typing import Final

from image.run import Runner
from image.tools_tree import ToolsTree

SITE: Final = "usr/lib/python3/dist-packages"
_SCRIPT: Final = """\
#!/usr/bin/python3 -I
from appliance.cli import main

main()
"""
_EPOCH: Final = {"SOURCE_DATE_EPOCH": "1764028800"}
_NOT_SHIPPED: Final = ("REQUESTED", "direct_url.json", "RECORD", "INSTALLER")
"""What pip notes of one installation; it differs from machine to machine and nobody reads it in the image."""


def install(project: Path, root: Path, *, work: Path, tree: ToolsTree, runner: Runner, python: str) -> None:
    """Put the appliance and what it needs below ``root``.

    Args:
        project: the checkout.
        root: a folder that becomes part of the image's root; made new.
        work: kept between builds, holds the wheels.
        tree: in which pip and the compiler run.
        runner: of the build.
        python: of the development environment, which builds the appliance's own wheel.

    Raises:
        CommandError: a package cannot be fetched, does not match its hash, or cannot be built.
    """
    shutil.rmtree(root, ignore_errors=True)
    (root / SITE).mkdir(parents=True)
    own = work / "own"
    shutil.rmtree(own, ignore_errors=True)
    build: list[str | Path] = [python, "-m", "build", "--wheel", "--no-isolation", "--outdir", own, project]
    runner.run(build, environment=_EPOCH)
    shutil.copyfile(project / "appliance.lock", work / "appliance.lock")
    pip = ["python3", "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    if (
        not (work / "wheels.lock").exists()
        or (work / "wheels.lock").read_bytes() != (work / "appliance.lock").read_bytes()
    ):
        shutil.rmtree(work / "wheels", ignore_errors=True)
        fetch = [*pip, "wheel", "--require-hashes", "-r", "appliance.lock", "-w", "wheels"]
        tree.run(work, fetch, environment=_EPOCH)
        shutil.copyfile(work / "appliance.lock", work / "wheels.lock")
    target = [*pip, "install", "--no-deps", "--no-index", "--no-compile", "--root-user-action=ignore", "--target"]
    wheels = sorted(path.relative_to(work) for folder in ("wheels", "own") for path in (work / folder).glob("*.whl"))
    tree.run(work, [*target, root.relative_to(work) / SITE, *wheels])
    _tidy(root)
    _compile(root, work=work, tree=tree)
    command = root / "usr/bin/natalia-appliance"
    command.parent.mkdir(parents=True)
    command.write_text(_SCRIPT, "utf-8")
    command.chmod(0o755)


def _compile(root: Path, *, work: Path, tree: ToolsTree) -> None:
    """Write byte code beside the sources, as it will lie in the image."""
    how = ["-q", "--invalidation-mode", "unchecked-hash", "-s", root.name, "-p", "/"]
    tree.run(work, ["python3", "-m", "compileall", *how, f"{root.name}/{SITE}"], environment=_EPOCH)


def _tidy(root: Path) -> None:
    """Leave out what differs between two installations, and what only a terminal's user would start."""
    site = root / SITE
    shutil.rmtree(site / "bin", ignore_errors=True)
    for name in _NOT_SHIPPED:
        for path in site.glob(f"*.dist-info/{name}"):
            path.unlink()
