"""A generator of invented calls for each dialect: ``tests/support/feeds/DIALECT.py`` has ``feed(rows=, seed=)``.

Where the dialect needs a layout or another site, ``SETUP`` says so, in the form of a vector's JSON.
"""

from importlib import import_module
from typing import Any


def feed_of(dialect: str, *, rows: int, seed: int) -> bytes:
    """Give about so many rows, the same for the same seed; all of them are records."""
    made = import_module(f"tests.support.feeds.{dialect}").feed(rows=rows, seed=seed)
    assert isinstance(made, bytes)
    return made


def setup_of(dialect: str) -> dict[str, Any]:
    """Give the site and the layout that the generated feed is of."""
    return dict(getattr(import_module(f"tests.support.feeds.{dialect}"), "SETUP", {}))
