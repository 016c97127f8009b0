"""One row an appliance: its high-water mark, the number of its newest report, and when it was last heard of.

Its row lock serialises an appliance.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, ForeignKeyConstraint, Table, Text, Uuid

from receiver.schema.metadata import metadata

ingest_progress: Final = Table(
    "ingest_progress",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("appliance_id", Uuid, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("key_protection", Text),
    Column("last_seen_at", DateTime(timezone=True)),
    Column("report", BigInteger, nullable=False, server_default="0"),
    ForeignKeyConstraint(
        ["tenant_id", "appliance_id"], ["natalia.appliance.tenant_id", "natalia.appliance.appliance_id"]
    ),
)
