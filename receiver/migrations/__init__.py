"""Changes of the database, in order; each is SQL, read by Alembic."""
