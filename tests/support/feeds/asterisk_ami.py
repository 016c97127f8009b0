"""What a manager connection receives at a busy site: CDRs, and other events between them."""

from tests.support.export_rows import calls

KEYS = {
    "AccountCode": "accountcode",
    "Source": "src",
    "Destination": "dst",
    "DestinationContext": "dcontext",
    "CallerID": "clid",
    "Channel": "channel",
    "DestinationChannel": "dstchannel",
    "LastApplication": "lastapp",
    "LastData": "lastdata",
    "StartTime": "start",
    "AnswerTime": "answer",
    "EndTime": "end",
    "Duration": "duration",
    "BillableSeconds": "billsec",
    "Disposition": "disposition",
    "AMAFlags": "amaflags",
    "UniqueID": "uniqueid",
    "UserField": "userfield",
}
MAPPED = {"LinkedID": "linkedid", "Sequence": "sequence", "DID": "did", "CNUM": "cnum"}


def message(*lines: str) -> bytes:
    """A block as the manager writes it."""
    return "".join(line + "\r\n" for line in [*lines, ""]).encode("latin-1")


def cdr(values: dict[str, str], *more: str) -> bytes:
    """One CDR event of a call; mapped variables where the call has them."""
    lines = [f"{key}: {values.get(name, '')}" for key, name in KEYS.items()]
    lines += [f"{key}: {values[name]}" for key, name in MAPPED.items() if name in values]
    return message("Event: Cdr", "Privilege: cdr,all", *lines, *more)


def feed(*, rows: int, seed: int) -> bytes:
    """So many CDRs."""
    blocks = [b"Asterisk Call Manager/7.0.3\r\n" + message("Response: Success", "Message: Authentication accepted")]
    for call in calls(rows=rows, seed=seed):
        blocks += [message("Event: Newchannel", "Privilege: call,all", f"CallerIDNum: {call['src']}"), cdr(call)]
    return b"".join(blocks)
