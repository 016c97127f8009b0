"""One row a certificate ever issued to an appliance: one that is not here is refused, whoever signed it.

Rows from before keys were kept have no ``public_key``; their certificates end within a week.
"""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Index, LargeBinary, Table, Text, Uuid

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
    Column("public_key", LargeBinary),
    Column("predecessor", LargeBinary),
    Column("first_used_at", DateTime(timezone=True)),
    Column("quarantined_at", DateTime(timezone=True)),
    ForeignKeyConstraint(
        ["tenant_id", "appliance_id"], ["natalia.appliance.tenant_id", "natalia.appliance.appliance_id"]
    ),
)
Index("machine_certificate_public_key", machine_certificate.c.tenant_id, machine_certificate.c.public_key)
Index(
    "machine_certificate_predecessor",
    machine_certificate.c.tenant_id,
    machine_certificate.c.appliance_id,
    machine_certificate.c.predecessor,
)
