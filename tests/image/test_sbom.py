"""The bill lists every package with what it states, the same each time, and holds against the files both ways."""

import json
from pathlib import Path
from typing import Any

import pytest

from image.errors import FormatError, InventoryError
from image.inventory import debian_packages, python_packages
from image.sbom import BILLS, Content, Inventory, cyclonedx, inventory_of, package_set_of, spdx
from tests.support.package_archives import DEP5, LINK, SITE, Root, status_of, write_deb
from tests.support.releases import INVENTORY, PACKAGES


@pytest.fixture
def image(tmp_path: Path) -> Root:
    """A root with two Debian packages of one source, one of which nothing is left, and a Python package."""
    made = Root(tmp_path)
    made.add_deb(
        "libthing1",
        {"lib/libthing.so.1": "elf", "usr/share/doc/libthing1": f"{LINK}thing-base"},
        version="2:1.4+b1",
        source="thing (1.4)",
    )
    made.add_deb("thing-base", {"etc/thing.conf": "", "usr/share/doc/thing-base/copyright": DEP5})
    made.add_deb("shell", {"usr/bin/shell": "elf"}, removed=True)
    made.add_wheel("some_thing", {"some/__init__.py": ""}, metadata="License-Expression: MIT")
    return made


def take(image: Root, *, initrd: tuple[str, ...] = (), own_initrd: tuple[str, ...] = ()) -> Inventory:
    """The image's inventory."""
    own = image.root.parent / "own"
    return inventory_of(
        Content(image.root, frozenset(initrd)),
        image.archives,
        [image.wheels],
        own=Content(own, frozenset(own_initrd)),
    )


def test_every_package_of_both_kinds_is_listed(image: Root) -> None:
    """With its package URL, whose version is escaped."""
    assert [package.purl for package in take(image).packages] == [
        "pkg:deb/debian/libthing1@2%3A1.4%2Bb1?arch=amd64&distro=trixie",
        "pkg:deb/debian/shell@1.0-1?arch=amd64&distro=trixie",
        "pkg:deb/debian/thing-base@1.0-1?arch=amd64&distro=trixie",
        "pkg:pypi/some-thing@1.0",
    ]


def test_source_and_licences_are_as_the_package_states(image: Root) -> None:
    """A copyright file that is shared by a link counts for both."""
    by_name = {package.name: package for package in take(image).packages}
    assert by_name["libthing1"].source == "thing (1.4)"
    assert by_name["libthing1"].licences == by_name["thing-base"].licences == ("GPL-2+",)
    assert by_name["thing-base"].source == "thing-base (1.0-1)"
    assert by_name["some_thing"].expression == "MIT"


def test_a_package_of_which_nothing_is_left_is_marked(image: Root) -> None:
    """It was installed and taken out again: an auditor sees both."""
    inventory = take(image)
    (gone,) = inventory.gone
    assert "shell" in gone
    scopes = {part["name"]: part["scope"] for part in cyclonedx(inventory, "1")["components"]}
    assert scopes == {"libthing1": "required", "shell": "excluded", "thing-base": "required", "some_thing": "required"}
    kinds = [relation["relationshipType"] for relation in spdx(inventory, "1")["relationships"]]
    assert sorted(kinds) == ["BUILD_DEPENDENCY_OF", "CONTAINS", "CONTAINS", "CONTAINS", "DESCRIBES"]


@pytest.mark.parametrize(
    "path", ["usr/bin/stranger", f"{SITE}/stranger.py", f"{SITE}/x/__pycache__/y.cpython-313.pyc", "etc/extra", "top"]
)
def test_a_file_of_nobody_is_found(path: str, image: Root) -> None:
    """Something in the image that no list explains."""
    image.write(path)
    with pytest.raises(InventoryError, match=path.rpartition("/")[2]):
        take(image)


def test_a_link_of_nobody_is_found(image: Root) -> None:
    """To a folder too."""
    image.write("usr/bin/sh", f"{LINK}/etc")
    with pytest.raises(InventoryError, match="usr/bin/sh"):
        take(image)


@pytest.mark.parametrize(
    "path",
    [
        f"{SITE}/some/__pycache__/__init__.cpython-313.pyc",
        "etc/machine-id",
        "etc/ssl/certs/0b1b94ef.0",
        "usr/lib/modules/6.12.1+deb13-cloud-amd64/modules.dep.bin",
        "vmlinuz.old",
    ],
)
def test_what_the_build_makes_is_accounted_for(path: str, image: Root) -> None:
    """Byte code of a listed source; what has a line with its reason."""
    image.write(path)
    assert take(image).packages


def test_our_own_tree_is_accounted_for(image: Root) -> None:
    """By its paths, not by a pattern."""
    for folder in ("root", "own"):
        place = image.root.parent / folder / "usr/lib/systemd/system/ours.service"
        place.parent.mkdir(parents=True)
        place.touch()
    assert take(image).packages


def test_a_package_that_only_the_initrd_has_is_listed(image: Root) -> None:
    """The initrd keeps no list: its files tell. What the root has is not listed twice, what none has not at all."""
    write_deb(image.archives, "early", {"sbin/mkfs": "elf"})
    write_deb(image.archives, "unused", {"sbin/unused": "elf"})
    inventory = take(image, initrd=("usr/sbin/mkfs", "lib/libthing.so.1"))
    assert [package.name for package in inventory.packages if package.initrd] == ["early"]
    assert "unused" not in {package.name for package in inventory.packages}
    (place,) = [part["properties"] for part in cyclonedx(inventory, "1")["components"] if part["name"] == "early"]
    assert {"name": "natalia:place", "value": "initrd"} in place


def test_a_file_of_an_initrds_package_is_nobodys_in_the_root(image: Root) -> None:
    """It was not to be there."""
    write_deb(image.archives, "early", {"sbin/mkfs": "elf"})
    image.write("usr/sbin/mkfs")
    with pytest.raises(InventoryError, match="mkfs"):
        take(image, initrd=("usr/sbin/mkfs",))


def test_a_file_of_nobody_in_the_initrd_is_found(image: Root) -> None:
    """Though it would be accounted for as our own."""
    with pytest.raises(InventoryError, match="init-stranger"):
        take(image, initrd=("usr/bin/init-stranger",))
    assert take(image, initrd=("usr/bin/init-stranger", "etc/initrd-release"), own_initrd=("usr/bin/init-stranger",))


def test_two_versions_of_an_initrds_package_are_refused(image: Root) -> None:
    """Which one is in there is not known."""
    for version in ("1", "2"):
        write_deb(image.archives, "early", {"sbin/mkfs": "elf"}, version=version)
    with pytest.raises(InventoryError, match="two versions"):
        take(image, initrd=("usr/sbin/mkfs",))


def test_a_python_package_without_a_file_is_found(image: Root) -> None:
    """Listed, but its code is not there; what lists it is a file of the image, not of the wheel."""
    image.add_wheel("hollow", {}, version="2")
    (image.root / SITE / "hollow-2.dist-info").rename(image.root / SITE / "hollow-2.0.dist-info")
    with pytest.raises(InventoryError, match="hollow"):
        take(image)


def test_a_python_package_that_is_of_no_wheel_is_found(image: Root) -> None:
    """Nobody knows where it came from."""
    next(image.wheels.iterdir()).unlink()
    with pytest.raises(InventoryError, match="not from a wheel"):
        take(image)


def test_a_debian_package_without_its_archive_is_found(image: Root) -> None:
    """Its files could be anybody's."""
    next(image.archives.glob("thing-base*")).unlink()
    with pytest.raises(InventoryError, match="thing-base"):
        take(image)


@pytest.mark.parametrize(
    "content", [b"", b"!<arch>\n", b"!<arch>\nodd" * 20, b"\xff" * 200], ids=["empty", "head", "odd", "other"]
)
def test_a_damaged_archive_is_refused(content: bytes, image: Root) -> None:
    """A typed error that names it."""
    next(image.archives.glob("thing-base*")).write_bytes(content)
    with pytest.raises(InventoryError, match="thing-base"):
        take(image)


def test_an_image_without_dpkgs_status_is_refused(image: Root) -> None:
    """The list that auditors read as well."""
    (image.root / "usr/lib/sysimage/dpkg/status").unlink()
    with pytest.raises(InventoryError, match="status"):
        take(image)


def test_a_status_without_a_package_is_refused(image: Root) -> None:
    """An empty list would pass every check of it."""
    image.write("usr/lib/sysimage/dpkg/status", status_of("x", state="deinstall ok config-files"))
    with pytest.raises(InventoryError, match="lists no package"):
        debian_packages(image.root, image.archives)


def test_an_image_without_a_python_package_is_refused(tmp_path: Path) -> None:
    """The appliance itself is one."""
    with pytest.raises(InventoryError, match="no Python"):
        python_packages(tmp_path, [tmp_path])


@pytest.mark.parametrize("packer", ["xz", "zst", ""], ids=["xz", "zstd", "plain"])
def test_an_archive_of_each_packer_is_read(packer: str, image: Root) -> None:
    """As deb(5) allows."""
    image.add_deb("other", {"usr/bin/other": "elf"}, packer=packer)
    assert "other" in {package.name for package in take(image).packages}


@pytest.mark.parametrize(
    ("text", "licences"),
    [
        (DEP5 + "License: MIT\nLicense: GPL-2+\n", ("GPL-2+", "MIT")),
        ("See /usr/share/common-licenses/LGPL-2.1. Or /usr/share/common-licenses/GPL-3.", ("GPL-3", "LGPL-2.1")),
        ("All rights are given.", ()),
    ],
    ids=["machine-readable", "by reference", "unstated"],
)
def test_licences_are_read_from_each_form_of_copyright_file(text: str, licences: tuple[str, ...], image: Root) -> None:
    """In the package's own words, or none."""
    image.add_deb("other", {"usr/bin/other": "", "usr/share/doc/other/copyright": text})
    assert {package.name: package.licences for package in take(image).packages}["other"] == licences


@pytest.mark.parametrize(
    ("metadata", "licences"),
    [
        ("License: Apache-2.0", ("Apache-2.0",)),
        ("Classifier: License :: OSI Approved :: MIT License", ("MIT License",)),
        ("License: a\n  whole text\nClassifier: License :: OSI Approved :: MIT License", ("MIT License",)),
        ("", ()),
    ],
    ids=["field", "classifier", "text", "unstated"],
)
def test_licences_are_read_from_each_form_of_metadata(metadata: str, licences: tuple[str, ...], image: Root) -> None:
    """A text in the field of a name is not taken for one."""
    image.add_wheel("other", {"other.py": ""}, metadata=metadata)
    assert {package.name: package.licences for package in take(image).packages}["other"] == licences


def test_the_same_image_gives_the_same_bytes(image: Root) -> None:
    """No moment and no chance in either bill."""
    assert take(image).documents("1.2.3") == take(image).documents("1.2.3")


def test_another_package_set_has_another_digest_and_id(image: Root) -> None:
    """What is listed is what is named."""
    before = take(image)
    image.add_deb("other", {"usr/bin/other": "elf"})
    after = take(image)
    assert before.package_set != after.package_set
    assert cyclonedx(before, "1")["serialNumber"] != cyclonedx(after, "1")["serialNumber"]
    assert spdx(before, "1")["documentNamespace"] != spdx(after, "1")["documentNamespace"]


def test_cyclonedx_has_what_its_schema_asks_for() -> None:
    """CycloneDX 1.6: required fields, unique references, licences either as one expression or as names."""
    bill: dict[str, Any] = json.loads(INVENTORY.documents("1.2.3")[".cdx.json"])
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert bill["serialNumber"].startswith("urn:uuid:")
    references = [part["bom-ref"] for part in bill["components"]]
    assert len(set(references)) == len(references) == len(PACKAGES)
    assert {*bill["dependencies"][0]["dependsOn"]} == {*references}
    for part in bill["components"]:
        assert {"type", "name", "version", "purl", "scope", "hashes"} <= part.keys()
        assert all({*entry} in ({"license"}, {"expression"}) for entry in part.get("licenses", []))
    assert bill["components"][1]["licenses"] == [{"expression": "MIT"}]


def test_spdx_has_what_its_schema_asks_for() -> None:
    """SPDX 2.3: required fields, ids of the allowed letters, every relation between elements that are there."""
    bill: dict[str, Any] = json.loads(INVENTORY.documents("1.2.3")[".spdx.json"])
    assert (bill["spdxVersion"], bill["dataLicense"], bill["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
    assert {"created", "creators"} <= bill["creationInfo"].keys()
    ids = {part["SPDXID"] for part in bill["packages"]} | {"SPDXRef-DOCUMENT"}
    assert len(ids) == len(PACKAGES) + 2
    for part in bill["packages"]:
        assert {"name", "downloadLocation", "filesAnalyzed"} <= part.keys()
    for relation in bill["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= ids


@pytest.mark.parametrize("suffix", BILLS)
def test_a_bill_names_its_own_package_set(suffix: str) -> None:
    """Both forms the same one."""
    assert package_set_of(INVENTORY.documents("1")[suffix].encode(), suffix) == INVENTORY.package_set


@pytest.mark.parametrize("suffix", BILLS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        b"\xff",
        b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": 1}',
        b'{"spdxVersion": "SPDX-2.3", "packages": [{"SPDXID": "a", "externalRefs": []}]}',
        b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"purl": 1}, {"purl": "a"}]}',
    ],
    ids=["empty", "list", "null", "object", "deep", "binary", "components", "references", "number"],
)
def test_a_hostile_bill_is_refused(content: bytes, suffix: str) -> None:
    """A typed error, whatever it is."""
    with pytest.raises(FormatError):
        package_set_of(content, suffix)
