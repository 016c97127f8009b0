"""When a certificate is to be renewed, and how long to wait before looking again. Functions of values.

Rules: a certificate is due at two thirds of its life, some hours earlier or later by a draw of its own, so that
appliances which were enrolled together do not knock together. The wall clock says *when*; waits are on the monotonic
clock and never longer than ``LOOK_SECONDS``, so that a step of the wall clock is seen within minutes.

A wall clock may be wrong by years, and the receiver's is the one that counts:

- It stepped ahead: the certificate looks due, or over. Asking for the next one is right in either case; where the
  receiver cannot be asked, because by this clock its certificate is over too, the back-off keeps the tries rare.
- It stepped back: what looks due in years is due once as much monotonic time has passed as was planned, and at once
  where the certificate is said to be not valid yet, which no clock that is right can say.
- A machine that was suspended has lost monotonic time, not wall time: either clock alone is enough.
- A renewed certificate that looks due again at once is the wrong clock's doing: it is left alone for an hour.

It does not know what the receiver thinks of the certificate; ``renewal`` asks when the receiver refuses one.
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

RENEW_AT: Final = 2 / 3
"""Of a certificate's life; of 7 days, 56 hours are left for trying again."""
SPREAD: Final = 1 / 12
"""Of a certificate's life: the width of the time within which a fleet renews; of 7 days, 14 hours."""
LOOK_SECONDS: Final = 300.0
"""The longest wait between two looks at the clock."""
REST_SECONDS: Final = 3600.0
"""How long a certificate is left alone after it was renewed."""


class RenewalWindow(Struct, frozen=True):
    """One certificate's life, and when it is to be renewed."""

    starts_at: datetime
    ends_at: datetime
    planned_at: datetime
    seen_at: float
    """Monotonic seconds: when this process first had the certificate."""

    @classmethod
    def plan(cls, starts_at: datetime, ends_at: datetime, *, draw: float, seen_at: float) -> "RenewalWindow":
        """Plan the renewal of a certificate.

        Args:
            starts_at: the certificate's notBefore.
            ends_at: its notAfter.
            draw: 0 to 1, evenly spread over a fleet; always the same for one certificate.
            seen_at: when this process first had it, in seconds of the monotonic clock.
        """
        planned_at = starts_at + (ends_at - starts_at) * (RENEW_AT + SPREAD * (draw - 0.5))
        return cls(starts_at, ends_at, planned_at, seen_at)

    def is_due(self, now: datetime, *, monotonic: float) -> bool:
        """Whether to ask for the next certificate, by either clock."""
        if not self.starts_at <= now < self.planned_at:
            return True
        return timedelta(seconds=monotonic - self.seen_at) >= self.planned_at - self.starts_at

    def is_over(self, now: datetime) -> bool:
        """Whether the certificate has ended by the wall clock."""
        return now >= self.ends_at

    def wait_seconds(self, now: datetime) -> float:
        """How long to wait before the next look, if nothing was due now: 1 to ``LOOK_SECONDS``."""
        left = (self.planned_at - now).total_seconds()
        return min(max(left, 1.0), LOOK_SECONDS) if left > 0 else LOOK_SECONDS
