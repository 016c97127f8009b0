"""``selftest``: one line a question, with a hint where something is not ok, and an exit status for programs."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.buffer.sqlite_buffer import SqliteBuffer
from appliance.clock import SystemClock
from appliance.daemon import BUFFER_FILE, buffer_settings
from appliance.identity.file_identity import FileIdentityStore
from appliance.sealing.buffer_keys import BufferKeys
from appliance.wire.batch import HighWater, KeyProtection
from appliance.wire.codec import encode_answer
from tests.support.sealed_machine import Machine
from tests.support.swtpm import Swtpm
from tests.support.tls_peer import DAY, Authority, Reply, Request, TlsPeer, reply, server_context

QUESTIONS = ["key anchor", "clock", "certificate", "receiver", "buffer"]


def answers(machine: Machine) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit status, and each answer by its question."""
    done = machine.run("selftest", "--json")
    found = json.loads(done.out)["answers"]
    assert [answer["question"] for answer in found] == QUESTIONS
    assert (done.status == 0) == all(answer["ok"] for answer in found)
    return done.status, {answer["question"]: answer for answer in found}


def not_ok(machine: Machine) -> dict[str, str | None]:
    """The codes of what is not ok, each with its hint."""
    _, found = answers(machine)
    refused = {question: answer for question, answer in found.items() if not answer["ok"]}
    assert all(answer["hint"] for answer in refused.values() if answer["code"])
    return {question: answer["code"] for question, answer in refused.items()}


def high_water(_: Request) -> Reply:
    """A receiver that holds nothing yet."""
    return reply(200, encode_answer(HighWater(0, 0)))


async def asked(machine: Machine, authority: Authority) -> tuple[int, str]:
    """Run the command in words while a receiver of ``authority`` listens."""
    async with TlsPeer(server_context(authority), high_water) as peer:
        machine.file.write_text(machine.file.read_text().replace("https://127.0.0.1:9", peer.url))
        done = await asyncio.to_thread(machine.run, "selftest")
    return done.status, done.out


async def test_where_all_is_well_every_line_says_ok(tmp_path: Path, tpm: Swtpm) -> None:
    """A real TPM, a real TLS receiver; what keeps the machine from level 3 is said beside, and is no failure."""
    authority = Authority()
    machine = Machine(tmp_path / "one", tpm=tpm.tcti)
    key = machine.enroll(authority)
    open_buffer(machine).close()
    status, out = await asked(machine, authority)
    lines = [line for line in out.splitlines() if not line.startswith(" ")]
    assert (status, len(lines)) == (0, len(QUESTIONS)), out
    assert all(line.startswith(f"ok      {question}") for line, question in zip(lines, QUESTIONS, strict=True))
    for words in ("level 2 of 3", "booted by UEFI", "takes the certificate", "It opens.", "Valid until", "key is kept"):
        assert words in out
    assert key.tenant_secret.hex() not in out


def open_buffer(machine: Machine) -> SqliteBuffer:
    """The machine's buffer, as its daemon holds it."""
    store, clock = machine.secrets, SystemClock()
    owner = buffer_settings(machine.settings, FileIdentityStore(store, clock).load(), KeyProtection.FILE)
    return SqliteBuffer.open(machine.state / BUFFER_FILE, masters=BufferKeys(store, clock).masters(), settings=owner)


def test_nobody_at_the_receivers_address(tmp_path: Path) -> None:
    """All else is ok, the missing TPM and buffer included."""
    machine = Machine(tmp_path / "one")
    machine.enroll(Authority())
    status, found = answers(machine)
    assert status == 1
    assert not_ok(machine) == {"receiver": "uplink_unavailable"}
    assert "rewrap" in found["key anchor"]["hint"]
    assert "at its first start" in found["buffer"]["says"]


async def test_a_receiver_of_another_authority(tmp_path: Path) -> None:
    """TLS does not verify: its own code and hint."""
    machine = Machine(tmp_path / "one")
    machine.enroll(Authority())
    status, out = await asked(machine, Authority())
    assert status == 1
    assert "NOT OK  receiver" in out
    assert "[uplink_untrusted]" in out


def test_before_enrollment_the_rest_is_tried(tmp_path: Path) -> None:
    """What needs a certificate says so."""
    machine = Machine(tmp_path / "one")
    assert not_ok(machine) == {"certificate": "identity_not_enrolled", "receiver": None, "buffer": None}


@pytest.mark.parametrize(
    ("enrolled", "refused"),
    [
        (-30 * DAY, {"certificate": "identity_untrusted", "receiver": "uplink_unavailable"}),
        (30 * DAY, {"certificate": "clock_off", "clock": "clock_off", "receiver": "uplink_unavailable"}),
    ],
    ids=["ended", "not yet valid"],
)
def test_a_certificate_outside_its_time(tmp_path: Path, enrolled: timedelta, refused: dict[str, str]) -> None:
    """Ended: it comes back by itself. Not yet valid: the clock is wrong."""
    machine = Machine(tmp_path / "one")
    machine.enroll(Authority(now=datetime.now(UTC) + enrolled))
    assert not_ok(machine) == refused


def test_a_clock_that_is_behind(tmp_path: Path) -> None:
    """Something that was sealed is of the future."""
    machine = Machine(tmp_path / "one")
    machine.enroll(Authority())
    later = time.time() + 3600
    os.utime(machine.state / "secrets/tenant-secret.sealed", (later, later))
    assert not_ok(machine)["clock"] == "clock_off"


def test_a_tpm_that_is_gone(tmp_path: Path, tpm: Swtpm) -> None:
    """Nothing else can be tried, and nothing falls back."""
    machine = Machine(tmp_path / "one", tpm=tpm.tcti)
    machine.enroll(Authority())
    tpm.kill()
    assert not_ok(machine) == dict.fromkeys(QUESTIONS) | {"key anchor": "seal_tpm_missing"}


def test_a_buffer_that_is_in_use_is_well(tmp_path: Path) -> None:
    """By the running appliance."""
    machine = Machine(tmp_path / "one")
    machine.enroll(Authority())
    held = open_buffer(machine)
    _, found = answers(machine)
    assert (found["buffer"]["ok"], found["buffer"]["says"]) == (True, "The running appliance has it in use.")
    held.close()


@pytest.mark.parametrize(
    ("content", "code"), [(b"no database" * 1000, "buffer_corrupt"), (None, "buffer_unusable")], ids=["noise", "folder"]
)
def test_a_buffer_that_does_not_open(tmp_path: Path, content: bytes | None, code: str) -> None:
    """It is left as it is: the appliance saves what can be saved at its start."""
    machine = Machine(tmp_path / "one")
    machine.enroll(Authority())
    path = machine.state / BUFFER_FILE
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    assert not_ok(machine)["buffer"] == code
    assert content is None or path.read_bytes() == content


def test_nothing_is_changed_by_asking(tmp_path: Path) -> None:
    """But what the first opening of a fresh buffer key makes."""
    machine = Machine(tmp_path / "one")
    machine.enroll(Authority())
    not_ok(machine)
    before = contents(machine, ("secrets/*", "anchor/*.json"))
    not_ok(machine)
    assert contents(machine, ("secrets/*", "anchor/*.json")) == before


def contents(machine: Machine, patterns: Sequence[str]) -> dict[str, bytes]:
    """Files of the state directory."""
    found = [path for pattern in patterns for path in machine.state.glob(pattern)]
    assert found
    return {path.name: path.read_bytes() for path in found}
