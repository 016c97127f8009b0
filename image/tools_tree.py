"""The tools tree: Debian 13 with everything that the build needs, in a folder, on whatever Debian the machine has.

It is made by mmdebstrap from the archive that the machine's own apt uses, and kept; a list of packages that changes
makes a new one. Programs run in it as on a machine of their own (``pivot_root``, because mkosi refuses a plain chroot),
in a mount namespace that ends with them; the work folder is at ``/build`` there.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from image.apt_sources import carried_apt_options, debian_archives
from image.errors import ArchiveError, CommandError, NotRootError
from image.run import Runner

SUITE: Final = "trixie"
PACKAGES: Final = (
    *("mkosi", "systemd-repart", "systemd-ukify", "systemd-boot", "systemd-boot-efi", "systemd-container"),
    *("dosfstools", "mtools", "e2fsprogs", "erofs-utils", "cryptsetup-bin", "sbsigntool", "xorriso"),
    *("zstd", "xz-utils", "openssl", "python3-pefile", "python3-cryptography", "python3-virt-firmware"),
    *("qemu-utils", "qemu-system-x86", "ovmf", "swtpm", "swtpm-tools", "openscap-scanner", "uidmap", "kmod"),
    *("debian-archive-keyring", "ca-certificates", "python3-venv", "python3-dev", "python3-pip"),
    *("gcc", "pkg-config", "libtss2-dev"),
)
FROM_SID: Final = ("open-vmdk", "ssg-debian")
"""Only there in a fit version: vmdk-convert, and the CIS profile of Debian 13. Unpacked, not installed: they need no
library that Debian 13 does not have, and sid's would come along."""
_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
_ENTER: Final = """
set -e
mount --make-rprivate /
mount --bind "$0" "$0"
mkdir -p "$0/build" "$0/machine"
mount --bind "$1" "$0/build"
for place in dev sys; do mount --rbind "/$place" "$0/$place"; done
mount -t proc proc "$0/proc"
cd "$0"
pivot_root . machine
cd /build
umount -l /machine
shift
exec "$@"
"""


class ToolsTree:
    """Makes the tree once, and runs programs in it."""

    def __init__(self, cache: Path, runner: Runner, *, apt: Path = Path("/etc/apt")) -> None:
        """Keep the tree below ``cache``; ``apt`` is the machine's own configuration."""
        name = hashlib.sha256(repr((SUITE, PACKAGES, FROM_SID)).encode()).hexdigest()[:12]
        self.path = cache / f"tools-{name}"
        self._runner = runner
        self._apt = apt

    def ensure(self) -> None:
        """Make the tree unless it is there: a minute or two, 900 MB.

        Raises:
            NotRootError: the caller is not root.
            ArchiveError: no archive gave it.
        """
        if os.geteuid() != 0:
            raise NotRootError("namespaces and mounts need root")
        if self.path.is_dir():
            return
        with self._runner.stage("tools tree"):
            self._install_mmdebstrap()
            partial = self.path.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            self._bootstrap(partial)
            self._add_from_sid(partial)
            partial.rename(self.path)

    def sources(self, suite: str) -> str:
        """Give sources.list(5) text for ``suite`` of the machine's first Debian archive.

        Raises:
            ArchiveError: it names none.
        """
        archives = debian_archives(self._apt)
        if not archives:
            raise ArchiveError("the machine's apt settings name no Debian archive")
        stanza = archives[0].stanza(suite)
        return stanza if "Signed-By:" in stanza else f"{stanza}Signed-By: {_KEYRING}\n"

    def apt_options(self) -> str:
        """Give the apt.conf(5) lines without which the archive may be out of reach."""
        return carried_apt_options(self._runner.capture(["apt-config", "dump"]).decode())

    def run(self, work: Path, command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None) -> None:
        """Run a program in the tree, at ``/build``, which is the folder ``work``.

        Raises:
            CommandError: it ended with an error.
        """
        _run_in(self.path, work, command, runner=self._runner, environment=environment)

    def _install_mmdebstrap(self) -> None:
        if shutil.which("mmdebstrap") is None:
            environment = {"DEBIAN_FRONTEND": "noninteractive"}
            self._runner.run(["apt-get", "update", "-qq"], environment=environment)
            install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "mmdebstrap"]
            self._runner.run(install, environment=environment)

    def _bootstrap(self, partial: Path) -> None:
        settings = partial.with_suffix(".apt")
        shutil.rmtree(settings, ignore_errors=True)
        settings.mkdir()
        sources, options = settings / "debian.sources", settings / "options"
        sources.write_text(self.sources(SUITE), "utf-8")
        options.write_text(self.apt_options(), "utf-8")
        command = ["mmdebstrap", "--variant=apt", f"--include={','.join(PACKAGES)}", f"--aptopt={options}"]
        try:
            self._runner.run([*command, SUITE, partial, sources])
        except CommandError:
            shutil.rmtree(partial, ignore_errors=True)
            raise ArchiveError(f"the archive did not give the tools tree; see {self._runner.log}") from None
        finally:
            shutil.rmtree(settings)

    def _add_from_sid(self, partial: Path) -> None:
        folder = partial / "var/cache/sid"
        folder.mkdir()
        (folder / "sid.sources").write_text(self.sources("sid"), "utf-8")
        # Sid's Release file may be older than it allows on a mirror that is not refreshed; its signature still holds.
        options = ["-o", "Acquire::Check-Valid-Until=false", "-o", "Dir::Etc::sourceparts=-"]
        options += ["-o", "Dir::Etc::sourcelist=/var/cache/sid/sid.sources"]
        script = 'cd /var/cache/sid; O=$1; shift; apt-get $O update -qq; apt-get $O download -qq "$@"'
        script += '; for deb in *.deb; do dpkg-deb -x "$deb" /; done'
        command = ["bash", "-ec", script, "bash", " ".join(options), *FROM_SID]
        _run_in(partial, folder, command, runner=self._runner)
        shutil.rmtree(folder)


def _run_in(
    tree: Path,
    work: Path,
    command: Sequence[str | Path],
    *,
    runner: Runner,
    environment: Mapping[str, str] | None = None,
) -> None:
    for file in ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"):
        if Path("/", file).exists():
            shutil.copyfile(Path("/", file), tree / file)
    enter: list[str | Path] = [
        "unshare",
        "--mount",
        "--fork",
        "--kill-child",
        "bash",
        "-c",
        _ENTER,
        tree,
        work.absolute(),
    ]
    runner.run([*enter, *command], environment=environment)
