"""Tickets of an OmniPCX Enterprise, edition 5.2: the builder that tests use, and a busy site's file."""

from datetime import datetime, timedelta
from random import Random

FIELDS = (
    *(("TicketVersion", 5), ("CalledNumber", 30), ("ChargedNumber", 30), ("ChargedUserName", 20)),
    *(("ChargedCostCenter", 10), ("ChargedCompany", 16), ("ChargedPartyNode", 5), ("Subaddress", 20)),
    *(("CallingNumber", 30), ("CallType", 2), ("CostType", 1), ("EndDateTime", 17), ("ChargeUnits", 5)),
    *(("CostInfo", 10), ("Duration", 10), ("TrunkIdentity", 5), ("TrunkGroupIdentity", 5), ("TrunkNode", 5)),
    *(("PersonalOrBusiness", 1), ("AccessCode", 16), ("SpecificChargeInfo", 7), ("BearerCapability", 1)),
    *(("HighLevelComp", 2), ("DataVolume", 10), ("UserToUserVolume", 5), ("ExternalFacilities", 40)),
    *(("InternalFacilities", 40), ("CallReference", 10), ("SegmentsRate1", 10), ("SegmentsRate2", 10)),
    *(("SegmentsRate3", 10), ("ComType", 1), ("X25IncomingFlowRate", 2), ("X25OutgoingFlowRate", 2)),
    *(("Carrier", 2), ("InitialDialledNumber", 30), ("WaitingDuration", 5), ("EffectiveCallDuration", 10)),
    *(("RedirectedCallIndicator", 1), ("StartDateTime", 17), ("ActingExtensionNumber", 30)),
    *(("CalledNumberNode", 5), ("CallingNumberNode", 5), ("InitialDialledNumberNode", 5)),
    *(("ActingExtensionNumberNode", 5), ("TransitTrunkGroupIdentity", 5), ("NodeTimeOffset", 6), ("TimeDlt", 6)),
)
RIGHT = {"CallType", "ChargeUnits", "CostInfo", "Duration", "CallReference", "WaitingDuration", "EffectiveCallDuration"}
VALUES = dict.fromkeys((name for name, _ in FIELDS), "") | {
    "TicketVersion": "ED5.2",
    "CalledNumber": "00470112233",
    "ChargedNumber": "201",
    "ChargedUserName": "Ann Peeters",
    "ChargedPartyNode": "1",
    "CallType": "0",
    "CostType": "0",
    "EndDateTime": "20261020 09:01:05",
    "Duration": "65",
    "CallReference": "18",
    "WaitingDuration": "0",
    "RedirectedCallIndicator": "0",
    "StartDateTime": "20261020 09:00:00",
    "NodeTimeOffset": "0",
    "TimeDlt": "0",
}
INCOMING = {"CallType": "4", "CalledNumber": "201", "CallingNumber": "0470112233"}


def ticket(**fields: str) -> str:
    """One ticket of 525 characters, the fields named replaced."""
    values = VALUES | fields
    return "".join(values[name].rjust(width) if name in RIGHT else values[name].ljust(width) for name, width in FIELDS)


def header() -> str:
    """The first line of a ``TAX*.DAT`` file."""
    parts, place = [], 1
    for name, width in FIELDS:
        parts.append(f"{name},{place},{place + width - 1},{width}")
        place += width
    return "#" + ",".join(parts)


def tabbed(**fields: str) -> str:
    """One ticket as collectors write it."""
    return "\t".join((VALUES | fields)[name] for name, _ in FIELDS[1:])


def message(text: str, *, kind: int = 2) -> bytes:
    """A message of the Ethernet stream, announced."""
    return b"\x03\x04" + (bytes([1, 0, kind, 0]) + text.encode("latin-1")).ljust(772, b"\0")


def feed(*, rows: int, seed: int) -> bytes:
    """So many calls, the same for the same seed."""
    chance = Random(seed)  # noqa: S311 - test data
    end, lines = datetime(2026, 10, 13, 8), [header()]  # noqa: DTZ001 - a wall clock
    for reference in range(rows):
        end += timedelta(seconds=chance.randrange(60))
        talk, ring = chance.choice((0, chance.randrange(1, 5000))), chance.randrange(40)
        number = f"04{chance.randrange(70, 99)}{chance.randrange(10**6):06}"
        fields = {"CalledNumber": "0" + number, "ChargedNumber": str(chance.randrange(200, 260))}
        if chance.randrange(2):
            fields |= {"CallType": "4", "CallingNumber": chance.choice((number, "")), "CalledNumber": ""}
        lines.append(
            ticket(
                **fields,
                EndDateTime=f"{end:%Y%m%d %H:%M:%S}",
                StartDateTime=f"{end - timedelta(seconds=talk):%Y%m%d %H:%M:%S}",
                Duration=str(talk),
                WaitingDuration=str(ring),
                CallReference=str(reference),
            )
        )
    return "\n".join([*lines, ""]).encode()
