"""Lines of 3CX' call log for tests, in any column set; every number and name is invented."""

from collections.abc import Sequence

from appliance.cdr.threecx_layout import COLUMNS

VALUES = {
    "historyid": "101",
    "callid": "00000192A0B1C001_4001",
    "duration": "00:01:00",
    "time-start": "2026/10/19 06:01:00",
    "time-answered": "2026/10/19 06:01:05",
    "time-end": "2026/10/19 06:02:05",
    "reason-terminated": "TerminatedBySrc",
    "from-no": "0470112233",
    "to-no": "Ext.201",
    "from-dn": "10000",
    "to-dn": "201",
    "dial-no": "201",
    "chain": "Chain: 0470112233;Ext.201;",
    "from-type": "Line",
    "to-type": "Extension",
    "from-dispname": "Bart",
    "to-dispname": "Ann",
}
DURATION_FIRST = [
    *("duration", "time-start", "time-answered", "time-end", "from-no", "to-no", "from-type", "to-type"),
    *("final-type", "reason-terminated", "historyid", "callid", "dial-no", "final-number", "chain"),
    *("missed-queue-calls", "from-dn", "to-dn", "reason-changed", "final-dn", "bill-rate", "bill-cost"),
    *("bill-name", "from-dispname", "to-dispname", "final-dispname", "bill-code"),
]
START_FIRST = [
    *("time-start", "dial-no", "from-dn", "duration", "time-answered", "time-end", "reason-terminated"),
    *("reason-changed", "missed-queue-calls", "from-no", "to-no", "to-dn", "final-number", "final-dn"),
    *("from-type", "to-type", "final-type", "from-dispname", "to-dispname", "final-dispname"),
]


def line(columns: Sequence[str] = COLUMNS, /, **values: str) -> str:
    """One line of ``columns``; the values named (``time_start`` for ``time-start``) are replaced."""
    known = VALUES | {name.replace("_", "-"): value for name, value in values.items()}
    return "Call " + ",".join(known.get(name, "") for name in columns) + "\n"
