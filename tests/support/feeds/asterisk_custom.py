"""The sample mapping's ``Master.csv`` of a busy site."""

from tests.support.export_rows import calls, doubled, export

SAMPLE = [
    *("clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer", "end"),
    *("duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield", "sequence"),
]


def feed(*, rows: int, seed: int) -> bytes:
    """So many calls; names hold commas and quotes."""
    return b"".join(export(SAMPLE, quoting=doubled, null='""', **call) for call in calls(rows=rows, seed=seed))
