"""Invitations, enrollments, tenants' secrets, what machines showed of themselves; and the role that enrols."""

from alembic import op

revision = "0003"
down_revision = "0002"

_TABLES = (
    """
    CREATE TABLE natalia.invitation (
        tenant_id uuid NOT NULL REFERENCES natalia.tenant,
        invitation_id text NOT NULL,
        secret_hash bytea NOT NULL,
        appliance text NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        used_by bytea,
        enrolled_at timestamptz,
        withdrawn_at timestamptz,
        contested_at timestamptz,
        PRIMARY KEY (tenant_id, invitation_id)
    )
    """,
    """
    CREATE TABLE natalia.enrollment (
        tenant_id uuid NOT NULL,
        enrollment_id uuid NOT NULL,
        public_key bytea NOT NULL,
        appliance text NOT NULL,
        invitation_id text,
        key_protection text NOT NULL,
        facts jsonb,
        transport_secret bytea,
        expires_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, enrollment_id),
        UNIQUE (tenant_id, public_key),
        FOREIGN KEY (tenant_id, invitation_id) REFERENCES natalia.invitation
    )
    """,
    """
    CREATE TABLE natalia.tenant_secret (
        tenant_id uuid NOT NULL REFERENCES natalia.tenant,
        key_version smallint NOT NULL,
        wrapped bytea NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, key_version)
    )
    """,
    """
    CREATE TABLE natalia.machine_state (
        tenant_id uuid NOT NULL,
        appliance_id uuid NOT NULL,
        key_protection text NOT NULL,
        ek_hash bytea,
        facts jsonb,
        seen_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, appliance_id),
        FOREIGN KEY (tenant_id, appliance_id) REFERENCES natalia.appliance
    )
    """,
    "CREATE INDEX machine_state_ek_hash ON natalia.machine_state (tenant_id, ek_hash)",
    "ALTER TABLE natalia.appliance ADD COLUMN state text NOT NULL DEFAULT 'active'",
    "ALTER TABLE natalia.appliance ADD COLUMN key_protection text",
)
_TENANT_TABLES = ("invitation", "enrollment", "tenant_secret", "machine_state")
_SCOPE = "(tenant_id = current_setting('natalia.tenant')::uuid)"
_GRANTS = (
    "GRANT USAGE ON SCHEMA natalia TO natalia_enroll",
    "GRANT SELECT ON natalia.alembic_version TO natalia_enroll",
    # It makes no invitation, and of one it changes only what becomes of it.
    "GRANT SELECT, UPDATE (used_by, enrolled_at, contested_at) ON natalia.invitation TO natalia_enroll",
    "GRANT SELECT, INSERT, UPDATE ON natalia.enrollment, natalia.machine_state TO natalia_enroll",
    # A secret that changed would cut the tenant's pseudonyms off from their past.
    "GRANT SELECT, INSERT ON natalia.tenant_secret TO natalia_enroll",
    "GRANT SELECT, INSERT, UPDATE (state, key_protection) ON natalia.appliance TO natalia_enroll",
    "GRANT SELECT, INSERT ON natalia.machine_certificate TO natalia_enroll",
    "GRANT INSERT ON natalia.ingest_progress TO natalia_enroll",
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
