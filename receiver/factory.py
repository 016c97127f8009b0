"""The one file that knows every concrete class: the frozen process context, and the services of one request.

A service's context is one transaction: it commits where the block ends and rolls back where it raises, so an answer
that is made after the block speaks of what is durable.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from appliance.wire.problem import ProblemCode
from receiver.clock import SystemClock
from receiver.domain.api_key import ApiKey
from receiver.domain.guess_limit import GuessLimit
from receiver.domain.scram import verifier
from receiver.errors import DatabaseUnusableError, ProblemError, RecordedRefusalError
from receiver.kms.local_authority import LocalFileAuthority
from receiver.kms.local_rollover import LocalRollover
from receiver.kms.local_wrapper import LocalFileWrapper
from receiver.ports import CertificateAuthority, Clock, KeyWrapper
from receiver.services.api_keys import ApiKeys
from receiver.services.call_listing import CallListing
from receiver.services.completeness import CompletenessIngest, CompletenessListing
from receiver.services.enrollment import EnrollmentDesk
from receiver.services.fleet import Fleet, FleetListing
from receiver.services.ingest import IngestService
from receiver.services.invitations import Invitations
from receiver.services.machine_certificates import MachineCertificates
from receiver.services.renewal import RenewalDesk
from receiver.services.returning import ReturnDesk
from receiver.services.server_certificate import ensure_server_certificate
from receiver.services.tenants import TenantDirectory
from receiver.settings import (
    Settings,
    StateFolder,
    ensure_password,
    ensure_pepper,
    ensure_settings,
    load_pepper,
    load_settings,
)
from receiver.storage.connection import SERVICE_ROLES, DatabaseRole, dsn_url, embedded_url, open_engine
from receiver.storage.embedded_server import SUPERUSER, running_server
from receiver.storage.health import ping
from receiver.storage.migrate import migrate
from receiver.storage.roles import prepare_embedded, prepare_service_roles
from receiver.storage.self_check import require_isolation
from receiver.storage.tenant_scope import TenantSession, operator_session, tenant_session

_RETRY_AFTER_SECONDS = 5
_SALT_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessContext:
    """What lives as long as the process."""

    state: StateFolder
    authority: CertificateAuthority
    wrapper: KeyWrapper
    clock: Clock
    pepper: bytes
    engines: dict[DatabaseRole, AsyncEngine]
    guesses: GuessLimit = field(default_factory=GuessLimit)
    """Counts failed enrollments of this process."""

    @asynccontextmanager
    async def ingest(self, tenant_id: UUID) -> AsyncIterator[IngestService]:
        """Deliveries of a tenant's appliance, by the role that cannot read calls."""
        async with _recording(self.engines[DatabaseRole.INGEST], tenant_id=tenant_id) as session:
            certificates = MachineCertificates(session, clock=self.clock)
            yield IngestService(session, certificates=certificates, clock=self.clock)

    @asynccontextmanager
    async def reports(self, tenant_id: UUID) -> AsyncIterator[CompletenessIngest]:
        """Reports of a tenant's appliance, by the role that cannot read calls."""
        async with _recording(self.engines[DatabaseRole.INGEST], tenant_id=tenant_id) as session:
            certificates = MachineCertificates(session, clock=self.clock)
            yield CompletenessIngest(session, certificates=certificates, clock=self.clock)

    @asynccontextmanager
    async def completeness(self, key: ApiKey) -> AsyncIterator[CompletenessListing]:
        """What a tenant's appliances reported, for whoever proves ``key``. Raises as ``calls``."""
        async with _outages(), tenant_session(self.engines[DatabaseRole.APP], tenant_id=key.tenant_id) as session:
            keys = ApiKeys(session, clock=self.clock, pepper=self.pepper)
            yield CompletenessListing(session, principal=await keys.authenticate(key))

    @asynccontextmanager
    async def calls(self, key: ApiKey) -> AsyncIterator[CallListing]:
        """A tenant's calls, for whoever proves ``key``.

        Raises:
            ProblemError: ``unauthenticated`` or ``unavailable``.
        """
        async with _outages(), tenant_session(self.engines[DatabaseRole.APP], tenant_id=key.tenant_id) as session:
            keys = ApiKeys(session, clock=self.clock, pepper=self.pepper)
            yield CallListing(session, principal=await keys.authenticate(key))

    @asynccontextmanager
    async def enrollment(self, tenant_id: UUID) -> AsyncIterator[EnrollmentDesk]:
        """Enrollments of a tenant's machines, by the role that sees no call."""
        async with _recording(self.engines[DatabaseRole.ENROLL], tenant_id=tenant_id) as session:
            yield EnrollmentDesk(session, clock=self.clock, pepper=self.pepper, wrapper=self.wrapper)

    @asynccontextmanager
    async def returns(self, tenant_id: UUID) -> AsyncIterator[ReturnDesk]:
        """A tenant's appliances whose certificate ended, by the role that sees no call."""
        async with _recording(self.engines[DatabaseRole.ENROLL], tenant_id=tenant_id) as session:
            desk = EnrollmentDesk(session, clock=self.clock, pepper=self.pepper, wrapper=self.wrapper)
            yield ReturnDesk(session, enrollment=desk, clock=self.clock)

    @asynccontextmanager
    async def renewals(self, tenant_id: UUID) -> AsyncIterator[RenewalDesk]:
        """Renewals of a tenant's appliances, by the role that sees no call."""
        async with _recording(self.engines[DatabaseRole.ENROLL], tenant_id=tenant_id) as session:
            certificates = MachineCertificates(session, clock=self.clock)
            yield RenewalDesk(session, certificates=certificates, clock=self.clock)

    @asynccontextmanager
    async def fleet(self, tenant_id: UUID) -> AsyncIterator[Fleet]:
        """A tenant's appliances, for the operator's decisions."""
        async with tenant_session(self.engines[DatabaseRole.OWNER], tenant_id=tenant_id) as session:
            yield Fleet(session, clock=self.clock)

    @asynccontextmanager
    async def appliances(self, key: ApiKey) -> AsyncIterator[FleetListing]:
        """A tenant's appliances, for whoever proves ``key``. Raises as ``calls``."""
        async with _outages(), tenant_session(self.engines[DatabaseRole.APP], tenant_id=key.tenant_id) as session:
            keys = ApiKeys(session, clock=self.clock, pepper=self.pepper)
            yield FleetListing(session, principal=await keys.authenticate(key), clock=self.clock)

    @asynccontextmanager
    async def invitations(self, tenant_id: UUID) -> AsyncIterator[Invitations]:
        """A tenant's invitations, for the operator."""
        async with tenant_session(self.engines[DatabaseRole.OWNER], tenant_id=tenant_id) as session:
            yield Invitations(session, clock=self.clock, pepper=self.pepper)

    @asynccontextmanager
    async def tenants(self) -> AsyncIterator[TenantDirectory]:
        """The operator's list of tenants."""
        async with operator_session(self.engines[DatabaseRole.OWNER]) as session:
            yield TenantDirectory(session, clock=self.clock)

    @asynccontextmanager
    async def api_keys(self, tenant_id: UUID) -> AsyncIterator[ApiKeys]:
        """A tenant's API keys, for the operator."""
        async with tenant_session(self.engines[DatabaseRole.OWNER], tenant_id=tenant_id) as session:
            yield ApiKeys(session, clock=self.clock, pepper=self.pepper)

    @asynccontextmanager
    async def machine_certificates(self, tenant_id: UUID) -> AsyncIterator[MachineCertificates]:
        """A tenant's appliances, for the operator."""
        async with tenant_session(self.engines[DatabaseRole.OWNER], tenant_id=tenant_id) as session:
            yield MachineCertificates(session, clock=self.clock)

    def renew_server_certificate(self) -> None:
        """Issue the server's certificate anew where that is due.

        Raises:
            SettingsError: the settings cannot be used.
            AuthorityEndedError: nothing can be issued any more.
            FileUnusableError: the state folder cannot be written.
        """
        settings = load_settings(self.state)
        ensure_server_certificate(self.state, settings=settings, authority=self.authority, clock=self.clock)

    async def require_ready(self) -> None:
        """Refuse while a request could not be served.

        Raises:
            ProblemError: ``unavailable``.
        """
        async with _outages():
            for role in SERVICE_ROLES:
                await ping(self.engines[role])


def open_rollover(folder: Path) -> tuple[LocalRollover, Clock]:
    """Open the authority of an initialised state folder for the steps of a rollover; no database is needed.

    Raises:
        NotInitialisedError: there is no receiver in it.
    """
    state = StateFolder.at(folder)
    load_settings(state)
    return LocalRollover(state.authority_folder), SystemClock()


@asynccontextmanager
async def open_operator(folder: Path) -> AsyncIterator[ProcessContext]:
    """Open an initialised state folder for an admin command: the owner's connection only.

    Raises:
        NotInitialisedError: there is no receiver in it.
        SettingsError: its settings cannot be used.
        DatabaseUnusableError: the database cannot be reached.
    """
    async with _open(folder, roles=[DatabaseRole.OWNER]) as context:
        yield context


@asynccontextmanager
async def open_service(folder: Path) -> AsyncIterator[ProcessContext]:
    """Open an initialised state folder for the service: without the owner, and only if tenants are kept apart.

    Raises:
        IsolationError: a service role or a table would let a tenant see another's rows.
        NotInitialisedError: as ``open_operator``; SettingsError and DatabaseUnusableError too.
    """
    async with _open(folder, roles=list(SERVICE_ROLES)) as context:
        for engine in context.engines.values():
            await require_isolation(engine)
        yield context


async def initialise(folder: Path, *, hosts: list[str], dsn: str | None) -> str:
    """Make or complete a receiver in ``folder``; what is there stays. Give the database's revision.

    Raises:
        SettingsError: the settings there, or given, cannot be used.
        DatabaseUnusableError: the database cannot be reached or prepared.
    """
    state, clock = StateFolder.ensure(folder), SystemClock()
    settings = ensure_settings(state, hosts=hosts, dsn=dsn)
    ensure_pepper(state)
    LocalFileWrapper.ensure(state.wrapping_key_file)
    authority = LocalFileAuthority.ensure(state.authority_folder, now=clock.now())
    ensure_server_certificate(state, settings=settings, authority=authority, clock=clock)
    return await migrate_database(folder)


async def migrate_database(folder: Path) -> str:
    """Bring the database to this version's roles and schema; give its revision. Raises as ``open_operator``."""
    state = StateFolder.at(folder)
    await _prepare_roles(state, settings=load_settings(state))
    async with open_operator(folder) as context:
        return await migrate(context.engines[DatabaseRole.OWNER])


async def _prepare_roles(state: StateFolder, *, settings: Settings) -> None:
    async with _reachable():
        if settings.dsn is None:
            with running_server(state.postgres_folder) as socket_folder:
                superuser = open_engine(embedded_url(SUPERUSER, socket_folder=str(socket_folder), database=SUPERUSER))
                try:
                    await prepare_embedded(superuser)
                finally:
                    await superuser.dispose()
            return
        owner = open_engine(dsn_url(settings.dsn, role=DatabaseRole.OWNER))
        verifiers = {
            role: verifier(ensure_password(state, role), salt=secrets.token_bytes(_SALT_BYTES))
            for role in SERVICE_ROLES
        }
        try:
            await prepare_service_roles(owner, verifiers=verifiers)
        finally:
            await owner.dispose()


@asynccontextmanager
async def _open(folder: Path, *, roles: list[DatabaseRole]) -> AsyncIterator[ProcessContext]:
    state = StateFolder.at(folder)
    settings = load_settings(state)
    pepper = load_pepper(state)
    authority = LocalFileAuthority.load(state.authority_folder)
    wrapper = LocalFileWrapper.load(state.wrapping_key_file)
    server = nullcontext(None) if settings.dsn is not None else running_server(state.postgres_folder)
    with server as socket_folder:
        engines = {
            role: open_engine(
                embedded_url(role.value, socket_folder=str(socket_folder))
                if settings.dsn is None
                else _own_url(state, dsn=settings.dsn, role=role)
            )
            for role in roles
        }
        try:
            async with _reachable():
                for engine in engines.values():
                    await ping(engine)
            yield ProcessContext(
                state=state,
                authority=authority,
                wrapper=wrapper,
                clock=SystemClock(),
                pepper=pepper,
                engines=engines,
            )
        finally:
            for engine in engines.values():
                await engine.dispose()


def _own_url(state: StateFolder, *, dsn: str, role: DatabaseRole) -> URL:
    password = None if role is DatabaseRole.OWNER else ensure_password(state, role)
    return dsn_url(dsn, role=role, password=password)


@asynccontextmanager
async def _reachable() -> AsyncIterator[None]:
    """For commands: say that the database is the trouble. The driver's own text may quote the DSN."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseUnusableError(f"the database refused: {type(error).__name__}") from None


@asynccontextmanager
async def _recording(engine: AsyncEngine, *, tenant_id: UUID) -> AsyncIterator[TenantSession]:
    """One transaction for a request of which a refusal too may leave something behind."""
    refusal = None
    async with _outages(), tenant_session(engine, tenant_id=tenant_id) as session:
        try:
            yield session
        except RecordedRefusalError as error:
            refusal = error
    if refusal is not None:
        raise refusal


@asynccontextmanager
async def _outages() -> AsyncIterator[None]:
    """For requests: a database that is away is a reason to come back, not a bug."""
    try:
        yield
    except (PoolTimeoutError, OSError) as error:
        raise _unavailable() from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _unavailable() from error
        raise


def _unavailable() -> ProblemError:
    return ProblemError(
        ProblemCode.UNAVAILABLE,
        detail="the database is not available",
        hint="Try again later; the request was not carried out.",
        retry_after_seconds=_RETRY_AFTER_SECONDS,
    )
