"""Adapter: the encrypted disk buffer."""
