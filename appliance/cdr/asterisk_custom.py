"""Dialect ``asterisk_custom``: what cdr_custom (and res_cdrel_custom) writes, in the columns of its mapping.

Without a layout, the rows are those of the sample configuration's ``Master.csv``. Times may be local text, ISO 8601
with an offset, or epochs (``start,u``, ``start(int64)``, ``start(double)``); fractions of seconds are cut off; the
disposition may be a number. A line that begins with ``{`` is a JSON object, whose members have the names of the
columns. Where the mapping forgets to quote, a caller's name can hold separators: such a row has too many
columns and is refused, because nothing in it is out of the caller's reach.

Sources: asterisk/asterisk ``configs/samples/cdr_custom.conf.sample``, ``funcs/func_cdr.c``,
``res/cdrel_custom/formatters.c``, ``registry.c``, ``include/asterisk/cdr.h``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from appliance.cdr.asterisk_layout import DISPOSITIONS, REQUIRED, Fields, Layout, declared_layout
from appliance.cdr.asterisk_record import COLUMNS
from appliance.cdr.asterisk_rows import AsteriskReader
from appliance.cdr.csv_rows import Row
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import LocalTimes, Reading
from appliance.cdr.record import Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.rows_or_objects import Object, RowsOrObjects, named_row
from appliance.cdr.written_times import WrittenTimes
from appliance.errors import SettingsError

SAMPLE: Final = (
    *("clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer", "end"),
    *("duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield", "sequence"),
)
"""The columns of ``Master.csv`` in cdr_custom.conf.sample."""
VOCABULARY: Final = COLUMNS | unread("flags tenantid peertenantid")
_NUMBERED: Final = {
    "0": "NO ANSWER",
    "1": "NO ANSWER",
    "2": "FAILED",
    "4": "BUSY",
    "8": "ANSWERED",
    "16": "CONGESTION",
}
"""``enum ast_cdr_disposition``; 1 is the record of a call that went nowhere."""


def _plain(fields: Fields) -> Fields:
    """Spell numbers as ``Master.csv`` does; the epoch of a call that nobody answered is zero."""
    is_plain = fields.duration.isdecimal() and fields.billsec.isdecimal() and fields.disposition in DISPOSITIONS
    if is_plain and fields.answer[:1] != "0":
        return fields
    return fields._replace(
        answer=fields.answer if fields.answer.strip("0.") else "",
        duration=_whole(fields.duration),
        billsec=_whole(fields.billsec),
        disposition=_NUMBERED.get(fields.disposition, fields.disposition),
    )


def _whole(text: str) -> str:
    whole, point, fraction = text.partition(".")
    return whole if not point or fraction.isdecimal() else text


def _layout(names: Sequence[str]) -> Layout:
    layout = declared_layout(names, _plain)
    if layout is None:
        raise SettingsError(["layout.columns: start, src, dst, duration, billsec and disposition are needed"])
    return layout


_JSON_NAMES: Final = tuple(VOCABULARY)
_JSON: Final = _layout(_JSON_NAMES)
_USUAL_TEXT: Final = len("2026-10-19 08:00:00")


class WholeSeconds:
    """Reads times as ``WrittenTimes`` does and cuts off what is finer than a second, as Asterisk's own text does."""

    __slots__ = ("_local", "_times")

    def __init__(self, context: FeedContext) -> None:
        """Read the times of one feed."""
        self._local = LocalTimes(context.zone)
        self._times = WrittenTimes(context.zone, context.layout.date_order)

    def read(self, text: str) -> Reading | None:
        """See ``asterisk_record.Times``."""
        if len(text) == _USUAL_TEXT and text[4] == "-":
            return self._local.read(text)
        reading = self._times.read(text)
        return reading.replace(microsecond=0) if isinstance(reading, datetime) else reading


class CustomReader(AsteriskReader):
    """Reads the rows and objects of one file in order."""

    __slots__ = ()

    def read(self, line: Line, content: Row | Object, now: datetime, /) -> Outcome:
        """See ``line_parser.Reader``."""
        if isinstance(content, list):
            return super().read(line, content, now)
        if not {name.lower() for name in content} >= REQUIRED:
            return Reason.TYPE_SIGNATURE
        row = named_row(content, _JSON_NAMES)
        return self._fitted(line, [*row, ""], (_JSON,)) or Reason.TYPE_SIGNATURE


def _open(context: FeedContext) -> LineParser:
    names = context.layout.columns or SAMPLE
    unknown = [name for name in names if name != "-" and name not in VOCABULARY]
    if unknown:
        raise SettingsError([f"layout.columns: {name} is none of -, {', '.join(VOCABULARY)}" for name in unknown])
    layout = _layout(names)
    reader = CustomReader(
        context,
        layouts={layout.width: (layout,)},
        separators=(),
        times=WholeSeconds(context),
    )
    return ReaderParser(reader, RowsOrObjects(context.layout.separator or ","), zone_check=reader.zone_check)


DIALECT: Final = Dialect(
    name="asterisk_custom",
    description="Asterisk cdr_custom and res_cdrel_custom: any mapping, separated or JSON; by default the sample's",
    transports=("file",),
    identity="uniqueid and sequence; without a sequence the line and its occurrence within 64 KiB",
    inherent_loss="In batch mode the records that were not written at a crash",
    manual="asterisk/asterisk configs/samples/cdr_custom.conf.sample, funcs/func_cdr.c, res/cdrel_custom",
    columns=VOCABULARY,
    open=_open,
    options=frozenset({"columns", "separator", "date_order"}),
)
