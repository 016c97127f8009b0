"""Whether the database keeps tenants apart from the role that is connected. The service refuses to start otherwise.

It reads the catalogue, not a setting: role attributes, ownership, FORCE ROW LEVEL SECURITY and the text of every
policy. It does not prove the policies right; the two-tenant tests do.
"""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from receiver.errors import IsolationError
from receiver.storage.migrate import newest_revision

_SCOPE: Final = "(tenant_id = (current_setting('natalia.tenant'::text))::uuid)"
_ROLE: Final = text("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
_REVISION: Final = text("SELECT version_num FROM natalia.alembic_version")
_TABLES: Final = text("""
    SELECT c.relname AS name,
           pg_has_role(current_user, c.relowner, 'MEMBER') AS owned,
           c.relrowsecurity AND c.relforcerowsecurity AS forced,
           has_table_privilege(c.oid, 'TRUNCATE') AS may_truncate,
           c.relispartition AS is_partition,
           has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
               OR has_table_privilege(c.oid, 'DELETE') AS granted
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'natalia' AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'
     ORDER BY c.relname
""")
_POLICIES: Final = text("""
    SELECT c.relname AS name, p.polpermissive AS permissive,
           coalesce(pg_get_expr(p.polqual, p.polrelid), '') AS visible,
           coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') AS writable
      FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'natalia'
       AND (p.polroles = '{0}' OR EXISTS (
            SELECT FROM unnest(p.polroles) r WHERE pg_has_role(current_user, r, 'MEMBER')))
""")


async def require_isolation(engine: AsyncEngine) -> None:
    """Refuse a role or a database under which one tenant could see another's rows.

    Raises:
        IsolationError: every finding.
    """
    async with engine.connect() as connection:
        findings = await _role_findings(connection)
        if not findings:
            findings = await _revision_findings(connection)
        if not findings:
            findings = await _table_findings(connection)
    if findings:
        raise IsolationError(findings)


async def _role_findings(connection: AsyncConnection) -> list[str]:
    role = (await connection.execute(_ROLE)).one()
    checks = ((role.rolsuper, "the role is a superuser"), (role.rolbypassrls, "the role has BYPASSRLS"))
    return [finding for broken, finding in checks if broken]


async def _revision_findings(connection: AsyncConnection) -> list[str]:
    known = (await connection.execute(text("SELECT to_regclass('natalia.alembic_version')"))).scalar_one()
    revision = None if known is None else (await connection.execute(_REVISION)).scalar_one_or_none()
    return [] if revision == newest_revision() else ["the database is not at this version's schema"]


async def _table_findings(connection: AsyncConnection) -> list[str]:
    scoped: set[str] = set()
    findings = []
    for policy in await connection.execute(_POLICIES):
        if policy.permissive and policy.visible == policy.writable == _SCOPE:
            scoped.add(policy.name)
        elif policy.permissive:
            findings.append(f"{policy.name}: a policy is not the tenant's scope")
    for table in await connection.execute(_TABLES):
        checks = (
            (table.owned, "the role owns it"),
            (not table.forced, "row level security is not enabled and forced"),
            (table.may_truncate, "the role may TRUNCATE it, which no policy restrains"),
            (table.is_partition and table.granted, "the role may use a partition past its parent's policies"),
            (not table.is_partition and table.name not in scoped, "it has no policy for the tenant's scope"),
        )
        findings += [f"{table.name}: {finding}" for broken, finding in checks if broken]
    return findings
