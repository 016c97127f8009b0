"""Adapter: the machine's certificate and key."""
