"""One row a key with which an appliance, whose certificate ended, asks to come back; an administrator approves."""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, LargeBinary, Table, Uuid

from receiver.schema.metadata import metadata

machine_return: Final = Table(
    "machine_return",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("appliance_id", Uuid, primary_key=True),
    Column("public_key", LargeBinary, primary_key=True),
    Column("predecessor", LargeBinary, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("approved_at", DateTime(timezone=True)),
    ForeignKeyConstraint(
        ["tenant_id", "appliance_id"], ["natalia.appliance.tenant_id", "natalia.appliance.appliance_id"]
    ),
)
