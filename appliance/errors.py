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


class BufferFullError(RetryableError):
    """The buffer's byte cap is reached; sources pause until acknowledgements free space."""

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


class IdentityError(ApplianceError):
    """The machine has no usable certificate."""

    code = "identity_unusable"
    hint = "Run `natalia-appliance enroll`."


class UplinkError(ApplianceError):
    """The receiver refused a request for good."""

    code = "uplink_refused"
    hint = "See the problem code; the batch is set aside and counted in `status`."


class UplinkUnavailableError(RetryableError):
    """The receiver cannot be reached or is not ready."""

    code = "uplink_unavailable"
    hint = "Nothing to do: delivery is tried again by itself."


class UplinkUntrustedError(UplinkUnavailableError):
    """The peer's certificate does not verify against the product's own trust anchors. There is no option to skip."""

    code = "uplink_untrusted"
    hint = "Check the receiver's address and that no proxy opens TLS on the way."
