"""The image's bill of materials: CycloneDX 1.6 and SPDX 2.3, JSON, the same bytes for the same packages.

Times and ids come from the content. A package of which nothing is left in the image is marked: ``excluded`` in
CycloneDX, a build dependency in SPDX. Licences are as the packages state them; nothing is concluded.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from image.build import SPEC, Disk
from image.errors import FormatError
from image.initrd import initrd_files
from image.inventory import Package, debian_packages, files_of, initrd_packages, merged, python_packages
from image.ownership import MADE_BY_BUILD, MADE_IN_INITRD, check_files, check_packages
from image.tools_tree import ToolsTree

INITRD: Final = "initrd.cpio.zst"
"""What mkosi calls it, beside the disk."""
CREATED: Final = "2025-11-25T00:00:00Z"
"""The time that the disk itself claims."""
BILLS: Final = (".cdx.json", ".spdx.json")
_SPACE: Final = UUID("5e8f0c1e-6a0f-4c0f-9d92-8a6f3f0b1c77")
_NAME: Final = "natalia-appliance"
_ROOT_ID: Final = "SPDXRef-image"
_STATED: Final = "NOASSERTION"
_Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Inventory:
    """The image's packages, and those of them of which nothing is left in it."""

    packages: Sequence[Package]
    gone: Sequence[str]
    """Package URLs."""

    @property
    def package_set(self) -> str:
        """SHA-256 of the package URLs, hex."""
        return _digest(package.purl for package in self.packages)

    def documents(self, version: str) -> dict[str, str]:
        """Give both bills by the ends of their file names; ``version`` is the image's."""
        return {".cdx.json": _text(cyclonedx(self, version)), ".spdx.json": _text(spdx(self, version))}


def take_inventory(disk: Disk, build: Path, work: Path, *, tree: ToolsTree) -> Inventory:
    """Read the disk's root and hold it against the packages that it was built from.

    Args:
        disk: as built.
        build: the build's work folder, with its archives and wheels.
        work: a folder of which ``root`` and ``root.raw`` are written and left.
        tree: in which fsck.erofs runs.

    Raises:
        InventoryError: files and packages do not account for each other.
        FormatError: the initrd cannot be read.
        CommandError: the root cannot be unpacked.
    """
    (work / "root.raw").unlink(missing_ok=True)
    (work / "root.raw").hardlink_to(disk.root)
    tree.run(work, ["fsck.erofs", "--extract=root", "--overwrite", "root.raw"])
    return inventory_of(
        Content(work / "root", initrd_files(disk.folder / INITRD)),
        build / "packages/cache/apt/archives",
        [build / "wheels", build / "own"],
        own=Content(SPEC / "tree", frozenset(files_of(SPEC / "mkosi/mkosi.images/initrd/mkosi.extra"))),
    )


@dataclass(frozen=True, slots=True)
class Content:
    """The image's two file systems, or our own parts of them."""

    root: Path
    """A folder with the root's files."""
    initrd: frozenset[str]
    """Paths of the initrd's files."""


def inventory_of(image: Content, archives: Path, wheels: Sequence[Path], *, own: Content) -> Inventory:
    """Hold an image against the packages that it was built from. Raises as ``take_inventory``."""
    root, initrd = frozenset(files_of(image.root)), frozenset(merged(path) for path in image.initrd)
    debian = debian_packages(image.root, archives)
    early = initrd_packages(initrd, archives, known=frozenset(package.name for package in debian))
    packages = [*sorted([*debian, *early], key=lambda package: package.purl), *python_packages(image.root, wheels)]
    check_files(root, [package for package in packages if not package.initrd], files_of(own.root))
    check_files(initrd, packages, own.initrd, made={**MADE_BY_BUILD, **MADE_IN_INITRD})
    return Inventory(packages, check_packages(root | initrd, packages))


def cyclonedx(inventory: Inventory, version: str) -> _Json:
    """Give the bill as CycloneDX 1.6."""
    top = f"pkg:generic/{_NAME}@{version}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{_id(inventory, version)}",
        "version": 1,
        "metadata": {
            "timestamp": CREATED,
            "component": {"type": "firmware", "bom-ref": top, "name": _NAME, "version": version, "purl": top},
        },
        "components": [_component(package, gone=package.purl in inventory.gone) for package in inventory.packages],
        "dependencies": [{"ref": top, "dependsOn": [package.purl for package in inventory.packages]}],
    }


def _component(package: Package, *, gone: bool) -> _Json:
    component: _Json = {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
        "scope": "excluded" if gone else "required",
        "hashes": [{"alg": "SHA-256", "content": package.sha256}],
    }
    if package.expression:
        component["licenses"] = [{"expression": package.expression}]
    elif package.licences:
        component["licenses"] = [{"license": {"name": name}} for name in package.licences]
    properties = {"natalia:debian:source": package.source, "natalia:place": "initrd" if package.initrd else ""}
    if any(properties.values()):
        component["properties"] = [{"name": name, "value": value} for name, value in properties.items() if value]
    return component


def spdx(inventory: Inventory, version: str) -> _Json:
    """Give the bill as SPDX 2.3."""
    entries = {f"SPDXRef-package-{number}": package for number, package in enumerate(inventory.packages, 1)}
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", _ROOT_ID)]
    relations += [
        (name, "BUILD_DEPENDENCY_OF", _ROOT_ID) if package.purl in inventory.gone else (_ROOT_ID, "CONTAINS", name)
        for name, package in entries.items()
    ]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{_NAME}-{version}",
        "documentNamespace": f"urn:uuid:{_id(inventory, version)}",
        "creationInfo": {"created": CREATED, "creators": ["Tool: natalia-image"]},
        "packages": [
            _unstated({"SPDXID": _ROOT_ID, "name": _NAME, "versionInfo": version, "primaryPackagePurpose": "FIRMWARE"}),
            *(_entry(name, package) for name, package in entries.items()),
        ],
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
            for one, kind, other in relations
        ],
    }


def _entry(name: str, package: Package) -> _Json:
    entry = _unstated({"SPDXID": name, "name": package.name, "versionInfo": package.version})
    entry["checksums"] = [{"algorithm": "SHA256", "checksumValue": package.sha256}]
    entry["externalRefs"] = [
        {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": package.purl}
    ]
    if package.expression:
        entry["licenseDeclared"] = package.expression
    elif package.licences:
        entry["licenseComments"] = f"The package states: {'; '.join(package.licences)}"
    if package.source:
        entry["sourceInfo"] = f"built from Debian source package {package.source}"
    return entry


def _unstated(entry: _Json) -> _Json:
    """Add the fields that SPDX wants and of which nothing is asserted."""
    names = ("downloadLocation", "licenseConcluded", "licenseDeclared", "copyrightText")
    return {**entry, "filesAnalyzed": False, **dict.fromkeys(names, _STATED)}


def package_set_of(content: bytes, suffix: str) -> str:
    """Give the digest of the package URLs that a bill lists, as ``Inventory.package_set``.

    Args:
        content: a bill, perhaps a hostile one.
        suffix: which form it has, one of ``BILLS``.

    Raises:
        FormatError: it is not of that form.
    """
    try:
        bill = json.loads(content)
        if suffix == BILLS[0] and (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6"):
            return _digest([component["purl"] for component in bill["components"]])
        if suffix == BILLS[1] and bill["spdxVersion"] == "SPDX-2.3":
            listed = [entry for entry in bill["packages"] if entry["SPDXID"] != _ROOT_ID]
            return _digest([entry["externalRefs"][0]["referenceLocator"] for entry in listed])
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        pass
    raise FormatError("not a bill of materials of the form that an export writes")


def _digest(purls: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{purl}\n" for purl in sorted(purls)).encode("utf-8")).hexdigest()


def _id(inventory: Inventory, version: str) -> UUID:
    return uuid5(_SPACE, f"{version}/{inventory.package_set}/{_digest(inventory.gone)}")


def _text(document: _Json) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
