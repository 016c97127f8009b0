"""Where this machine's TLS key is made: in its TPM if that is the anchor and OpenSSL uses it there, else in software.

Rules: whether it can is tried with the key itself, each time that one is made; nothing is configured. A key that is
there stays where it is until its certificate is renewed.
"""

from appliance.machine_ports import KeptKey, MachineKeys
from appliance.ports import TPM_KEY, SecretBytes
from appliance.sealing.anchor import StateAnchor
from appliance.sealing.vtpm.sealer import VtpmSealer
from appliance.sealing.vtpm.tls_key import PROBE_HOST, VtpmKey
from appliance.tls_context import signs_handshakes


class TpmFirst:
    """Implements ``machine_ports.MachineKeys``."""

    def __init__(self, tcti: str, *, storage_key_name: bytes | None, software: MachineKeys) -> None:
        """Make keys in the TPM, else by ``software``; the other arguments as of ``vtpm.connection.connected``."""
        self._tcti = tcti
        self._storage_key_name = storage_key_name
        self._software = software

    def generate(self) -> KeptKey:
        """Make a fresh key.

        Raises:
            SealingError: the TPM, which is the anchor, does not work; software is no way round it.
        """
        key = VtpmKey.generate(self._tcti, storage_key_name=self._storage_key_name)
        if signs_handshakes(key.pem, key.own_certificate(), host=PROBE_HOST):
            return key
        return self._software.generate()

    def load(self, pem: SecretBytes) -> KeptKey:
        """Read a key of either kind; see ``machine_ports.MachineKeys``."""
        if pem.reveal().startswith(TPM_KEY):
            return VtpmKey.load(pem, self._tcti, storage_key_name=self._storage_key_name)
        return self._software.load(pem)


def keys_of(anchor: StateAnchor, *, software: MachineKeys) -> MachineKeys:
    """Give what makes keys on a machine with this anchor."""
    if not isinstance(anchor.sealer, VtpmSealer):
        return software
    tpm = anchor.record.way.tpm
    return TpmFirst(tpm, storage_key_name=anchor.sealer.storage_key_name, software=software)
