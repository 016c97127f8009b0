"""What a release cause says of a call that nobody answered (ITU-T Q.850, table 1).

Cisco, BroadWorks and other systems write these numbers into their records. Makers add numbers of their own above 127;
what those mean is theirs, so that they give ``UNKNOWN``.
"""

from typing import Final

from appliance.wire.call import Disposition

_NO_ANSWER: Final = (16, 18, 19, 20, 31, 102)
_BUSY: Final = (17,)
_CONGESTION: Final = (34, 38, 41, 42, 43, 44, 47)
_FAILED: Final = (
    *(1, 2, 3, 4, 5, 6, 7, 8, 9, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 39, 40, 46, 49, 50, 53, 55, 57, 58, 62, 63),
    *(65, 66, 69, 70, 79, 81, 82, 83, 84, 85, 86, 87, 88, 90, 91, 95, 96, 97, 98, 99, 100, 101, 103, 110, 111, 127),
)
_DISPOSITIONS: Final = {
    written: disposition
    for causes, disposition in (
        (_NO_ANSWER, Disposition.NO_ANSWER),
        (_BUSY, Disposition.BUSY),
        (_CONGESTION, Disposition.CONGESTION),
        (_FAILED, Disposition.FAILED),
    )
    for cause in causes
    for written in {str(cause), f"{cause:02}", f"{cause:03}"}
}
"""By the cause as it is written, with or without zeros in front."""


def unanswered(*causes: str) -> Disposition:
    """Say why a call was not answered, from the causes of its sides: the first that says more than its plain end."""
    found = [_DISPOSITIONS.get(cause, Disposition.UNKNOWN) for cause in causes]
    for disposition in found:
        if disposition not in {Disposition.NO_ANSWER, Disposition.UNKNOWN}:
            return disposition
    return Disposition.NO_ANSWER if Disposition.NO_ANSWER in found else Disposition.UNKNOWN
