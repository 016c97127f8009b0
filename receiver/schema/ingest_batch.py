"""One row a batch received: its bytes' fingerprint and the answer given, which a retry is given again."""

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, ForeignKeyConstraint, LargeBinary, Table, Uuid

from receiver.schema.metadata import metadata

ingest_batch: Final = Table(
    "ingest_batch",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("appliance_id", Uuid, primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(
        ["tenant_id", "appliance_id"], ["natalia.appliance.tenant_id", "natalia.appliance.appliance_id"]
    ),
)
