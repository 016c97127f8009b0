"""Opens a TPM's anchor by the customer's recovery key, where what was booted does not open it.

Whoever has the key and the machine can lower the level with it, so it lies in the customer's safe and comes to the
machine for this step alone. The secrets stay the same, and the root is sealed anew to what is booted now.
"""

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from appliance.errors import SealAnchorError
from appliance.sealing.anchor import AnchorFiles, why_not_higher
from appliance.sealing.anchor_record import AnchorRecord, read_record
from appliance.sealing.tpm_policy import read_signer
from appliance.wire.batch import KeyProtection


def recover(files: AnchorFiles, key: bytes) -> AnchorRecord:
    """Have the TPM open the root by the recovery key, and seal it anew; give the anchor's record after it.

    Args:
        files: the anchor.
        key: the recovery key's private half, PEM without a passphrase.

    Raises:
        AnchorInUseError: the appliance or one of its commands has the secrets in use.
        SealAnchorError: there is no anchor, or it is a file.
        PolicyKeyError: no such key, or not the one that the anchor was sealed with.
        SealingError: as ``VtpmAnchor.recover``.
    """
    sign = read_signer(key)
    public = load_pem_private_key(key, password=None).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with files.alone():
        record = read_record(files.directory)
        if record is None or record.protection is KeyProtection.FILE:
            raise SealAnchorError("the anchor is not in a TPM, so no recovery key opens it")
        sealer = files.tpm(record.way, recovery_key=pem).recover(sign)
        record.verify(sealer)
        return files.record(sealer, record.way, why_not_higher(sealer))
