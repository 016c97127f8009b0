"""Runs migrations on the connection that ``storage.migrate`` hands over; there is no alembic.ini to keep."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table_schema="natalia")
with context.begin_transaction():
    context.run_migrations()
