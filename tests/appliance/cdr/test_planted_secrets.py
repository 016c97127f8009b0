"""Names, codes, addresses and dial strings planted in every field that is not read: nothing of them leaves.

The rows are whole and are taken, so that it is the allow-list that keeps the secrets, not a refusal.
"""

import json

import pytest

from appliance.wire import codec
from tests.support import vectors

SECRETS = (
    *("Peeters", "Ann-Sofie", "4711", "192.0.2.77", "SECRETTRUNK", "PJSIP/0485998877", "rec-20261020-0485998877.wav"),
    *("ann@example.org", "0485998877", "sn369300"),
)
"""One for each kind of thing that PBXs write into fields that nobody needs."""


def cycle(count: int) -> list[str]:
    """So many secrets."""
    return [SECRETS[place % len(SECRETS)] for place in range(count)]


def planted(names: str) -> dict[str, str]:
    """A secret for each of the fields, whose names stand between blanks."""
    return dict(zip(names.split(), cycle(len(names.split())), strict=True))


def accounted(separator: str) -> str:
    """An INVITE and its BYE with extra attributes that nobody knows."""
    extra = planted("reason display pin src_domain src_ip dst_domain ua contact x_account")
    lines = []
    for method, second in (("INVITE", 0), ("BYE", 60)):
        core = {"timestamp": f"17924796{second:02}", "method": method, "from_tag": "Peeters", "to_tag": "t"}
        core |= {"call_id": "0485998877@192.0.2.77", "code": "200", "src_user": "201", "dst_user": "202"}
        lines.append(separator.join(f"{name}={value}" for name, value in (core | extra).items()))
    return "\n".join(f"Oct 20 09:00:00 SECRETTRUNK kamailio[4711]: ACC: Peeters: {line}" for line in lines)


def flat() -> str:
    """The same in a flat file, in both shapes that are known."""
    lines = []
    for call, extra in (
        ("0485998877@a", "*Peeters|201|202|4711|sn369300"),
        ("b", "201|Peeters|192.0.2.77|202|202|4711"),
    ):
        lines += [
            f"{method}|Ann-Sofie|t|{call}|200|Peeters|17924796{second:02}|{extra}"
            for method, second in (("INVITE", 0), ("BYE", 60))
        ]
    return "\n".join(lines)


def reports() -> str:
    """A pushed report, a P-Series event, and a row of an export."""
    call = {"callid": "1792479600.4711", "timestart": "2026-10-20 09:00:00", "callfrom": "Ann-Sofie Peeters<201>"}
    call |= {"callto": "Peeters<202>", "callduraction": "60", "talkduraction": "55", "status": "ANSWERED"}
    call |= planted("srctrunkname desttrunkname pincode recording sn agentringtime reason call_note_id dod_number")
    pushed = {"action": "NewCdr", **call, "uid": "0485998877"}
    event = {"type": 30012, "sn": "sn369300", "msg": json.dumps({**call, "uid": "Peeters"})}
    columns = list(call)
    row = ",".join(f'"{call[name]}"' for name in columns)
    return "\n".join([",".join(columns), row, json.dumps(pushed), json.dumps(event)])


def ucm() -> str:
    """A row and a document with the columns of newer firmware."""
    call = {"AcctId": "4711", "src": "201", "dst": "202", "clid": '"Peeters" <201>', "uniqueid": "1792479600.4711"}
    call |= {"start": "2026-10-20 09:00:00", "answer": "2026-10-20 09:00:05", "end": "2026-10-20 09:01:00"}
    call |= {"duration": "60", "billsec": "55", "disposition": "ANSWERED", "session": "0485998877"}
    call |= planted(
        "accountcode dcontext channel dstchannel lastapp lastdata amaflags userfield channel_ext dstchannel_ext"
        " service caller_name recordfiles dstanswer chanext dstchanext action_owner action_type src_trunk_name"
        " dst_trunk_name sn"
    )
    row = ",".join(value for name, value in call.items())
    return "\n".join([",".join(call), row, json.dumps({**call, "AcctId": "Peeters"})])


def border() -> str:
    """The end of a leg in the usual order."""
    row = cycle(39)
    known = {0: "CALL_END", 4: "RMT", 14: "60", 15: "LCL", 21: "-1", 22: "", 23: "", 37: "1"}
    known |= {10: "201@192.0.2.77", 11: "201@192.0.2.77", 12: "202@192.0.2.77", 13: "202@192.0.2.77"}
    known |= {18 + step: f"07:0{step}:00.320  UTC Tue Oct 20 2026" for step in range(3)}
    for place, text in known.items():
        row[place] = text
    return "SECRETTRUNK 192.0.2.77 [S = 4711] |" + "|".join(row)


FEEDS = {
    "kamailio_acc": (accounted(";"), 1),
    "opensips_flatstore": (flat(), 2),
    "yeastar": (reports(), 3),
    "grandstream_ucm": (ucm(), 2),
    "audiocodes_sbc": (border(), 1),
}


@pytest.mark.parametrize("dialect", FEEDS)
def test_nothing_that_was_planted_leaves(dialect: str) -> None:
    """What leaves is spelled from the allow-list alone: neither the secrets nor parts of them are in it."""
    text, count = FEEDS[dialect]
    translation, end = vectors.translations(vectors.translator(dialect, {}), vectors.frames(dialect, text.encode()), {})
    assert (len(translation.calls), translation.quarantined, end.quarantined) == (count, [], [])
    shown = codec.encode_lines(translation.calls).decode()
    assert [secret for secret in SECRETS if secret in shown] == []
    assert not [word for word in ("Peeters", "Sofie", "998877", "192.0", "example", "PJSIP") if word in shown]
    assert '"internal"' in shown


@pytest.mark.parametrize("dialect", FEEDS)
def test_what_was_planted_changes_nothing_but_keys(dialect: str) -> None:
    """The same rows with other names and codes say the same of the call."""
    text, _ = FEEDS[dialect]
    other = text.replace("Peeters", "Janssens").replace("SECRETTRUNK", "OTHERTRUNK").replace("Sofie", "Marie")
    calls = []
    for feed in (text, other):
        lines = vectors.frames(dialect, feed.encode())
        calls.append(vectors.translation(vectors.translator(dialect, {}), lines, {}).calls)
    for one, two in zip(*calls, strict=True):
        assert (one.started_at, one.ended_at, one.talk_seconds) == (two.started_at, two.ended_at, two.talk_seconds)
        assert (one.calling, one.called, one.forwarded_to) == (two.calling, two.called, two.forwarded_to)


@pytest.mark.parametrize("dialect", FEEDS)
def test_a_repr_shows_nothing_of_a_record(dialect: str) -> None:
    """Nor does what a traceback would print of a refused line."""
    lines = vectors.frames(dialect, FEEDS[dialect][0].encode())
    assert not [secret for secret in SECRETS for line in lines if secret in repr(line)]
