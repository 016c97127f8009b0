"""The archive is what VMware's tools read, and the same bytes for the same input."""

import re
import subprocess
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from image.ova import certificate, digest_of, manifest, write_ova

TEXTS = [("a.ovf", "<Envelope/>"), ("a.mf", "SHA256(a.ovf)= 00\n")]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Something in a disk's place."""
    path = tmp_path / "a.vmdk"
    path.write_bytes(bytes(range(256)) * 10)
    return path


def test_a_manifest_line_is_of_the_form_that_esxi_reads(disk: Path) -> None:
    """No space before the bracket, one after the sign; the digest is what openssl says."""
    line = manifest([("a.vmdk", digest_of(disk))])
    assert re.fullmatch(r"SHA256\(a\.vmdk\)= [0-9a-f]{64}\n", line)
    said = subprocess.run(["openssl", "dgst", "-sha256", str(disk)], capture_output=True, text=True, check=True).stdout
    assert said.split()[-1] in line


def test_the_descriptor_is_first_and_the_disk_last(disk: Path, tmp_path: Path) -> None:
    """Owner root, mode 0644, one time, plain ustar: what an importer that streams needs."""
    target = tmp_path / "a.ova"
    write_ova(target, texts=TEXTS, disk=disk, mtime=5)
    with tarfile.open(target) as archive:
        members = archive.getmembers()
        assert [member.name for member in members] == ["a.ovf", "a.mf", "a.vmdk"]
        assert {(member.uid, member.gid, member.mode, member.mtime) for member in members} == {(0, 0, 0o644, 5)}
        content = archive.extractfile("a.vmdk")
        assert content is not None
        assert content.read() == disk.read_bytes()


def test_two_archives_of_one_input_are_equal(disk: Path, tmp_path: Path) -> None:
    """Nothing of the moment gets in."""
    first, second = tmp_path / "1.ova", tmp_path / "2.ova"
    for target in (first, second):
        write_ova(target, texts=TEXTS, disk=disk, mtime=5)
    assert first.read_bytes() == second.read_bytes()


def test_openssl_verifies_the_certificate_file(tmp_path: Path) -> None:
    """The signature over the manifest, by the certificate that stands behind it."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Natalia development")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    signer = builder.sign(key, SHA256())
    text = manifest([("a.ovf", bytes(32))])
    head, _, pem = certificate("a.mf", text, key=key, signer=signer).partition("\n")
    assert x509.load_pem_x509_certificate(pem.encode()) == signer
    match = re.fullmatch(r"SHA256\(a\.mf\)= ([0-9a-f]+)", head)
    assert match is not None
    (tmp_path / "signature").write_bytes(bytes.fromhex(match[1]))
    (tmp_path / "key").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "a.mf").write_text(text)
    verify = ["openssl", "dgst", "-sha256", "-verify", "key", "-signature", "signature", "a.mf"]
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "a.mf").write_text(text.replace("a.ovf", "b.ovf"))
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, check=False).returncode == 1
