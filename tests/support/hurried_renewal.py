"""Renewals one after another at a real receiver, whose certificates live for a week."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from appliance.clock import SystemClock
from appliance.identity.file_identity import FileIdentityStore
from appliance.policy.renewal_window import REST_SECONDS
from appliance.ports import MachineIdentity
from appliance.renewal import Renewal
from appliance.sealing.anchor import open_secrets
from appliance.sealing.anchor_record import AnchorWay
from appliance.sealing.file_witness import FileWitness
from appliance.uplink.https_uplink import HttpsUplink
from appliance.uplink.machine_desk import machine_desk
from tests.support.enrolled_machine import NO_TPM
from tests.support.renewing_machine import Heard

T = TypeVar("T")


class HurriedClock(SystemClock):
    """Five and a half days ahead, so that every certificate of a week is due, and without rest between two."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(days=5, hours=12)

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead

    def skip_rest(self) -> None:
        """Let the rest after a renewal be over."""
        self._ahead += REST_SECONDS


class HurriedRenewal:
    """The renewal of a machine that was enrolled into ``folder``; ``once`` renews at once."""

    def __init__(self, folder: Path, url: str, uplink: HttpsUplink, clock: HurriedClock) -> None:
        self._clock = clock
        self._heard = Heard()
        self._store = FileIdentityStore(open_secrets(folder, AnchorWay(NO_TPM, None))[0], clock)
        self._renewal = Renewal(
            store=self._store,
            witness=FileWitness(),
            open_desk=lambda current: machine_desk(url, current, clock),
            user=uplink,
            run=in_a_thread,
            clock=clock,
            draw=lambda: 0.5,
            heard=self._heard,
        )

    async def once(self) -> MachineIdentity:
        """Renew; give what is then in use."""
        self._clock.skip_rest()
        await self._renewal.step()
        assert self._heard.problems[-1] is None
        return self._store.load()


async def in_a_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Keep what waits for the disk off the event loop, as the daemon does."""
    return await asyncio.to_thread(function, *arguments)
