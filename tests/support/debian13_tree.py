"""A Debian 13 in a folder, with the packages of ``dev.lock``: for what only its OpenSSL does (keys in a TPM).

It is made by mmdebstrap from the archive that the machine's own apt uses, kept below ``build/``, and made anew when a
package or the lock changes. Programs run in it with a mount and PID namespace of their own, which ends with them; the
checkout and one work folder lie there where they lie here, and the network is the machine's, so that they reach a
receiver or a software TPM of the test on 127.0.0.1. Needs root.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from image.errors import ImageError, NotRootError
from image.run import Runner
from image.tools_tree import SUITE, ToolsTree
from tests.support.tree import ROOT

PACKAGES: Final = (
    *("python3", "python3-venv", "python3-dev", "gcc", "pkg-config", "libtss2-dev", "swtpm", "swtpm-tools"),
    *("tpm2-openssl", "openssl", "ca-certificates", "debian-archive-keyring"),
)
CACHE: Final = ROOT / "build"
_LOCK: Final = ROOT / "dev.lock"
_PYTHON: Final = "/opt/natalia/bin/python"
_MAKE_PYTHON: Final = """
python3 -m venv /opt/natalia
/opt/natalia/bin/python -m pip --quiet --disable-pip-version-check install --no-cache-dir --require-hashes -r "$0"
"""
_ENTER: Final = """
set -e
mount --make-rprivate /
for place in dev sys; do mount --rbind "/$place" "$0/$place"; done
mount -t proc proc "$0/proc"
for folder in "$1" "$2"; do mkdir -p "$0$folder"; mount --bind "$folder" "$0$folder"; done
tree=$0 checkout=$1
shift 2
exec chroot "$tree" env --chdir="$checkout" "$@"
"""
_SECONDS: Final = 900


class Debian13Tree:
    """Makes the tree once, and runs Python in it."""

    def __init__(self, cache: Path = CACHE) -> None:
        """Keep the tree below ``cache``."""
        name = hashlib.sha256(repr((SUITE, PACKAGES)).encode() + _LOCK.read_bytes()).hexdigest()[:12]
        self.path = cache / f"debian13-{name}"
        self._runner = Runner(cache / "debian13.log", print)
        self._archive = ToolsTree(cache, self._runner)

    def ensure(self) -> None:
        """Make the tree unless it is there: three minutes, 1.1 GB.

        Raises:
            ImageError: the caller is not root, there is no mmdebstrap, or the archive or the index does not give it.
        """
        if os.geteuid() != 0:
            raise NotRootError("namespaces and mounts need root")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Two test processes may ask at once; the second finds it made.
        with self.path.with_suffix(".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.path.is_dir():
                self._make()

    def _make(self) -> None:
        partial = self.path.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            self._bootstrap(partial)
        except ImageError:
            shutil.rmtree(partial)
            raise
        partial.rename(self.path)

    def python(
        self, *arguments: str | Path, work: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run Python with the locked packages, in the checkout; ``work`` is a folder that it sees.

        Args:
            arguments: its own.
            work: may be written to.
            environment: beside the caller's.
        """
        return subprocess.run(
            _entered(self.path, work, [_PYTHON, *map(str, arguments)]),
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )

    def _bootstrap(self, partial: Path) -> None:
        settings = partial.with_suffix(".apt")
        shutil.rmtree(settings, ignore_errors=True)
        settings.mkdir()
        sources, options = settings / "debian.sources", settings / "options"
        sources.write_text(self._archive.sources(SUITE), "utf-8")
        options.write_text(self._archive.apt_options(), "utf-8")
        make = ["mmdebstrap", "--variant=apt", f"--include={','.join(PACKAGES)}", f"--aptopt={options}"]
        try:
            self._runner.run([*make, SUITE, partial, sources])
        finally:
            shutil.rmtree(settings)
        # The machine's apt options may hold a proxy's password; the tree never installs a package again.
        (partial / "etc/apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
        for file in ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"):
            if Path("/", file).exists():
                shutil.copyfile(Path("/", file), partial / file)
        self._runner.run(_entered(partial, partial.parent, ["bash", "-ec", _MAKE_PYTHON, _LOCK]))


def _entered(tree: Path, work: Path, command: Sequence[str | Path]) -> list[str | Path]:
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", _ENTER, tree, ROOT, work, *command]
