"""Adapters: feeds that can be read from a position."""
