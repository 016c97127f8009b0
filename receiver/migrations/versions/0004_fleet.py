"""Which key each certificate holds and follows, when it was first used, what was told of it, and who asks to return."""

from alembic import op

revision = "0004"
down_revision = "0003"

_TABLES = (
    """
    CREATE TABLE natalia.security_event (
        tenant_id uuid NOT NULL,
        event_id uuid NOT NULL,
        at timestamptz NOT NULL,
        kind text NOT NULL,
        appliance_id uuid NOT NULL,
        facts jsonb NOT NULL,
        PRIMARY KEY (tenant_id, event_id),
        FOREIGN KEY (tenant_id, appliance_id) REFERENCES natalia.appliance
    )
    """,
    "CREATE INDEX security_event_appliance ON natalia.security_event (tenant_id, appliance_id, at)",
    """
    CREATE TABLE natalia.machine_return (
        tenant_id uuid NOT NULL,
        appliance_id uuid NOT NULL,
        public_key bytea NOT NULL,
        predecessor bytea NOT NULL,
        asked_at timestamptz NOT NULL,
        approved_at timestamptz,
        PRIMARY KEY (tenant_id, appliance_id, public_key),
        FOREIGN KEY (tenant_id, appliance_id) REFERENCES natalia.appliance
    )
    """,
    """
    ALTER TABLE natalia.machine_certificate
        ADD COLUMN public_key bytea,
        ADD COLUMN predecessor bytea,
        ADD COLUMN first_used_at timestamptz,
        ADD COLUMN quarantined_at timestamptz
    """,
    "CREATE INDEX machine_certificate_public_key ON natalia.machine_certificate (tenant_id, public_key)",
    """
    CREATE INDEX machine_certificate_predecessor
        ON natalia.machine_certificate (tenant_id, appliance_id, predecessor)
    """,
)
_TENANT_TABLES = ("security_event", "machine_return")
_SCOPE = "(tenant_id = current_setting('natalia.tenant')::uuid)"
_GRANTS = (
    # Whoever is let in by a certificate may be found out by it. To lift a quarantine is the operator's.
    "GRANT UPDATE (first_used_at, quarantined_at) ON natalia.machine_certificate TO natalia_ingest, natalia_enroll",
    "GRANT INSERT ON natalia.security_event TO natalia_ingest, natalia_enroll",
    # An alarm that is open is not raised again.
    "GRANT SELECT ON natalia.security_event TO natalia_enroll, natalia_app",
    # A return after a short absence is approved by rule.
    "GRANT SELECT, INSERT, UPDATE (asked_at, approved_at) ON natalia.machine_return TO natalia_enroll",
    "GRANT SELECT ON natalia.machine_certificate, natalia.ingest_progress, natalia.machine_return TO natalia_app",
)


def upgrade() -> None:
    """Add them."""
    for statement in _TABLES:
        op.execute(statement)
    for table in _TENANT_TABLES:
        op.execute(f"ALTER TABLE natalia.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE natalia.{table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant_scope ON natalia.{table} USING {_SCOPE} WITH CHECK {_SCOPE}")
    for statement in _GRANTS:
        op.execute(statement)
