"""One row an invitation; of its secret only a peppered hash. The first TLS key that presents it owns it."""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, LargeBinary, Table, Text, Uuid

from receiver.schema.metadata import metadata

invitation: Final = Table(
    "invitation",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("invitation_id", Text, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("appliance", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_by", LargeBinary),
    Column("enrolled_at", DateTime(timezone=True)),
    Column("withdrawn_at", DateTime(timezone=True)),
    Column("contested_at", DateTime(timezone=True)),
    ForeignKeyConstraint(["tenant_id"], ["natalia.tenant.tenant_id"]),
)
