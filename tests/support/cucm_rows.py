"""Rows of CUCM's two kinds of file for tests; every number, device and id is invented."""

from collections.abc import Mapping, Sequence

from appliance.cdr.cisco_cucm_layout import CALL_COLUMNS, QUALITY_COLUMNS

CALL_COLUMN_COUNTS = (94, 104, 112, 123, 129, 133)
"""What releases from 6.1 to 15 write."""

_TEXTS = (
    *("Number", "Name", "Dn", "pkid", "Partition", "ClusterID", "comment", "Code", "ProtocolCallRef", "huntPilotDN"),
    *(
        "Pattern",
        "_uri",
        "v6Addr",
        "UserID",
        "RSVP",
        "VQMetrics",
        "directoryNum",
        "SessionID",
        "ICID",
        "IOI",
        "headset",
    ),
    *("Metrics", "ContentType", "DeviceType"),
)
_CALL = {
    "cdrRecordType": "1",
    "globalCallID_callManagerId": "2",
    "globalCallID_callId": "4711",
    "dateTimeOrigination": "1792479600",
    "origIpAddr": "-1139627840",
    "callingPartyNumber": "201",
    "callingPartyUnicodeLoginUserID": "bmaes",
    "origCause_value": "16",
    "originalCalledPartyNumber": "202",
    "finalCalledPartyNumber": "202",
    "destCause_value": "0",
    "dateTimeConnect": "1792479605",
    "dateTimeDisconnect": "1792479665",
    "lastRedirectDn": "202",
    "pkid": "00000000-0000-4000-8000-000000000001",
    "duration": "60",
    "origDeviceName": "SEP001122334455",
    "destDeviceName": "SEP001122334466",
    "globalCallId_ClusterID": "Leuven",
    "authCodeDescription": "Ann",
    "clientMatterCode": "99887766",
    "authorizationCodeValue": "55443322",
    "origIpv4v6Addr": "192.0.2.14",
}
_QUALITY = {
    "cdrRecordType": "2",
    "globalCallID_callManagerId": "2",
    "globalCallID_callId": "4711",
    "directoryNum": "201",
    "dateTimeStamp": "1792479665",
    "pkid": "00000000-0000-4000-8000-000000000002",
    "globalCallId_ClusterID": "Leuven",
    "deviceName": "SEP001122334455",
    "varVQMetrics": "CCR=0.0011;ICR=0.0000;VoRxCodec=G.711 u-la;maxJitter=8",
    "duration": "60",
}


def is_text(name: str) -> bool:
    """Whether the column ``name`` holds text, which CUCM puts between quotes."""
    return any(part in name for part in _TEXTS) and "Reason" not in name


def cdr(*, width: int = 133, quoted: bool = True, **columns: str) -> bytes:
    """One CDR of so many columns, those named replaced."""
    return _line(CALL_COLUMNS[:width], _CALL | columns, quoted=quoted, blank="0")


def cmr(*, width: int = 48, quoted: bool = True, **columns: str) -> bytes:
    """One CMR of so many columns, those named replaced."""
    return _line(QUALITY_COLUMNS[:width], _QUALITY | columns, quoted=quoted, blank="")


def names(columns: Sequence[str], *, quoted: bool = True) -> bytes:
    """The line of names."""
    return ",".join(f'"{name}"' if quoted else name for name in columns).encode() + b"\n"


def types(columns: Sequence[str], *, text: str = "VARCHAR(50)") -> bytes:
    """The line of types."""
    kinds = {name: text if is_text(name) else "INTEGER" for name in columns} | {"pkid": "UNIQUEIDENTIFIER"}
    return ",".join(kinds[name] for name in columns).encode() + b"\n"


def pkid(number: int) -> str:
    """An identity."""
    return f"00000000-0000-4000-8000-{number:012x}"


def _line(columns: Sequence[str], values: Mapping[str, str], *, quoted: bool, blank: str) -> bytes:
    assert values.keys() <= {*CALL_COLUMNS, *QUALITY_COLUMNS}
    cells = []
    for name in columns:
        if is_text(name):
            value = values.get(name, "")
            cells.append(f'"{value}"' if quoted else value)
        else:
            cells.append(values.get(name, blank))
    return ",".join(cells).encode("utf-8") + b"\n"
