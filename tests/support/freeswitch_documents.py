"""FreeSWITCH documents of one leg, as the switch writes them; every number and name is invented."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

A_LEG = "99205d8f-5ec4-402e-b174-7a8bb8c23a61"
B_LEG = "02132a5c-b9b1-4dbf-b79c-bdf408854867"


def leg(**changes: str | None) -> dict[str, str]:
    """The variables of an answered leg on 2026-10-20 at 07:00:00.250 UTC, those named replaced or left out."""
    variables: dict[str, str | None] = {
        "direction": "inbound",
        "uuid": A_LEG,
        "sip_from_user": "ann",
        "sip_from_display": "Ann",
        "sip_full_from": '"Ann" <sip:ann@pbx.example>;tag=f25a',
        "channel_name": "sofia/internal/ann@pbx.example",
        "call_uuid": A_LEG,
        "bridge_uuid": B_LEG,
        "signal_bond": B_LEG,
        "hangup_cause": "NORMAL_CLEARING",
        "hangup_cause_q850": "16",
        "start_stamp": "2026-10-20 09:00:00",
        "answer_stamp": "2026-10-20 09:00:05",
        "end_stamp": "2026-10-20 09:01:05",
        "start_epoch": "1792479600",
        "start_uepoch": "1792479600250000",
        "answer_epoch": "1792479605",
        "answer_uepoch": "1792479605500000",
        "end_epoch": "1792479665",
        "end_uepoch": "1792479665750000",
        "last_app": "bridge",
        "last_arg": "user/201@pbx.example",
        "duration": "65",
        "billsec": "60",
    }
    return {name: text for name, text in (variables | changes).items() if text is not None}


def unanswered(**changes: str | None) -> dict[str, str]:
    """The variables of a leg that nobody answered."""
    never = {"answer_stamp": None, "answer_epoch": "0", "answer_uepoch": "0", "billsec": "0"}
    return leg(**{"hangup_cause": "NO_ANSWER"} | never | changes)


def profile(calling: str = "0470112233", called: str = "201", context: str = "default") -> dict[str, str]:
    """One destination of the leg, a caller profile."""
    return {
        "username": "ann",
        "dialplan": "XML",
        "caller_id_name": "Ann",
        "caller_id_number": calling,
        "network_addr": "10.0.0.3",
        "rdnis": "",
        "destination_number": called,
        "uuid": A_LEG,
        "context": context,
        "chan_name": "sofia/internal/ann@pbx.example",
    }


TIMES = {
    "created_time": "1792479600250000",
    "answered_time": "1792479605500000",
    "hangup_time": "1792479665750000",
    "transfer_time": "0",
}


def json_document(
    variables: Mapping[str, object] | None = None,
    profiles: Sequence[Mapping[str, object]] | None = None,
    times: Mapping[str, str] | None = None,
) -> bytes:
    """One line, values as they are."""
    flows = [{"profile_index": "1", "caller_profile": one, "times": times or TIMES} for one in profiles or [profile()]]
    document: dict[str, Any] = {"core-uuid": "eb8bcdd2", "channel_data": {"state": "CS_REPORTING"}}
    document |= {"variables": leg() if variables is None else variables, "callflow": flows}
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def encoded(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables as both modules write them: each value percent-encoded."""
    return {name: quote(text, safe="/,:") for name, text in variables.items()}


def xml_document(
    variables: Mapping[str, str] | None = None,
    profiles: Sequence[Mapping[str, str]] | None = None,
    times: Mapping[str, str] | None = None,
    raw: str = "",
) -> bytes:
    """A document of many lines; ``raw`` stands among the variables as it is."""
    flows = "".join(
        f'  <callflow dialplan="XML" profile_index="1">\n    <extension name="Local" number="201">\n'
        f'      <application app_name="bridge" app_data="user/201"></application>\n    </extension>\n'
        f"    <caller_profile>\n{_children(one)}      <originatee>\n        <originatee_caller_profile>\n"
        f"{_children(profile('9999', '9998'))}        </originatee_caller_profile>\n      </originatee>\n"
        f"    </caller_profile>\n    <times>\n{_children(times or TIMES)}    </times>\n  </callflow>\n"
        for one in profiles or [profile()]
    )
    return (
        '<?xml version="1.0"?>\n<cdr core-uuid="21483469-cecc">\n  <channel_data>\n    <state>CS_REPORTING</state>\n'
        f"  </channel_data>\n  <variables>\n{_children(encoded(leg() if variables is None else variables))}{raw}"
        f"  </variables>\n  <app_log>\n"
        f'    <application app_name="set" app_data="callee=201"></application>\n  </app_log>\n{flows}</cdr>\n'
    ).encode()


def _children(texts: Mapping[str, str]) -> str:
    return "".join(f"      <{name}>{text}</{name}>\n" for name, text in texts.items())
