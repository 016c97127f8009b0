"""A TPM that fails, is locked, full, replaced, or in somebody else's use while it speaks for its machine."""

from contextlib import suppress
from pathlib import Path

import pytest
from tpm2_pytss import (
    ESAPI,
    ESYS_TR,
    TPM2_ALG,
    TPM2_CAP,
    TPM2_PT,
    TPM2_SU,
    TPM2B_AUTH,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPMS_SENSITIVE_CREATE,
    TSS2_Exception,
)

from appliance.errors import (
    TpmAuthorisationError,
    TpmBusyError,
    TpmFailedError,
    TpmLockoutError,
    TpmMissingError,
    TpmReplacedError,
)
from appliance.sealing.vtpm.attestation import VtpmWitness
from appliance.sealing.vtpm.connection import Tpm, connected
from appliance.wire.batch import KeyProtection
from appliance.wire.enrollment import COUNTER_INDEX, TpmChallenge
from receiver.domain.machine_facts import compare
from receiver.errors import ProblemError
from tests.support.attested import (
    ENROLLMENT,
    OCCASION,
    PUBLIC_KEY,
    SECRET,
    challenge_for,
    define,
    evidence_of,
    report,
    verified,
    witness_at,
)
from tests.support.swtpm import Swtpm, recorded_bus
from tests.support.tpm_sealing import left_behind, on

GUARDED = TPM2B_PUBLIC.parse("hmac", objectAttributes="fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign")
TEMPLATE = TPM2B_PUBLIC.parse(
    "ecc256:null:null", objectAttributes="fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign"
)


def wrong_password(tpm: Tpm) -> None:
    """Use a key whose password counts against the lockout, with a wrong one."""
    sensitive = TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(userAuth=TPM2B_AUTH(b"right")))
    private, public, *_ = tpm.esapi.create(tpm.storage_key, sensitive, GUARDED)
    with tpm.flushed(tpm.esapi.load(tpm.storage_key, private, public)) as key:
        tpm.esapi.tr_set_auth(key, b"wrong")
        tpm.esapi.hmac(key, b"data", TPM2_ALG.SHA256)


def leave_behind(tpm: Swtpm, objects: int) -> None:
    """Do as a program that crashed."""
    with ESAPI(tpm.tcti) as esapi:
        with suppress(TSS2_Exception):  # it was started before
            esapi.startup(TPM2_SU.CLEAR)
        for _ in range(objects):
            esapi.create_primary(TPM2B_SENSITIVE_CREATE(), TEMPLATE)


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_power_cut_at_any_command_costs_one_report(tpm: Swtpm, *, done: bool) -> None:
    """Before the command or after it, unanswered: the next report is believed and no finding."""
    before, cuts = report(tpm), 0
    with recorded_bus(tpm) as bus:
        while cuts < 100:
            bus.cut_power(cuts, done=done)
            try:
                evidence = witness_at(tpm, tcti=bus.tcti).evidence(public_key=PUBLIC_KEY, occasion=OCCASION)
                witness_at(tpm, tcti=bus.tcti).open_challenge(challenge_for(evidence), enrollment=ENROLLMENT)
            except TpmMissingError:
                cuts += 1
                tpm.start()
                after = report(tpm)
                assert compare(before, after) == []
                before = after
            else:
                break
    assert 20 < cuts < 100
    assert witness_at(tpm).open_challenge(challenge_for(evidence_of(tpm)), enrollment=ENROLLMENT).reveal() == SECRET
    assert left_behind(tpm) == []


def test_a_tpm_in_lockout_still_speaks(tpm: Swtpm) -> None:
    """Another program locked it; evidence and challenge have no part in that."""
    for _ in range(3):
        with pytest.raises(TpmAuthorisationError):
            on(tpm, wrong_password)
    with pytest.raises(TpmLockoutError):
        on(tpm, wrong_password)
    challenge = challenge_for(evidence_of(tpm))
    assert witness_at(tpm).open_challenge(challenge, enrollment=ENROLLMENT).reveal() == SECRET


def test_two_free_slots_are_enough(tpm: Swtpm) -> None:
    """An object that another program left behind takes one of a TPM's three slots; two are wanted."""
    leave_behind(tpm, 1)
    challenge = challenge_for(evidence_of(tpm))
    assert witness_at(tpm).open_challenge(challenge, enrollment=ENROLLMENT).reveal() == SECRET


def test_a_full_tpm_is_busy(tpm: Swtpm) -> None:
    """With two slots taken no challenge opens, and with all three there is no evidence; both may come right later."""
    challenge = challenge_for(evidence_of(tpm))
    leave_behind(tpm, 2)
    with pytest.raises(TpmBusyError):
        witness_at(tpm).open_challenge(challenge, enrollment=ENROLLMENT)
    leave_behind(tpm, 1)
    with pytest.raises(TpmBusyError):
        evidence_of(tpm)


def test_power_cuts_do_not_lock_the_tpm(tpm: Swtpm) -> None:
    """After five of them, each with the keys in use, nothing has counted towards a lockout."""
    for _ in range(5):
        witness_at(tpm).open_challenge(challenge_for(evidence_of(tpm)), enrollment=ENROLLMENT)
        tpm.cut_power()
    report(tpm)
    with ESAPI(tpm.tcti) as esapi:
        _, found = esapi.get_capability(TPM2_CAP.TPM_PROPERTIES, TPM2_PT.LOCKOUT_COUNTER, 1)
        assert found.data.tpmProperties.tpmProperty[0].value == 0


def test_no_tpm_is_said(tmp_path: Path) -> None:
    """Where nothing answers, both ways say so."""
    with Swtpm(tmp_path / "gone") as gone:
        challenge = challenge_for(evidence_of(gone))
        gone.kill()
        with pytest.raises(TpmMissingError):
            evidence_of(gone)
        with pytest.raises(TpmMissingError):
            witness_at(gone).open_challenge(challenge, enrollment=ENROLLMENT)


def test_another_tpm_does_not_speak_for_this_machine(tpm: Swtpm, tmp_path: Path) -> None:
    """With the storage key's Name pinned, a TPM that was put in its place is refused, and counts nothing."""
    with Swtpm(tmp_path / "first") as first, connected(first.tcti) as conversation:
        pinned = conversation.storage_key_name
    witness = VtpmWitness(tpm.tcti, key_protection=KeyProtection.TPM, storage_key_name=pinned)
    with pytest.raises(TpmReplacedError):
        witness.evidence(public_key=PUBLIC_KEY, occasion=OCCASION)
    with pytest.raises(TpmReplacedError):
        witness.open_challenge(TpmChallenge(credential=b"\0", secret=b"\0"), enrollment=ENROLLMENT)
    assert report(tpm).counter == 1


def test_a_password_on_the_endorsement_hierarchy_is_said(tpm: Swtpm) -> None:
    """It is tried once, and named."""
    with connected(tpm.tcti) as conversation:
        conversation.esapi.hierarchy_change_auth(ESYS_TR.ENDORSEMENT, b"somebody's")
    with pytest.raises(TpmAuthorisationError):
        evidence_of(tpm)


def test_something_else_at_the_counters_place_is_said(tpm: Swtpm) -> None:
    """What is no counter cannot be counted up."""
    define(tpm, COUNTER_INDEX, "authread|authwrite|noda", size=8, content=bytes(8))
    with pytest.raises(TpmFailedError):
        evidence_of(tpm)


def test_a_counter_of_somebody_else_is_refused(tpm: Swtpm) -> None:
    """One that the owner may write, too, is a counter, but not the one of evidence."""
    define(tpm, COUNTER_INDEX, "authread|authwrite|ownerwrite|noda|nt=0x1", size=8)
    with pytest.raises(ProblemError, match="not the one that evidence is made with"):
        verified(evidence_of(tpm))
