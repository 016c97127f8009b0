"""Rows of ``gw-accounting file`` for tests; every number, id and address is invented."""

from typing import Final

DETAILED: Final = 130
COMPACT: Final = 35
BEGIN: Final = b"gateway1.example.org 20 Oct 2026\n"
"""A line of the gateway's own."""

_LEG = {
    "unix-time": "1792479666",
    "call-id": "4711",
    "cdr-type": "1",
    "leg-type": "2",
    "h323-conf-id": '"9364550F D96211E2 8F0D9C9C 52CD806F"',
    "peer-address": '"+32470112233"',
    "peer-sub-address": '""',
    "h323-setup-time": '"*07:00:00.000 UTC Tue Oct 20 2026"',
    "alert-time": '"*07:00:01.000 UTC Tue Oct 20 2026"',
    "h323-connect-time": '"*07:00:05.500 UTC Tue Oct 20 2026"',
    "h323-disconnect-time": '"*07:01:05.750 UTC Tue Oct 20 2026"',
    "h323-disconnect-cause": '"10  "',
    "disconnect-text": '"normal call clearing (16)"',
    "h323-call-origin": '"answer"',
    "charged-units": "0",
    "info-type": '"speech"',
    "paks-out": "283",
    "bytes-out": "45280",
    "paks-in": "273",
    "bytes-in": "43680",
    "username": '"99887766"',
    "clid": '"+32470112233"',
    "dnis": '"024445566"',
}
_FEATURE = ('"10/20/2026 07:00:00.004"', '"+32470112233"', '"024445566"', "0")
_ACCOUNT_CODE = 32
_FEATURE_PLACE = 112
_PHONE_PLACE = 124


def leg(*, width: int = DETAILED, fn: str = '"TWC"', fid: str = "189", **columns: str) -> bytes:
    """One row; the columns named (``_`` for ``-``) are replaced, as they stand in the file."""
    values = _LEG | {name.replace("_", "-"): value for name, value in columns.items()}
    assert values.keys() == _LEG.keys()
    feature = [fn, *_FEATURE, fid, '"9364550F D96211E2"', "10CB", '""', '""', '""', '""']
    cells = list(values.values())
    if width > COMPACT:
        cells += [""] * (_FEATURE_PLACE - len(cells))
        cells[_ACCOUNT_CODE] = '"55443322"'
    cells += feature
    if width > _PHONE_PLACE:
        cells += ['"SEP001122334455"', *[""] * (width - _PHONE_PLACE - 1)]
    return ",".join(cells).encode() + b"\n"


def changed(row: bytes, place: int, *cells: bytes, remove: int = 0, keep: int = 200) -> bytes:
    """The row with cells put in, or taken out, at ``place``, cut to so many."""
    parts = row.rstrip(b"\n").split(b",")
    parts[place : place + remove] = cells
    return b",".join(parts[:keep]) + b"\n"
