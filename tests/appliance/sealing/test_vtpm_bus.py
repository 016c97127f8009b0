"""What somebody sees who listens on the wire to the TPM: nothing of a secret."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from tpm2_pytss import (
    ESYS_TR,
    TPM2_EO,
    TPM2_SE,
    TPM2B_OPERAND,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPM2B_SENSITIVE_DATA,
    TPMA_SESSION,
    TPMS_SENSITIVE_CREATE,
    TPMT_PUBLIC,
)

from appliance.errors import TpmReplacedError
from appliance.sealing import tpm_policy
from appliance.sealing.boot_state import BootState
from appliance.sealing.vtpm.anchor_folder import AnchorFolder
from appliance.sealing.vtpm.connection import Tpm, connected
from appliance.sealing.vtpm.counter import COUNTER_NAME, count_up, read_counter
from appliance.sealing.vtpm.sealed_root import open_root, seal_root
from tests.support.swtpm import Swtpm, recorded_bus
from tests.support.tpm_sealing import (
    PLAIN_BOOT,
    PURPOSE,
    RECOVERY,
    SECRET,
    VENDOR,
    anchor_in,
    measured_boot,
    public_pem,
    signer,
)

CREATE, UNSEAL, START_SESSION = (code.to_bytes(4, "big") for code in (0x153, 0x15E, 0x176))


def open_the_root(tpm: Swtpm, folder: Path, boot: BootState) -> bytes:
    """The root of an anchor, straight from the TPM."""
    (anchor,) = AnchorFolder(folder).read()
    measured = boot.signatures is not None
    with connected(tpm.tcti) as open_tpm:
        counter = read_counter(open_tpm)
        assert counter is not None
        return open_root(
            open_tpm,
            anchor,
            counter,
            vendor=VENDOR.public_key() if measured else None,
            signatures=tpm_policy.read_signatures(boot.signatures or b"{}"),
        ).reveal()


def seal_and_unseal(tpm: Tpm, *, encrypted: bool) -> bytes:
    """Seal a secret and have it opened by a policy; ``encrypted`` as the product does, or with bare sessions."""
    counter = count_up(tpm)
    policy = tpm_policy.policy_counter(COUNTER_NAME, counter.value)
    if encrypted:
        public, private = seal_root(tpm, SECRET, policy)
        area, part = TPM2B_PUBLIC(publicArea=TPMT_PUBLIC.unmarshal(public)[0]), TPM2B_PRIVATE(private)
    else:
        template = TPMT_PUBLIC.unmarshal(tpm_policy.sealed_area(policy) + bytes(32))[0]
        sensitive = TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(data=TPM2B_SENSITIVE_DATA(SECRET.reveal())))
        part, area, *_ = tpm.esapi.create(tpm.storage_key, sensitive, TPM2B_PUBLIC(publicArea=template))
    with tpm.policy_session(TPM2_SE.POLICY) as session:
        if not encrypted:
            tpm.esapi.trsess_set_attributes(session, TPMA_SESSION.CONTINUESESSION)
        tpm.esapi.policy_nv(
            auth_handle=counter.handle,
            nv_index=counter.handle,
            policy_session=session,
            operand_b=TPM2B_OPERAND(tpm_policy.counter_bytes(counter.value)),
            operation=TPM2_EO.EQ,
        )
        with tpm.flushed(tpm.esapi.load(tpm.storage_key, part, area)) as handle:
            return bytes(tpm.esapi.unseal(handle, session1=session, session2=ESYS_TR.NONE))


@pytest.mark.parametrize(("encrypted", "hits"), [(True, 0), (False, 2)], ids=["encrypted", "bare"])
def test_a_secret_crosses_the_bus_in_clear_only_without_our_sessions(
    clean_tpm: Swtpm, *, encrypted: bool, hits: int
) -> None:
    """0 hits for it; and with bare sessions one at its sealing and one at its opening, so that the check can fail."""
    with recorded_bus(clean_tpm) as bus, connected(bus.tcti) as tpm:
        assert seal_and_unseal(tpm, encrypted=encrypted) == SECRET.reveal()
        recorded = bus.recorded
    assert CREATE in recorded
    assert UNSEAL in recorded
    assert recorded.count(SECRET.reveal()) == hits


LEVELS = {"level_2": PLAIN_BOOT, "level_3": measured_boot()}


@pytest.mark.parametrize("boot", LEVELS.values(), ids=LEVELS)
def test_the_root_never_crosses_the_bus_in_clear(clean_tpm: Swtpm, tmp_path: Path, boot: BootState) -> None:
    """Its first seal, each start, sealing anew and the recovery: all of it was recorded."""
    with recorded_bus(clean_tpm) as bus:
        anchor = anchor_in(tmp_path, bus.tcti, boot=boot, recovery_key=public_pem(RECOVERY))
        blob = anchor.open().seal(SECRET, purpose=PURPOSE)
        for sealer in (anchor.open(), anchor.reseal(), anchor.recover(signer())):
            assert sealer.unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()
        recorded = bus.recorded
    root = open_the_root(clean_tpm, tmp_path, boot)
    assert recorded.count(CREATE) >= 3
    assert recorded.count(UNSEAL) >= 6
    for part in (root, root[:16], root[16:], SECRET.reveal()):
        assert part not in recorded


def test_two_openings_look_different_on_the_bus(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """The salt and the nonces are new each time; what was recorded once cannot be compared."""
    anchor_in(tmp_path, clean_tpm).open()
    answers = []
    for _ in range(2):
        with recorded_bus(clean_tpm) as bus:
            anchor_in(tmp_path, bus.tcti).open()
            answers.append(bus.recorded.rpartition(UNSEAL)[2][:200])
    assert answers[0] != answers[1]


def key_of_ones_own(tpm: Swtpm) -> list[tuple[bytes, bytes]]:
    """What a meddler puts in the storage key's place: its point, and the Name of all with that point."""
    with connected(tpm.tcti) as open_tpm:
        public, name, _ = open_tpm.esapi.read_public(open_tpm.storage_key)
    area = bytes(public.publicArea.marshal())
    own = generate_private_key(SECP256R1()).public_key().public_numbers()
    ending = b"\0\x20" + own.x.to_bytes(32, "big") + b"\0\x20" + own.y.to_bytes(32, "big")
    false = area[: -len(ending)] + ending
    return [(area, false), (bytes(name), b"\0\x0b" + hashlib.sha256(false).digest())]


def test_a_key_put_in_the_storage_keys_place_on_the_bus_is_noticed(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """Sessions salted with it would be open to the meddler; the pinned Name differs, and no session begins."""
    anchor_in(tmp_path, clean_tpm).open()
    with recorded_bus(clean_tpm) as bus:
        for true, false in key_of_ones_own(clean_tpm):
            bus.falsify(true, false)
        with pytest.raises(TpmReplacedError):
            anchor_in(tmp_path, bus.tcti).open()
        assert START_SESSION not in bus.recorded


@pytest.mark.parametrize("times", [1, 2, 1000], ids=["first_answer", "two_answers", "all_answers"])
def test_a_key_under_the_storage_keys_own_name_is_noticed(clean_tpm: Swtpm, tmp_path: Path, times: int) -> None:
    """The Name is computed of the key that sessions are salted with, not taken as it comes."""
    anchor_in(tmp_path, clean_tpm).open()
    (area, false), _ = key_of_ones_own(clean_tpm)
    with recorded_bus(clean_tpm) as bus:
        bus.falsify(area, false, times=times)
        with pytest.raises(TpmReplacedError):
            anchor_in(tmp_path, bus.tcti).open()
        assert START_SESSION not in bus.recorded
