"""An enrollment that is cut off anywhere is completed by a repeat: no half-enrolled state needs a reinstallation."""

from contextlib import suppress
from pathlib import Path

import pytest

from appliance.errors import EnrollmentUnavailableError, SealDiskError
from appliance.identity.file_identity import IDENTITY
from appliance.sealing.tenant_key import load_tenant_key
from appliance.wire.enrollment import TenantSecrets
from tests.support.cut_disk import MortalDisk, PowerCut, full_disk
from tests.support.enrolling_machine import NOW, Machine, NowClock, complete
from tests.support.enrollment_desk import Desk

OTHER_SECRETS = TenantSecrets(1, bytes(32))
FEWEST_STEPS = 14
"""Mark, secret and identity: write, fsync, rename and fsync of the folder each; then the mark and the key go."""
FAULTS = [None, ("before", "apply"), ("after", "apply"), ("before", "enroll"), ("after", "enroll")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "no fault" if fault is None else " ".join(fault))
@pytest.mark.parametrize("full", [False, True], ids=["power cut", "full disk"])
async def test_whatever_is_lost_or_cut_off_a_repeat_completes(
    tmp_path: Path, fault: tuple[str, str] | None, *, full: bool
) -> None:
    """An answer is lost, then the disk ends at each step of all writing: one identity of one key, one secret."""
    cuts = 0
    while await disturbed(tmp_path / str(cuts), fault, cuts, full=full):
        cuts += 1
    assert cuts >= FEWEST_STEPS


async def disturbed(folder: Path, fault: tuple[str, str] | None, step: int, *, full: bool) -> bool:
    """Enrol with a fault and then with a disk that ends at ``step``, and complete it; whether the disk ended."""
    desk, machine = Desk(NOW, fault=fault), Machine(folder, NowClock())
    disk = MortalDisk(step, error=full_disk() if full else None)
    async with desk.peer() as peer:
        if fault is not None:
            with pytest.raises(EnrollmentUnavailableError):
                await machine.enroll(desk, peer)
        with suppress(SealDiskError if full else PowerCut):
            await machine.enroll(desk, peer, disk=disk)
        await complete(machine, desk, peer)
    return disk.ended


async def test_a_machine_left_half_enrolled_can_go_to_another_tenant(tmp_path: Path) -> None:
    """The power went when the first tenant's secret was kept, and the certificate not yet."""
    whole, clock = MortalDisk(), NowClock()
    desk, other = Desk(NOW), Desk(NOW, secrets=OTHER_SECRETS)
    async with desk.peer() as peer, other.peer() as others:
        await Machine(tmp_path / "whole", clock).enroll(desk, peer, disk=whole)
        for step in range(whole.steps):
            machine = Machine(tmp_path / str(step), clock)
            desk.owner = other.owner = None
            with pytest.raises(PowerCut):
                await machine.enroll(desk, peer, disk=MortalDisk(step))
            if IDENTITY in machine.names():
                break
            await machine.enroll(other, others)
            assert load_tenant_key(machine.store()) == OTHER_SECRETS
