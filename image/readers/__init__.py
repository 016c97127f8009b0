"""Read a disk out of each format, in plain Python: no root, no other program, and nothing is written."""
