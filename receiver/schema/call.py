"""One row a call leg, partitioned by the UTC month of ``started_at``.

PostgreSQL wants the partition key in every unique key, so a call is unique by (tenant, started_at, event id). That
is unique by (tenant, event id) too: the event id is a keyed MAC of all that identifies the record at its source, the
start included, so the same event id always comes with the same start and meets its twin in the same partition.
The key's order is also the order in which calls are listed.
"""

from typing import Final

from sqlalchemy import Column, DateTime, Index, Integer, SmallInteger, Table, Text, Uuid

from receiver.schema.metadata import metadata

call: Final = Table(
    "call",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("started_at", DateTime(timezone=True), primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("appliance_id", Uuid, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("leg", SmallInteger, nullable=False),
    Column("answered_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    Column("ring_seconds", Integer, nullable=False),
    Column("talk_seconds", Integer, nullable=False),
    Column("total_seconds", Integer, nullable=False),
    Column("direction", Text, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("calling_category", Text, nullable=False),
    Column("calling_pseudonym", Text),
    Column("calling_clear_digits", Text),
    Column("called_category", Text, nullable=False),
    Column("called_pseudonym", Text),
    Column("called_clear_digits", Text),
    Column("forwarded_to_category", Text),
    Column("forwarded_to_pseudonym", Text),
    Column("forwarded_to_clear_digits", Text),
    Column("feed", Text, nullable=False),
    Column("dialect", Text, nullable=False),
    Column("key_version", SmallInteger, nullable=False),
    postgresql_partition_by="RANGE (started_at)",
)
for _party in ("calling", "called", "forwarded_to"):
    _pseudonym = call.c[f"{_party}_pseudonym"]
    Index(
        f"call_{_party}_pseudonym",
        call.c.tenant_id,
        _pseudonym,
        call.c.started_at,
        postgresql_where=_pseudonym.is_not(None),
    )
