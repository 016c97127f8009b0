"""Rows of Acme Packet's local CDR files for tests; every number, name and address is invented."""

from typing import Any, Final

RELEASES: Final = {"C610": 169, "C620": 171, "C640": 175, "undocumented": 269, "S-Cz9": 230}
"""How many columns a row has that ends a session."""

ANN: Final = '""Maes, An" <sip:+32470112233@192.0.2.14:5060;user=phone>;tag=SDepng302-1"'
BART: Final = '"<sip:+3224445566@192.0.2.20:5060;user=phone>;tag=2"'
_FORKED = 7
_BEHIND = '"192.0.2.14","realm, inside",0,"Build 5","GMT+02:00","<sip:+32499000000@192.0.2.14>"'


def stop(*, release: str = "C640", kind: str = "2", **columns: str) -> bytes:
    """A row that ends a session, those columns replaced that are named: as they stand in the file."""
    values = {
        "nas": "192.0.2.1",
        "port": "0",
        "session": '"SDepng302-ab12@192.0.2.1"',
        "ingress": '"SDepng302-ab12@192.0.2.1"',
        "egress": '"SDepng399-cd34@192.0.2.1"',
        "protocol": '"SIP"',
        "forked": '""',
        "generic": '"99887766"',
        "calling": ANN,
        "called": BART,
        "terminated": "1",
        "talk": "60",
        "setup": '"09:00:00.000 CEST OCT 20 2026"',
        "connect": '"09:00:05.500 CEST OCT 20 2026"',
        "disconnect": '"09:01:05.750 CEST OCT 20 2026"',
        "cause": "16",
    }
    cells = [kind, *(values | columns).values()]
    if release == "C610":
        del cells[_FORKED]
    return _filled(cells, RELEASES[release])


def start(*, kind: str = "1", **columns: str) -> bytes:
    """A row that starts a session or says that it goes on: no cause, no length, no end."""
    cells = [kind, "192.0.2.1", "0", '"SDepng302-ab12@192.0.2.1"', '"SD1"', '"SD2"', '"SIP"', '""', '"99887766"']
    times = {"setup": '"09:00:00.000 CEST OCT 20 2026"', "connect": '"09:00:05.500 CEST OCT 20 2026"'}
    return _filled([*cells, ANN, columns.pop("called", BART), *(times | columns).values()], 122)


def changed(row: bytes, place: int, *cells: str, remove: int = 0) -> bytes:
    """The row with cells put in, or taken out, at ``place``; counted in cells of the file, not in commas."""
    parts: list[Any] = row.decode("latin-1").rstrip("\n").replace("Maes, An", "Maes@ An").split(",")
    parts[place : place + remove] = cells
    return ",".join(parts).replace("@ An", ", An").encode("latin-1") + b"\n"


def _filled(cells: list[str], width: int) -> bytes:
    behind = _BEHIND.split(",", 1)
    row = ",".join([*cells, *behind, *[""] * (width - len(cells) - 6)])
    return row.encode("latin-1") + b"\n"
