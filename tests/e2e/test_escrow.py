"""A machine's life with sealed secrets: a real receiver, a real TPM, an escrow, the machine's end and its successor."""

import base64
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
import pytest

from appliance.errors import TpmMissingError
from appliance.sealing.anchor import open_secrets
from appliance.sealing.escrow import open_escrow
from tests.support.appliance_process import NO_TPM, ApplianceProcess
from tests.support.cdr_generator import generate
from tests.support.plain_secrets import forms, found_in, secrets_of
from tests.support.receiver_process import ReceiverProcess
from tests.support.stored_calls import Call, Expected, fetch_calls
from tests.support.swtpm import Swtpm

SITE = (Path(__file__).parents[1] / "testdata/demo/site.toml").read_text(encoding="utf-8")
PASSWORD = b"the-password-of-the-pbx"
CONTENT = generate(rows=200, seed=41)
LINES = CONTENT.count(b"\n")
PATIENCE_SECONDS = 120


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    """One receiver for the module; each test has a tenant of its own."""
    with ReceiverProcess(tmp_path_factory.mktemp("receiver") / "state") as process:
        yield process


@pytest.fixture
def tpm(tmp_path: Path) -> Iterator[Swtpm]:
    """The machine's TPM."""
    with Swtpm(tmp_path / "tpm") as running:
        yield running


@pytest.fixture
def tenant(receiver: ReceiverProcess, request: pytest.FixtureRequest) -> str:
    """A tenant of the test's name."""
    name = re.sub(r"[^a-z]+", "-", request.node.name.lower())[-40:].strip("-")
    receiver.create_tenant(name)
    return name


def machine(folder: Path, receiver: ReceiverProcess, feed: Path, *, tpm: str) -> ApplianceProcess:
    """A machine that reads ``feed``, with a password in its settings."""
    made = ApplianceProcess(folder, url=receiver.url, feed=feed, dialect="asterisk_csv", site=SITE)
    text = made.settings.read_text(encoding="utf-8")
    made.settings.write_text(f"# AMI: {PASSWORD.decode()}\n{text.replace(NO_TPM, tpm)}", encoding="utf-8")
    return made


def delivered(appliance: ApplianceProcess, *, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Run the appliance until all is read and nothing waits, by a report of this run; do ``meanwhile``, end it."""
    (appliance.state / "status.json").unlink(missing_ok=True)
    appliance.start()
    done = appliance.wait_for(
        lambda counts: counts.get("read", 0) >= LINES and counts.get("waiting") == 0, seconds=PATIENCE_SECONDS
    )
    meanwhile()
    assert appliance.stop() == 0
    assert done, appliance.log.read_text(encoding="utf-8")[-2000:]


def refused(appliance: ApplianceProcess, command: str, code: str) -> None:
    """Run a command that must be refused with this code."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        appliance.command(command)
    assert f"error[{code}]" in caught.value.stderr


def seal_settings(appliance: ApplianceProcess) -> str:
    """Seal the settings and delete their file; from then on --state serves. Gives the file's text."""
    text = appliance.settings.read_text(encoding="utf-8")
    place, appliance.place = appliance.place, ["--state", str(appliance.state)]
    appliance.command("settings", "seal", place[1])
    appliance.settings.unlink()
    return text


def test_a_successor_makes_the_same_pseudonyms(
    tmp_path: Path, receiver: ReceiverProcess, tenant: str, tpm: Swtpm
) -> None:
    """The first machine hangs on its TPM and goes with it; the escrow gives another one the tenant's secret."""
    feed = tmp_path / "Master.csv"
    feed.write_bytes(CONTENT)
    first = machine(tmp_path / "first", receiver, feed, tpm=tpm.tcti)
    first.enroll(receiver.invite("edge-one", tenant=tenant))
    seal_settings(first)
    delivered(first)
    officer = pyrage.x25519.Identity.generate()
    (tmp_path / "identity").write_text(str(officer))
    escrow = tmp_path / "escrow.age"
    first.command("escrow", "--recipient", str(officer.to_public()), "--out", str(escrow))
    assert "level 2 of 3" in first.command("status")
    tpm.kill()
    with pytest.raises(TpmMissingError):
        open_secrets(first.state)

    second = machine(tmp_path / "second", receiver, feed, tpm=NO_TPM)
    second.command("restore", "--escrow", str(escrow), "--identity", str(tmp_path / "identity"))
    key = receiver.create_api_key(tenant, role="viewer")
    stored = fetch_calls(receiver.url, api_key=key, trust_anchors=receiver.trust_anchors)
    expected = Expected(second.settings, feed)
    assert len(stored) == len(expected.by_event) > 100
    assert {call["event_id"] for call in stored} == set(expected.by_event)
    assert pseudonyms(stored) == pseudonyms([call for _, call in expected.by_event.values()])
    second.enroll(receiver.invite("edge-two", tenant=tenant))


def pseudonyms(calls: list[Call]) -> dict[str, tuple[str | None, str | None]]:
    """Calling and called party of each record."""
    found = {call["event_id"]: (call["calling"]["pseudonym"], call["called"]["pseudonym"]) for call in calls}
    assert len({calling for calling, _ in found.values()}) > 10
    return found


@pytest.mark.parametrize("anchor", ["file", "tpm", "rewrapped"])
def test_no_file_of_the_state_directory_holds_a_secret_in_clear(
    tmp_path: Path, receiver: ReceiverProcess, tenant: str, tpm: Swtpm, anchor: str
) -> None:
    """After a full run: the tenant's secret, the buffer's keys, the machine's key, the settings' password."""
    feed = tmp_path / "Master.csv"
    feed.write_bytes(CONTENT)
    appliance = machine(tmp_path / "one", receiver, feed, tpm=tpm.tcti if anchor == "tpm" else NO_TPM)
    appliance.enroll(receiver.invite("edge-one", tenant=tenant))
    text = seal_settings(appliance)
    delivered(appliance)
    if anchor == "rewrapped":
        appliance.settings.write_text(text.replace(NO_TPM, tpm.tcti), encoding="utf-8")
        appliance.place = ["--settings", str(appliance.settings)]
        delivered(appliance, meanwhile=lambda: refused(appliance, "rewrap", "seal_anchor_in_use"))
        appliance.command("rewrap")
        delivered(appliance)
    appliance.command("buffer", "rekey")
    store, opened = open_secrets(appliance.state)
    assert opened.key_protection == ("file" if anchor == "file" else "tpm")
    secrets = secrets_of(store) | {"password": PASSWORD}
    assert {"tenant secret", "machine key", "password", "buffer key 1", "buffer key 2"} == set(secrets)
    assert found_in(appliance.state, secrets) == set()
    assert PASSWORD in store.get("settings").reveal()


def test_a_secret_in_clear_would_be_found(tmp_path: Path) -> None:
    """In each form, in the middle of a file, in a folder below."""
    secret = bytes(range(200, 232))
    writings = [
        secret,
        secret.hex().encode(),
        secret.hex().upper().encode(),
        *(base64.b64encode(b"x" * before + secret + b"yy") for before in range(4)),
        base64.urlsafe_b64encode(b"x" + secret + b"yy"),
    ]
    assert len(forms(secret)) >= 6
    for place, writing in enumerate(writings):
        path = tmp_path / str(place) / "below" / "file"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"before" + writing + b"after")
        assert found_in(tmp_path / str(place), {"it": secret}) == {("it", "below/file")}
    assert found_in(tmp_path / "0", {"another": bytes(range(32))}) == set()


@pytest.mark.slow
def test_the_officers_own_program_opens_it(tmp_path: Path, receiver: ReceiverProcess, tenant: str) -> None:
    """Debian's age, unpacked into a folder: it makes the identity, decrypts, and encrypts anew what we then restore."""
    programs = unpack_age(tmp_path)
    identity, escrow = tmp_path / "identity", tmp_path / "escrow.age"
    call(programs / "age-keygen", "-o", identity)
    (tmp_path / "recipient").write_bytes(call(programs / "age-keygen", "-y", identity))
    appliance = machine(tmp_path / "one", receiver, tmp_path / "Master.csv", tpm=NO_TPM)
    appliance.enroll(receiver.invite("edge-one", tenant=tenant))
    appliance.command("escrow", "--recipient-file", str(tmp_path / "recipient"), "--out", str(escrow))
    (tmp_path / "plain").write_bytes(call(programs / "age", "--decrypt", "--identity", identity, escrow))
    expected = open_escrow(escrow, identity_file=identity)
    for form in ("--armor", "-o"):
        again = tmp_path / f"again{form}"
        options = (form, "-o", again) if form == "--armor" else (form, again)
        call(programs / "age", "--recipients-file", tmp_path / "recipient", *options, tmp_path / "plain")
        assert open_escrow(again, identity_file=identity) == expected


def unpack_age(folder: Path) -> Path:
    """Fetch the package by the machine's own apt and unpack it; nothing is installed."""
    call("apt-get", "update", "--quiet")
    call("apt-get", "download", "age", folder=folder)
    (package,) = folder.glob("age_*.deb")
    call("dpkg-deb", "--extract", package, folder / "age")
    return folder / "age/usr/bin"


def call(*command: str | Path, folder: Path | None = None) -> bytes:
    """Run a program; give what it printed."""
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, cwd=folder).stdout
