"""``rewrap``, ``escrow``, ``restore``, ``settings seal`` and ``--state``: what they do, say and refuse."""

import json
from pathlib import Path

import pyrage
import pytest

from appliance.cli.anchor_words import WHY_WORDS, why_sentences
from appliance.ports import SecretBytes
from appliance.sealing.anchor import secrets_of
from appliance.sealing.anchor_record import WhyFile
from appliance.sealing.escrow import Escrow, make_escrow
from appliance.sealing.tenant_key import install_tenant_key, load_tenant_key
from appliance.sealing.vtpm.level import Obstacle
from appliance.wire.enrollment import TenantSecrets
from tests.support.appliance_process import NO_TPM
from tests.support.records import START
from tests.support.sealed_machine import Machine, run
from tests.support.swtpm import Swtpm
from tests.support.tls_peer import TENANT, Authority

OFFICER = pyrage.x25519.Identity.generate()
RECIPIENT = str(OFFICER.to_public())
OTHER_TENANT = "99999999-2222-4333-8444-555555555555"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without a TPM."""
    return Machine(tmp_path / "one")


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """The officer's identity file."""
    path = tmp_path / "identity"
    path.write_text(f"# public key: {RECIPIENT}\n{OFFICER}\n")
    return path


def test_an_escrow_is_made_once_and_noted(machine: Machine, tmp_path: Path) -> None:
    """It says for whom, and what the officer does; it shows no secret; ``status`` knows of it."""
    secret = machine.enroll(Authority()).tenant_secret
    out = tmp_path / "escrow.age"
    done = machine.run("escrow", "--recipient", RECIPIENT, "--out", out)
    assert done.status == 0, done.err
    for word in (TENANT, RECIPIENT, "age --decrypt", "safe", "restore", f"Delete {out}"):
        assert word in done.out
    assert secret.hex() not in done.out
    machine.report()
    assert "escrow        20" in machine.run("status").out
    assert json.loads(machine.run("status", "--json").out)["secrets"]["escrow_made_at"].startswith("20")
    again = machine.run("escrow", "--recipient", RECIPIENT, "--out", out)
    assert (again.status, "error[escrow_file_unusable]" in again.err) == (1, True)


def test_a_recipient_may_stand_in_a_file(machine: Machine, tmp_path: Path) -> None:
    """One of the two is given, not both and not none."""
    machine.enroll(Authority())
    (tmp_path / "recipient").write_text(RECIPIENT)
    by_file = ("--recipient-file", str(tmp_path / "recipient"))
    assert machine.run("escrow", "--out", tmp_path / "a.age").status == 2
    assert machine.run("escrow", "--recipient", RECIPIENT, *by_file, "--out", tmp_path / "a.age").status == 2
    assert not (tmp_path / "a.age").exists()
    assert machine.run("escrow", *by_file, "--out", tmp_path / "a.age").status == 0


def test_a_machine_that_is_not_enrolled_has_nothing_to_escrow(machine: Machine, tmp_path: Path) -> None:
    """No tenant, no secret, no file."""
    done = machine.run("escrow", "--recipient", RECIPIENT, "--out", tmp_path / "a.age")
    assert (done.status, "error[identity_not_enrolled]" in done.err) == (1, True)
    assert not (tmp_path / "a.age").exists()


def test_the_officers_secret_key_is_refused_and_not_repeated(machine: Machine, tmp_path: Path) -> None:
    """Somebody will paste the wrong line."""
    done = machine.run("escrow", "--recipient", str(OFFICER), "--out", tmp_path / "a.age")
    assert (done.status, "error[escrow_recipient_invalid]" in done.err) == (1, True)
    assert str(OFFICER) not in done.out + done.err


def escrowed(machine: Machine, out: Path) -> TenantSecrets:
    """Enrol the machine, make its escrow; give its secret."""
    key = machine.enroll(Authority())
    assert machine.run("escrow", "--recipient", RECIPIENT, "--out", out).status == 0
    return key


def test_a_new_machine_gets_the_secret_back(machine: Machine, tmp_path: Path, identity: Path) -> None:
    """Twice is once; the escrow's age comes with it."""
    key = escrowed(machine, tmp_path / "escrow.age")
    fresh = Machine(tmp_path / "two")
    for _ in range(2):
        done = fresh.run("restore", "--escrow", tmp_path / "escrow.age", "--identity", identity)
        assert done.status == 0, done.err
    assert "is in use on this machine" in done.out
    assert "level 1 of 3" in done.out
    assert load_tenant_key(fresh.secrets) == key
    assert key.tenant_secret.hex() not in done.out
    fresh.report()
    assert json.loads(fresh.run("status", "--json").out)["secrets"]["escrow_made_at"].startswith("20")


def test_another_secret_is_not_replaced(machine: Machine, tmp_path: Path, identity: Path) -> None:
    """Pseudonyms would be cut off from their past."""
    escrowed(machine, tmp_path / "escrow.age")
    other = Machine(tmp_path / "two")
    install_tenant_key(other.secrets, TenantSecrets(1, bytes(32)))
    done = other.run("restore", "--escrow", tmp_path / "escrow.age", "--identity", identity)
    assert (done.status, "error[tenant_secret_conflict]" in done.err) == (1, True)
    assert load_tenant_key(other.secrets) == TenantSecrets(1, bytes(32))


def test_an_escrow_of_another_tenant_is_refused(machine: Machine, tmp_path: Path, identity: Path) -> None:
    """Also where the secrets would be the same."""
    key = machine.enroll(Authority())
    path = tmp_path / "escrow.age"
    path.write_bytes(make_escrow(Escrow(OTHER_TENANT, key.key_version, key.tenant_secret, START), RECIPIENT))
    done = machine.run("restore", "--escrow", path, "--identity", identity)
    assert (done.status, "error[tenant_secret_conflict]" in done.err) == (1, True)


def test_what_is_no_escrow_changes_nothing(machine: Machine, tmp_path: Path, identity: Path) -> None:
    """Its error's code is printed, and a fresh machine stays fresh."""
    (tmp_path / "escrow.age").write_bytes(b"paper")
    done = machine.run("restore", "--escrow", tmp_path / "escrow.age", "--identity", identity)
    assert (done.status, "error[escrow_format]" in done.err, "hint: " in done.err) == (1, True, True)
    assert not machine.state.exists()


def test_rewrap_moves_the_secrets_and_says_what_guards_them(tmp_path: Path, tpm: Swtpm) -> None:
    """From level 1 to 2, with what is missing for 3; the same secret, and the certificate still loads."""
    machine = Machine(tmp_path / "one")
    key = machine.enroll(Authority())
    with_tpm = Machine(tmp_path / "one", tpm=tpm.tcti)
    done = with_tpm.run("rewrap")
    assert done.status == 0, done.err
    assert "level 2 of 3" in done.out
    assert "Not higher: " in done.out
    assert load_tenant_key(with_tpm.secrets) == key
    assert not (machine.state / "anchor/anchor.json").exists()
    machine.report()
    status = with_tpm.run("status").out
    assert "not higher    The machine was not booted by UEFI" in status
    assert "escrow        none was made" in status


def test_rewrap_is_refused_while_the_secrets_are_in_use(tmp_path: Path, tpm: Swtpm) -> None:
    """As by a running appliance; and where no TPM answers."""
    machine = Machine(tmp_path / "one")
    machine.enroll(Authority())
    held = secrets_of(machine.settings.appliance)
    done = Machine(tmp_path / "one", tpm=tpm.tcti).run("rewrap")
    assert (done.status, "error[seal_anchor_in_use]" in done.err) == (1, True)
    del held
    done = Machine(tmp_path / "one", tpm=NO_TPM).run("rewrap")
    assert (done.status, "error[seal_tpm_missing]" in done.err) == (1, True)


PASSWORD = "xyzzy-of-the-pbx"


def test_sealed_settings_serve_without_their_file(tmp_path: Path) -> None:
    """Commands read them by --state; the password lies in no file of the state directory."""
    machine = Machine(tmp_path / "one", remark=f"# AMI password {PASSWORD}")
    machine.enroll(Authority())
    done = run("settings", "seal", machine.file, "--state", machine.state)
    assert done.status == 0, done.err
    assert f"--state {machine.state}" in done.out
    machine.file.unlink()
    machine.report()
    assert run("status", "--state", machine.state).status == 0
    assert run("buffer", "rekey", "--state", machine.state).status == 0
    kept = b"".join(path.read_bytes() for path in machine.state.rglob("*") if path.is_file())
    assert PASSWORD.encode() not in kept
    assert PASSWORD.encode() in secrets_of_state(machine).reveal()


def secrets_of_state(machine: Machine) -> SecretBytes:
    """The sealed settings, opened; this is where a search for the password can hit."""
    again = Machine(machine.state.parent)
    return again.secrets.get("settings")


def test_status_needs_no_key(tmp_path: Path, tpm: Swtpm) -> None:
    """With the TPM gone it still says how things were; nothing else opens."""
    machine = Machine(tmp_path / "one", tpm=tpm.tcti)
    assert run("settings", "seal", machine.file, "--state", machine.state).status == 0
    machine.report()
    tpm.kill()
    assert run("status", "--state", machine.state).status == 0
    done = run("buffer", "stats", "--state", machine.state)
    assert (done.status, "error[seal_tpm_missing]" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("remark", "state", "code"),
    [("x = 1", "state", "settings_invalid"), ("", "elsewhere", "settings_invalid")],
    ids=["a mistake", "another state directory"],
)
def test_settings_with_mistakes_are_not_sealed(tmp_path: Path, remark: str, state: str, code: str) -> None:
    """Nor are those of another state directory: nothing is made there."""
    machine = Machine(tmp_path / "one", remark=remark)
    done = run("settings", "seal", machine.file, "--state", machine.state.with_name(state))
    assert (done.status, f"error[{code}]" in done.err) == (1, True)
    assert not machine.state.with_name(state).exists()


def test_without_sealed_settings_state_is_refused(machine: Machine) -> None:
    """No folder, and a folder without settings; with a file too it is not clear what counts."""
    for _ in range(2):
        done = run("run", "--state", machine.state)
        assert (done.status, "error[seal_settings_missing]" in done.err) == (1, True)
        machine.enroll(Authority())
    assert machine.run("run", "--state", machine.state).status == 2


def test_a_state_directory_without_an_anchor_is_refused(machine: Machine) -> None:
    """Reading makes none."""
    machine.state.mkdir()
    done = run("run", "--state", machine.state)
    assert (done.status, "error[seal_anchor_unusable]" in done.err) == (1, True)
    assert not list(machine.state.rglob("*.json"))


def test_sealed_settings_of_another_release_are_a_settings_error(machine: Machine) -> None:
    """An option that this release does not know, and a folder that was moved."""
    machine.secrets.put("settings", SecretBytes(machine.file.read_bytes() + b"\n[later]\n"))
    done = run("run", "--state", machine.state)
    assert (done.status, "error[settings_invalid]: later: no such option" in done.err) == (1, True)
    machine.secrets.put("settings", SecretBytes(machine.file.read_bytes().replace(b"/state", b"/former")))
    done = run("run", "--state", machine.state)
    assert (done.status, "appliance.state_directory: is another folder" in done.err) == (1, True)


def test_a_damaged_record_is_told_by_status(machine: Machine) -> None:
    """By its code, since nobody may need to open anything for it."""
    machine.enroll(Authority())
    (machine.state / "anchor/record.json").write_bytes(b"{}")
    machine.report()
    assert "seal_anchor_unusable" in machine.run("status").out


def test_every_code_has_a_sentence_and_a_next_step() -> None:
    """For an installer; a code that a newer release recorded is shown as it is."""
    assert set(WHY_WORDS) == {code.value for kind in (WhyFile, Obstacle) for code in kind}
    assert all(sentence.endswith(".") and "rewrap" in sentence for sentence in WHY_WORDS.values())
    assert why_sentences(["later"]) == ["later: see the documentation of the release that recorded it."]
