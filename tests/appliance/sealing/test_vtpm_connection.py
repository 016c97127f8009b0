"""A conversation with a real TPM: how it begins, what it leaves behind, and what it does when the TPM is busy."""

import subprocess
import sys
from pathlib import Path

import pytest
from tpm2_pytss import ESAPI, ESYS_TR, TPM2_SE, TPM2_SU, TPM2B_PUBLIC, TPM2B_SENSITIVE_CREATE, TSS2_Exception

from appliance.errors import (
    TpmAuthorisationError,
    TpmBusyError,
    TpmFailedError,
    TpmMissingError,
    TpmPolicyError,
    TpmReplacedError,
)
from appliance.sealing.vtpm.connection import (
    STORAGE_KEY_ATTRIBUTES,
    STORAGE_KEY_HANDLE,
    TRIES,
    Tpm,
    connected,
    found,
    patiently,
)
from tests.support.swtpm import Swtpm
from tests.support.tpm_sealing import left_behind, on

TEMPLATE = "ecc256:aes128cfb"
OTHER_KEYS = {
    "another_curve": ("ecc384:aes128cfb", STORAGE_KEY_ATTRIBUTES),
    "rsa": ("rsa2048:aes128cfb", STORAGE_KEY_ATTRIBUTES),
    "counts_against_the_lockout": (TEMPLATE, STORAGE_KEY_ATTRIBUTES.replace("|noda", "")),
    "no_storage_key": ("ecc256:ecdsa:null", STORAGE_KEY_ATTRIBUTES.replace("|decrypt", "|sign")),
}


def storage_key_name(tpm: Swtpm) -> bytes:
    """The Name of the TPM's storage key, which is made where it is missing."""
    with connected(tpm.tcti) as open_tpm:
        return open_tpm.storage_key_name


def put_a_key(tpm: Swtpm, template: str, attributes: str, *, password: bytes = b"") -> None:
    """Another program's key, where the storage key belongs."""
    sensitive = TPM2B_SENSITIVE_CREATE()
    sensitive.sensitive.userAuth = password
    with ESAPI(tpm.tcti) as esapi:
        esapi.startup(TPM2_SU.CLEAR)
        public = TPM2B_PUBLIC.parse(template, objectAttributes=attributes)
        made, *_ = esapi.create_primary(in_sensitive=sensitive, in_public=public)
        esapi.evict_control(auth=ESYS_TR.OWNER, object_handle=made, persistent_handle=STORAGE_KEY_HANDLE)
        esapi.flush_context(made)


def evict(tpm: Tpm) -> None:
    """Take the storage key away."""
    tpm.esapi.evict_control(ESYS_TR.OWNER, tpm.storage_key, STORAGE_KEY_HANDLE)


def test_the_storage_key_is_made_once(tpm: Swtpm) -> None:
    """It stays, over restarts and power cuts."""
    name = storage_key_name(tpm)
    assert len(name) == 34
    tpm.restart()
    assert storage_key_name(tpm) == name
    tpm.cut_power()
    assert storage_key_name(tpm) == name


def test_the_pinned_storage_key_is_made_again_in_its_own_tpm(tpm: Swtpm) -> None:
    """Somebody evicted it; the same TPM makes the same key."""
    name = storage_key_name(tpm)
    on(tpm, evict)
    with connected(tpm.tcti, storage_key_name=name) as open_tpm:
        assert open_tpm.storage_key_name == name


def test_another_tpm_is_noticed_before_anything_is_said_to_it(tpm: Swtpm, tmp_path: Path) -> None:
    """A fresh one and one with a key of its own; nothing is made in it."""
    name = storage_key_name(tpm)
    with Swtpm(tmp_path / "other") as other:
        with pytest.raises(TpmReplacedError), connected(other.tcti, storage_key_name=name):
            pass
        with ESAPI(other.tcti) as esapi:
            assert found(esapi, STORAGE_KEY_HANDLE) is None
        assert storage_key_name(other) != name
        with pytest.raises(TpmReplacedError), connected(other.tcti, storage_key_name=name):
            pass


@pytest.mark.parametrize(("template", "attributes"), OTHER_KEYS.values(), ids=OTHER_KEYS)
def test_what_another_program_left_there_is_not_used(tpm: Swtpm, template: str, attributes: str) -> None:
    """A key that is no storage key of the TPM's own would not keep a session secret."""
    put_a_key(tpm, template, attributes)
    with pytest.raises(TpmFailedError), connected(tpm.tcti):
        pass


def test_the_key_that_systemd_made_is_used(tpm: Swtpm) -> None:
    """One template, one place: who comes first makes it."""
    put_a_key(tpm, TEMPLATE, STORAGE_KEY_ATTRIBUTES)
    assert len(storage_key_name(tpm)) == 34


def test_an_owner_with_a_password_is_an_error_of_its_own(tpm: Swtpm) -> None:
    """It is tried once, not again."""
    with ESAPI(tpm.tcti) as esapi:
        esapi.startup(TPM2_SU.CLEAR)
        esapi.hierarchy_change_auth(ESYS_TR.OWNER, b"password")
    with pytest.raises(TpmAuthorisationError), connected(tpm.tcti):
        pass


@pytest.mark.parametrize(
    "tcti",
    ["swtpm:host=127.0.0.1,port=1", "device:/dev/no-such-tpm", "device:/dev/null", "tabrmd", "nothing:at=all", ""],
    ids=["wrong_port", "no_device", "no_tpm_device", "no_resource_manager", "no_library", "nothing_named"],
)
def test_no_tpm_is_an_error_of_its_own(tcti: str) -> None:
    """Wrong port, no device, no library of that name: nothing answers."""
    with pytest.raises(TpmMissingError), connected(tcti):
        pass


def test_the_library_does_not_write_to_stderr() -> None:
    """What goes wrong is in the error; a log with the library's lines would be read by nobody."""
    program = (
        "from appliance.sealing.vtpm.connection import connected\n"
        "from appliance.errors import TpmMissingError\n"
        "try:\n"
        "    connected('swtpm:host=127.0.0.1,port=1').__enter__()\n"
        "except TpmMissingError:\n"
        "    print('missing')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert (done.stdout, done.stderr) == (b"missing\n", b"")


def test_nothing_is_left_in_the_tpm(tpm: Swtpm) -> None:
    """No session and no object, also when the work goes wrong in the middle of it."""
    storage_key_name(tpm)
    assert left_behind(tpm) == []

    def go_wrong(open_tpm: Tpm) -> None:
        with open_tpm.policy_session(TPM2_SE.TRIAL), open_tpm.policy_session() as session:
            open_tpm.esapi.policy_pcr(session, bytes([1]) * 32, "sha256:11")

    with pytest.raises(TpmPolicyError):
        on(tpm, go_wrong)
    assert left_behind(tpm) == []


def test_what_is_left_in_a_tpm_is_seen(tpm: Swtpm) -> None:
    """The check above can fail: a client that does not clean up leaves its object behind."""
    with ESAPI(tpm.tcti) as esapi:
        esapi.startup(TPM2_SU.CLEAR)
        esapi.create_primary(in_sensitive=TPM2B_SENSITIVE_CREATE(), in_public=TEMPLATE)
    assert left_behind(tpm) == [0x80000000]


def test_a_busy_tpm_is_asked_five_times(tpm: Swtpm) -> None:
    """Each time in a new conversation; then the error says that it is busy."""
    tries: list[Tpm] = []

    def work() -> None:
        with connected(tpm.tcti) as open_tpm:
            tries.append(open_tpm)
            raise TpmBusyError("busy")

    with pytest.raises(TpmBusyError):
        patiently(work)
    assert len(tries) == len(set(map(id, tries))) == TRIES == 5
    assert left_behind(tpm) == []


def test_a_tpm_that_is_busy_for_a_moment_does_the_work(tpm: Swtpm) -> None:
    """Twice busy, then free."""
    tries: list[None] = []

    def work() -> bytes:
        tries.append(None)
        if len(tries) < 3:
            raise TpmBusyError("busy")
        return storage_key_name(tpm)

    assert len(patiently(work)) == 34


def test_another_error_is_not_tried_again() -> None:
    """Least of all a refused authorisation."""
    tries: list[None] = []

    def work() -> None:
        tries.append(None)
        raise TpmAuthorisationError("refused")

    with pytest.raises(TpmAuthorisationError):
        patiently(work)
    assert len(tries) == 1


def test_leaks_of_another_client_are_a_busy_tpm(tpm: Swtpm) -> None:
    """All slots taken, and nobody gives them back."""
    storage_key_name(tpm)
    with ESAPI(tpm.tcti) as esapi:
        for _ in range(3):
            esapi.create_primary(in_sensitive=TPM2B_SENSITIVE_CREATE(), in_public=TEMPLATE)

    def use(open_tpm: Tpm) -> None:
        open_tpm.esapi.create_primary(in_sensitive=TPM2B_SENSITIVE_CREATE(), in_public=TEMPLATE)

    with pytest.raises(TpmBusyError):
        on(tpm, use)


def test_looking_for_a_handle_does_not_hide_other_errors(tpm: Swtpm) -> None:
    """A TPM that goes away is not one without the object."""
    with ESAPI(tpm.tcti) as esapi:
        esapi.startup(TPM2_SU.CLEAR)
        assert found(esapi, STORAGE_KEY_HANDLE) is None
        tpm.kill()
        with pytest.raises(TSS2_Exception):
            found(esapi, STORAGE_KEY_HANDLE)
