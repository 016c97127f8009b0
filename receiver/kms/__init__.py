"""Keepers of keys behind the ports."""
