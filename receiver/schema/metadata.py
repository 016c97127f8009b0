"""The namespace that all tables share."""

from typing import Final

from sqlalchemy import MetaData

SCHEMA: Final = "natalia"
metadata: Final = MetaData(schema=SCHEMA)
