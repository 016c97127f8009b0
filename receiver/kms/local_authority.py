"""LOCAL FILE KEYS, for the demo and for small sites: the CA's keys lie in the state folder, readable by its owner.

Whoever can read the folder can issue certificates. A production receiver keeps the issuing key in a KMS or HSM behind
the same port; the root's key can be taken away here too (``local_rollover``).

The folder holds ``authority.json``, the ledger of the generations, and a folder for each. Only what the ledger names
counts, and the ledger is replaced as a whole: that is the moment at which a step of a rollover has happened.
"""

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from receiver.domain.authority_ledger import FIRST, Ledger
from receiver.domain.certificate_profile import issuing_builder, root_builder, subject
from receiver.errors import AuthorityOutdatedError, NotInitialisedError
from receiver.kms.durable import replace_private, sync_folder, write_private
from receiver.kms.generation_files import ROOT_KEY, GenerationFiles, key_to_pem, read_issuing_key

_LEDGER: Final = "authority.json"


@dataclass(frozen=True, slots=True)
class _Held:
    """What the files said."""

    seen: tuple[int, int, int]
    """Which ledger file it was."""
    generations: dict[int, GenerationFiles]
    issuing: GenerationFiles
    key: ec.EllipticCurvePrivateKey


class LocalFileAuthority:
    """Implements ``ports.CertificateAuthority``; P-256 throughout, keys as PEM files of mode 0600.

    Each property looks whether the ledger was replaced, so a switch counts from its moment on, also in a process that
    runs. ``sign`` does not look: it signs for the ``issuing`` that was read last.
    """

    def __init__(self, folder: Path) -> None:
        """Read ``folder``.

        Raises:
            NotInitialisedError: there is no authority in it, or it is not whole.
            AuthorityOutdatedError: it is of release 0.1.
        """
        self._folder = folder
        self._held = _read(folder)

    @property
    def anchors(self) -> list[x509.Certificate]:
        """All roots that are announced and trusted, newest last."""
        return [generation.root for generation in self._look().generations.values()]

    @property
    def issuing(self) -> x509.Certificate:
        """The certificate that issues leaves."""
        return self._look().issuing.issuing

    @property
    def chain(self) -> list[x509.Certificate]:
        """``issuing``, and the ladder down to the first root that ever was."""
        held = self._look()
        return [held.issuing.issuing, *held.issuing.ladder]

    @property
    def published(self) -> list[x509.Certificate]:
        """Roots, issuing certificates, the newest ladder, and what leads from a root to the one before it."""
        generations = self._look().generations
        own = [certificate for files in generations.values() for certificate in (files.root, files.issuing)]
        *_, newest = generations.values()
        # A bridge to a root that was retired would lead machines back to it.
        bridges = [files.old_with_new for number, files in generations.items() if number - 1 in generations]
        return [*own, *newest.ladder, *(bridge for bridge in bridges if bridge is not None)]

    def sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a leaf with the issuing key."""
        return builder.sign(self._held.key, SHA256())

    @classmethod
    def load(cls, folder: Path) -> "LocalFileAuthority":
        """Open the authority in ``folder``; raises as the constructor."""
        return cls(folder)

    @classmethod
    def ensure(cls, folder: Path, *, now: datetime) -> "LocalFileAuthority":
        """Open the authority; make it first where the folder has none. The folder appears whole or not at all."""
        if not folder.exists():
            fresh = folder.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(mode=0o700)
            _generate_first(fresh, now=now)
            fresh.rename(folder)
            sync_folder(folder.parent)
        return cls(folder)

    def _look(self) -> _Held:
        if _identify(self._folder) != self._held.seen:
            self._held = _read(self._folder)
        return self._held


def generation_folder(folder: Path, number: int) -> Path:
    """Where the files of a generation are."""
    return folder / f"{number:04}"


def read_ledger(folder: Path) -> Ledger:
    """Read the ledger. Raises as ``LocalFileAuthority``."""
    if (folder / "root.pem").exists():
        raise AuthorityOutdatedError("the certificate authority is one of release 0.1")
    try:
        return msgspec.json.decode((folder / _LEDGER).read_bytes(), type=Ledger)
    except (OSError, msgspec.MsgspecError):
        raise NotInitialisedError("the certificate authority's files cannot be read") from None


def write_ledger(folder: Path, ledger: Ledger) -> None:
    """Replace the ledger as a whole; raises ``OSError``."""
    replace_private(folder / _LEDGER, msgspec.json.encode(ledger))


def generate(
    number: int, *, now: datetime
) -> tuple[GenerationFiles, ec.EllipticCurvePrivateKey, ec.EllipticCurvePrivateKey]:
    """Make a generation that knows no other; give its certificates, the root's key and the issuing key."""
    root_key, issuing_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = root_builder(root_key.public_key(), name=subject(f"Natalia machine root {number}"), now=now)
    signed = root.sign(root_key, SHA256())
    name = subject(f"Natalia machine issuing {number}")
    issuing = issuing_builder(issuing_key.public_key(), name=name, root=signed, now=now).sign(root_key, SHA256())
    return GenerationFiles(root=signed, issuing=issuing, ladder=[], old_with_new=None), root_key, issuing_key


def _generate_first(folder: Path, *, now: datetime) -> None:
    number = FIRST.newest.number
    files, root_key, issuing_key = generate(number, now=now)
    own = generation_folder(folder, number)
    files.write(own, issuing_key=issuing_key)
    write_private(own / ROOT_KEY, key_to_pem(root_key))
    sync_folder(own)
    write_ledger(folder, FIRST)


def _read(folder: Path) -> _Held:
    """Read what the ledger names, and again where the ledger was replaced meanwhile: a folder may have gone with it."""
    while True:
        seen = _identify(folder)
        ledger = read_ledger(folder)
        try:
            folders = {entry.number: generation_folder(folder, entry.number) for entry in ledger.generations}
            generations = {number: GenerationFiles.read(path) for number, path in folders.items()}
            issuing = generations[ledger.issuing.number]
            key = read_issuing_key(folders[ledger.issuing.number], issuing=issuing.issuing)
        except NotInitialisedError:
            if _identify(folder) == seen:
                raise
            continue
        return _Held(seen=seen, generations=generations, issuing=issuing, key=key)


def _identify(folder: Path) -> tuple[int, int, int]:
    """Tell one ledger file from the next; each is a new file."""
    try:
        status = (folder / _LEDGER).stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_mtime_ns, status.st_size)
