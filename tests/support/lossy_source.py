"""A feed that cannot wait, as a socket: what nobody reads is kept up to a bound, and the rest is lost and told."""

from collections import deque

from appliance.cdr.record import Line
from appliance.policy.gaps import Losses
from appliance.ports import Clock, SourceBatch
from appliance.wire.completeness import GapCause


class LossySource:
    """Implements ``ports.CdrSource`` in memory."""

    def __init__(self, clock: Clock, *, feed: str = "main", room: int = 3) -> None:
        """Keep at most ``room`` lines that were not read yet."""
        self.feed = feed
        self._clock = clock
        self._room = room
        self._queue: deque[bytes] = deque()
        self._losses = Losses()
        self._offset = 0
        self._restarted = True
        self.lost = 0

    def send(self, content: bytes) -> None:
        """The PBX sends a line."""
        if len(self._queue) < self._room:
            self._queue.append(content)
            return
        self.lost += 1
        now = self._clock.now()
        self._losses.note(GapCause.BUFFER_FULL, began_at=now, ended_at=now, records=1)

    def resume(self, position: bytes | None) -> None:
        self._offset = int(position or b"0")

    def read(self, *, max_bytes: int) -> SourceBatch | None:
        assert max_bytes > 0
        gaps = self._losses.take()
        if not self._queue and not gaps:
            return None
        lines = []
        while self._queue:
            content = self._queue.popleft()
            lines.append(Line(self._offset, content))
            self._offset += len(content) + 1
        restarted, self._restarted = self._restarted, False
        return SourceBatch(
            lines=lines, unterminated=False, position=b"%d" % self._offset, restarted=restarted, gaps=gaps
        )
