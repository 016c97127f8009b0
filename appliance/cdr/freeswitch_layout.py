"""Which column is what, in the templates that mod_cdr_csv ships and in those that an administrator wrote.

Sources: signalwire/freeswitch ``conf/vanilla/autoload_configs/cdr_csv.conf.xml`` (``sql``, ``example``, ``snom``,
``linksys``, ``asterisk``, ``opencdrrate``) and the built-in templates of ``mod_cdr_csv.c``, ``mod_cdr_pg_csv.c`` and
``mod_cdr_sqlite.c``; the fourteen columns are those of areski/cdr-pusher. A layout is only proposed by the number of
columns, by a header or by the administrator; ``fit`` proves it on each row. FreeSWITCH escapes nothing that it writes,
so that a caller's name can add columns: a row that fits no layout is refused, never shifted.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Final, NamedTuple

from msgspec import Struct

from appliance.cdr.durations import USUAL_SECONDS, seconds
from appliance.cdr.freeswitch_leg import ID


class Fields(NamedTuple):
    """The variables that are read, as text; empty where the layout has none. No name is among them."""

    calling: str
    ani: str
    destination_number: str
    context: str
    start_stamp: str
    start_epoch: str
    start_uepoch: str
    answer_stamp: str
    answer_epoch: str
    answer_uepoch: str
    end_stamp: str
    end_epoch: str
    end_uepoch: str
    duration: str
    billsec: str
    hangup_cause: str
    uuid: str
    bleg_uuid: str
    signal_bond: str
    call_uuid: str
    originating_leg_uuid: str
    originator: str
    direction: str
    call_direction: str
    sip_privacy: str
    privacy_hide_number: str


_fields: Final[Callable[[Sequence[str]], Fields]] = partial(tuple.__new__, Fields)
"""``Fields._make`` without its check of the length, which ``pick`` fixes: half the time."""
_CAUSE: Final = re.compile(r"[A-Z0-9_]{0,48}", re.ASCII)
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,40}", re.ASCII)
_PROOFS: Final = {
    "local_ip_v4": re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII),
    "hangup_cause_q850": re.compile(r"\d{1,3}", re.ASCII),
    "direction": re.compile(r"inbound|outbound|"),
}


class Layout(Struct, frozen=True):
    """One column set, compiled: ``pick`` reads ``Fields`` from a row to which one empty column was appended."""

    width: int
    pick: Callable[[Sequence[str]], tuple[str, ...]]
    has_duration: bool
    has_billsec: bool
    has_epochs: bool
    proofs: tuple[tuple[int, re.Pattern[str]], ...]
    """Columns whose type tells a layout from another of that width, to which a broken name added a column."""
    calling: int = -1
    caller_id: int = -1
    """Where ``"name" <number>`` stands, quotes within quotes."""


_HEAD: Final = ["caller_id_name", "caller_id_number", "destination_number", "context"]
_TIMES: Final = ["start_stamp", "answer_stamp", "end_stamp", "duration", "billsec", "hangup_cause"]
_LEGS: Final = ["uuid", "bleg_uuid", "accountcode"]
_EXAMPLE: Final = [*_HEAD, *_TIMES, *_LEGS, "read_codec", "write_codec"]
_ASTERISK: Final = [
    *("accountcode", "caller_id_number", "destination_number", "context", "caller_id", "channel_name"),
    *("bridge_channel", "last_app", "last_arg", *_TIMES, "amaflags", "uuid", "userfield"),
]
_OPENCDRRATE: Final = [
    *("uuid", "signal_bond", "direction", "ani", "destination_number", "answer_stamp", "end_stamp", "billsec"),
    *("accountcode", "userfield", "network_addr", "name", "sip_gateway_name"),
]
_SHIPPED: Final = (
    [*_HEAD, *_TIMES, *_LEGS],
    [*_HEAD, *_TIMES, "hangup_cause_q850", *_LEGS],
    _EXAMPLE,
    ["local_ip_v4", *_EXAMPLE],
    [*_EXAMPLE, "sip_user_agent", "sip_p_rtp_stat"],
    [*_EXAMPLE, "sip_user_agent", "call_clientcode", "sip_rtp_rxstat", "sip_rtp_txstat", "sofia_record_file"],
    _ASTERISK,
    _OPENCDRRATE,
)
_ALIASES: Final = {
    "caller_id_number": "calling",
    "xml_cdr_uuid": "uuid",
    "start_timestamp": "start_stamp",
    "answer_timestamp": "answer_stamp",
    "end_timestamp": "end_stamp",
}
"""``calling`` is no variable's name; the others are columns of the tables of FusionPBX and of ``cdr_csv.conf.xml``."""
_STARTS: Final = ("start_stamp", "start_epoch", "start_uepoch")
_EPOCHS: Final = ("start_epoch", "start_uepoch", "answer_epoch", "answer_uepoch", "end_epoch", "end_uepoch")
_ENDS: Final = ("end_stamp", "end_epoch", "end_uepoch")


def compile_layout(names: Sequence[str]) -> Layout | None:
    """Compile the columns ``names``; None if they do not say who called whom, and when."""
    width = len(names)
    where = {_ALIASES.get(name, name): index for index, name in reversed(list(enumerate(names)))}
    if "xml_cdr_uuid" in names and "direction" in where:
        # FusionPBX' table: the direction of the call, not of the leg.
        where["call_direction"] = where.pop("direction")
    if not ("destination_number" in where and ("calling" in where or "ani" in where)):
        return None
    if not any(name in where for name in (*_STARTS, *_ENDS)):
        return None
    return Layout(
        width=width,
        pick=itemgetter(*(where.get(field, width) for field in Fields._fields)),
        has_duration="duration" in where,
        has_billsec="billsec" in where,
        has_epochs=any(name in where for name in _EPOCHS),
        proofs=tuple((where[name], pattern) for name, pattern in _PROOFS.items() if name in where),
        calling=where.get("calling", -1),
        caller_id=where.get("caller_id", -1),
    )


def header_layout(row: Sequence[str]) -> Layout | None:
    """Compile the layout that a header line declares; None if the row is no header.

    Every column must be a name: a row of data has a time in it, whatever its caller chose.
    """
    names = [name.strip().lower() for name in row]
    return compile_layout(names) if all(map(_NAME.fullmatch, names)) else None


def _layouts() -> dict[int, tuple[Layout, ...]]:
    compiled = [layout for layout in map(compile_layout, _SHIPPED) if layout is not None]
    widths = {layout.width for layout in compiled}
    return {width: tuple(layout for layout in compiled if layout.width == width) for width in widths}


LAYOUTS: Final = _layouts()
"""The candidates for a number of columns, in the order in which they are tried."""


def fit(layout: Layout, row: Sequence[str]) -> Fields | None:
    """Read ``row``, which ends in an empty column, by ``layout``; None unless each column of a certain type has it.

    That times are times is for the caller to see, who reads them anyway.
    """
    fields = _fields(layout.pick(row))
    if (
        (fields.duration in USUAL_SECONDS or seconds(fields.duration) is not None or not layout.has_duration)
        and (fields.billsec in USUAL_SECONDS or seconds(fields.billsec) is not None or not layout.has_billsec)
        and _CAUSE.fullmatch(fields.hangup_cause)
        and ID.fullmatch(fields.uuid)
        and ID.fullmatch(fields.bleg_uuid)
        and '"' not in fields.calling + fields.ani + fields.destination_number
        and (not layout.proofs or all(pattern.fullmatch(row[column]) for column, pattern in layout.proofs))
    ):
        return fields
    return None
