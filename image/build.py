"""Build the unsigned disk image: wheels, mkosi in the tools tree, and what is checked of the result at once."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image import wheels
from image.run import Runner
from image.tools_tree import ToolsTree

PROJECT: Final = Path(__file__).resolve().parents[1]
SPEC: Final = PROJECT / "image"
RAW: Final = "appliance.raw"
UKI: Final = "appliance.efi"
ROOT: Final = "appliance.root-x86-64.raw"
MANIFEST: Final = "appliance.manifest"


@dataclass(frozen=True, slots=True)
class Disk:
    """What mkosi leaves, in one folder."""

    folder: Path

    @property
    def raw(self) -> Path:
        """The whole disk."""
        return self.folder / RAW

    @property
    def uki(self) -> Path:
        """The unified kernel image."""
        return self.folder / UKI

    @property
    def root(self) -> Path:
        """The erofs root partition."""
        return self.folder / ROOT

    @property
    def manifest(self) -> Path:
        """The list of Debian packages, JSON."""
        return self.folder / MANIFEST


def build(folder: Path, *, tree: ToolsTree, runner: Runner) -> Disk:
    """Build the disk below ``folder``, which keeps caches and results.

    Raises:
        ImageError: a program failed; the log says why.
    """
    work = folder / "stage"
    work.mkdir(parents=True, exist_ok=True)
    with runner.stage("Python packages"):
        wheels.install(PROJECT, work / "site", work=work, tree=tree, runner=runner, python=sys.executable)
    with runner.stage("disk"):
        _lay_out(work, tree)
        tree.run(work, _mkosi())
    return Disk(work / "disk")


def _lay_out(work: Path, tree: ToolsTree) -> None:
    """Copy the spec beside the work, and name the machine's own archive for it."""
    for name in ("mkosi", "tree"):
        shutil.rmtree(work / name, ignore_errors=True)
        shutil.copytree(SPEC / name, work / name, symlinks=True)
    apt = work / "sandbox/etc/apt"
    shutil.rmtree(work / "sandbox", ignore_errors=True)
    for place in ("sources.list.d", "apt.conf.d"):
        (apt / place).mkdir(parents=True)
    # By this very name, or mkosi adds an archive of debug symbols to it.
    (apt / "sources.list.d/mkosi.sources").write_text(tree.sources("trixie"), "utf-8")
    (apt / "apt.conf.d/90carried").write_text(tree.apt_options(), "utf-8")
    for place in ("packages", "scratch", "disk"):
        (work / place).mkdir(exist_ok=True)


def _mkosi() -> list[str]:
    options = {
        "--directory": "mkosi",
        "--sandbox-tree": "/build/sandbox",
        "--extra-tree": "/build/site",
        "--package-cache-dir": "/build/packages",
        "--workspace-dir": "/build/scratch",
        "--output-dir": "/build/disk",
    }
    return ["mkosi", *(f"{name}={value}" for name, value in options.items()), "--force", "build"]
