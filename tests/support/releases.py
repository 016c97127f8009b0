"""A small release, whole and signed, without the converters: what ``verify`` is tried on."""

import hashlib
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from image.inventory import Package
from image.ova import certificate, manifest, write_ova
from image.ovf import Appliance, descriptor
from image.release import CAPACITY, CERTIFICATE, SIGNATURE, SUMS, Manifest, sha256_of, sums
from image.sbom import Inventory
from image.signing import Signer
from tests.support.disk_writers import write_qcow2, write_vhdx, write_vmdk, write_zstd

NAME = "natalia-appliance_1.2.3"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PACKAGES = (
    Package(
        kind="deb",
        name="libexample1",
        version="1:2.0+dfsg-1",
        architecture="amd64",
        source="example (1:2.0+dfsg-1)",
        licences=("GPL-2+",),
        sha256="ab" * 32,
        files=frozenset({"usr/lib/libexample.so.1"}),
    ),
    Package(
        kind="pypi",
        name="Some_Package",
        version="3.1",
        expression="MIT",
        sha256="cd" * 32,
        files=frozenset({"usr/lib/python3/dist-packages/some/__init__.py"}),
    ),
    Package(kind="deb", name="gone", version="1", architecture="all", sha256="ef" * 32, files=frozenset({"bin/gone"})),
)
INVENTORY = Inventory(PACKAGES, (PACKAGES[2].purl,))


@cache
def signer(name: str = "Natalia test") -> Signer:
    """A signer of that name; the same in one run."""
    key = rsa.generate_private_key(65537, 2048)
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(title).issuer_name(title).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    return Signer(key, builder.sign(key, SHA256()))


@cache
def a_disk(length: int = 3 * 1024 * 1024 - 512) -> bytes:
    """Data, holes and data that packs badly; not whole clusters."""
    chance = random.Random(7)  # noqa: S311 - test data
    content = bytearray(length)
    content[:4096] = b"boot" * 1024
    content[1 << 20 : (1 << 20) + 100_000] = chance.randbytes(100_000)
    content[-1000:] = b"end." * 250
    return bytes(content)


@dataclass(frozen=True, slots=True)
class Release:
    """A release's folder; ``seal`` makes sums and signature fit again after a change."""

    folder: Path

    def path(self, suffix: str) -> Path:
        """A file of it."""
        return self.folder / f"{NAME}{suffix}"

    def describe(self, disk: bytes) -> None:
        """Write the manifest of a release of ``disk``."""
        what = Manifest(
            version="1.2.3",
            disk_sha256=hashlib.sha256(disk).hexdigest(),
            disk_bytes=len(disk),
            capacity_bytes=CAPACITY,
            kernel_image_sha256="11" * 32,
            root_sha256="22" * 32,
            package_set_sha256=INVENTORY.package_set,
        )
        self.path(".manifest.json").write_text(what.text())

    def seal(self, by: Signer | None = None) -> None:
        """Write sums of what lies there, and sign them."""
        files = [path for path in self.folder.iterdir() if path.name.startswith(NAME)]
        text = sums({path.name: sha256_of(path) for path in files}).encode()
        (self.folder / SUMS).write_bytes(text)
        (self.folder / SIGNATURE).write_bytes((by or signer()).sign(text))
        (self.folder / CERTIFICATE).write_bytes((by or signer()).pem)

    def ova(
        self,
        *,
        tpm: bool = False,
        says: Signer | None = None,
        change: tuple[str, str] = ("", ""),
        cert: str | None = None,
    ) -> Path:
        """Write an OVA of the release's VMDK, its descriptor changed, perhaps with another ``cert``."""
        disk, by = self.path(".vmdk"), says or signer()
        raw = hashlib.sha256(a_disk()).hexdigest()
        text = descriptor(Appliance("1.2.3", disk.name, disk.stat().st_size, identity=raw, tpm=tpm)).replace(*change)
        listed = manifest(
            [(f"{NAME}.ovf", hashlib.sha256(text.encode()).digest()), (disk.name, bytes.fromhex(sha256_of(disk)))]
        )
        if cert is None:
            cert = certificate(f"{NAME}.mf", listed, key=by.key, signer=by.certificate)
        texts = [(f"{NAME}.ovf", text), (f"{NAME}.mf", listed), (f"{NAME}.cert", cert)][: 3 if cert else 2]
        target = self.path("_tpm.ova" if tpm else ".ova")
        write_ova(target, texts=texts, disk=disk, mtime=5)
        return target


def release(folder: Path) -> Release:
    """Write one, in every format."""
    disk, made = a_disk(), Release(folder)
    write_zstd(made.path(".raw.zst"), disk)
    write_qcow2(made.path(".qcow2"), disk)
    write_vmdk(made.path(".vmdk"), disk)
    write_vhdx(made.path(".vhdx"), disk)
    made.describe(disk)
    for suffix, text in INVENTORY.documents("1.2.3").items():
        made.path(suffix).write_text(text)
    for tpm in (False, True):
        made.ova(tpm=tpm)
    made.seal()
    return made
