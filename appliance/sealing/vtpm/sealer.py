"""Anchor levels 2 and 3: secrets are sealed under a root that only this machine's TPM gives out.

Rules: a TPM holds 32 bytes well and a settings file not at all, so it seals a root, and blobs are sealed under that
(``sealed_blob``). The root stays; ``reseal`` seals it anew, and the TPM's counter then retires the anchor before.
Level 3 is what a first start or a ``reseal`` finds possible; a start that shows less than the anchor was sealed to is
refused. Nothing falls back by itself, and only ``recover`` uses the customer's recovery key.

What it does not protect against: whoever runs the hypervisor; a clone of the machine together with its TPM, which
opens everything (the receiver sees two of one); at level 2, other software booted on this machine; at level 3, an old
release, which the vendor's signature still covers; an older blob put back under an anchor of now.
"""

import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from msgspec import structs

from appliance.errors import (
    AnchorLoweredError,
    PolicyKeyError,
    SealAnchorError,
    SealedBlobRetiredError,
    TpmPolicyError,
    TpmReplacedError,
)
from appliance.ports import Clock, SecretBytes
from appliance.sealing import tpm_policy
from appliance.sealing.boot_state import BootState
from appliance.sealing.durable import SYSTEM_DISK, Disk
from appliance.sealing.sealed_blob import BlobSealer
from appliance.sealing.tpm_policy import KERNEL_PCR, PublicKey, Signer
from appliance.sealing.vtpm.anchor import Anchor, PolicyKind
from appliance.sealing.vtpm.anchor_folder import AnchorFolder
from appliance.sealing.vtpm.connection import Tpm, connected, patiently
from appliance.sealing.vtpm.counter import COUNTER_INDEX, Counter, count_up, read_counter
from appliance.sealing.vtpm.level import Level, Obstacle, obstacles
from appliance.sealing.vtpm.sealed_root import loaded, open_root, recover_root, seal_root
from appliance.wire.batch import KeyProtection

_ROOT_BYTES: Final = 32


class VtpmSealer(BlobSealer):
    """Implements ``ports.SecretSealer``; ``VtpmAnchor`` gives one, and the TPM is not asked again."""

    def __init__(self, root: SecretBytes, *, level: Level, storage_key_name: bytes) -> None:
        """Seal under ``root``, 32 bytes, that a TPM guards.

        Args:
            root: what the TPM gave out.
            level: what guards it.
            storage_key_name: the TPM's, pinned.
        """
        # One anchor for both levels: a root that is lifted to the higher one still opens the blobs of before.
        super().__init__(root, KeyProtection.TPM)
        self.level: Final = level
        self.storage_key_name: Final = storage_key_name

    @property
    def key_protection(self) -> KeyProtection:
        """Level 2 or 3."""
        return self.level.key_protection


class VtpmAnchor:
    """The anchor of this machine: a folder, a TPM, and what was booted."""

    def __init__(
        self,
        directory: Path,
        *,
        tcti: str,
        boot: BootState,
        clock: Clock,
        recovery_key: bytes | None = None,
        disk: Disk = SYSTEM_DISK,
    ) -> None:
        """Name it all; nothing is asked yet.

        Args:
            directory: a folder of anchors alone, made 0700.
            tcti: how the TPM is reached, as ``device:/dev/tpmrm0``.
            boot: how the machine was booted.
            clock: says when an anchor was made.
            recovery_key: the customer's public key, PEM; goes into what is sealed from now on, in place of another.
            disk: where the folder lies.

        Raises:
            PolicyKeyError: a key cannot stand in a policy.
        """
        self._folder = AnchorFolder(directory, disk=disk)
        self._tcti = tcti
        self._boot = boot
        self._clock = clock
        self._recovery = None if recovery_key is None else tpm_policy.read_public_key(recovery_key)
        self._vendor = None if obstacles(boot) else _vendor_key(boot)

    def open(self) -> VtpmSealer:
        """Open the anchor; make it, once, if there is none.

        Raises:
            TpmMissingError: no TPM answers.
            TpmReplacedError: it is not the TPM of this anchor, or one set back to an older state.
            TpmPolicyError: other software was booted than the anchor is sealed to.
            TpmSignatureForgedError: the signature of what was booted is not the vendor's.
            AnchorLoweredError: the anchor is of level 3, and this boot shows less.
            SealedBlobRetiredError: an older anchor was put back.
            SealAnchorError: no anchor of a version that this release reads.
            SealedBlobTamperedError: the anchor was altered.
            SealDiskError: the disk refuses.
            SealingError: the TPM refuses for another reason, by class.
        """
        with self._folder.work():
            anchors = self._folder.read()
            return patiently(lambda: self._open(anchors) if anchors else self._make())

    def reseal(self) -> VtpmSealer:
        """Seal the root anew, at the best level that this boot shows, and retire the anchor before.

        Raises:
            SealAnchorError: there is none yet.
            SealingError: as ``open``; one of the two anchors still opens.
        """
        with self._folder.work():
            self._known_anchors()
            return patiently(self._reseal)

    def recover(self, sign: Signer) -> VtpmSealer:
        """Open the anchor by the customer's recovery key, whatever was booted, and seal the root anew to that.

        Args:
            sign: signs with the private half of ``recovery_key`` (``tpm_policy.read_signer``).

        Raises:
            PolicyKeyError: the recovery key is not the one that the anchor was sealed with.
            TpmSignatureForgedError: ``sign`` used another key.
            SealingError: as ``open``.
        """
        with self._folder.work():
            anchor = self._known_anchors()[0]
            key = self._recovery
            if key is None or tpm_policy.key_name(key) != anchor.recovery_key:
                raise PolicyKeyError("not the recovery key that the anchor was sealed with")
            return patiently(lambda: self._recover(anchor, key, sign))

    def _known_anchors(self) -> list[Anchor]:
        anchors = self._folder.read()
        if not anchors:
            raise SealAnchorError("there is no anchor yet")
        return anchors

    def _make(self) -> VtpmSealer:
        with connected(self._tcti) as tpm:
            counter = read_counter(tpm) or count_up(tpm)
            root = SecretBytes(os.urandom(_ROOT_BYTES))
            anchor = self._sealed(tpm, root, counter.value)
            self._root(tpm, anchor, counter)
            self._folder.create(anchor)
        return self._sealer(root, anchor)

    def _open(self, anchors: list[Anchor]) -> VtpmSealer:
        with connected(self._tcti, storage_key_name=anchors[0].storage_key) as tpm:
            anchor, counter = _fitting(tpm, anchors)
            return self._sealer(self._root(tpm, anchor, counter), anchor)

    def _reseal(self) -> VtpmSealer:
        anchors = self._known_anchors()
        with connected(self._tcti, storage_key_name=anchors[0].storage_key) as tpm:
            anchor, counter = _fitting(tpm, anchors)
            root = self._root(tpm, anchor, counter)
            # It may be the next one of a reseal that was cut off, in the place where another next one goes now.
            self._folder.promote(anchor)
            return self._advance(tpm, root, counter, anchor)

    def _recover(self, anchor: Anchor, key: PublicKey, sign: Signer) -> VtpmSealer:
        with connected(self._tcti, storage_key_name=anchor.storage_key) as tpm:
            root = recover_root(tpm, anchor, key=key, sign=sign)
            return self._advance(tpm, root, read_counter(tpm) or count_up(tpm), anchor)

    def _advance(self, tpm: Tpm, root: SecretBytes, counter: Counter, before: Anchor) -> VtpmSealer:
        """Seal for the next count, and only then count. After each step an anchor on the disk fits the counter.

        The next one is loaded before, and has opened before it comes into use (its MAC shows that to the same root).
        """
        following = self._sealed(tpm, root, counter.value + 1, recovery_key=before.recovery_key)
        with loaded(tpm, following):
            pass
        self._folder.prepare(following)
        self._root(tpm, following, count_up(tpm))
        self._folder.promote(following)
        return self._sealer(root, following)

    def _sealed(self, tpm: Tpm, root: SecretBytes, count: int, *, recovery_key: bytes | None = None) -> Anchor:
        """Seal the root at a count; without a recovery key of now, that of before goes on."""
        if self._recovery is not None:
            recovery_key = tpm_policy.key_name(self._recovery)
        anchor = Anchor(
            version=1,
            anchor="tpm",
            storage_key=tpm.storage_key_name,
            policy=PolicyKind.TPM if self._vendor is None else PolicyKind.SIGNED_PCR,
            policy_key=None if self._vendor is None else tpm_policy.key_name(self._vendor),
            pcrs=[] if self._vendor is None else [KERNEL_PCR],
            recovery_key=recovery_key,
            counter_index=COUNTER_INDEX,
            counter=count,
            public=b"",
            private=b"",
            key_id=BlobSealer(root, KeyProtection.TPM).key_id,
            created_at=self._clock.now(),
        )
        public, private = seal_root(tpm, root, anchor.policy_digest)
        return structs.replace(anchor, public=public, private=private).authenticated(root)

    def _root(self, tpm: Tpm, anchor: Anchor, counter: Counter) -> SecretBytes:
        measured = anchor.policy is PolicyKind.SIGNED_PCR
        if measured and self._vendor is None:
            raise AnchorLoweredError(
                f"the anchor is of level 3, and this boot shows: {', '.join(obstacles(self._boot))}"
            )
        if measured and self._vendor and tpm_policy.key_name(self._vendor) != anchor.policy_key:
            raise TpmPolicyError("what was booted is of another vendor")
        signatures = tpm_policy.read_signatures(self._boot.signatures or b"{}") if measured else []
        return open_root(tpm, anchor, counter, vendor=self._vendor if measured else None, signatures=signatures)

    def _sealer(self, root: SecretBytes, anchor: Anchor) -> VtpmSealer:
        measured = anchor.policy is PolicyKind.SIGNED_PCR
        hindered = () if measured else obstacles(self._boot) or (Obstacle.SEALED_BEFORE,)
        level = Level(anchor.key_protection, hindered)
        return VtpmSealer(root, level=level, storage_key_name=anchor.storage_key)


def _vendor_key(boot: BootState) -> RSAPublicKey:
    key = tpm_policy.read_public_key(boot.public_key or b"")
    if not isinstance(key, RSAPublicKey):
        raise PolicyKeyError("the vendor's key is not RSA")
    return key


def _fitting(tpm: Tpm, anchors: list[Anchor]) -> tuple[Anchor, Counter]:
    """The anchor that the TPM's counter lets open."""
    counter = read_counter(tpm)
    if counter is None:
        raise TpmReplacedError("the TPM has lost the counter that the anchor is sealed to")
    for anchor in anchors:
        if anchor.counter == counter.value:
            return anchor, counter
    if anchors[0].counter > counter.value:
        raise TpmReplacedError("the TPM was set back to a state from before the anchor was sealed")
    raise SealedBlobRetiredError("the anchor was sealed before the TPM's counter went on")
