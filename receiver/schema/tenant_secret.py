"""One row a tenant and version: the secret of its pseudonyms, wrapped by the key keeper's key for this tenant."""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, LargeBinary, SmallInteger, Table, Uuid

from receiver.schema.metadata import metadata

tenant_secret: Final = Table(
    "tenant_secret",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("key_version", SmallInteger, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(["tenant_id"], ["natalia.tenant.tenant_id"]),
)
