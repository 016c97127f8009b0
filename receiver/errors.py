"""One tree of errors. Each carries a stable ``code`` and a ``hint`` with the next step.

Commands print code, message and hint; the HTTP side turns a ``ProblemError`` into a problem document. No message
holds a phone digit, a name, a secret or any value of a request.
"""

from typing import ClassVar

from appliance.wire.problem import ProblemCode


class ReceiverError(Exception):
    """Root of what this package raises on purpose."""

    code: ClassVar[str] = "receiver_error"
    hint: ClassVar[str] = "See the log line with this code."


class SettingsError(ReceiverError):
    """Settings that cannot be used; lists every mistake at once, each with its option's path."""

    code = "settings_invalid"
    hint = "Correct the options listed above in receiver.toml."

    def __init__(self, mistakes: list[str]) -> None:
        """Keep the mistakes, each ``path.of.option: what is wrong``."""
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


class NotInitialisedError(ReceiverError):
    """The state folder holds no receiver."""

    code = "not_initialised"
    hint = "Run `natalia-receiver --state DIR init` first."


class DatabaseUnusableError(ReceiverError):
    """The database cannot be reached, initialised or started."""

    code = "database_unusable"
    hint = "See postgres/server.log in the state folder, or check the DSN and that the server is up."


class IsolationError(ReceiverError):
    """The database would not keep tenants apart; lists every finding."""

    code = "isolation_broken"
    hint = "Run `natalia-receiver migrate` as the owner; never run the service as owner, superuser or BYPASSRLS."

    def __init__(self, findings: list[str]) -> None:
        """Keep the findings, one sentence each."""
        super().__init__("; ".join(findings))
        self.findings = findings


class NameInvalidError(ReceiverError):
    """A tenant, appliance or host name that is not of the allowed form."""

    code = "name_invalid"
    hint = "Tenants: 1-100 printable characters. Appliances: 1-63 of a-z 0-9 and hyphen, a letter first."


class TenantUnknownError(ReceiverError):
    """No tenant has that name."""

    code = "tenant_unknown"
    hint = "`natalia-receiver tenant list` lists the names."


class TenantExistsError(ReceiverError):
    """A tenant of that name exists."""

    code = "tenant_exists"
    hint = "Choose another name; `natalia-receiver tenant list` lists them."


class ApplianceUnknownError(ReceiverError):
    """The tenant has no appliance of that name."""

    code = "appliance_unknown"
    hint = "`natalia-receiver appliance list --tenant NAME` lists the names."


class ReturnNotWaitingError(ReceiverError):
    """The appliance does not ask to come back."""

    code = "return_not_waiting"
    hint = "It asks by itself once it is on and its certificate has ended; `appliance list` shows who waits."


class ReturnContestedError(ReceiverError):
    """Two machines ask to come back as one appliance."""

    code = "return_contested"
    hint = "One is a copy. `appliance revoke` the appliance, then `appliance invite` the right machine."


class NothingQuarantinedError(ReceiverError):
    """There is nothing to decide about the appliance."""

    code = "nothing_quarantined"
    hint = "`natalia-receiver appliance alarms --tenant NAME` lists what is open."


class CsrInvalidError(ReceiverError):
    """A certificate request that is not to be certified."""

    code = "csr_invalid"
    hint = "Give a PKCS#10 request with a P-256 key, signed by that key."


class AuthorityEndedError(ReceiverError):
    """The certificate authority's own certificate has ended, so nothing can be issued under it."""

    code = "authority_ended"
    hint = "Run `natalia-receiver ca announce`, then `natalia-receiver ca switch`."


class AuthorityOutdatedError(ReceiverError):
    """A certificate authority of release 0.1, whose root cannot vouch for a successor."""

    code = "authority_outdated"
    hint = "Move the folder `ca` away, run `natalia-receiver init`, and invite the appliances anew."


class RolloverRefusedError(ReceiverError):
    """A step of a rollover that is not the next one, or comes too early."""

    code = "rollover_refused"
    hint = "`natalia-receiver ca show` says which generation is at which step, and from when on one can be retired."


class RootKeyMissingError(ReceiverError):
    """The root's private key is not where it was said to be."""

    code = "root_key_missing"
    hint = "Give the medium that `natalia-receiver ca offline` moved the keys to: `--root-keys DIR`."


class InvitationMissingError(ReceiverError):
    """There is no open invitation to withdraw."""

    code = "invitation_missing"
    hint = "It has ended, or was withdrawn before; a machine that is enrolled is kept out by `appliance revoke`."


class WrappedSecretError(ReceiverError):
    """A wrapped secret that does not open: damaged, of another context, or wrapped under another key."""

    code = "wrapped_secret_unusable"
    hint = "Restore the database and the key that wraps its secrets from the same backup."


class FileUnusableError(ReceiverError):
    """A file that a command was given cannot be read or written."""

    code = "file_unusable"
    hint = "Check the path and its permissions."


class AddressUnusableError(ReceiverError):
    """The address to listen on cannot be bound."""

    code = "address_unusable"
    hint = "Choose another --host or --port; port 0 takes a free one."


class ProblemError(ReceiverError):
    """A refusal that a client is told, with its permanent problem code."""

    code = "refused"

    def __init__(
        self,
        problem: ProblemCode,
        *,
        detail: str,
        hint: str,
        retry_after_seconds: int | None = None,
        scheme: str = "Bearer",
    ) -> None:
        """Keep what the problem document says.

        ``retry_after_seconds`` becomes the Retry-After header, ``scheme`` what WWW-Authenticate asks for.
        """
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.advice = hint
        self.retry_after_seconds = retry_after_seconds
        self.scheme = scheme


class RecordedRefusalError(ProblemError):
    """A refusal of which something is kept: the transaction commits, and then the client is told."""
