"""A busy site's CDR file: two header lines, 133 columns, calls that are answered, busy, forwarded or abandoned."""

from random import Random

from appliance.cdr.cisco_cucm_layout import CALL_COLUMNS
from tests.support.cucm_rows import cdr, names, pkid, types


def feed(*, rows: int, seed: int) -> bytes:
    """So many rows below the header, the same for the same seed."""
    random = Random(seed)  # noqa: S311 - test data
    lines = [names(CALL_COLUMNS), types(CALL_COLUMNS)]
    clock = 1790000000
    for number in range(rows):
        clock += random.randrange(20)
        rung, talked = random.randrange(1, 40), random.choice((0, 0, 5, 61, 300, 3600))
        inside, outside = f"{random.randrange(200, 900)}", f"0470{random.randrange(1000000):06}"
        calling, called = (inside, "0" + outside) if number % 2 else (outside, inside)
        lines.append(
            cdr(
                globalCallID_callId=str(20000 + number * 7 // 8),
                dateTimeOrigination=str(clock),
                dateTimeConnect=str(clock + rung if talked else 0),
                dateTimeDisconnect=str(clock + rung + talked),
                duration=str(talked),
                callingPartyNumber=calling,
                originalCalledPartyNumber=called,
                finalCalledPartyNumber=called if number % 9 else "0475998877",
                destCause_value=random.choice(("16", "17", "1")),
                pkid=pkid(number),
            )
        )
    return b"".join(lines)
