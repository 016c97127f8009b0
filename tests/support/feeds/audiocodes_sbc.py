"""The log of a session border controller: titles, and for each call the ends of two legs."""

from datetime import UTC, datetime
from random import Random

from tests.support.feeds.calls import FIRST_SECOND, Invented, invented

_TITLES = (
    "SBCReportType|EPTyp|SIPCallId|SessionId|Orig|SourceIp|SourcePort|DestIp|DestPort|TransportType|SrcURI|"
    "SrcURIBeforeMap|DstURI|DstURIBeforeMap|Duration|TrmSd|TrmReason|TrmReasonCategory|SetupTime|ConnectTime|"
    "ReleaseTime|RedirectReason|RedirectURINum|RedirectURINumBeforeMap|TxSigIPDiffServ|IPGroup (name)|SrdId (name)|"
    "SIPInterfaceId (name)|ProxySetId (name)|IpProfileId (name)|MediaRealmId (name)|DirectMedia|SIPTrmReason|"
    "SIPTermDesc|Caller|Callee|Trigger|LegId|VoiceAIConnectorName"
)
_PREFIX = "10:36:14.064  192.0.2.11  local1.info[S = 129] |"


def feed(*, rows: int, seed: int) -> bytes:
    """About so many lines, the same for the same seed."""
    random = Random(seed)  # noqa: S311 - test data
    lines = [_PREFIX + _TITLES]
    for number, call in enumerate(invented(random, max(1, rows // 2))):
        failure = random.choice((("486", "BUSY"), ("CANCEL", "NO_ANSWER"), ("404", "GENERAL_FAILED")))
        lines += [_leg(call, f"c6:{seed}:{number}", leg, failure) for leg in (1, 2)]
    return "\n".join(lines).encode() + b"\n"


def _leg(call: Invented, session: str, leg: int, failure: tuple[str, str]) -> str:
    start = FIRST_SECOND + call.second
    reason, category = ("BYE", "NORMAL_CALL_CLEAR") if call.talk else failure
    fields = [
        *("CALL_END", "SBC", f"{session}{leg}@192.0.2.11", session, ("RMT", "LCL")[leg - 1]),
        *("192.0.2.1", "5060", "192.0.2.11", "5060", "UDP"),
        *(f"{call.calling}@192.0.2.1", f"{call.calling}@192.0.2.1"),
        *(f"{call.called}@192.0.2.11", f"{call.called}@192.0.2.11"),
        *(str(call.talk), "RMT", "GWAPP_NORMAL_CALL_CLEAR", category),
        *(_time(start), _time(start + call.ring) if call.talk else "", _time(start + call.ring + call.talk)),
        *("-1", "", "", "24", "LAN", "SRD1", "LAN", "LAN", "LAN", "DefaultRealm", "no", reason, "", "", "", "Normal"),
        *(str(leg), ""),
    ]
    return _PREFIX + "|".join(f"{field:<12}" for field in fields)


def _time(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%H:%M:%S.320  UTC %a %b %d %Y")
