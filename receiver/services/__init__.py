"""The use cases. They never commit: one request, one transaction, opened and closed by the factory."""
