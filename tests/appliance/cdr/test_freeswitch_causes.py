"""What FreeSWITCH's names of hangup causes say of a call."""

import pytest

from appliance.cdr.freeswitch_causes import disposition_of
from appliance.wire.call import Disposition

NO_ANSWER = """
    NORMAL_CLEARING
    NO_USER_RESPONSE
    NO_ANSWER
    SUBSCRIBER_ABSENT
    NORMAL_UNSPECIFIED
    RECOVERY_ON_TIMER_EXPIRE
    ORIGINATOR_CANCEL
    ALLOTTED_TIMEOUT
    MEDIA_TIMEOUT
    PROGRESS_TIMEOUT
    PICKED_OFF
    LOSE_RACE
    BLIND_TRANSFER
    ATTENDED_TRANSFER
    MANAGER_REQUEST
"""
BUSY = """
    USER_BUSY
    BUSY_EVERYWHERE
"""
CONGESTION = """
    NORMAL_CIRCUIT_CONGESTION
    NETWORK_OUT_OF_ORDER
    NORMAL_TEMPORARY_FAILURE
    SWITCH_CONGESTION
    ACCESS_INFO_DISCARDED
    REQUESTED_CHAN_UNAVAIL
"""
FAILED = """
    UNALLOCATED_NUMBER
    NO_ROUTE_TRANSIT_NET
    NO_ROUTE_DESTINATION
    CHANNEL_UNACCEPTABLE
    CALL_REJECTED
    NUMBER_CHANGED
    REDIRECTION_TO_NEW_DESTINATION
    EXCHANGE_ROUTING_ERROR
    DESTINATION_OUT_OF_ORDER
    INVALID_NUMBER_FORMAT
    FACILITY_REJECTED
    OUTGOING_CALL_BARRED
    INCOMING_CALL_BARRED
    BEARERCAPABILITY_NOTAUTH
    SERVICE_UNAVAILABLE
    CHAN_NOT_IMPLEMENTED
    INCOMPATIBLE_DESTINATION
    MANDATORY_IE_MISSING
    PROTOCOL_ERROR
    INTERWORKING
    CRASH
    SYSTEM_SHUTDOWN
    USER_NOT_REGISTERED
    INVALID_GATEWAY
    GATEWAY_DOWN
    DECLINE
    DOES_NOT_EXIST_ANYWHERE
    NOT_ACCEPTABLE
"""
EXPECTED = [
    (cause, disposition)
    for causes, disposition in (
        (NO_ANSWER, Disposition.NO_ANSWER),
        (BUSY, Disposition.BUSY),
        (CONGESTION, Disposition.CONGESTION),
        (FAILED, Disposition.FAILED),
        ("UNSPECIFIED NONE SUCCESS SOMETHING_NEW", Disposition.UNKNOWN),
    )
    for cause in causes.split()
]


@pytest.mark.parametrize(("cause", "disposition"), EXPECTED)
def test_an_unanswered_leg_ends_by_its_cause(cause: str, disposition: Disposition) -> None:
    """As table 1 of Q.850 has it, and for FreeSWITCH's own names as FusionPBX has it."""
    assert disposition_of(cause, answered=False) is disposition


@pytest.mark.parametrize("cause", ["NORMAL_CLEARING", "USER_BUSY", "RECOVERY_ON_TIMER_EXPIRE", ""])
def test_an_answered_leg_was_answered_whatever_ended_it(cause: str) -> None:
    """The cause is then that of the end of the talk."""
    assert disposition_of(cause, answered=True) is Disposition.ANSWERED
