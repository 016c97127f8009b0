"""Dialect ``asterisk_ami``: the ``Cdr`` events of Asterisk's manager interface (cdr_manager), as received.

An event is lines of ``Key: value`` up to an empty one, in any order. Other events, responses and the banner are no
records. cdr_manager.conf can map more variables: ``LinkedID``, ``Sequence``, ``DID`` and ``CNUM`` are read where they
come. A key that occurs twice with different values is somebody's forgery, or a line end in a name: refused.
The times are always local, whatever ``usegmtime`` says.

Sources: asterisk/asterisk ``cdr/cdr_manager.c``, ``configs/samples/cdr_manager.conf.sample``, ``main/manager.c``.
"""

import re
from datetime import datetime
from typing import Final

from appliance.cdr.asterisk_layout import REQUIRED, Fields, compile_layout, fit
from appliance.cdr.asterisk_record import AsteriskRecords
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.documents import documents, paragraph_framer
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import LocalTimes
from appliance.cdr.record import Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.zone_check import ZoneCheck

COLUMNS: Final = {
    "Source": "number: becomes the calling party",
    "Destination": "number: becomes the called party",
    "CNUM": "number: becomes the calling party where `Source` is empty",
    "DID": "number: becomes the called party where `Destination` names none; also tells an incoming call",
    "CallerID": "never leaves; looked at only to see that the caller withheld the number",
    "DestinationContext": "never leaves; looked at only to tell an incoming call",
    "DestinationChannel": "never leaves; a number that a forward dials becomes the forwarded-to party",
    "StartTime": "time: converted to UTC",
    "AnswerTime": "time: converted to UTC",
    "EndTime": "time: converted to UTC",
    "Duration": "whole seconds",
    "BillableSeconds": "whole seconds",
    "Disposition": "one of six values",
    "UniqueID": "never leaves; goes into a keyed hash, and its epoch decides what the local time meant",
    "LinkedID": "never leaves; goes into a keyed hash",
    "Sequence": "never leaves; goes into a keyed hash",
} | unread("Privilege Timestamp AccountCode Channel LastApplication LastData AMAFlags UserField PeerAccount")
_FIELDS: Final = {
    "source": "src",
    "destination": "dst",
    "callerid": "clid",
    "destinationcontext": "dcontext",
    "destinationchannel": "dstchannel",
    "starttime": "start",
    "answertime": "answer",
    "endtime": "end",
    "billableseconds": "billsec",
    **{name: name for name in ("duration", "disposition", "uniqueid", "linkedid", "sequence", "did", "cnum")},
}
"""Which field a key is."""
_LAYOUT: Final = compile_layout(Fields._fields)
_MESSAGE: Final = re.compile(rb"(?:\A|\n)(?:event|response|action)[ \t]*:", re.IGNORECASE)
_CDR: Final = re.compile(rb"(?:\A|\n)event[ \t]*:[ \t]*cdr[ \t]*(?:\r?\n|\r?\Z)", re.IGNORECASE)
_BANNER: Final = re.compile(rb"Asterisk Call Manager/[\d.]{1,16}\s*")
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class ManagerReader:
    """Reads the events of one stream in order."""

    __slots__ = ("_records", "_times", "zone_check")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a stream."""
        self._times = LocalTimes(context.zone)
        self.zone_check = ZoneCheck(context.zone)
        self._records = AsteriskRecords(self._times, self.zone_check)

    def read(self, line: Line, content: bytes, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the event
        """See ``line_parser.Reader``."""
        if not _CDR.search(content):
            return None if _MESSAGE.search(content) or _BANNER.fullmatch(content) else Reason.TYPE_SIGNATURE
        if _CONTROLS.search(content):
            return Reason.BINARY
        values = _values(content.decode("latin-1"))
        fields = fit(_LAYOUT, [*(values.get(name, "") for name in Fields._fields), ""]) if values else None
        start = self._times.read(fields.start) if fields else None
        return self._records.make(line, fields, start) if fields and start else Reason.TYPE_SIGNATURE


def _values(text: str) -> dict[str, str] | None:
    """Give the fields that are read; None if one of them is there with two values, or one that is needed is not."""
    values: dict[str, str] = {}
    for line in text.split("\n"):
        key, _, value = line.partition(":")
        name = _FIELDS.get(key.strip().lower())
        if name is not None:
            value = value.strip()
            # cdr_manager.conf may map the caller id anew: it is read for a withheld number only.
            if values.setdefault(name, value) != value and name != "clid":
                return None
    return values if values.keys() >= REQUIRED else None


def _open(context: FeedContext) -> LineParser:
    reader = ManagerReader(context)
    return ReaderParser(reader, documents, zone_check=reader.zone_check)


DIALECT: Final = Dialect(
    name="asterisk_ami",
    description="Asterisk manager interface (AMI), events Cdr: cdr_manager.conf must enable them",
    transports=("ami", "file"),
    identity="UniqueID and Sequence where the mapping has it, else the event and its occurrence within 64 KiB",
    inherent_loss="What happens while nobody is connected: the interface repeats nothing",
    manual="asterisk/asterisk cdr/cdr_manager.c, configs/samples/cdr_manager.conf.sample",
    columns=COLUMNS,
    open=_open,
    framer=paragraph_framer,
)
