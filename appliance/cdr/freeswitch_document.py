"""A FreeSWITCH document of one leg, JSON or XML, to a record: what the two have in common.

``variables`` say when, why and which leg; the ``callflow`` says who called whom, one entry for each destination that
the leg had, the latest first (signalwire/freeswitch ``switch_ivr_generate_json_cdr``, ``switch_ivr_generate_xml_cdr``).
The first destination is the called party and, if it is another, the last is whom the call was forwarded to; those of
the context ``public`` are passed over where another follows: there an incoming call is only routed.
What is read of the values is decoded from ``%XX`` once; names are not read.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import unquote, unquote_to_bytes

from appliance.cdr.dialect import FeedContext, unread
from appliance.cdr.durations import seconds
from appliance.cdr.freeswitch_causes import disposition_of
from appliance.cdr.freeswitch_leg import (
    ID,
    PUBLIC,
    Moment,
    Span,
    call_of,
    direction_of,
    is_withheld,
    read_moment,
    settle,
)
from appliance.cdr.line_parser import Outcome
from appliance.cdr.local_time import LocalTimes
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason

VARIABLES: Final = {
    "uuid": "never leaves; goes into a keyed hash",
    "call_uuid": "never leaves; goes into a keyed hash",
    "originating_leg_uuid": "never leaves; goes into a keyed hash",
    "originator": "never leaves; goes into a keyed hash",
    "start_uepoch": "time: microseconds since 1970",
    "answer_uepoch": "time: microseconds since 1970",
    "end_uepoch": "time: microseconds since 1970",
    "start_epoch": "time: seconds, where there are no microseconds",
    "answer_epoch": "time: seconds, where there are no microseconds",
    "end_epoch": "time: seconds, where there are no microseconds",
    "start_stamp": "time: local, where there is no epoch",
    "answer_stamp": "time: local, where there is no epoch",
    "end_stamp": "time: local, where there is no epoch",
    "duration": "whole seconds",
    "billsec": "whole seconds",
    "hangup_cause": "one of six values",
    "direction": "never leaves; only a leg that comes in enters the context `public`",
    "call_direction": "FusionPBX: inbound, outbound or internal",
    "sip_Privacy": "never leaves; tells that the caller withheld the number",
    "privacy_hide_number": "never leaves; tells that the caller withheld the number",
    "caller_id_number": "number: the calling party where the callflow has none",
    "sip_from_user": "number: the calling party where nothing else says it",
    "destination_number": "number: the called party where the callflow has none",
}
PROFILE: Final = {
    "caller_id_number": "number: becomes the calling party",
    "destination_number": "number: becomes the called party, or the forwarded-to party",
    "context": "never leaves; `public` tells an incoming call",
    "uuid": "never leaves; goes into a keyed hash where the variables have none",
}
TIMES: Final = {
    "created_time": "time: microseconds since 1970, where the variables have none",
    "answered_time": "time: microseconds since 1970, where the variables have none",
    "hangup_time": "time: microseconds since 1970, where the variables have none",
}
COLUMNS: Final = (
    {f"variables.{name}": fate for name, fate in VARIABLES.items()}
    | {f"callflow.caller_profile.{name}": fate for name, fate in PROFILE.items()}
    | {f"callflow.times.{name}": fate for name, fate in TIMES.items()}
    | unread(
        "core-uuid switchname channel_data callStats app_log callflow.extension callflow.caller_profile.caller_id_name",
        "callflow.caller_profile.ani callflow.caller_profile.rdnis callflow.caller_profile.network_addr",
        "callflow.caller_profile.chan_name callflow.caller_profile.originatee callflow.caller_profile.originator",
        "variables.sip_from_display variables.sip_full_from variables.sip_contact_uri variables.last_arg",
        "variables.digits_dialed variables.pin_number variables.accountcode variables.channel_name",
    )
)
"""What becomes of each field; there are hundreds of variables more, none of which is read."""
_ENCODED: Final = (b"%7B", b"%7b", b"%3C", b"%3c")


class Flow(NamedTuple):
    """One destination that a leg had: texts as written, empty where they are missing."""

    profile: dict[str, str]
    times: dict[str, str]


class Document(NamedTuple):
    """What is read of a document; ``flows`` has the latest first."""

    variables: dict[str, str]
    flows: Sequence[Flow]


class DocumentReader:
    """Reads the documents of one feed; ``extract`` takes out of one what is read, or says that it is none."""

    __slots__ = ("_extract", "_times", "_window")

    def __init__(self, context: FeedContext, extract: Callable[[bytes], Document | Reason]) -> None:
        """Start at the beginning of a feed."""
        self._times = LocalTimes(context.zone)
        self._window = OccurrenceWindow()
        self._extract = extract

    def read(self, line: Line, content: bytes, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in there
        """See ``line_parser.Reader``."""
        content = content.removeprefix(b"cdr=")
        if content.startswith(_ENCODED):
            # As mod_json_cdr and mod_xml_cdr keep what no server took.
            content = unquote_to_bytes(content)
        document = self._extract(content)
        return document if isinstance(document, Reason) else self._record(line, document)

    def _record(self, line: Line, document: Document) -> CallRecord | Reason:
        variables = {name: plain(text) for name, text in document.variables.items()}
        flows = [
            Flow({name: plain(text) for name, text in flow.profile.items()}, flow.times) for flow in document.flows
        ]
        latest = flows[0] if flows else Flow({}, {})
        uuid = variables.get("uuid") or latest.profile.get("uuid", "")
        parents = [variables.get(name, "") for name in ("call_uuid", "originating_leg_uuid", "originator")]
        if not uuid or not all(map(ID.fullmatch, (uuid, *parents))):
            return Reason.TYPE_SIGNATURE
        call_key = f"call\0{call_of(uuid, *parents)}".encode()
        # Counted before anything that depends on the times can refuse the document.
        leg = self._window.leg(call_key, line)
        span = self._span(variables, latest)
        if isinstance(span, Reason):
            return span
        called, forwarded_to = _destinations(flows)
        withheld = is_withheld(variables.get("sip_Privacy", ""), variables.get("privacy_hide_number", ""))
        calling = latest.profile.get("caller_id_number") or variables.get("caller_id_number")
        entered = flows[-1].profile.get("context", "") if flows else ""
        return CallRecord(
            f"uuid\0{uuid}".encode(),
            call_key,
            leg,
            *span,
            direction_of(variables.get("call_direction", ""), entered, variables.get("direction", "")),
            disposition_of(variables.get("hangup_cause", ""), answered=span.answered_at is not None),
            "anonymous" if withheld else calling or variables.get("sip_from_user", ""),
            called or variables.get("destination_number", ""),
            forwarded_to,
        )

    def _span(self, variables: dict[str, str], latest: Flow) -> Span | Reason:
        readings = []
        for name, time in (("start", "created_time"), ("answer", "answered_time"), ("end", "hangup_time")):
            spellings = [variables.get(f"{name}_{unit}", "") for unit in ("stamp", "epoch", "uepoch")]
            if not (spellings[1] or spellings[2]):
                spellings[2] = latest.times.get(time, "")
            reading = read_moment(self._times, Moment(*spellings))
            if isinstance(reading, Reason):
                return reading
            readings.append(reading)
        lengths = []
        for name in ("duration", "billsec"):
            text = variables.get(name, "")
            length = seconds(text)
            if text and length is None:
                return Reason.TYPE_SIGNATURE
            lengths.append(length)
        start, answer, end = readings
        return settle(start, answer, end, (lengths[0], lengths[1]))


def plain(text: str) -> str:
    """Decode ``%XX``, take off the blanks around, and replace what no text can hold (half a surrogate pair)."""
    if "%" in text:
        text = unquote(text)
    return (text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")).strip()


def _destinations(flows: Sequence[Flow]) -> tuple[str, str]:
    """Give the called and the forwarded-to party."""
    reached = [flow.profile for flow in reversed(flows) if flow.profile.get("destination_number")]
    inside = [profile for profile in reached if profile.get("context") != PUBLIC]
    numbers = [profile["destination_number"] for profile in inside or reached]
    if not numbers:
        return "", ""
    return numbers[0], numbers[-1] if numbers[-1] != numbers[0] else ""
