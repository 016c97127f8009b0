"""The thin cloud side: stores pseudonymised calls, each tenant apart from all others."""
