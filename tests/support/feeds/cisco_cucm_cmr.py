"""A busy site's CMR file: two header lines, 48 columns, two devices for each call."""

from random import Random

from appliance.cdr.cisco_cucm_layout import QUALITY_COLUMNS
from tests.support.cucm_rows import cmr, names, pkid, types


def feed(*, rows: int, seed: int) -> bytes:
    """So many rows below the header, the same for the same seed."""
    random = Random(seed)  # noqa: S311 - test data
    lines = [names(QUALITY_COLUMNS), types(QUALITY_COLUMNS)]
    clock = 1790000000
    for number in range(rows):
        clock += random.randrange(20)
        inside, outside = f"{random.randrange(200, 900)}", f"0470{random.randrange(1000000):06}"
        lines.append(
            cmr(
                globalCallID_callId=str(20000 + number // 2),
                dateTimeStamp=str(clock),
                directoryNum=random.choice((inside, outside)),
                duration=str(random.choice((0, 5, 61, 300, 3600))),
                pkid=pkid(number),
            )
        )
    return b"".join(lines)
