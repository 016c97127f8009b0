"""How often an address may guess: a bound within one process, so that guessing costs time and floods cost little.

Not the protection of a token, which 160 random bits are. An address is an IPv4 address or a /64 of IPv6, which is
what one site has. When too many addresses have failed, the one that failed least recently is forgotten.
"""

import ipaddress
import math
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from typing import Final

from appliance.wire.problem import ProblemCode
from receiver.errors import ProblemError

FAILURES: Final = 10
WINDOW: Final = timedelta(minutes=1)
MAX_ADDRESSES: Final = 4096
_SITE_PREFIX: Final = 64


class GuessLimit:
    """The newest failures of each address."""

    def __init__(self) -> None:
        """Know of no failure."""
        self._failures: OrderedDict[str, deque[datetime]] = OrderedDict()

    def require_room(self, address: str, *, now: datetime) -> None:
        """Refuse an address that has failed ``FAILURES`` times within ``WINDOW``.

        Raises:
            ProblemError: ``rate_limited``, with the time to wait.
        """
        failures = self._failures.get(_site_of(address))
        if failures is None or len(failures) < FAILURES:
            return
        elapsed = now - failures[0]
        # A clock that was set back says nothing of how long ago that was.
        if timedelta() <= elapsed < WINDOW:
            raise ProblemError(
                ProblemCode.RATE_LIMITED,
                detail="too many refused enrollments from this address",
                hint="Wait as long as Retry-After says; check the invitation meanwhile.",
                retry_after_seconds=math.ceil((WINDOW - elapsed).total_seconds()),
            )

    def note_failure(self, address: str, *, now: datetime) -> None:
        """Count a failure."""
        site = _site_of(address)
        self._failures.setdefault(site, deque(maxlen=FAILURES)).append(now)
        self._failures.move_to_end(site)
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)


def _site_of(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((int(known), _SITE_PREFIX), strict=False))
