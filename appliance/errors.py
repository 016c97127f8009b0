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


class SealedSecretMissingError(SealingError):
    """No secret of that name was sealed here."""

    code = "seal_secret_missing"
    hint = "Run `natalia-appliance enroll`, or restore the state directory."


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
    hint = "Make a new request with `natalia-appliance enroll --name` and have that one certified."


class CertificateUntrustedError(IdentityError):
    """The certificate does not verify up to the given trust anchors at this time."""

    code = "identity_untrusted"
    hint = "Check the machine's clock, and that certificate and trust anchors come from the same receiver."


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
