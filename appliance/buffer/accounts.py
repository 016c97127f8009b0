"""The account of each feed and day, put together from the tallies, what waits, the quarantine and the known gaps.

Statements only; the caller owns the transaction. Nothing here is sealed, so a stored count or name may be damaged:
accounts are given as they stand, and who lets them leave checks them.
"""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from appliance.buffer import ledger
from appliance.policy.gaps import bounded
from appliance.ports import Intake
from appliance.wire.codec import is_exact_gap
from appliance.wire.completeness import Account, Gap, GapCause, ReasonCount
from appliance.wire.limits import MAX_GAPS_PER_ACCOUNT

UNKNOWN: Final = -1
"""Stands in the table for a number of records that nobody knows."""
_WHOLE_BUFFER: Final = ("", "")
_TALLIED: Final = (
    *("read", "recorded", "quarantined", "ignored", "held"),
    *("acknowledged", "duplicate", "refused", "set_aside", "lost", "chain_broken"),
)
_GAP: Final = "began_at, ended_at, records, cause"


def accounts(connection: sqlite3.Connection) -> list[Account]:
    """Give every account, by feed and day."""
    counts, waiting = ledger.tallies(connection), ledger.waiting(connection)
    reasons, gaps = _reasons(connection), _gaps(connection)
    keys = (counts.keys() | waiting.keys() | gaps.keys()) - {_WHOLE_BUFFER}
    return [
        Account(
            feed=feed,
            day=day,
            waiting=waiting.get((feed, day), 0),
            reasons=reasons.get((feed, day), []),
            gaps=gaps.get((feed, day), []),
            **{kind: counts.get((feed, day), {}).get(kind, 0) for kind in _TALLIED},
        )
        for feed, day in sorted(keys)
    ]


def count_intake(connection: sqlite3.Connection, intake: Intake) -> None:
    """Count what was read and what became of it, and keep the gaps before it."""
    ledger.count(
        connection,
        intake.feed,
        intake.day,
        read=intake.read,
        recorded=len(intake.calls),
        quarantined=len(intake.quarantined),
        ignored=intake.ignored,
        held=intake.held,
    )
    if intake.gaps:
        _add_gaps(connection, intake)


def drop_settled(connection: sqlite3.Connection, settled: Sequence[Account]) -> None:
    """Forget those of ``settled`` that stand as they were given, balance, and of which nothing waits."""
    current = {(account.feed, account.day): account for account in accounts(connection)}
    for account in settled:
        place = (account.feed, account.day)
        if current.get(place) == account and account.balanced and not account.waiting:
            connection.execute("DELETE FROM tally WHERE feed = ? AND day = ?", place)
            connection.execute("DELETE FROM gap WHERE feed = ? AND day = ?", place)


def _add_gaps(connection: sqlite3.Connection, intake: Intake) -> None:
    place = (intake.feed, intake.day)
    known = _gaps(connection).get(place, [])
    gaps = bounded([*known, *map(_exact, intake.gaps)], most=MAX_GAPS_PER_ACCOUNT)
    connection.execute("DELETE FROM gap WHERE feed = ? AND day = ?", place)
    connection.executemany(
        f"INSERT INTO gap (feed, day, {_GAP}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - names of columns
        [(*place, *_row(gap)) for gap in gaps],
    )


def _exact(gap: Gap) -> Gap:
    """In UTC and to the millisecond, as the wire has it."""
    began, ended = (
        moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)
        for moment in (gap.began_at, gap.ended_at)
    )
    return Gap(began, ended, gap.records, gap.cause)


def _row(gap: Gap) -> tuple[str, str, int, str]:
    records = UNKNOWN if gap.records is None else gap.records
    return gap.began_at.isoformat(), gap.ended_at.isoformat(), records, gap.cause.value


def damaged_gaps(connection: sqlite3.Connection) -> int:
    """How many gaps cannot be read any more."""
    stored = int(connection.execute("SELECT count(*) FROM gap").fetchone()[0])
    return stored - sum(map(len, _gaps(connection).values()))


def _gaps(connection: sqlite3.Connection) -> dict[tuple[str, str], list[Gap]]:
    found: dict[tuple[str, str], list[Gap]] = {}
    for feed, day, *row in connection.execute(f"SELECT feed, day, {_GAP} FROM gap ORDER BY id"):  # noqa: S608 - as above
        gap = _read(row)
        if gap is not None:
            found.setdefault((feed, day), []).append(gap)
    return found


def _read(row: Sequence[Any]) -> Gap | None:
    """The gap of a row; None where it was damaged."""
    began, ended, records, cause = row
    try:
        gap = Gap(
            datetime.fromisoformat(began),
            datetime.fromisoformat(ended),
            None if records == UNKNOWN else records,
            GapCause(cause),
        )
    except ValueError:
        return None
    return gap if is_exact_gap(gap) and records >= UNKNOWN else None


def _reasons(connection: sqlite3.Connection) -> dict[tuple[str, str], list[ReasonCount]]:
    found: dict[tuple[str, str], list[ReasonCount]] = {}
    for feed, day, kind, reason, records in connection.execute(
        "SELECT feed, day, kind, reason, sum(records) FROM quarantine"
        " GROUP BY feed, day, kind, reason ORDER BY feed, day, kind, reason"
    ):
        found.setdefault((feed, day), []).append(ReasonCount(kind, reason, records))
    return found
