"""Dialect ``cisco_cucm_cmr``: the call management records of Cisco Unified Communications Manager (CUCM).

A CMR is a report of one device about one leg of a call: packets, loss, delay, and the device's own number. It is no
call: it names neither the other party nor the direction, and a call between two telephones has two. It becomes a leg of
the call whose CDR has the same global call id; in one feed both get the same call id, in two feeds they do not.
Where ``duration`` is missing (older releases), the leg has no length: only when it ended is known.

``cisco_cucm_reader`` says what a record means, ``cisco_cucm_layout`` which column is what. CDRs in the same feed are
read as the dialect ``cisco_cucm_cdr`` reads them.

Sources: Cisco "Call Detail Records Administration Guide for Cisco Unified Communications Manager" (CMR field
descriptions); sieteunoseis/cisco-cucm-cdr ``cdr-examples``.
"""

from typing import Final

from appliance.cdr.cisco_cucm_layout import QUALITY_COLUMNS
from appliance.cdr.cisco_cucm_reader import open_cucm
from appliance.cdr.dialect import Dialect, unread

COLUMNS: Final = unread(*QUALITY_COLUMNS) | {
    "cdrRecordType": "1 for a CDR, 2 for a CMR",
    "globalCallID_callManagerId": "never leaves; goes into a keyed hash",
    "globalCallID_callId": "never leaves; goes into a keyed hash",
    "globalCallId_ClusterID": "never leaves; goes into a keyed hash",
    "pkid": "never leaves; goes into a keyed hash",
    "directoryNum": "number: becomes the calling party",
    "dateTimeStamp": "time: epoch seconds; when the leg ended",
    "duration": "whole seconds",
}
"""What becomes of each column."""

DIALECT: Final = Dialect(
    name="cisco_cucm_cmr",
    description="Cisco Unified Communications Manager CMR files (voice quality), with names, types, both or no header",
    transports=("file", "sftp push"),
    identity="pkid",
    inherent_loss="devices report only while call diagnostics are enabled; one that is cut off reports nothing",
    manual="Cisco, Call Detail Records Administration Guide for Cisco Unified Communications Manager, 6.1 to 15",
    columns=COLUMNS,
    open=open_cucm,
)
