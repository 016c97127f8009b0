"""What the receiver stores beside what the PBX wrote: the comparison that demo and end-to-end tests rest on."""

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec

from appliance import daemon
from appliance.cdr.dialects import find_dialect
from appliance.ports import SecretBytes
from appliance.sealing.anchor import secrets_of
from appliance.sealing.tenant_key import load_tenant_key
from appliance.settings import load_settings
from appliance.wire.codec import encode_call

Call = dict[str, Any]


def fetch_calls(url: str, *, api_key: str, trust_anchors: Path) -> list[Call]:
    """Every call of the key's tenant, page by page, as ``GET /v1/calls`` gives them."""
    calls: list[Call] = []
    query: dict[str, str] = {"limit": "1000"}
    headers = {"Authorization": f"Bearer {api_key}"}
    context = ssl.create_default_context(cafile=str(trust_anchors))
    with httpx.Client(base_url=url, headers=headers, verify=context, trust_env=False, timeout=30) as client:
        while True:
            answer = client.get("/v1/calls", params=query)
            answer.raise_for_status()
            page = answer.json()
            calls += page["calls"]
            if not page["next"]:
                return calls
            query["cursor"] = page["next"]


class Expected:
    """What a feed file must give, computed with the appliance's own secret but without its buffer and network."""

    def __init__(self, settings_file: Path, feed: Path) -> None:
        """Translate ``feed`` line by line."""
        settings = load_settings(settings_file)
        secrets, _ = secrets_of(settings.appliance)
        entry = settings.feeds[0]
        key = load_tenant_key(secrets)
        translator = daemon.open_translator(
            entry.dialect,
            site=settings,
            secret=SecretBytes(key.tenant_secret),
            feed=entry.id,
            key_version=key.key_version,
        )
        self.by_event: dict[str, tuple[bytes, Call]] = {}
        self.records = self.quarantined = self.ignored = 0
        framer = find_dialect(entry.dialect).framer(0)
        lines = framer.feed(feed.read_bytes())
        self.lines = len(lines)
        for line in lines:
            translation = translator.translate([line], now=datetime.now(UTC))
            self.quarantined += len(translation.quarantined)
            self.ignored += translation.ignored
            for made in translation.calls:
                call: Call = msgspec.json.decode(encode_call(made))
                self.records += 1
                self.by_event[call["event_id"]] = (line.content, call)

    @property
    def accounted(self) -> int:
        """How many lines are read when all is done: those that wait for another that never came are not among them."""
        return self.records + self.quarantined + self.ignored

    def lost(self, stored: Sequence[Call]) -> set[str]:
        """Events of the feed that are not stored."""
        return set(self.by_event) - {call["event_id"] for call in stored}

    def doubled(self, stored: Sequence[Call]) -> int:
        """How many stored calls are there more than once, or were never written by the feed."""
        return len(stored) - len({call["event_id"] for call in stored} & set(self.by_event))

    def pairs(self, stored: Sequence[Call]) -> list[tuple[bytes, Call]]:
        """Each stored call beside the line that it came from."""
        return [(self.by_event[call["event_id"]][0], call) for call in stored if call["event_id"] in self.by_event]
