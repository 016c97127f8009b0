"""Adapters to PostgreSQL. A statement on a tenant's table takes a ``TenantSession`` (``tenant_scope``)."""
