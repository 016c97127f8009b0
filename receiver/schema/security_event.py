"""One row an event that a tenant's administrators should know of. The service adds rows and changes none."""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Index, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from receiver.schema.metadata import metadata

security_event: Final = Table(
    "security_event",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("kind", Text, nullable=False),
    Column("appliance_id", Uuid, nullable=False),
    Column("facts", JSONB, nullable=False),
    ForeignKeyConstraint(
        ["tenant_id", "appliance_id"], ["natalia.appliance.tenant_id", "natalia.appliance.appliance_id"]
    ),
)
Index("security_event_appliance", security_event.c.tenant_id, security_event.c.appliance_id, security_event.c.at)
