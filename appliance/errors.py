"""One tree of errors. Each carries a stable ``code`` and a ``hint`` with the operator's next step.

Whether trying again can help is decided by type (``RetryableError``), never by reading a message. No message holds
a phone digit, a name, a secret or a line of a feed.
"""

from typing import ClassVar


class ApplianceError(Exception):
    """Root of what this package raises on purpose."""

    code: ClassVar[str] = "appliance_error"
    hint: ClassVar[str] = "See the log line with this code."


class RetryableError(ApplianceError):
    """The same step may succeed later without anybody doing anything."""

    code = "retryable"


class SettingsError(ApplianceError):
    """A settings file that cannot be used; lists every mistake at once, each with its option's path."""

    code = "settings_invalid"
    hint = "Correct the options listed above; docs/reference/settings.md describes each."

    def __init__(self, mistakes: list[str]) -> None:
        """Keep the mistakes, each ``path.of.option: what is wrong``."""
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


class UnknownDialectError(ApplianceError):
    """No dialect has that name."""

    code = "dialect_unknown"
    hint = "`natalia-appliance dialects` lists the names."


class SourceError(RetryableError):
    """A feed cannot be read now."""

    code = "source_unreadable"
    hint = "Check that the feed's file exists and that the appliance may read it."


class BufferUnusableError(ApplianceError):
    """The buffer cannot be used."""

    code = "buffer_unusable"
    hint = "Run `natalia-appliance buffer stats`; see docs/operations/buffer.md."


class BufferCorruptError(BufferUnusableError):
    """The database file is damaged: a failing disk, or somebody wrote to it."""

    code = "buffer_corrupt"
    hint = "At its next start the appliance saves what can be read; check the disk. `buffer fsck` does it by hand."


class BufferFullError(RetryableError):
    """The buffer's cap is reached or the disk is full; sources pause until acknowledgements free space."""

    code = "buffer_full"
    hint = "Restore the link to the receiver; the buffer drains by itself."


class BufferTamperError(BufferUnusableError):
    """A stored blob does not authenticate: altered, swapped, or of another appliance."""

    code = "buffer_tampered"
    hint = "The blob was set aside; the records in it may be read again from the PBX."


class SealingError(ApplianceError):
    """A sealed secret cannot be opened."""

    code = "seal_unusable"
    hint = "This machine is not the one that sealed the secret, or its file was altered; enrol again."


class SealAnchorError(SealingError):
    """The anchor that all sealed secrets hang on cannot be read or made."""

    code = "seal_anchor_unusable"
    hint = "Restore the state directory's anchor folder; without it the sealed secrets stay closed."


class AnchorInUseError(SealingError):
    """The sealed secrets cannot be moved to another anchor while somebody uses them, nor used while they are moved."""

    code = "seal_anchor_in_use"
    hint = "Stop the appliance and every other command of it; then try again."


class SealedSecretMissingError(SealingError):
    """No secret of that name was sealed here."""

    code = "seal_secret_missing"
    hint = "Run `natalia-appliance enroll`, or restore the state directory."


class SealedSettingsMissingError(SealedSecretMissingError):
    """No settings are sealed in the state directory."""

    code = "seal_settings_missing"
    hint = "Run `natalia-appliance settings seal FILE --state DIR` first, or name the file with --settings."


class SealedBlobFormatError(SealingError):
    """The stored bytes are not a sealed blob of a version that this release reads."""

    code = "seal_blob_format"
    hint = "Restore the file from the state directory's last good copy; a newer release may have written it."


class SealedBlobTamperedError(SealingError):
    """A blob of this machine does not authenticate: it was altered."""

    code = "seal_blob_tampered"
    hint = "Find out who wrote to the state directory; then restore it or enrol again."


class SealedPurposeError(SealingError):
    """A blob was sealed for another purpose: files were swapped."""

    code = "seal_purpose_mismatch"
    hint = "Find out who wrote to the state directory; then restore it or enrol again."


class WrongMachineError(SealingError):
    """Another machine, or another anchor, sealed the blob."""

    code = "seal_wrong_machine"
    hint = "Move the state directory back to its machine, or enrol this machine by itself."


class SealDiskError(SealingError):
    """The disk refuses to keep a sealed secret: full, read-only or failing. The secret before is still there."""

    code = "seal_disk_refused"
    hint = "Free or replace the disk of the state directory; nothing that was sealed is lost."


class TpmMissingError(SealingError):
    """No TPM answers: none is there, its driver or TCTI library is missing, or the account may not open it."""

    code = "seal_tpm_missing"
    hint = "Give the VM its TPM back, and the account the group `tss`; secrets sealed to it open nowhere else."


class TpmReplacedError(SealingError):
    """This TPM is not the one that sealed the secrets: another machine, a new TPM, or one that lost its state."""

    code = "seal_tpm_replaced"
    hint = "Move the disk back to its machine, or enrol anew and `restore` the tenant secret from its escrow."


class TpmPolicyError(SealingError):
    """The machine booted other software than the secrets are sealed to, and no signature allows it."""

    code = "seal_policy_failed"
    hint = "Boot a release that the vendor signed, with Secure Boot as it was; or use the recovery key."


class TpmSignatureForgedError(SealingError):
    """The signature that is to allow this software is not of the vendor's key."""

    code = "seal_pcr_signature_forged"
    hint = "Somebody replaced the boot files. Boot a release that the vendor signed and find out who wrote there."


class SealedBlobRetiredError(SealingError):
    """An old sealed blob was put back: the TPM's counter has gone on since."""

    code = "seal_blob_retired"
    hint = "Restore the newest state directory; a snapshot from before the last sealing does not open."


class TpmLockoutError(SealingError):
    """The TPM is in lockout after wrong authorisations or unclean stops; it recovers by itself with time."""

    code = "seal_tpm_lockout"
    hint = "Leave the machine on and wait; secrets of this product do not need the lockout to end."


class TpmAuthorisationError(SealingError):
    """The TPM refused an authorisation; it is never tried again, which would lock the TPM."""

    code = "seal_tpm_auth_refused"
    hint = "Somebody set a password in this TPM. Clear it in the firmware, enrol anew and `restore` from escrow."


class TpmBusyError(SealingError, RetryableError):
    """The TPM's state changed within an operation, or its slots are taken, also after several tries."""

    code = "seal_tpm_busy"
    hint = "Try again; if it stays, restart the machine."


class TpmFailedError(SealingError):
    """The TPM refused in a way that this release does not know."""

    code = "seal_tpm_failed"
    hint = "Restart the machine; if it stays, send the response code to support."


class AnchorLoweredError(SealingError):
    """The secrets were sealed under a better anchor than the one that is there now; nothing falls back by itself."""

    code = "seal_anchor_lowered"
    hint = "Give the machine its TPM and Secure Boot back; or enrol anew and `restore` from escrow, knowingly."


class PolicyKeyError(SealingError):
    """A key that cannot stand in a TPM policy, or is another one than the policy's."""

    code = "seal_policy_key_invalid"
    hint = "Give the key as PEM: RSA with 2048 bits, or for the recovery key also P-256; the one that was sealed with."


class PassphraseError(SealingError):
    """The anchor needs a passphrase, and the one given is none or a wrong one."""

    code = "seal_passphrase_wrong"
    hint = "Correct the passphrase file that the settings name."


class TenantSecretConflictError(SealingError):
    """Another tenant secret is in use here; replacing it would cut the pseudonyms off from their past."""

    code = "tenant_secret_conflict"
    hint = "Use a fresh state directory for another tenant, or restore the escrow of this one."


class IdentityError(ApplianceError):
    """The machine has no usable certificate."""

    code = "identity_unusable"
    hint = "Run `natalia-appliance enroll`."


class NotEnrolledError(IdentityError):
    """The machine has no certificate yet, or no key waits for one."""

    code = "identity_not_enrolled"


class IdentityMismatchError(IdentityError):
    """Certificate, key, name and tenant do not belong together."""

    code = "identity_mismatch"
    hint = "Ask for a new invitation of the same appliance; another one needs a fresh state directory."


class TpmKeyUnusableError(IdentityError):
    """The key lives in the TPM, and OpenSSL does not get at it."""

    code = "identity_tpm_key_unusable"
    hint = "Check that the TPM answers and that OpenSSL's provider for it (tpm2-openssl, OPENSSL_CONF) is active."


class CertificateUntrustedError(IdentityError):
    """The certificate does not verify up to the given trust anchors at this time."""

    code = "identity_untrusted"
    hint = "Check the machine's clock, and that certificate and trust anchors come from the same receiver."


class ClockOffError(CertificateUntrustedError):
    """By this machine's clock a certificate is not valid yet, or not any more."""

    code = "clock_off"
    hint = "Set the machine's clock, or let it reach a time server; then try again. Nothing was used up."


class EnrollmentError(IdentityError):
    """The receiver does not enrol this machine."""

    code = "enrollment_refused"
    hint = "Ask the receiver's operator for a new invitation."


class InvitationDamagedError(EnrollmentError):
    """The invitation's file is damaged or not of a version that this release reads."""

    code = "invitation_damaged"
    hint = "Copy the invitation again, whole, as `natalia-receiver appliance invite` gave it."


class AlreadyEnrolledError(EnrollmentError):
    """This machine has its certificate, and renews it by itself."""

    code = "already_enrolled"
    hint = "Nothing to do; the receiver was not asked. If it has revoked the certificate, add `--again`."


class InvitationUnknownError(EnrollmentError):
    """The receiver does not know the invitation: another receiver's or tenant's, or withdrawn."""

    code = "invitation_unknown"


class InvitationExpiredError(EnrollmentError):
    """The invitation is older than 24 hours."""

    code = "invitation_expired"


class InvitationUsedError(EnrollmentError):
    """Another machine has used the invitation."""

    code = "invitation_used"
    hint = "If you did not use it yourself, tell the receiver's operator at once; then ask for a new invitation."


class EvidenceRefusedError(EnrollmentError):
    """The receiver does not believe what this machine says of itself."""

    code = "evidence_invalid"
    hint = "Restart the machine and try again; if it stays, its TPM does not work as the standard says."


class QuarantinedError(EnrollmentError):
    """The receiver takes this machine for a copy of another; an administrator of the tenant must decide."""

    code = "appliance_quarantined"
    hint = "Ask an administrator of the tenant: `natalia-receiver appliance alarms` shows why."


class ApprovalPendingError(EnrollmentError, RetryableError):
    """An administrator of the tenant must agree first."""

    code = "approval_pending"
    hint = "Ask an administrator of the tenant for `natalia-receiver appliance approve`; it is asked again by itself."


class EnrollmentUnavailableError(EnrollmentError, RetryableError):
    """The receiver cannot be reached, or is not ready."""

    code = "enrollment_unavailable"
    hint = "Check address, network and name resolution; then try again. The invitation is not used up."

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        """Keep how long the receiver asked to wait, where it said so."""
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ReceiverUntrustedError(EnrollmentUnavailableError):
    """Who answers at the receiver's address has no certificate that leads to the trust anchors."""

    code = "enrollment_untrusted"
    hint = "Check the receiver's address, and that no proxy opens TLS on the way. The invitation is not used up."


class UplinkError(ApplianceError):
    """The receiver refused a request for good."""

    code = "uplink_refused"
    hint = "See the problem code; the batch is set aside and counted in `status`."

    def __init__(self, message: str, *, problem_code: str) -> None:
        """Keep the problem's permanent code; ``http_<status>`` where the answer was no problem document."""
        super().__init__(message)
        self.problem_code = problem_code


class UplinkUnavailableError(RetryableError):
    """The receiver cannot be reached or is not ready."""

    code = "uplink_unavailable"
    hint = "Nothing to do: delivery is tried again by itself."

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        """Keep how long the receiver asked to wait, where it said so."""
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UplinkUntrustedError(UplinkUnavailableError):
    """The peer's certificate does not verify against the product's own trust anchors. There is no option to skip."""

    code = "uplink_untrusted"
    hint = "Check the receiver's address and that no proxy opens TLS on the way."


class CertificateRefusedError(UplinkUnavailableError):
    """The receiver does not take this machine's certificate: ended, revoked, or of a machine in quarantine."""

    code = "uplink_certificate_refused"
    hint = "The machine asks for another by itself; `status` says what hinders it. Nothing that waits is lost."
