"""Use case: the first boot. What an installer gave to the machine becomes sealed settings and a certificate.

Rules: the places are looked at in their order, and the first that has anything wins whole: nothing is put together
from two. Until the machine is enrolled the seed that is there counts, so that a mistake can be corrected; afterwards
none is read any more, only named. Settings that stood when a certificate ended stay; a new invitation is taken.

What can come right by itself (network, time, an administrator's consent) leaves the machine waiting, with the
invitation sealed; an invitation that the receiver refused for good is forgotten. Whatever happens ends in a state that
the console can show.

Not here: reading a seed (``seeds``), and how a machine is enrolled (``enrollment``).
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from appliance.errors import (
    AlreadyEnrolledError,
    ApplianceError,
    ClockOffError,
    InvitationExpiredError,
    InvitationUnknownError,
    InvitationUsedError,
    RetryableError,
    SettingsError,
)
from appliance.ports import Clock
from appliance.seed_ports import (
    FirstBootState,
    InvitationMissingError,
    Membership,
    Notice,
    Seed,
    SeedError,
    SeedMissingError,
    SeedOrigin,
    SeedSource,
    SetupTarget,
    Stage,
)

FIRST_WAIT_SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 60.0
SPENT: Final = (InvitationUnknownError, InvitationExpiredError, InvitationUsedError)
"""What no further asking with the same invitation changes."""
PASSING: Final = (RetryableError, ClockOffError)
"""What can come right by itself; a clock does once it has reached a time server."""


class FirstBoot:
    """The first boot of one machine, and what is left of it at every later one."""

    def __init__(
        self, *, sources: Sequence[SeedSource], target: SetupTarget, clock: Clock, before: FirstBootState | None
    ) -> None:
        """Set up ``target`` from the first of ``sources`` that has anything; ``before`` is what came of it last."""
        self._sources = sources
        self._target = target
        self._clock = clock
        self._origin = before.origin if before else None

    async def run(self) -> FirstBootState:
        """Go as far as it goes; nothing of this package's errors gets out."""
        try:
            return await self._run()
        except ApplianceError as error:
            stage = Stage.WAITING if isinstance(error, PASSING) else Stage.REFUSED
            return self._state(stage, notice=notice_of(error))

    async def _run(self) -> FirstBootState:
        membership = self._target.membership()
        if membership is Membership.CURRENT:
            self._target.prepare_network()
            return self._state(Stage.ENROLLED, ignored=self._present())
        seed = self._read()
        if seed is not None:
            self._take(seed, membership)
        if not self._target.is_configured():
            raise SeedMissingError("no settings were given to this machine")
        self._target.prepare_network()
        if seed is not None and seed.invitation is not None:
            self._target.keep_invitation(seed.invitation)
        if not self._target.has_invitation():
            raise InvitationMissingError("the settings are sealed, and an invitation is missing")
        await self._enroll()
        return self._state(Stage.ENROLLED)

    def _read(self) -> Seed | None:
        return next((seed for source in self._sources if (seed := source.read()) is not None), None)

    def _take(self, seed: Seed, membership: Membership) -> None:
        self._origin = seed.origin
        if seed.settings is not None and membership is Membership.NEVER:
            self._target.configure(seed.settings, origin=seed.origin)

    async def _enroll(self) -> None:
        try:
            with suppress(AlreadyEnrolledError):  # by hand, before settings were sealed
                await self._target.enroll()
        except SPENT:
            self._target.drop_invitation()
            raise
        self._target.drop_invitation()

    def _present(self) -> SeedOrigin | None:
        """Where a seed is that does not count any more; one that does not read is there too."""
        for source in self._sources:
            try:
                if source.read() is not None:
                    return source.origin
            except SeedError:
                return source.origin
        return None

    def _state(
        self, stage: Stage, *, ignored: SeedOrigin | None = None, notice: Notice | None = None
    ) -> FirstBootState:
        return FirstBootState(
            stage=stage, written_at=self._clock.now(), origin=self._origin, ignored=ignored, notice=notice
        )


def notice_of(error: ApplianceError) -> Notice:
    """What an installer is told of an error."""
    sentences = error.mistakes if isinstance(error, SettingsError) else [str(error)]
    return Notice(error.code, list(sentences), error.hint)
