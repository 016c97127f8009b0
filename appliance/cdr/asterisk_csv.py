"""Dialect ``asterisk_csv``: Asterisk's ``Master.csv`` and the CSV exports of FreePBX' ``asteriskcdrdb.cdr``.

Sources: asterisk/asterisk ``cdr/cdr_csv.c``, ``configs/samples/cdr.conf.sample``; the ``cdr`` module of FreePBX.
``asterisk_rows`` reads the rows, which ``<accountcode>.csv`` repeats byte for byte: the same line gives the same key.
With ``usegmtime`` the times are UTC, which the feed's time zone must then say; the ids' epochs tell.
"""

from typing import Final

from appliance.cdr.asterisk_record import COLUMNS
from appliance.cdr.asterisk_rows import AsteriskReader
from appliance.cdr.csv_rows import csv_rows
from appliance.cdr.dialect import Dialect, FeedContext, LineParser
from appliance.cdr.line_parser import ReaderParser


def _open(context: FeedContext) -> LineParser:
    reader = AsteriskReader(context)
    return ReaderParser(reader, csv_rows(), zone_check=reader.zone_check)


DIALECT: Final = Dialect(
    name="asterisk_csv",
    description="Asterisk Master.csv (16-21 columns) and FreePBX CDR exports (16-28 columns, header optional)",
    transports=("file",),
    identity="uniqueid and sequence; without a sequence the line and its occurrence within 64 KiB",
    inherent_loss="Asterisk drops a record over 1,024 bytes, and in batch mode those not written at a crash",
    manual="asterisk/asterisk cdr/cdr_csv.c, configs/samples/cdr.conf.sample; FreePBX table asteriskcdrdb.cdr",
    columns=COLUMNS,
    open=_open,
)
