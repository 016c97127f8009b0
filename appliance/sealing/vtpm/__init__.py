"""Adapter: the one door to the TPM (TPM 2.0, ESAPI)."""
