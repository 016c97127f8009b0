"""Tables, roles' grants, row level security and the opening of months.

Every table of a tenant has row level security ENABLED and FORCED, so that the owner is bound too. A policy compares
with ``current_setting('natalia.tenant')``, which raises where it was never set and cannot be cast where it was reset
to the empty string: without a tenant there is an error, not a table. The owner alone may list and add tenants.
"""

from alembic import op

revision = "0001"
down_revision = None

_TABLES = """
CREATE TABLE natalia.tenant (
    tenant_id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL
);
CREATE TABLE natalia.appliance (
    tenant_id uuid NOT NULL REFERENCES natalia.tenant,
    appliance_id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, appliance_id),
    UNIQUE (tenant_id, name)
);
CREATE TABLE natalia.machine_certificate (
    tenant_id uuid NOT NULL,
    fingerprint bytea NOT NULL,
    appliance_id uuid NOT NULL,
    serial text NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, fingerprint),
    FOREIGN KEY (tenant_id, appliance_id) REFERENCES natalia.appliance
);
CREATE TABLE natalia.api_key (
    tenant_id uuid NOT NULL REFERENCES natalia.tenant,
    key_id text NOT NULL,
    secret_hash bytea NOT NULL,
    role text NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, key_id)
);
CREATE TABLE natalia.ingest_batch (
    tenant_id uuid NOT NULL,
    appliance_id uuid NOT NULL,
    epoch bigint NOT NULL,
    sequence bigint NOT NULL,
    fingerprint bytea NOT NULL,
    answer bytea NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, appliance_id, epoch, sequence),
    FOREIGN KEY (tenant_id, appliance_id) REFERENCES natalia.appliance
);
CREATE TABLE natalia.ingest_progress (
    tenant_id uuid NOT NULL,
    appliance_id uuid NOT NULL,
    epoch bigint NOT NULL,
    sequence bigint NOT NULL,
    key_protection text,
    last_seen_at timestamptz,
    PRIMARY KEY (tenant_id, appliance_id),
    FOREIGN KEY (tenant_id, appliance_id) REFERENCES natalia.appliance
);
CREATE TYPE natalia.party AS (category text, pseudonym text, clear_digits text);
CREATE TABLE natalia.call (
    tenant_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    appliance_id uuid NOT NULL,
    call_id text NOT NULL,
    leg smallint NOT NULL,
    answered_at timestamptz,
    ended_at timestamptz NOT NULL,
    ring_seconds integer NOT NULL,
    talk_seconds integer NOT NULL,
    total_seconds integer NOT NULL,
    direction text NOT NULL,
    disposition text NOT NULL,
    calling_category text NOT NULL,
    calling_pseudonym text,
    calling_clear_digits text,
    called_category text NOT NULL,
    called_pseudonym text,
    called_clear_digits text,
    forwarded_to_category text,
    forwarded_to_pseudonym text,
    forwarded_to_clear_digits text,
    feed text NOT NULL,
    dialect text NOT NULL,
    key_version smallint NOT NULL,
    PRIMARY KEY (tenant_id, started_at, event_id)
) PARTITION BY RANGE (started_at);
CREATE INDEX call_calling_pseudonym ON natalia.call (tenant_id, calling_pseudonym, started_at)
    WHERE calling_pseudonym IS NOT NULL;
CREATE INDEX call_called_pseudonym ON natalia.call (tenant_id, called_pseudonym, started_at)
    WHERE called_pseudonym IS NOT NULL;
CREATE INDEX call_forwarded_to_pseudonym ON natalia.call (tenant_id, forwarded_to_pseudonym, started_at)
    WHERE forwarded_to_pseudonym IS NOT NULL;
"""

_TENANT_TABLES = (
    "tenant",
    "appliance",
    "machine_certificate",
    "api_key",
    "ingest_batch",
    "ingest_progress",
    "call",
)

_GRANTS = """
CREATE POLICY operator ON natalia.tenant TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT USAGE ON SCHEMA natalia TO natalia_app, natalia_ingest;
GRANT SELECT ON natalia.alembic_version TO natalia_app, natalia_ingest;
GRANT SELECT ON natalia.api_key, natalia.call TO natalia_app;
GRANT SELECT ON natalia.appliance, natalia.machine_certificate TO natalia_ingest;
GRANT SELECT, UPDATE ON natalia.ingest_progress TO natalia_ingest;
GRANT SELECT, INSERT ON natalia.ingest_batch TO natalia_ingest;
GRANT INSERT ON natalia.call TO natalia_ingest;
"""

# Opening a month is DDL, which the ingest role must not be able to do; so it asks the owner, through this one door,
# which makes nothing but a month's partition within bounds. The lock, which attaching takes anyway, stops neither
# readers nor writers; it is a table's and no advisory one, because only that makes the second look see what another
# transaction has just made. Nobody is granted anything on a partition, and without a policy of its own it would show
# no row even then.
_ENSURE_MONTH = """
CREATE FUNCTION natalia.ensure_month(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    first timestamp := date_trunc('month', month::timestamp);
    next timestamp := first + interval '1 month';
    partition text := 'call_' || to_char(first, 'YYYY_MM');
BEGIN
    IF first < timestamp '2000-01-01'
        OR first > date_trunc('month', now() AT TIME ZONE 'UTC') + interval '2 months' THEN
        RAISE EXCEPTION 'the month is out of range' USING ERRCODE = 'datetime_field_overflow';
    END IF;
    IF to_regclass('natalia.' || partition) IS NOT NULL THEN
        RETURN;
    END IF;
    LOCK TABLE natalia.call IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass('natalia.' || partition) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE natalia.%I (LIKE natalia.call INCLUDING ALL)', partition);
    EXECUTE format('ALTER TABLE natalia.%I ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE natalia.%I FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE natalia.call ATTACH PARTITION natalia.%I FOR VALUES FROM (%L) TO (%L)',
        partition, first AT TIME ZONE 'UTC', next AT TIME ZONE 'UTC');
END
$function$
"""
_ENSURE_MONTH_GRANTS = """
REVOKE ALL ON FUNCTION natalia.ensure_month(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION natalia.ensure_month(date) TO natalia_ingest;
"""


def upgrade() -> None:
    """Make everything."""
    _execute_each(_TABLES)
    for table in _TENANT_TABLES:
        op.execute(f"ALTER TABLE natalia.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE natalia.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant_scope ON natalia.{table} "
            "USING (tenant_id = current_setting('natalia.tenant')::uuid) "
            "WITH CHECK (tenant_id = current_setting('natalia.tenant')::uuid)"
        )
    _execute_each(_GRANTS)
    op.execute(_ENSURE_MONTH)
    _execute_each(_ENSURE_MONTH_GRANTS)


def _execute_each(statements: str) -> None:
    # A prepared statement, which is what the driver sends, holds one command.
    for statement in filter(str.strip, statements.split(";")):
        op.execute(statement)
