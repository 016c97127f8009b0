"""A busy hosted PBX' file: head, marker rows and 300 columns; both sides of calls, answered, busy or redirected."""

from datetime import UTC, datetime, timedelta
from random import Random

from tests.support.broadworks_rows import END, HEAD, START, broadworks, record_id


def feed(*, rows: int, seed: int) -> bytes:
    """So many rows between the markers, the same for the same seed."""
    random = Random(seed)  # noqa: S311 - test data
    lines = [HEAD, START]
    clock = datetime(2026, 9, 1, 8, tzinfo=UTC)
    for number in range(rows):
        clock += timedelta(milliseconds=random.randrange(20_000))
        answer = clock + timedelta(milliseconds=random.randrange(1000, 30_000))
        talked = random.choice((0, 5, 61, 300, 3600))
        release = answer + timedelta(seconds=talked, milliseconds=random.randrange(1000))
        outside, inside = f"+32470{random.randrange(1000000):06}", f"+322444{random.randrange(10000):04}"
        calling, called = (inside, outside) if number % 2 else (outside, inside)
        lines.append(
            broadworks(
                recordId=record_id(number, date=stamp(clock)),
                direction="Originating" if number % 2 else "Terminating",
                callingNumber=calling,
                calledNumber=called,
                originalCalledNumber="" if number % 9 else "+3224440000",
                startTime=stamp(clock),
                answerIndicator="Yes" if talked else "No",
                answerTime=stamp(answer) if talked else "",
                releaseTime=stamp(release),
                terminationCause=random.choice(("016", "017", "001")),
                localCallId=f"{66330 + number}:0",
            )
        )
    return b"".join([*lines, END])


def stamp(moment: datetime) -> str:
    """A time as BroadWorks writes it."""
    return f"{moment:%Y%m%d%H%M%S}.{moment.microsecond // 1000:03}"
