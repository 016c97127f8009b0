"""The steps of a rollover of ``local_authority``: announce, switch, retire; and taking the roots' keys offline.

Rules: one step at a time, whatever process asks for it; each has happened when the ledger was replaced, and a cut
before leaves the authority as it was. What a cut left behind is cleared away by the next step. A key is taken from
the folder only when its copy on the medium was read back.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct

from receiver.domain import authority_ledger
from receiver.domain.authority_ledger import Generation, Ledger
from receiver.domain.certificate_profile import new_with_old_builder, old_with_new_builder
from receiver.errors import FileUnusableError, NotInitialisedError
from receiver.kms.durable import replace_private, sync_folder, write_private
from receiver.kms.generation_files import (
    ROOT_KEY,
    GenerationFiles,
    key_to_pem,
    read_root_key,
    root_key_name,
)
from receiver.kms.local_authority import generate, generation_folder, read_ledger, write_ledger


class GenerationView(Struct, frozen=True):
    """What an operator is shown of a generation."""

    entry: Generation
    root: x509.Certificate
    issuing: x509.Certificate
    root_key_is_here: bool


class LocalRollover:
    """The authority in one folder, for its operator."""

    def __init__(self, folder: Path) -> None:
        """Work on ``folder``."""
        self._folder = folder

    def show(self) -> list[GenerationView]:
        """List the generations, oldest first; raises ``NotInitialisedError``."""
        return [self._view(entry) for entry in read_ledger(self._folder).generations]

    def announce(self, *, now: datetime, root_keys: Path | None = None) -> GenerationView:
        """Make the next generation, which is trusted and told from now on, and issues nothing yet.

        Args:
            now: the time.
            root_keys: the medium with the keys of the roots, where they were taken offline; the new one goes there.

        Raises:
            RolloverRefusedError: one is announced already.
            RootKeyMissingError: the newest root's key is not there.
            FileUnusableError: the folder or the medium cannot be written.
        """
        with self._step() as ledger:
            after = authority_ledger.announce(ledger)
            number = after.newest.number
            files, root_key, issuing_key = generate(number, now=now)
            old = GenerationFiles.read(generation_folder(self._folder, ledger.newest.number))
            old_key = read_root_key(self._root_key(ledger.newest.number, old.root, root_keys), root=old.root)
            files = _vouch(files, key=root_key, old=old, old_key=old_key, now=now)
            own = generation_folder(self._folder, number)
            files.write(own, issuing_key=issuing_key)
            kept_at = own / ROOT_KEY if root_keys is None else root_keys / root_key_name(files.root)
            write_private(kept_at, key_to_pem(root_key))
            sync_folder(kept_at.parent)
            sync_folder(self._folder)
            write_ledger(self._folder, after)
            return self._view(after.newest)

    def switch(self, *, now: datetime) -> GenerationView:
        """Let the announced generation issue from now on; raises ``RolloverRefusedError`` where there is none."""
        with self._step() as ledger:
            files = GenerationFiles.read(generation_folder(self._folder, ledger.newest.number))
            bridge = files.old_with_new
            after = authority_ledger.switch(
                ledger, now=now, bridge_ends_at=now if bridge is None else bridge.not_valid_after_utc
            )
            write_ledger(self._folder, after)
            return self._view(after.issuing)

    def retire(self, *, now: datetime) -> int:
        """Drop the oldest generation, its issuing key included; give its number.

        Raises:
            RolloverRefusedError: it has not gone out, or something that it issued may still be valid.
        """
        with self._step() as ledger:
            write_ledger(self._folder, authority_ledger.retire(ledger, now=now))
            self._clear(read_ledger(self._folder))
            return ledger.generations[0].number

    def take_offline(self, medium: Path) -> list[Path]:
        """Move the keys of all roots to ``medium``; give their files there. What has gone already stays gone.

        Raises:
            FileUnusableError: the medium cannot be written; every key is still here or there.
            RootKeyMissingError: a copy cannot be read back.
        """
        with self._step() as ledger:
            moved = []
            for entry in ledger.generations:
                own = generation_folder(self._folder, entry.number)
                here, root = own / ROOT_KEY, GenerationFiles.read(own).root
                if here.exists():
                    there = medium / root_key_name(root)
                    replace_private(there, key_to_pem(read_root_key(here, root=root)))
                    read_root_key(there, root=root)
                    here.unlink()
                    sync_folder(own)
                    moved.append(there)
            return moved

    def _view(self, entry: Generation) -> GenerationView:
        own = generation_folder(self._folder, entry.number)
        files = GenerationFiles.read(own)
        here = (own / ROOT_KEY).exists()
        return GenerationView(entry=entry, root=files.root, issuing=files.issuing, root_key_is_here=here)

    def _root_key(self, number: int, root: x509.Certificate, root_keys: Path | None) -> Path:
        if root_keys is None:
            return generation_folder(self._folder, number) / ROOT_KEY
        return root_keys / root_key_name(root)

    @contextmanager
    def _step(self) -> Iterator[Ledger]:
        """Give the ledger, and keep other steps out, until the block ends."""
        try:
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            raise NotInitialisedError("the certificate authority's files cannot be read") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            ledger = read_ledger(self._folder)
            self._clear(ledger)
            yield ledger
        except OSError:
            raise FileUnusableError("the certificate authority's folder, or the medium, cannot be written") from None
        finally:
            os.close(descriptor)

    def _clear(self, ledger: Ledger) -> None:
        """Take away the folders of generations that the ledger does not name."""
        named = {generation_folder(self._folder, entry.number) for entry in ledger.generations}
        for path in self._folder.iterdir():
            if re.fullmatch(r"[0-9]{4}", path.name) and path not in named:
                shutil.rmtree(path)


def _vouch(
    files: GenerationFiles,
    *,
    key: ec.EllipticCurvePrivateKey,
    old: GenerationFiles,
    old_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> GenerationFiles:
    """Add the cross-certificates in both directions; a root that has ended can vouch for nothing."""
    if old.root.not_valid_after_utc <= now:
        return files
    rung = new_with_old_builder(files.root, old=old.root, now=now).sign(old_key, SHA256())
    bridge = old_with_new_builder(old.root, new=files.root, now=now).sign(key, SHA256())
    ladder = [rung, *(other for other in old.ladder if other.not_valid_after_utc > now)]
    return GenerationFiles(root=files.root, issuing=files.issuing, ladder=ladder, old_with_new=bridge)
