"""Moves all secrets of a state directory from the file anchor into the TPM's keeping; they themselves stay the same.

Order: every secret is sealed under the TPM beside its old blob, read back from the disk and opened; then the record
names the TPM, in one step; then the new blobs take the place of the old ones, and the file anchor is destroyed. Up to
the record the file opens everything, from the record on the TPM does, and the next opening (``anchor``) or the next
``rewrap`` goes on where a power cut ended it.

Where the TPM is the anchor already, the root is sealed anew instead: at the best level that this boot shows, and so
that an older copy of the anchor does not open any more. There is no way from the TPM back to a file.
"""

import hmac
import os

from appliance.errors import SealedBlobTamperedError
from appliance.ports import SecretSealer
from appliance.sealing.anchor import REWRAPPED, AnchorFiles, StateAnchor, read_recovery_key, why_not_higher
from appliance.sealing.anchor_record import AnchorRecord, AnchorWay
from appliance.sealing.durable import read_from_disk, remove_file, replace_file
from appliance.sealing.secret_store import SecretStore
from appliance.wire.batch import KeyProtection


def rewrap(files: AnchorFiles, way: AnchorWay | None = None) -> AnchorRecord:
    """Have the TPM guard the secrets; give the anchor's record after it.

    Raises:
        AnchorInUseError: the appliance or one of its commands has the secrets in use.
        TpmMissingError: no TPM answers; nothing was changed.
        SealingError: a secret does not open, or cannot be kept; either anchor still opens everything that it did.
    """
    anchor = files.open(way, alone=True)
    try:
        way = way or anchor.record.way
        tpm = files.tpm(way, recovery_key=read_recovery_key(way))
        if anchor.key_protection is not KeyProtection.FILE:
            lifted = tpm.reseal()
            return files.record(lifted, anchor.record.way, why_not_higher(lifted))
        sealer = tpm.open()
        _seal_beside(files, anchor, sealer)
        record = files.record(sealer, anchor.record.way, why_not_higher(sealer))
        files.finish_rewrap()
        return record
    finally:
        anchor.close()


def _seal_beside(files: AnchorFiles, anchor: StateAnchor, sealer: SecretSealer) -> None:
    store = SecretStore(files.secrets, anchor, disk=files.disk)
    names = store.names()
    for name in names:
        path = files.secrets / f"{name}{REWRAPPED}"
        secret = store.get(name)
        with files.named_errors():
            replace_file(path, sealer.seal(secret, purpose=name), disk=files.disk)
            # The age of a key says when it is to be renewed.
            os.utime(path, (store.written_at(name),) * 2)
            opened = sealer.unseal(read_from_disk(path), purpose=name)
        if not hmac.compare_digest(opened.reveal(), secret.reveal()):
            raise SealedBlobTamperedError(f"secret {name!r} does not open to what was sealed")
    with files.named_errors():
        for left in files.secrets.glob(f"*{REWRAPPED}"):
            if left.stem not in names:  # of a rewrap that was cut off before the secret was discarded
                remove_file(left, disk=files.disk)
