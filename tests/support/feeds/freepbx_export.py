"""An export of a site's table, all quoted, with a header."""

from tests.support.export_rows import COLUMNS, calls, export, header


def feed(*, rows: int, seed: int) -> bytes:
    """So many calls; names hold commas and quotes."""
    return header(COLUMNS) + b"".join(export(COLUMNS, **call) for call in calls(rows=rows, seed=seed))
