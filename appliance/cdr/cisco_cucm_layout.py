"""Which column is what in the two kinds of record that Cisco Unified Communications Manager (CUCM) writes.

Cisco "Call Detail Records Administration Guide for Cisco Unified Communications Manager" lists the columns in the order
of the file; each release has only added some at the end: 94 to 133 for CDRs, 18 to 48 for CMRs. A file begins with the
names and then the types of its columns, or with one of the two, or with neither where a collector took them off.

A layout is only proposed here, by a header or by the number of columns; ``call_fields`` and ``quality_fields`` then
prove it on each row by the columns whose type cannot be mistaken. A row that fits none is refused, never shifted.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Final, NamedTuple

from msgspec import Struct

from appliance.cdr.durations import seconds

_CALL_NAMES: Final = """
    cdrRecordType globalCallID_callManagerId globalCallID_callId origLegCallIdentifier dateTimeOrigination origNodeId
    origSpan origIpAddr callingPartyNumber callingPartyUnicodeLoginUserID origCause_location origCause_value
    origPrecedenceLevel origMediaTransportAddress_IP origMediaTransportAddress_Port origMediaCap_payloadCapability
    origMediaCap_maxFramesPerPacket origMediaCap_g723BitRate origVideoCap_Codec origVideoCap_Bandwidth
    origVideoCap_Resolution origVideoTransportAddress_IP origVideoTransportAddress_Port origRSVPAudioStat
    origRSVPVideoStat destLegIdentifier destNodeId destSpan destIpAddr originalCalledPartyNumber finalCalledPartyNumber
    finalCalledPartyUnicodeLoginUserID destCause_location destCause_value destPrecedenceLevel
    destMediaTransportAddress_IP destMediaTransportAddress_Port destMediaCap_payloadCapability
    destMediaCap_maxFramesPerPacket destMediaCap_g723BitRate destVideoCap_Codec destVideoCap_Bandwidth
    destVideoCap_Resolution destVideoTransportAddress_IP destVideoTransportAddress_Port destRSVPAudioStat
    destRSVPVideoStat dateTimeConnect dateTimeDisconnect lastRedirectDn pkid originalCalledPartyNumberPartition
    callingPartyNumberPartition finalCalledPartyNumberPartition lastRedirectDnPartition duration origDeviceName
    destDeviceName origCallTerminationOnBehalfOf destCallTerminationOnBehalfOf origCalledPartyRedirectOnBehalfOf
    lastRedirectRedirectOnBehalfOf origCalledPartyRedirectReason lastRedirectRedirectReason destConversationId
    globalCallId_ClusterID joinOnBehalfOf comment authCodeDescription authorizationLevel clientMatterCode
    origDTMFMethod destDTMFMethod callSecuredStatus origConversationId origMediaCap_Bandwidth destMediaCap_Bandwidth
    authorizationCodeValue outpulsedCallingPartyNumber outpulsedCalledPartyNumber origIpv4v6Addr destIpv4v6Addr
    origVideoCap_Codec_Channel2 origVideoCap_Bandwidth_Channel2 origVideoCap_Resolution_Channel2
    origVideoTransportAddress_IP_Channel2 origVideoTransportAddress_Port_Channel2 origVideoChannel_Role_Channel2
    destVideoCap_Codec_Channel2 destVideoCap_Bandwidth_Channel2 destVideoCap_Resolution_Channel2
    destVideoTransportAddress_IP_Channel2 destVideoTransportAddress_Port_Channel2 destVideoChannel_Role_Channel2
    IncomingProtocolID IncomingProtocolCallRef OutgoingProtocolID OutgoingProtocolCallRef currentRoutingReason
    origRoutingReason lastRedirectingRoutingReason huntPilotPartition huntPilotDN calledPartyPatternUsage IncomingICID
    IncomingOrigIOI IncomingTermIOI OutgoingICID OutgoingOrigIOI OutgoingTermIOI outpulsedOriginalCalledPartyNumber
    outpulsedLastRedirectingNumber wasCallQueued totalWaitTimeInQueue callingPartyNumber_uri
    originalCalledPartyNumber_uri finalCalledPartyNumber_uri lastRedirectDn_uri mobileCallingPartyNumber
    finalMobileCalledPartyNumber origMobileDeviceName destMobileDeviceName origMobileCallDuration
    destMobileCallDuration mobileCallType originalCalledPartyPattern finalCalledPartyPattern
    lastRedirectingPartyPattern huntPilotPattern origDeviceType destDeviceType origDeviceSessionID destDeviceSessionID
"""
CALL_COLUMNS: Final = tuple(_CALL_NAMES.split())
"""The columns of a CDR in their order, CUCM 15."""

_QUALITY_NAMES: Final = """
    cdrRecordType globalCallID_callManagerId globalCallID_callId nodeId directoryNum callIdentifier dateTimeStamp
    numberPacketsSent numberOctetsSent numberPacketsReceived numberOctetsReceived numberPacketsLost jitter latency pkid
    directoryNumPartition globalCallId_ClusterID deviceName varVQMetrics duration videoContentType videoDuration
    numberVideoPacketsSent numberVideoOctetsSent numberVideoPacketsReceived numberVideoOctetsReceived
    numberVideoPacketsLost videoAverageJitter videoRoundTripTime videoOneWayDelay videoReceptionMetrics
    videoTransmissionMetrics videoContentType_channel2 videoDuration_channel2 numberVideoPacketsSent_channel2
    numberVideoOctetsSent_channel2 numberVideoPacketsReceived_channel2 numberVideoOctetsReceived_channel2
    numberVideoPacketsLost_channel2 videoAverageJitter_channel2 videoRoundTripTime_channel2 videoOneWayDelay_channel2
    videoReceptionMetrics_channel2 videoTransmissionMetrics_channel2 localSessionID remoteSessionID headsetSN
    headsetMetrics
"""
QUALITY_COLUMNS: Final = tuple(_QUALITY_NAMES.split())
"""The columns of a CMR in their order, CUCM 15."""

_TYPES: Final = frozenset(
    {"INTEGER", "INT", "BIGINT", "VARCHAR", "NVARCHAR", "CHAR", "STRING", "UNIQUEIDENTIFIER", "GUID", "UUID"}
)
"""What a row of types holds; Cisco writes the first, the fourth and ``UNIQUEIDENTIFIER``, collectors the others."""
_PKID: Final = re.compile(r"\{?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?", re.ASCII)
_CAUSE: Final = re.compile(r"-?\d{1,10}", re.ASCII)
_MAX_EPOCH_DIGITS: Final = 10
_NEVER: Final = "0"
"""``dateTimeConnect`` of a call that was not answered."""


class CallFields(NamedTuple):
    """The columns of a CDR that are read, as text, called as in the header in lower case; empty where it has none."""

    cdrrecordtype: str
    globalcallid_callmanagerid: str
    globalcallid_callid: str
    globalcallid_clusterid: str
    pkid: str
    datetimeorigination: str
    datetimeconnect: str
    datetimedisconnect: str
    duration: str
    origcause_value: str
    destcause_value: str
    callingpartynumber: str
    originalcalledpartynumber: str
    finalcalledpartynumber: str
    callingpartynumber_uri: str
    originalcalledpartynumber_uri: str
    finalcalledpartynumber_uri: str


class QualityFields(NamedTuple):
    """The columns of a CMR that are read, as ``CallFields``."""

    cdrrecordtype: str
    globalcallid_callmanagerid: str
    globalcallid_callid: str
    globalcallid_clusterid: str
    pkid: str
    datetimestamp: str
    duration: str
    directorynum: str


class Layout(Struct, frozen=True):
    """The columns of one header, compiled: ``pick`` reads a row to which one empty column was appended."""

    width: int
    pick: Callable[[Sequence[str]], tuple[str, ...]]

    def has(self, row: Sequence[str]) -> bool:
        """Whether ``row``, with its appended column, has so many columns; more of them may follow if they are empty."""
        surplus = len(row) - 1 - self.width
        return surplus == 0 or (surplus > 0 and not any(row[self.width :]))


class Kind(Struct, frozen=True):
    """One kind of record."""

    record_type: str
    fields: tuple[str, ...]
    required: frozenset[str]
    """What a line of names must hold to be this kind's header."""
    standard: dict[int, Layout]
    """Where there is no header: the layout of each number of columns that some release may have."""


def compile_layout(names: Sequence[str], fields: Sequence[str]) -> Layout:
    """Compile the columns ``names``; a field that is not among them is read from the appended column."""
    where = {name.lower(): index for index, name in reversed(list(enumerate(names)))}
    return Layout(len(names), itemgetter(*(where.get(field, -1) for field in fields)))


def _kind(record_type: str, fields: tuple[str, ...], columns: tuple[str, ...], widths: range, required: str) -> Kind:
    padded = (*columns, *[""] * (widths.stop - len(columns)))
    standard = {width: compile_layout(padded[:width], fields) for width in widths}
    return Kind(record_type, fields, frozenset(required.split()), standard)


_FEWEST_CALL_COLUMNS: Final = 67
"""``joinOnBehalfOf`` is the last that every release since CUCM 5 has."""
_FEWEST_QUALITY_COLUMNS: Final = 17
"""``globalCallId_ClusterID`` is the last column that is needed; ``duration`` came later."""
_MOST_CALL_COLUMNS: Final = 199
"""Room for what later releases add."""
CALL: Final = _kind(
    "1",
    CallFields._fields,
    CALL_COLUMNS,
    range(_FEWEST_CALL_COLUMNS, _MOST_CALL_COLUMNS + 1),
    "cdrrecordtype pkid datetimeorigination datetimeconnect datetimedisconnect duration callingpartynumber",
)
QUALITY: Final = _kind(
    "2",
    QualityFields._fields,
    QUALITY_COLUMNS,
    range(_FEWEST_QUALITY_COLUMNS, _FEWEST_CALL_COLUMNS),
    "cdrrecordtype pkid directorynum datetimestamp",
)
KINDS: Final = (CALL, QUALITY)


def declared(row: Sequence[str], known: dict[str, Layout]) -> tuple[Kind, Layout] | None:
    """Give what a header line declares; None if ``row`` is no header.

    A line of types declares the standard order, unless names of as many columns (in ``known``) went before it.
    """
    names = [name.strip().lower() for name in row]
    while names and not names[-1]:
        names.pop()
    present = frozenset(names)
    for kind in KINDS:
        if present >= kind.required:
            return kind, compile_layout(names, kind.fields)
    if names and all(name.partition("(")[0].upper() in _TYPES for name in names):
        for kind in KINDS:
            before = known.get(kind.record_type)
            layout = before if before and before.width == len(names) else kind.standard.get(len(names))
            if layout:
                return kind, layout
    return None


def epoch(text: str) -> datetime | None:
    """Read seconds since 1970 (UTC); None if it is something else."""
    if text.isascii() and text.isdecimal() and len(text) <= _MAX_EPOCH_DIGITS:
        return datetime.fromtimestamp(int(text), UTC)
    return None


def call_times(fields: CallFields) -> tuple[datetime, datetime | None, datetime] | None:
    """Prove that ``fields`` are a CDR's; give when the call started, was answered and ended, None if they are not."""
    started_at, ended_at = epoch(fields.datetimeorigination), epoch(fields.datetimedisconnect)
    unanswered = fields.datetimeconnect == _NEVER
    answered_at = None if unanswered else epoch(fields.datetimeconnect)
    if (
        started_at is None
        or ended_at is None
        or (answered_at is None) is not unanswered
        or seconds(fields.duration) is None
        or not _has_identity(fields)
        or not all(cause == "" or _CAUSE.fullmatch(cause) for cause in (fields.origcause_value, fields.destcause_value))
    ):
        return None
    return started_at, answered_at, ended_at


def quality_times(fields: QualityFields) -> tuple[datetime, int] | None:
    """Prove that ``fields`` are a CMR's; give when the leg ended and how long it was, None if they are not."""
    ended_at, duration = epoch(fields.datetimestamp), seconds(fields.duration or "0")
    return None if ended_at is None or duration is None or not _has_identity(fields) else (ended_at, duration)


def _has_identity(fields: CallFields | QualityFields) -> bool:
    return (
        _PKID.fullmatch(fields.pkid) is not None
        and fields.globalcallid_callmanagerid.isdecimal()
        and fields.globalcallid_callid.isdecimal()
    )
