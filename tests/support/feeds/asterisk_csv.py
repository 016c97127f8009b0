"""A busy site's ``Master.csv``."""

from tests.support.cdr_generator import generate


def feed(*, rows: int, seed: int) -> bytes:
    """About so many rows, the same for the same seed."""
    return generate(rows=rows, seed=seed)
