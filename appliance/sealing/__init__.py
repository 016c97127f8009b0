"""Adapters: what binds secrets to this machine."""
