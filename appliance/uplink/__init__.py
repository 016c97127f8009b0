"""Adapter: the TLS way to the receiver."""
