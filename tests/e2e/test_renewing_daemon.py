"""The running appliance looks after its certificate: real processes, real PostgreSQL, real TLS."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from appliance.clock import SystemClock
from appliance.identity.file_identity import FileIdentityStore
from appliance.sealing.anchor import open_secrets
from appliance.sealing.anchor_record import AnchorWay
from tests.support.appliance_process import NO_TPM, ApplianceProcess
from tests.support.cdr_generator import generate
from tests.support.receiver_process import ReceiverProcess

SITE = (Path(__file__).parents[1] / "testdata/demo/site.toml").read_text(encoding="utf-8")
PATIENCE_SECONDS = 120
TENANT, NAME = "renewing", "edge-one"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[ReceiverProcess]:
    """A receiver of the test's own: its authority rolls over."""
    with ReceiverProcess(tmp_path / "receiver") as process:
        process.create_tenant(TENANT)
        yield process


@pytest.fixture
def site(tmp_path: Path, receiver: ReceiverProcess) -> Iterator[ApplianceProcess]:
    """An enrolled appliance with a feed to deliver."""
    feed = tmp_path / "Master.csv"
    feed.write_bytes(generate(rows=50, seed=1))
    built = ApplianceProcess(tmp_path / "site", url=receiver.url, feed=feed, dialect="asterisk_csv", site=SITE)
    built.enroll(receiver.invite(NAME, tenant=TENANT))
    yield built
    built.stop()


def wait_for(site: ApplianceProcess, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until the certificate's part of the status is as wanted; give it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with suppress(OSError, ValueError):
            told: dict[str, Any] = json.loads((site.state / "status.json").read_bytes())["certificate"]
            if done(told):
                return told
        time.sleep(0.2)
    raise AssertionError(site.log.read_text(encoding="utf-8")[-2000:])


def anchors_of(site: ApplianceProcess) -> set[x509.Certificate]:
    """What the appliance trusts; it must not be running."""
    secrets, _ = open_secrets(site.state, AnchorWay(NO_TPM, None))
    identity = FileIdentityStore(secrets, SystemClock()).load()
    return set(x509.load_pem_x509_certificates(identity.trust_anchors))


def drained(site: ApplianceProcess) -> bool:
    """Whether all was read and delivered."""
    return site.wait_for(
        lambda counts: counts.get("recorded", 0) > 0 and counts.get("waiting") == 0, seconds=PATIENCE_SECONDS
    )


def test_a_running_appliance_says_when_it_renews(site: ApplianceProcess) -> None:
    """At about two thirds of the week; nothing hinders, also in words."""
    site.start()
    told = wait_for(site, lambda certificate: certificate["planned_at"] is not None)
    assert told["last_problem"] is None
    until, planned = (datetime.fromisoformat(told[name]) for name in ("valid_until", "planned_at"))
    assert timedelta(days=2) < until - planned < timedelta(days=2, hours=17)
    words = site.command("status")
    assert f"next renewal  {planned:%Y-%m-%d %H:%M:%S} UTC\n" in words.replace("next renewal   ", "next renewal  ")


def test_a_rollover_of_the_receivers_authority_needs_no_visit(
    site: ApplianceProcess, receiver: ReceiverProcess
) -> None:
    """The announced root is fetched at the start or within a day; after the switch deliveries go on."""
    before = anchors_of(site)
    receiver.run("ca", "announce")
    site.start()
    wait_for(site, lambda certificate: certificate["planned_at"] is not None)
    assert drained(site)
    site.stop()
    after = anchors_of(site)
    assert before < after
    assert len(after) == 2
    receiver.run("ca", "switch")
    feed = site.settings.parent.parent / "Master.csv"
    with feed.open("ab") as file:
        file.write(generate(rows=50, seed=2))
    site.start()
    assert drained(site)
    assert wait_for(site, lambda certificate: certificate["planned_at"] is not None)["last_problem"] is None


def test_an_appliance_that_was_revoked_says_so_and_goes_on_asking(
    site: ApplianceProcess, receiver: ReceiverProcess
) -> None:
    """What it reads waits in the buffer; it does not end."""
    receiver.run("appliance", "revoke", "--tenant", TENANT, NAME)
    site.start()
    told = wait_for(site, lambda certificate: certificate["last_problem"] is not None)
    assert told["last_problem"] in {"uplink_certificate_refused", "enrollment_refused"}
    assert site.wait_for(lambda counts: counts["waiting"] > 0, seconds=PATIENCE_SECONDS)
    assert not site.supervise()
