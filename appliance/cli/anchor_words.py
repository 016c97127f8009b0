"""What guards the secrets, and why it is not more: words for an installer, and the next step."""

from typing import Final

from appliance.sealing.anchor_record import WhyFile
from appliance.sealing.vtpm.level import Obstacle
from appliance.wire.batch import KeyProtection

PROTECTION_WORDS: Final[dict[str, str]] = {
    KeyProtection.FILE: "level 1 of 3: a file on this disk; whoever copies the whole disk has the key",
    KeyProtection.TPM: "level 2 of 3: bound to this machine's TPM",
    KeyProtection.TPM_MEASURED_BOOT: "level 3 of 3: bound to this machine's TPM and its signed software",
}
_REWRAP: Final = "stop the appliance and run `natalia-appliance rewrap`"
WHY_WORDS: Final[dict[str, str]] = {
    WhyFile.NO_TPM: f"No TPM answered when the secrets were sealed: give the VM a TPM, then {_REWRAP}.",
    WhyFile.ANCHORED_BEFORE: (
        f"The secrets were sealed before this release looked for a TPM: if the VM has one, {_REWRAP}."
    ),
    Obstacle.NO_UEFI: (
        f"The machine was not booted by UEFI: set the VM's firmware to UEFI with Secure Boot, then {_REWRAP}."
    ),
    Obstacle.SECURE_BOOT_OFF: f"Secure Boot is off: switch it on in the firmware, then {_REWRAP}.",
    Obstacle.NO_PCR_KEY: (
        f"The boot image brings no key of its vendor: boot the appliance's own image, then {_REWRAP}."
    ),
    Obstacle.NO_PCR_SIGNATURE: (
        f"The boot image brings no signature of what it measures: boot the appliance's own image, then {_REWRAP}."
    ),
    Obstacle.SEALED_BEFORE: f"The secrets were sealed before the machine booted signed software: {_REWRAP}.",
}


def key_sentence(*, in_tpm: bool) -> str:
    """Where the key of the machine's certificate lives."""
    return "The key lives in the TPM." if in_tpm else "The key is kept sealed, as the other secrets are."


def why_sentences(codes: list[str]) -> list[str]:
    """One sentence for each code, with what to do; a code of a newer release stands for itself."""
    return [WHY_WORDS.get(code, f"{code}: see the documentation of the release that recorded it.") for code in codes]
