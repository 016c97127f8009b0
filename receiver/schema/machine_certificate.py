"""One row a certificate ever issued to an appliance: one that is not here is refused, whoever signed it."""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, LargeBinary, Table, Text, Uuid

from receiver.schema.metadata import metadata

machine_certificate: Final = Table(
    "machine_certificate",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("appliance_id", Uuid, nullable=False),
    Column("serial", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    ForeignKeyConstraint(
        ["tenant_id", "appliance_id"], ["natalia.appliance.tenant_id", "natalia.appliance.appliance_id"]
    ),
)
