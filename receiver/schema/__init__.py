"""The tables, one a file. Row level security, grants and partitions are SQL in the migrations."""
