"""One row a TLS key that was shown and is believed: what its second step needs. Asking again renews the row."""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, LargeBinary, Table, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from receiver.schema.metadata import metadata

enrollment: Final = Table(
    "enrollment",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("enrollment_id", Uuid, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("appliance", Text, nullable=False),
    Column("invitation_id", Text),
    Column("key_protection", Text, nullable=False),
    Column("facts", JSONB(none_as_null=True)),
    Column("transport_secret", LargeBinary),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("tenant_id", "public_key"),
    ForeignKeyConstraint(
        ["tenant_id", "invitation_id"], ["natalia.invitation.tenant_id", "natalia.invitation.invitation_id"]
    ),
)
