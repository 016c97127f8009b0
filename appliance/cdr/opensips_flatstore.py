"""Dialect ``opensips_flatstore``: accounting rows that OpenSIPS or Kamailio write through ``db_flatstore``.

Sources: kamailio/kamailio ``src/modules/acc/acc.c`` (the order of the columns) and ``src/modules/db_flatstore``
(separator, escapes, epochs); cgrates/cgrates ``ers/flatstore_it_test.go`` (rows of both kinds of proxy).

``method|from_tag|to_tag|callid|code|reason|time`` and then the administrator's extra columns, without quotes; a
separator within a value has a backslash before it. ``sip_dialogs`` joins INVITE and BYE; where the INVITE has no time,
its ACK has it. Which extra column is a party is declared in ``layout.columns`` (the columns after ``time``); without
it two shapes are known by their types, CGRateS' (``*prepaid|caller|called|…``) and that of Kamailio's shipped
``db_extra`` (``src_user|src_domain|src_ip|dst_ouser|dst_user|dst_domain``). An INVITE of any other shape is refused.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final

from appliance.cdr.csv_rows import text_lines
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import seconds
from appliance.cdr.joined_lines import JoinedLines, Piece, Role
from appliance.cdr.line_parser import Outcome
from appliance.cdr.local_time import decide
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.sip_dialogs import UNSAID, UNTIMED, DialogJoiner, Parties, Transaction, dialog_keys, whole_call
from appliance.errors import SettingsError

_CORE: Final = 7
_UNREAD: Final = "-"
_DECLARABLE: Final = ("calling", "called", "forwarded_to", "duration", "setuptime", "created")
_CGRATES: Final = (_UNREAD, "calling", "called")
_SHIPPED: Final = (_UNREAD, _UNREAD, "called", "forwarded_to", _UNREAD)
_METHOD: Final = re.compile(r"[A-Z]{3,16}", re.ASCII)
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|\[?[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}\]?", re.ASCII)

COLUMNS: Final = {
    "method": "INVITE and BYE are joined, ACK gives a missing time, others are no record",
    "from_tag": "never leaves; goes into a keyed hash",
    "to_tag": "never leaves; goes into a keyed hash",
    "callid": "never leaves; goes into a keyed hash",
    "sip_code": "the response: says how a call ended that was not answered",
    "time": "time: an epoch or local; converted to UTC",
    "calling": "number: becomes the calling party (declared, or known by the row's shape)",
    "called": "number: becomes the called party (declared, or known by the row's shape)",
    "forwarded_to": "number: becomes the forwarded-to party where it is not the one that was dialled",
    "duration": "whole seconds, where declared: the row is a whole call",
    "setuptime": "whole seconds from the INVITE to the answer, where declared",
    "created": "time of the INVITE, where declared: converted to UTC",
} | unread("sip_reason src_domain src_ip dst_domain dialog_id")
"""What becomes of each column."""


class FlatstoreReader(DialogJoiner):
    """Implements ``joined_lines.Joiner`` for the rows of one file."""

    __slots__ = ("_columns", "_separator")

    def __init__(self, zone: tzinfo, columns: Sequence[str], separator: str) -> None:
        """Start at the beginning of a file; ``columns`` name the extra columns, if they are declared."""
        super().__init__(zone)
        self._columns = tuple(columns)
        self._separator = separator

    def read(self, line: Line, text: str, now: datetime, /) -> Piece[Transaction] | Outcome:  # noqa: ARG002  not needed
        """See ``joined_lines.Joiner``."""
        row = _columns_of(text, self._separator)
        if row[0] == "method" or not any(row):
            return None
        if len(row) < _CORE:
            return Reason.COLUMN_COUNT
        method, from_tag, to_tag, call_id, code, _, stamp = row[:_CORE]
        at = self.time(stamp) if stamp else UNTIMED
        if at is None or _METHOD.fullmatch(method) is None:
            return Reason.TYPE_SIGNATURE
        extra = self._extra(row[_CORE:]) if method == "INVITE" else {}
        if isinstance(extra, Reason):
            return extra
        transaction = Transaction(method, from_tag, to_tag, call_id, code, stamp, at, _parties(extra))
        piece = self.piece(transaction)
        if isinstance(piece, Piece) and piece.role is Role.OPENS and extra.get("duration"):
            return self._whole(line, transaction, extra)
        return piece

    def _extra(self, values: list[str]) -> dict[str, str] | Reason:
        """Give the extra columns of an INVITE by name."""
        if self._columns:
            surplus = values[len(self._columns) :]
            if len(values) < len(self._columns) or any(surplus):
                return Reason.COLUMN_COUNT
            return dict(zip(self._columns, values, strict=False))
        if not any(values):
            return {}
        if values[0].startswith("*") and len(values) >= len(_CGRATES):
            return dict(zip(_CGRATES, values, strict=False))
        if len(values) > len(_SHIPPED) and _ADDRESS.fullmatch(values[2]):
            return {"calling": values[0]} | dict(zip(_SHIPPED, values[1:], strict=False))
        return Reason.TYPE_SIGNATURE

    def _whole(self, line: Line, transaction: Transaction, extra: dict[str, str]) -> CallRecord | Reason:
        """Make the record of a call that OpenSIPS joined: ``time`` is when it was answered."""
        keys = dialog_keys(transaction.call_id, transaction.from_tag, transaction.to_tag)
        leg = self.leg(line, keys)
        created = self.time(extra["created"]) if extra.get("created") else None
        length = seconds(extra["duration"])
        rung = seconds(extra.get("setuptime") or "0")
        if length is None or rung is None:
            return Reason.TYPE_SIGNATURE
        answered_at = decide(transaction.at, near=created if isinstance(created, datetime) else None)
        if isinstance(answered_at, Reason):
            return answered_at
        started_at = created if isinstance(created, datetime) else answered_at - timedelta(seconds=rung)
        times = (started_at, answered_at, answered_at + timedelta(seconds=length))
        return whole_call(keys, leg, times, transaction.parties)


def _columns_of(text: str, separator: str) -> list[str]:
    """Cut a row at its separators, but not at those behind a backslash."""
    if "\\" not in text:
        return text.split(separator)
    # Lines with control characters are refused before, so that these two stand for nothing else.
    marked = text.replace("\\\\", "\x01").replace("\\" + separator, "\x02")
    return [part.replace("\x01", "\\").replace("\x02", separator) for part in marked.split(separator)]


def _parties(extra: dict[str, str]) -> Parties:
    called = extra.get("called", UNSAID)
    forwarded_to = extra.get("forwarded_to", "")
    return Parties(extra.get("calling", UNSAID), called, forwarded_to if forwarded_to != called else "")


def _open(context: FeedContext) -> LineParser:
    columns = context.layout.columns
    mistakes = [
        f"layout.columns: column {place} is none of -, {', '.join(_DECLARABLE)}, or declared a second time"
        for place, name in enumerate(columns, start=1)
        if name != _UNREAD and (name not in _DECLARABLE or name in columns[: place - 1])
    ]
    if mistakes:
        raise SettingsError(mistakes)
    return JoinedLines(FlatstoreReader(context.zone, columns, context.layout.separator or "|"), text_lines)


DIALECT: Final = Dialect(
    name="opensips_flatstore",
    description="OpenSIPS and Kamailio accounting in flat files (db_flatstore), INVITE, ACK and BYE to be joined",
    transports=("file",),
    identity="call id and the tags of the INVITE; for a failed one the response and the time as well",
    inherent_loss="a call whose BYE never came; rows not yet written at a crash; the ringing, unless it is declared",
    manual="kamailio/kamailio src/modules/acc/acc.c and db_flatstore; cgrates/cgrates ers/flatstore_it_test.go",
    columns=COLUMNS,
    open=_open,
    options=frozenset({"columns", "separator"}),
)
