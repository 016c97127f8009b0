"""The buffer's master key, by version: made at first use, renewed while the buffer is in use, destroyed when spent.

A version is a secret of its own in the store. Whoever adds the next one (``make_next``, from another process too) need
not stop the daemon: it looks at each step, and makes one by itself when the newest has served ``RENEW_AFTER``.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from appliance.ports import CallBuffer, Clock, SecretBytes
from appliance.sealing.secret_store import SecretStore

RENEW_AFTER: Final = timedelta(days=90)
_FORM: Final = re.compile(r"buffer-master-([1-9][0-9]{0,5})", re.ASCII)


class BufferKeys:
    """Keeps the versions of one appliance's buffer key."""

    def __init__(self, store: SecretStore, clock: Clock) -> None:
        """Keep them in ``store``."""
        self._store = store
        self._clock = clock
        self._in_use = 0

    def masters(self) -> dict[int, SecretBytes]:
        """Give every version; the first is made here.

        Raises:
            SealingError: one does not open, or cannot be kept.
        """
        return {version: self._store.get(_name(version)) for version in self._versions() or [self.make_next()]}

    def make_next(self) -> int:
        """Make the next version, and say which it is. Raises as ``masters``."""
        version = max(self._versions(), default=0) + 1
        self._store.get_or_create(_name(version))
        return version

    def step(self, buffer: CallBuffer) -> None:
        """Take a newer version into use, make one that is due, destroy those that nothing is sealed under.

        Raises:
            SealingError: as ``masters``.
            BufferUnusableError: the buffer must be reopened.
        """
        newest = max(self._versions())
        if self._clock.now() - self._made_at(newest) > RENEW_AFTER:
            newest = self.make_next()
        if newest != self._in_use:
            # At a start too: what an older version sealed may be left from before.
            if newest > 1:
                buffer.rekey(newest, self._store.get(_name(newest)))
            self._in_use = newest
        for version in buffer.spent_versions():
            self._store.discard(_name(version))

    def _versions(self) -> list[int]:
        return [int(match[1]) for name in self._store.names() if (match := _FORM.fullmatch(name))]

    def _made_at(self, version: int) -> datetime:
        return datetime.fromtimestamp(self._store.written_at(_name(version)), UTC)


def _name(version: int) -> str:
    return f"buffer-master-{version}"
