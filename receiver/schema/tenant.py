"""One row a customer."""

from typing import Final

from sqlalchemy import Column, DateTime, Table, Text, Uuid

from receiver.schema.metadata import metadata

tenant: Final = Table(
    "tenant",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
)
