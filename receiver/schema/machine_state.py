"""One row an appliance: what its machine last showed of itself. A machine without a TPM shows no facts."""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Index, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from receiver.schema.metadata import metadata

machine_state: Final = Table(
    "machine_state",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("appliance_id", Uuid, primary_key=True),
    Column("key_protection", Text, nullable=False),
    Column("ek_hash", LargeBinary),
    Column("facts", JSONB(none_as_null=True)),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(
        ["tenant_id", "appliance_id"], ["natalia.appliance.tenant_id", "natalia.appliance.appliance_id"]
    ),
    Index("machine_state_ek_hash", "tenant_id", "ek_hash"),
)
