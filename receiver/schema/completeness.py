"""One row an appliance, feed and day: the newest account that the appliance gave of it, as the wire has it."""

from typing import Final

from sqlalchemy import BigInteger, Column, Date, DateTime, ForeignKeyConstraint, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from receiver.schema.metadata import metadata

completeness: Final = Table(
    "completeness",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("appliance_id", Uuid, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("feed", Text, primary_key=True),
    Column("report", BigInteger, nullable=False),
    Column("reported_at", DateTime(timezone=True), nullable=False),
    Column("account", JSONB, nullable=False),
    ForeignKeyConstraint(
        ["tenant_id", "appliance_id"], ["natalia.appliance.tenant_id", "natalia.appliance.appliance_id"]
    ),
)
