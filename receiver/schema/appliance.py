"""One row an appliance: whether it may deliver, and what must guard its keys since it was enrolled."""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Table, Text, UniqueConstraint, Uuid

from receiver.schema.metadata import metadata

appliance: Final = Table(
    "appliance",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("appliance_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False, server_default="active"),
    Column("key_protection", Text),
    UniqueConstraint("tenant_id", "name"),
    ForeignKeyConstraint(["tenant_id"], ["natalia.tenant.tenant_id"]),
)
