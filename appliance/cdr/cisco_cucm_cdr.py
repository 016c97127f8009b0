"""Dialect ``cisco_cucm_cdr``: the call detail records of Cisco Unified Communications Manager (CUCM), 5 to 15.

``cisco_cucm_reader`` says what a record means, ``cisco_cucm_layout`` which column is what. CMRs in the same feed are
read as the dialect ``cisco_cucm_cmr`` reads them.

Sources: Cisco "Call Detail Records Administration Guide for Cisco Unified Communications Manager", releases 6.1 to 15
(fields in order, CDR examples, call termination cause codes); sieteunoseis/cisco-cucm-cdr ``cdr-examples``.
"""

from typing import Final

from appliance.cdr.cisco_cucm_layout import CALL_COLUMNS
from appliance.cdr.cisco_cucm_reader import open_cucm
from appliance.cdr.dialect import Dialect, unread

COLUMNS: Final = unread(*CALL_COLUMNS) | {
    "cdrRecordType": "1 for a CDR, 2 for a CMR",
    "globalCallID_callManagerId": "never leaves; goes into a keyed hash",
    "globalCallID_callId": "never leaves; goes into a keyed hash",
    "globalCallId_ClusterID": "never leaves; goes into a keyed hash",
    "pkid": "never leaves; goes into a keyed hash",
    "dateTimeOrigination": "time: epoch seconds",
    "dateTimeConnect": "time: epoch seconds; 0 where nobody answered",
    "dateTimeDisconnect": "time: epoch seconds",
    "duration": "whole seconds",
    "origCause_value": "number: tells why nobody answered",
    "destCause_value": "number: tells why nobody answered",
    "callingPartyNumber": "number: becomes the calling party",
    "callingPartyNumber_uri": "address: becomes the calling party where there is no number",
    "originalCalledPartyNumber": "number: becomes the called party",
    "originalCalledPartyNumber_uri": "address: becomes the called party where there is no number",
    "finalCalledPartyNumber": "number: becomes the forwarded-to party where it is another, or the called one",
    "finalCalledPartyNumber_uri": "address: as `finalCalledPartyNumber`, where there is no number",
}
"""What becomes of each column."""

DIALECT: Final = Dialect(
    name="cisco_cucm_cdr",
    description="Cisco Unified Communications Manager CDR files, with names, types, both or no header; CMR rows too",
    transports=("file", "sftp push"),
    identity="pkid",
    inherent_loss="CUCM writes no record of calls of zero length unless CdrLogCallsWithZeroDurationFlag is set",
    manual="Cisco, Call Detail Records Administration Guide for Cisco Unified Communications Manager, 6.1 to 15",
    columns=COLUMNS,
    open=open_cucm,
)
