"""One row an appliance: what its machine last showed of itself. A machine without a TPM shows no numbers."""

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, ForeignKeyConstraint, LargeBinary, Table, Text, Uuid

from receiver.schema.metadata import metadata

machine_state: Final = Table(
    "machine_state",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("appliance_id", Uuid, primary_key=True),
    Column("key_protection", Text, nullable=False),
    Column("ek_hash", LargeBinary),
    Column("ak_name", LargeBinary),
    Column("clock", BigInteger),
    Column("reset_count", BigInteger),
    Column("restart_count", BigInteger),
    Column("counter", BigInteger),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(
        ["tenant_id", "appliance_id"], ["natalia.appliance.tenant_id", "natalia.appliance.appliance_id"]
    ),
)
