"""Hold the image's files against its packages, both ways.

Each file belongs to a listed package, to our own tree, or to a line below that says who made it while the image was
built; each package that counts as shipped has a file there. A package whose every file was taken out again is listed as
excluded: it was installed, and nothing of it is left.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from image.errors import InventoryError
from image.inventory import Package

_COMPILED: Final = re.compile(r"(.*)__pycache__/([^/]+)\.cpython-\d+(?:\.opt-\d)?\.pyc")
MADE_BY_BUILD: Final = {
    r"etc/alternatives/[^/]+|usr/s?bin/(awk|nawk|pager|which|mt|rmt)|usr/local/man": "links of update-alternatives",
    r"etc/apparmor\.d/(local/[^/]+|tunables/.+)": "empty local parts that apparmor's installation makes",
    r"etc/ca-certificates\.conf|etc/ssl/certs/.+": "links and bundle that update-ca-certificates makes of its package",
    r"etc/dpkg/origins/default|etc/debian_chroot": "link of base-files",
    r"etc/(passwd|group|shadow|gshadow|subuid|subgid|shells)": "users of base-passwd and systemd-sysusers",
    r"etc/(environment|motd|profile|inputrc|networks|hosts|hostname|modules)": "copied when base packages install",
    r"etc/(nsswitch\.conf|security/opasswd)": "copied when libc and PAM install",
    r"etc/(default/locale|localtime|vconsole\.conf|kernel/entry-token)": "settings that mkosi writes",
    r"etc/(mtab|resolv\.conf|rc[0-6S]\.d/.+)": "links that systemd and apparmor make",
    r"etc/initramfs-tools/modules": "list that initramfs-tools' installation copies",
    r"etc/pam\.d/common-[a-z-]+": "written by pam-auth-update",
    r"etc/ld\.so\.cache": "written by ldconfig",
    r"etc/machine-id": "empty: each machine gets its own at its first boot",
    r"etc/systemd/(system|user)/.+": "links of presets, and units that we mask",
    r"root/\.(bashrc|profile)": "copied by base-files' installation",
    r"init|lib32|libx32|vmlinuz(\.old)?": "links of mkosi, of the merged /usr, of the kernel's installation",
    r"usr/bin/natalia-appliance": "our own command, written beside the wheels",
    r"usr/lib/clock-epoch": "the time that mkosi was given",
    r"usr/lib/modules/[^/]+/(modules\.[a-z.]+|vmlinuz)": "written by depmod; the kernel at the place that mkosi reads",
    r"usr/lib/sysimage/dpkg/.+": "dpkg's own list of packages",
    r"usr/lib/udev/hwdb\.bin": "compiled by systemd-hwdb from its package",
}
"""Files that no archive holds: a regular expression of paths, and the reason."""
MADE_IN_INITRD: Final = {
    r"boot/loader/entries\.srel|etc/initrd-release": "written by mkosi",
    r"etc/(\.pwd\.lock|(passwd|group|shadow|gshadow)-)": "left by systemd-sysusers",
    r"usr/lib/systemd/system/initrd\.target\.wants/.+": "links of presets",
    r"usr/share/info/dir|var/lib/pam/[a-z-]+|var/lib/shells\.state": "state of packages' installation",
    r"var/lib/systemd/(catalog/database|deb-systemd-helper-enabled/.+)": "state of systemd's installation",
    r"var/(lock|run|spool/mail)": "links of base-files",
}
"""The same for the initrd, besides what may be in the root."""
_SHOWN: Final = 5


def check_files(
    files: Iterable[str], packages: Sequence[Package], own: Iterable[str], *, made: Mapping[str, str] = MADE_BY_BUILD
) -> None:
    """Check that every file belongs to a package, to our own tree, or to a line of ``made``.

    Args:
        files: of the root or the initrd, as paths in it.
        packages: that are listed.
        own: paths of our own tree.
        made: patterns of what the build makes, with the reasons.

    Raises:
        InventoryError: a file is nobody's.
    """
    owned = set(own).union(*(package.files for package in packages))
    strangers = sorted(path for path in set(files) - owned if not _accounted(path, owned, made))
    if strangers:
        shown = ", ".join(strangers[:_SHOWN])
        raise InventoryError(f"{len(strangers)} files belong to no listed package: {shown}")


def check_packages(files: Iterable[str], packages: Sequence[Package]) -> tuple[str, ...]:
    """Check that every package has a file in the image.

    Returns:
        The package URLs of Debian packages of which nothing is left, sorted.

    Raises:
        InventoryError: a Python package has no file there, or no package has.
    """
    present = set(files)
    gone = [package for package in packages if present.isdisjoint(package.files)]
    missing = [package.name for package in gone if package.kind == "pypi"]
    if missing or len(gone) == len(packages):
        raise InventoryError(f"listed, but no file of it is there: {', '.join(missing) or 'any package'}")
    return tuple(sorted(package.purl for package in gone))


def _accounted(path: str, owned: set[str], made: Mapping[str, str]) -> bool:
    compiled = _COMPILED.fullmatch(path)
    if compiled and f"{compiled[1]}{compiled[2]}.py" in owned:
        return True
    return any(re.fullmatch(pattern, path) for pattern in made)
