"""What each appliance says of each feed and day, and the number of its newest report."""

from alembic import op

revision = "0002"
down_revision = "0001"

_SCOPE = "(tenant_id = current_setting('natalia.tenant')::uuid)"
_STATEMENTS = (
    """
    CREATE TABLE natalia.completeness (
        tenant_id uuid NOT NULL,
        appliance_id uuid NOT NULL,
        day date NOT NULL,
        feed text COLLATE "C" NOT NULL,
        report bigint NOT NULL,
        reported_at timestamptz NOT NULL,
        account jsonb NOT NULL,
        PRIMARY KEY (tenant_id, appliance_id, day, feed),
        FOREIGN KEY (tenant_id, appliance_id) REFERENCES natalia.appliance
    )
    """,
    "ALTER TABLE natalia.completeness ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE natalia.completeness FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY tenant_scope ON natalia.completeness USING {_SCOPE} WITH CHECK {_SCOPE}",
    "ALTER TABLE natalia.ingest_progress ADD COLUMN report bigint NOT NULL DEFAULT 0",
    # An upsert reads what it replaces; the ingest role sees counts, and still no call.
    "GRANT SELECT, INSERT, UPDATE ON natalia.completeness TO natalia_ingest",
    "GRANT SELECT ON natalia.completeness, natalia.appliance TO natalia_app",
)


def upgrade() -> None:
    """Add them."""
    for statement in _STATEMENTS:
        op.execute(statement)
