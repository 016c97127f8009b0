"""The first boot, decided: which seed counts, what is kept, and in which state it ends."""

from datetime import timedelta

import pytest

from appliance.errors import (
    AlreadyEnrolledError,
    ApplianceError,
    ApprovalPendingError,
    ClockOffError,
    EnrollmentUnavailableError,
    EvidenceRefusedError,
    InvitationDamagedError,
    InvitationExpiredError,
    InvitationUnknownError,
    InvitationUsedError,
    QuarantinedError,
    ReceiverUntrustedError,
    SettingsError,
    TpmBusyError,
    TpmMissingError,
    TpmReplacedError,
)
from appliance.ports import SecretBytes
from appliance.seed_ports import (
    FirstBootState,
    Membership,
    NetworkUnwritableError,
    Seed,
    SeedDisksError,
    SeedError,
    SeedOrigin,
    Stage,
)
from appliance.seeding import FirstBoot, notice_of
from tests.support.fake_clock import FakeClock


class Place:
    """A ``SeedSource`` with something in it, nothing, or an error."""

    def __init__(self, origin: SeedOrigin, *, settings: bytes = b"", invitation: bytes = b"") -> None:
        self.origin = origin
        self.settings = settings
        self.invitation = invitation
        self.error: SeedError | None = None
        self.reads = 0

    def read(self) -> Seed | None:
        self.reads += 1
        if self.error is not None:
            raise self.error
        if not (self.settings or self.invitation):
            return None
        settings, invitation = (SecretBytes(part) if part else None for part in (self.settings, self.invitation))
        return Seed(origin=self.origin, settings=settings, invitation=invitation)


class Machine:
    """A ``SetupTarget`` that notes what was done to it."""

    def __init__(self) -> None:
        self.member = Membership.NEVER
        self.settings: bytes | None = None
        self.invitation: bytes | None = None
        self.done: list[str] = []
        self.errors: dict[str, ApplianceError] = {}

    def membership(self) -> Membership:
        self._fail("membership")
        return self.member

    def is_configured(self) -> bool:
        return self.settings is not None

    def configure(self, settings: SecretBytes, *, origin: SeedOrigin) -> None:
        self._note(f"configure {origin}", "configure")
        self.settings = settings.reveal()

    def prepare_network(self) -> None:
        self._note("network", "network")

    def keep_invitation(self, content: SecretBytes) -> None:
        self._note("keep", "keep")
        self.invitation = content.reveal()

    def has_invitation(self) -> bool:
        return self.invitation is not None

    def drop_invitation(self) -> None:
        self.invitation = None

    async def enroll(self) -> None:
        self._note("enroll", "enroll")
        self.member = Membership.CURRENT

    def _note(self, what: str, step: str) -> None:
        self._fail(step)
        self.done.append(what)

    def _fail(self, step: str) -> None:
        if step in self.errors:
            raise self.errors[step]


@pytest.fixture
def machine() -> Machine:
    """A fresh machine."""
    return Machine()


@pytest.fixture
def disk() -> Place:
    """A disk with all that is needed."""
    return Place(SeedOrigin.DISK, settings=b"settings", invitation=b"invitation")


async def boot(machine: Machine, *places: Place, before: FirstBootState | None = None) -> FirstBootState:
    """Boot once."""
    return await FirstBoot(sources=places, target=machine, clock=FakeClock(), before=before).run()


async def test_a_whole_seed_makes_an_appliance(machine: Machine, disk: Place) -> None:
    """Settings first, then the network, and then the receiver is asked; no invitation stays."""
    state = await boot(machine, disk)
    assert (state.stage, state.origin, state.ignored, state.notice) == (Stage.ENROLLED, SeedOrigin.DISK, None, None)
    assert machine.done == ["configure disk", "network", "keep", "enroll"]
    assert machine.invitation is None


async def test_the_state_says_when(machine: Machine, disk: Place) -> None:
    """By the clock that was given."""
    clock = FakeClock()
    state = await FirstBoot(sources=[disk], target=machine, clock=clock, before=None).run()
    assert clock.now() - state.written_at < timedelta(seconds=1)


async def test_the_first_place_that_has_anything_counts(machine: Machine, disk: Place) -> None:
    """Whole: what it lacks is not taken from the next, which is not even read."""
    disk.invitation = b""
    empty, other = Place(SeedOrigin.OVF), Place(SeedOrigin.CREDENTIALS, settings=b"other", invitation=b"other")
    state = await boot(machine, empty, disk, other)
    assert (machine.settings, machine.invitation) == (b"settings", None)
    assert state.notice is not None
    assert (state.stage, state.notice.code) == (Stage.REFUSED, "seed_invitation_missing")
    assert (empty.reads, other.reads) == (1, 0)


async def test_without_any_seed_somebody_must_bring_one(machine: Machine) -> None:
    """And the remedy says how."""
    state = await boot(machine, Place(SeedOrigin.DISK), Place(SeedOrigin.OVF))
    assert state.notice is not None
    assert (state.stage, state.notice.code, state.origin) == (Stage.REFUSED, "seed_missing", None)
    assert "labelled NATALIA" in state.notice.remedy


async def test_an_invitation_alone_is_not_enough(machine: Machine) -> None:
    """There is nothing to seal it with yet."""
    state = await boot(machine, Place(SeedOrigin.OVF, invitation=b"invitation"))
    assert state.notice is not None
    assert (state.stage, state.notice.code) == (Stage.REFUSED, "seed_missing")
    assert machine.done == []


async def test_settings_with_mistakes_are_listed_each(machine: Machine, disk: Place) -> None:
    """Nothing was sealed, and nobody asked."""
    machine.errors["configure"] = SettingsError(["site.country: is missing", "feeds: is missing"])
    state = await boot(machine, disk)
    assert state.notice is not None
    assert state.notice.sentences == ["site.country: is missing", "feeds: is missing"]
    assert (state.stage, state.notice.code, machine.done) == (Stage.REFUSED, "settings_invalid", [])


async def test_a_place_that_cannot_be_read_is_not_passed_over(machine: Machine, disk: Place) -> None:
    """Else a damaged disk would let another seed win."""
    disk.error = SeedDisksError("two")
    state = await boot(machine, disk, Place(SeedOrigin.OVF, settings=b"other", invitation=b"other"))
    assert state.notice is not None
    assert (state.stage, state.notice.code, machine.done) == (Stage.REFUSED, "seed_two_disks", [])


@pytest.mark.parametrize(
    "error",
    [
        EnrollmentUnavailableError("no answer"),
        ReceiverUntrustedError("another certificate"),
        ApprovalPendingError("an administrator must agree"),
        ClockOffError("not valid yet"),
        TpmBusyError("again"),
    ],
    ids=lambda error: error.code,
)
async def test_what_can_come_right_by_itself_is_waited_for(
    machine: Machine, disk: Place, error: ApplianceError
) -> None:
    """The invitation stays sealed, and the next boot needs no seed."""
    machine.errors["enroll"] = error
    state = await boot(machine, disk)
    assert (state.stage, state.notice, machine.invitation) == (Stage.WAITING, notice_of(error), b"invitation")
    del machine.errors["enroll"]
    later = await boot(machine, before=state)
    assert (later.stage, later.origin, machine.invitation) == (Stage.ENROLLED, SeedOrigin.DISK, None)


@pytest.mark.parametrize(
    "error",
    [InvitationUnknownError("no"), InvitationExpiredError("late"), InvitationUsedError("used")],
    ids=lambda error: error.code,
)
async def test_a_spent_invitation_is_forgotten(machine: Machine, disk: Place, error: ApplianceError) -> None:
    """No further asking would change it; a new one on a new disk does."""
    machine.errors["enroll"] = error
    state = await boot(machine, disk)
    assert (state.stage, state.notice, machine.invitation) == (Stage.REFUSED, notice_of(error), None)
    del machine.errors["enroll"]
    later = await boot(machine, Place(SeedOrigin.DISK, invitation=b"new"), before=state)
    assert later.stage is Stage.ENROLLED


@pytest.mark.parametrize(
    "error", [QuarantinedError("a copy"), EvidenceRefusedError("no")], ids=lambda error: error.code
)
async def test_a_refusal_that_is_not_the_invitations_keeps_it(
    machine: Machine, disk: Place, error: ApplianceError
) -> None:
    """It serves again once somebody has decided, and the machine is restarted."""
    machine.errors["enroll"] = error
    state = await boot(machine, disk)
    assert (state.stage, machine.invitation) == (Stage.REFUSED, b"invitation")


async def test_a_machine_that_is_enrolled_already_is_done(machine: Machine, disk: Place) -> None:
    """As one that was enrolled by hand, with settings in a file."""
    machine.errors["enroll"] = AlreadyEnrolledError("until tomorrow")
    state = await boot(machine, disk)
    assert (state.stage, state.notice, machine.invitation) == (Stage.ENROLLED, None, None)


async def test_a_damaged_invitation_leaves_the_settings(machine: Machine, disk: Place) -> None:
    """Network and settings stand; the receiver is not asked."""
    machine.errors["keep"] = InvitationDamagedError("it does not read")
    state = await boot(machine, disk)
    assert state.notice is not None
    assert (state.stage, state.notice.code) == (Stage.REFUSED, "invitation_damaged")
    assert machine.done == ["configure disk", "network"]


async def test_before_it_is_enrolled_a_mistake_can_be_corrected(machine: Machine, disk: Place) -> None:
    """The seed that is there counts, also over what is sealed."""
    machine.errors["enroll"] = EnrollmentUnavailableError("no such host")
    state = await boot(machine, disk)
    disk.settings, disk.invitation = b"corrected", b"newer"
    await boot(machine, disk, before=state)
    assert (machine.settings, machine.invitation) == (b"corrected", b"newer")


async def test_an_enrolled_machine_takes_nothing_more(machine: Machine, disk: Place) -> None:
    """A seed that is still there is named; what it holds does not matter any more."""
    state = await boot(machine, disk)
    disk.settings, disk.invitation = b"other", b"other"
    later = await boot(machine, disk, before=state)
    assert (later.stage, later.ignored, later.origin) == (Stage.ENROLLED, SeedOrigin.DISK, SeedOrigin.DISK)
    assert machine.settings == b"settings"
    assert machine.done[4:] == ["network"]


async def test_an_enrolled_machine_names_also_a_seed_that_does_not_read(machine: Machine, disk: Place) -> None:
    """It is there, and it is no reason to stop."""
    machine.member = Membership.CURRENT
    disk.error = SeedError("no")
    state = await boot(machine, Place(SeedOrigin.OVF), disk)
    assert (state.stage, state.ignored, state.notice) == (Stage.ENROLLED, SeedOrigin.DISK, None)


async def test_an_enrolled_machine_without_a_seed_says_nothing(machine: Machine) -> None:
    """That is how it stays for years."""
    machine.member = Membership.CURRENT
    state = await boot(machine, Place(SeedOrigin.DISK))
    assert (state.stage, state.ignored, state.notice) == (Stage.ENROLLED, None, None)


async def test_after_its_certificate_ended_only_a_new_invitation_is_taken(machine: Machine, disk: Place) -> None:
    """Else whoever attaches a disk could send what waits in the buffer elsewhere."""
    machine.member, machine.settings = Membership.ENDED, b"sealed"
    state = await boot(machine, disk)
    assert (state.stage, machine.settings) == (Stage.ENROLLED, b"sealed")
    assert machine.done == ["network", "keep", "enroll"]


@pytest.mark.parametrize("error", [TpmMissingError("none"), TpmReplacedError("another")], ids=lambda error: error.code)
async def test_secrets_that_do_not_open_stop_it(machine: Machine, disk: Place, error: ApplianceError) -> None:
    """No seed is read: else a moved disk would be set up as another machine's."""
    machine.errors["membership"] = error
    state = await boot(machine, disk)
    assert (state.stage, state.notice, disk.reads) == (Stage.REFUSED, notice_of(error), 0)


async def test_a_network_folder_that_cannot_be_written_is_waited_for(machine: Machine, disk: Place) -> None:
    """The system may make it a moment later."""
    machine.errors["network"] = NetworkUnwritableError("read-only")
    state = await boot(machine, disk)
    assert (state.stage, machine.done) == (Stage.WAITING, ["configure disk"])
