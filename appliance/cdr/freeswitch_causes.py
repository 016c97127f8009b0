"""How FreeSWITCH names why a leg ended, and what that says of the call.

Source: ``CAUSE_CHART`` in signalwire/freeswitch ``src/switch_channel.c``, and ``src/include/switch_types.h``.
"""

from typing import Final

from appliance.cdr.q850 import unanswered
from appliance.wire.call import Disposition

_Q850: Final = (
    *(("UNALLOCATED_NUMBER", 1), ("NO_ROUTE_TRANSIT_NET", 2), ("NO_ROUTE_DESTINATION", 3)),
    *(("CHANNEL_UNACCEPTABLE", 6), ("CALL_AWARDED_DELIVERED", 7), ("NORMAL_CLEARING", 16), ("USER_BUSY", 17)),
    *(("NO_USER_RESPONSE", 18), ("NO_ANSWER", 19), ("SUBSCRIBER_ABSENT", 20), ("CALL_REJECTED", 21)),
    *(("NUMBER_CHANGED", 22), ("REDIRECTION_TO_NEW_DESTINATION", 23), ("EXCHANGE_ROUTING_ERROR", 25)),
    *(("DESTINATION_OUT_OF_ORDER", 27), ("INVALID_NUMBER_FORMAT", 28), ("FACILITY_REJECTED", 29)),
    *(("RESPONSE_TO_STATUS_ENQUIRY", 30), ("NORMAL_UNSPECIFIED", 31), ("NORMAL_CIRCUIT_CONGESTION", 34)),
    *(("NETWORK_OUT_OF_ORDER", 38), ("NORMAL_TEMPORARY_FAILURE", 41), ("SWITCH_CONGESTION", 42)),
    *(("ACCESS_INFO_DISCARDED", 43), ("REQUESTED_CHAN_UNAVAIL", 44), ("PRE_EMPTED", 46)),
    *(("FACILITY_NOT_SUBSCRIBED", 50), ("BEARERCAPABILITY_NOTAUTH", 57), ("BEARERCAPABILITY_NOTAVAIL", 58)),
    *(("SERVICE_UNAVAILABLE", 63), ("BEARERCAPABILITY_NOTIMPL", 65), ("CHAN_NOT_IMPLEMENTED", 66)),
    *(("FACILITY_NOT_IMPLEMENTED", 69), ("SERVICE_NOT_IMPLEMENTED", 79), ("INVALID_CALL_REFERENCE", 81)),
    *(("INCOMPATIBLE_DESTINATION", 88), ("INVALID_MSG_UNSPECIFIED", 95), ("MANDATORY_IE_MISSING", 96)),
    *(("MESSAGE_TYPE_NONEXIST", 97), ("WRONG_MESSAGE", 98), ("IE_NONEXIST", 99), ("INVALID_IE_CONTENTS", 100)),
    *(("WRONG_CALL_STATE", 101), ("RECOVERY_ON_TIMER_EXPIRE", 102), ("MANDATORY_IE_LENGTH_ERROR", 103)),
    *(("PROTOCOL_ERROR", 111), ("INTERWORKING", 127)),
)
"""Its names for the causes of Q.850, table 1."""

_OWN_NO_ANSWER: Final = (
    *("ORIGINATOR_CANCEL", "ALLOTTED_TIMEOUT", "MEDIA_TIMEOUT", "PROGRESS_TIMEOUT", "PICKED_OFF", "LOSE_RACE"),
    *("BLIND_TRANSFER", "ATTENDED_TRANSFER", "MANAGER_REQUEST"),
)
_OWN_FAILED: Final = (
    *("CRASH", "SYSTEM_SHUTDOWN", "USER_CHALLENGE", "USER_NOT_REGISTERED", "INVALID_GATEWAY", "GATEWAY_DOWN"),
    *("INVALID_URL", "INVALID_PROFILE", "NO_PICKUP", "SRTP_READ_ERROR", "BOWOUT", "UNWANTED", "INVALID_IDENTITY"),
    *("OUTGOING_CALL_BARRED", "INCOMING_CALL_BARRED", "DECLINE", "DOES_NOT_EXIST_ANYWHERE", "NOT_ACCEPTABLE"),
)
_UNANSWERED: Final = (
    {name: unanswered(str(number)) for name, number in _Q850}
    | dict.fromkeys(_OWN_FAILED, Disposition.FAILED)
    | dict.fromkeys(_OWN_NO_ANSWER, Disposition.NO_ANSWER)
    | {"BUSY_EVERYWHERE": Disposition.BUSY}
)
"""The causes of Q.850, and those that FreeSWITCH adds to them (its numbers from 256)."""


def disposition_of(cause: str, *, answered: bool) -> Disposition:
    """Say how the leg ended; a name that is not known says nothing."""
    return Disposition.ANSWERED if answered else _UNANSWERED.get(cause, Disposition.UNKNOWN)
