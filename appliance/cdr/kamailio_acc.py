"""Dialect ``kamailio_acc``: what the ``acc`` modules of Kamailio and OpenSIPS write to syslog.

Sources: kamailio/kamailio ``src/modules/acc`` (``acc.c``, ``acc_cdr.c``, README); the OpenSIPS tutorial on accounting.

A line is ``name=value`` pairs behind any syslog prefix. A transaction (``timestamp=…;method=INVITE;…;code=200;…``)
is joined by ``sip_dialogs``; a call that the module joined itself is a record at once: OpenSIPS' ``ACC: call ended:``
(``created``, ``call_start_time``, ``duration``) and Kamailio's CDRs (``start_time=…; end_time=…; duration=…``).
The core attributes come first and in a fixed order, so that a value with a ``;`` in it cannot take their place.

Which extra attributes there are, and their names, is the administrator's choice; ``log_extra`` of the configurations
that Kamailio and OpenSIPS ship, and the names that manuals use, are understood. Other syslog lines are no records.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from appliance.cdr.csv_rows import text_lines
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import seconds
from appliance.cdr.joined_lines import JoinedLines, Piece
from appliance.cdr.line_parser import Outcome
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.sip_dialogs import UNSAID, DialogJoiner, Parties, Transaction, dialog_keys, whole_call

CALLING: Final = ("src_user", "caller", "caller_id", "calling", "from_user", "src_uri", "from_uri", "fU", "cli", "ani")
"""Extra attributes that name the caller, the likeliest first."""
CALLED: Final = (
    *("dst_ouser", "callee", "called", "to_user", "dst_ouri", "to_uri", "ruri", "dst_user", "dst_uri", "rU", "dnis"),
)
"""Extra attributes that name whom the caller dialled."""
SENT_TO: Final = ("dst_user", "dst_uri")
"""Where the proxy sent the call, if that is another number than the caller dialled."""

_BODY: Final = re.compile(r"(?:^|[ :\t])((?:timestamp|created|call_start_time|start_time)=)", re.ASCII)
_SYSLOG: Final = re.compile(
    r"(?:<\d{1,3}>)?(?:1 )?(?:[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)", re.ASCII
)
_NEWLINE: Final = "#012"
"""How rsyslog spells the line end that the module puts behind its text."""

COLUMNS: Final = {
    "timestamp": "time: converted to UTC",
    "method": "INVITE and BYE are joined, ACK, CANCEL and others are no record",
    "code": "the response: says how a call ended that was not answered",
    "call_id": "never leaves; goes into a keyed hash",
    "from_tag": "never leaves; goes into a keyed hash",
    "to_tag": "never leaves; goes into a keyed hash",
    "created": "time of the INVITE: converted to UTC (`ACC: call ended`)",
    "call_start_time": "time of the answer: converted to UTC (`ACC: call ended`)",
    "setuptime": "whole seconds (`ACC: call ended`), where `created` is missing",
    "duration": "whole seconds (`ACC: call ended`)",
    "start_time": "time: converted to UTC (Kamailio's CDRs)",
    "end_time": "time: converted to UTC (Kamailio's CDRs)",
    **dict.fromkeys(CALLING, "number: becomes the calling party, the first of these that the line has"),
    **dict.fromkeys(CALLED, "number: becomes the called party, the first of these that the line has"),
    "dst_user": "number: becomes the forwarded-to party where it is not the one that was dialled",
    "dst_uri": "number: becomes the forwarded-to party where it is not the one that was dialled",
} | unread("reason src_domain src_ip dst_domain ms_duration time_attr time_exten")
"""What becomes of each attribute."""


class AccReader(DialogJoiner):
    """Implements ``joined_lines.Joiner`` for the lines of one file."""

    __slots__ = ()

    def read(self, line: Line, text: str, now: datetime, /) -> Piece[Transaction] | Outcome:  # noqa: ARG002  not needed
        """See ``joined_lines.Joiner``."""
        begun = _BODY.search(text)
        if begun is None:
            is_other = not text.strip() or (_SYSLOG.match(text) is not None and "ACC:" not in text)
            return None if is_other else Reason.TYPE_SIGNATURE
        found = _attributes(text[begun.start(1) :])
        if begun[1] == "timestamp=":
            return self._transaction(found)
        return self._whole(line, found)

    def _transaction(self, found: Mapping[str, str]) -> Piece[Transaction] | Reason | None:
        stamp = found["timestamp"]
        at = self.time(stamp)
        if at is None:
            return Reason.TYPE_SIGNATURE
        method, code = found.get("method", ""), found.get("code", "")
        tags = found.get("from_tag", ""), found.get("to_tag", "")
        return self.piece(Transaction(method, *tags, found.get("call_id", ""), code, stamp, at, parties(found)))

    def _whole(self, line: Line, found: Mapping[str, str]) -> CallRecord | Reason:
        call_id = found.get("call_id", "")
        if call_id:
            keys = dialog_keys(call_id, found.get("from_tag", ""), found.get("to_tag", ""))
        else:
            keys = (self.line_key(line),) * 2
        leg = self.leg(line, keys)
        times = self._joined_times(found)
        return Reason.TYPE_SIGNATURE if times is None else whole_call(keys, leg, times, parties(found))

    def _joined_times(self, found: Mapping[str, str]) -> tuple[datetime, datetime, datetime] | None:
        """Read start, answer and end of a call that the module joined."""
        if "end_time" in found:
            start, end = self._instant(found, "start_time"), self._instant(found, "end_time")
            return (start, start, end) if start and end else None
        answer, length = self._instant(found, "call_start_time"), seconds(found.get("duration", ""))
        if answer is None or length is None:
            return None
        rung = timedelta(seconds=seconds(found.get("setuptime", "")) or 0)
        return self._instant(found, "created") or answer - rung, answer, answer + timedelta(seconds=length)

    def _instant(self, found: Mapping[str, str], name: str) -> datetime | None:
        """Read a time that the module itself works out: always an epoch."""
        reading = self.time(found.get(name, ""))
        return reading if isinstance(reading, datetime) else None


def parties(found: Mapping[str, str]) -> Parties:
    """Give the parties that extra attributes name; one that none of them names is unknown, not withheld."""
    called = next((found[name] for name in CALLED if found.get(name)), None)
    sent_to = next((found[name] for name in SENT_TO if found.get(name)), "")
    return Parties(
        next((found[name] for name in CALLING if name in found), UNSAID),
        UNSAID if called is None else called,
        sent_to if sent_to != called else "",
    )


def _attributes(body: str) -> dict[str, str]:
    """Give the pairs by name; where a name occurs again, the first counts."""
    pairs = [pair.partition("=") for pair in body.removesuffix(_NEWLINE).replace("; ", ";").split(";")]
    return {name: value for name, sign, value in reversed(pairs) if sign}


def _open(context: FeedContext) -> LineParser:
    return JoinedLines(AccReader(context.zone), text_lines)


DIALECT: Final = Dialect(
    name="kamailio_acc",
    description="Kamailio and OpenSIPS accounting in syslog: INVITE and BYE to be joined, or whole calls",
    transports=("file", "syslog"),
    identity="call id and the tags of the INVITE; for a failed one the response and the time as well",
    inherent_loss="syslog over UDP; a call whose BYE never came; the ringing, which no transaction shows",
    manual="kamailio/kamailio src/modules/acc (acc.c, acc_cdr.c, README); OpenSIPS acc module and accounting tutorial",
    columns=COLUMNS,
    open=_open,
)
