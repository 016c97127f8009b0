"""One row an API key; of its secret only a peppered hash."""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, LargeBinary, Table, Text, Uuid

from receiver.schema.metadata import metadata

api_key: Final = Table(
    "api_key",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    ForeignKeyConstraint(["tenant_id"], ["natalia.tenant.tenant_id"]),
)
