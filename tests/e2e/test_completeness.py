"""What the site says of its day and what the tenant's API client reads of it are the same, and true."""

import json
import ssl
import time
from pathlib import Path
from typing import Any

import httpx

from tests.support.appliance_process import ApplianceProcess
from tests.support.cdr_generator import generate
from tests.support.receiver_process import ReceiverProcess

SITE = (Path(__file__).parents[1] / "testdata/demo/site.toml").read_text(encoding="utf-8")
CONTENT = generate(rows=250, seed=51) + b"nonsense\n"
LINES = CONTENT.count(b"\n")
PATIENCE_SECONDS = 60


def fetch_accounts(receiver: ReceiverProcess, *, api_key: str) -> list[dict[str, Any]]:
    """What a viewer of the tenant reads."""
    context = ssl.create_default_context(cafile=str(receiver.trust_anchors))
    headers = {"Authorization": f"Bearer {api_key}"}
    with httpx.Client(base_url=receiver.url, headers=headers, verify=context, trust_env=False, timeout=30) as client:
        answer = client.get("/v1/completeness")
        answer.raise_for_status()
        return list(answer.json()["accounts"])


def told(receiver: ReceiverProcess, appliance: ApplianceProcess, *, api_key: str) -> list[dict[str, Any]]:
    """Wait until the receiver knows the appliance's accounts; give what it says of them."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        here = json.loads(appliance.command("buffer", "stats", "--json"))["accounts"]
        there = fetch_accounts(receiver, api_key=api_key)
        if here and here == [item["account"] for item in there]:
            return there
        time.sleep(0.2)
    raise AssertionError(appliance.log.read_text(encoding="utf-8")[-2000:])


def test_the_receiver_and_the_site_say_the_same(tmp_path: Path) -> None:
    """Each line of the feed is in the account, it balances, and ``status`` says so in words."""
    feed = tmp_path / "Master.csv"
    feed.write_bytes(CONTENT)
    with ReceiverProcess(tmp_path / "receiver") as receiver:
        site = ApplianceProcess(tmp_path / "site", url=receiver.url, feed=feed, dialect="asterisk_csv", site=SITE)
        receiver.create_tenant("counted")
        site.enroll(receiver.invite("edge-one", tenant="counted"))
        key = receiver.create_api_key("counted", role="viewer")
        site.start()
        try:
            assert site.wait_for(
                lambda counts: counts.get("read", 0) >= LINES and counts.get("waiting") == 0, seconds=PATIENCE_SECONDS
            )
            assert site.stop() == 0
            # At a start all is told at once; else it would be within a minute.
            site.start()
            accounts = told(receiver, site, api_key=key)
            words = site.command("status")
        finally:
            site.stop()
    assert sum(item["account"]["read"] for item in accounts) == LINES
    assert all(item["balanced"] and item["appliance"] == "edge-one" for item in accounts)
    assert sum(item["account"]["acknowledged"] + item["account"]["duplicate"] for item in accounts) == sum(
        item["account"]["recorded"] for item in accounts
    )
    assert any(reason["reason"] == "column_count" for item in accounts for reason in item["account"]["reasons"])
    assert f"main: read {accounts[0]['account']['read']} = recorded " in words
    assert "DOES NOT BALANCE" not in words
