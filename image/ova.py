"""The OVA: descriptor first, manifest in VMware's own form, certificate, disk; the same bytes for the same input.

The manifest's lines are ``SHA256(name)= hex``, no space before the bracket and one after the sign: what ESXi reads, and
what coreutils and openssl write otherwise. The certificate signs the manifest and stands behind it (OVF 1.1, 6).
"""

import hashlib
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

MODE: Final = 0o644


def manifest(files: Sequence[tuple[str, bytes]]) -> str:
    """Give the manifest of files and their SHA-256 digests."""
    return "".join(f"SHA256({name})= {digest.hex()}\n" for name, digest in files)


def certificate(name: str, text: str, *, key: rsa.RSAPrivateKey, signer: x509.Certificate) -> str:
    """Give the ``.cert`` file of the manifest ``name``: an RSA PKCS #1 v1.5 signature, then the certificate."""
    signature = key.sign(text.encode("ascii"), padding.PKCS1v15(), SHA256())
    return f"SHA256({name})= {signature.hex()}\n{signer.public_bytes(Encoding.PEM).decode('ascii')}"


def digest_of(path: Path) -> bytes:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def write_ova(target: Path, *, texts: Sequence[tuple[str, str]], disk: Path, mtime: int) -> None:
    """Write the archive: ``texts`` in order, the descriptor first, then the disk.

    Args:
        target: replaced.
        texts: names and contents.
        disk: its name in the archive is its own.
        mtime: of every member, seconds since 1970.
    """
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in texts:
            content = text.encode("utf-8")
            archive.addfile(_member(name, len(content), mtime), io.BytesIO(content))
        with disk.open("rb") as file:
            archive.addfile(_member(disk.name, disk.stat().st_size, mtime), file)


def _member(name: str, size: int, mtime: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, mtime, MODE
    return member
