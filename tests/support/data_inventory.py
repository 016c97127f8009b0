"""What leaves a site and what does not, in the form of a record of processing (GDPR, Article 30).

The fields are read from the wire's types and the columns from the dialect's layouts; purpose and treatment are said
here, once for each, and a test refuses a field or a column about which nothing is said.
"""

from typing import Final

import msgspec
from msgspec import inspect

from appliance.cdr.dialects import DIALECTS
from appliance.wire.batch import Batch
from appliance.wire.call import Call, Party
from appliance.wire.completeness import Account, Completeness, Gap, ReasonCount

HEAD: Final = """# Data inventory

Generated from the wire's types and the dialects' columns by `make docs`; do not edit.

This is the complete list of what leaves a site. It follows Article 30 of the GDPR: what, why, how long. The site's
operator is the controller; whoever runs the receiver is its processor. The data subjects are the people who call
and are called.

A field that is not in the tables of types below cannot leave: the appliance builds each message field by field from
this list, and the receiver refuses any other (`tests/appliance/wire/test_contract.py`, `tests/e2e/test_leak.py`).
`natalia-appliance preview` prints exactly these records for a file of your own.

## How long

| where | what | how long |
|---|---|---|
| appliance, memory | clear numbers and lines | until the batch that they were read in is translated |
| appliance, encrypted buffer | batches in the form below | until the receiver has acknowledged them |
| appliance, buffer | counts of a feed and day, and gaps | until they balance and were told, at least 35 days |
| appliance, encrypted quarantine | refused lines and records | as long as the buffer; no purge is built yet |
| receiver | the records below | as long as the database; retention and purge are not built yet |

A pseudonym is personal data: it singles a person out within one tenant, and who holds the tenant secret can test
numbers against it. The secret does not leave the appliance.
"""
MAX_JSON_INTEGER: Final = 2**53 - 1
PURPOSE: Final[dict[type[msgspec.Struct], dict[str, str]]] = {
    Batch: {
        "epoch": "Orders batches and shows a restored copy of a buffer.",
        "sequence": "Shows a missing batch.",
        "key_protection": "Tells the controller what guards the tenant secret.",
        "records": "The calls, see below.",
    },
    Call: {
        "event_id": "Stores a record once, however often it is sent.",
        "call_id": "Joins the legs of one call.",
        "leg": "Orders them.",
        "started_at": "When calls happen.",
        "answered_at": "How long callers wait.",
        "ended_at": "When lines are busy.",
        "ring_seconds": "How long callers wait.",
        "talk_seconds": "How long calls last.",
        "total_seconds": "How long lines are busy.",
        "direction": "Tells incoming from outgoing traffic.",
        "disposition": "Counts missed and failed calls.",
        "calling": "Who called, see Party.",
        "called": "Who was called, see Party.",
        "forwarded_to": "Where the call went on to, see Party.",
        "feed": "Tells the site's PBXs apart.",
        "dialect": "Finds a misread format.",
        "key_version": "Says which pseudonyms can be compared.",
    },
    Party: {
        "category": "All that is said of a number whose digits may not be shown.",
        "pseudonym": "Recognises the same number again within the tenant, without naming it.",
        "clear_digits": "Lets staff recognise a number that they know; the site may lower it to none.",
    },
    Completeness: {
        "number": "Keeps a late report from overwriting a newer one.",
        "accounts": "What is told, see Account. Nothing in it is of a call or a person.",
    },
    Account: {
        "feed": "Tells the site's PBXs apart.",
        "day": "Says when the lines were read.",
        "read": "How many lines there were.",
        "recorded": "How many became records.",
        "quarantined": "How many could not be read.",
        "ignored": "How many are no record (headers, empty lines, parts of another line's record).",
        "held": "How many wait for another line.",
        "waiting": "How many records are still on the site.",
        "acknowledged": "How many the receiver took.",
        "duplicate": "How many the receiver had already.",
        "refused": "How many the receiver did not take.",
        "set_aside": "How many went into the quarantine with their batch.",
        "lost": "How many a damaged disk has cost.",
        "chain_broken": "Shows that batches were taken out or altered.",
        "reasons": "Says what to put right, see ReasonCount.",
        "gaps": "Says when calls are missing, see Gap.",
    },
    ReasonCount: {
        "kind": "Tells lines, records and batches apart.",
        "reason": "Says why, by a permanent code; never a line's content.",
        "records": "How many.",
    },
    Gap: {
        "began_at": "Where to look at the PBX.",
        "ended_at": "Where to look at the PBX.",
        "records": "How many calls are missing.",
        "cause": "Says what to put right.",
    },
}


def inventory() -> str:
    """Give ``docs/data-inventory.md``."""
    parts = [HEAD]
    for kind, purposes in PURPOSE.items():
        parts.append(f"\n## {kind.__name__}\n\n{_summary(kind)}\n\n")
        parts.append("| field | form | what it is | purpose |\n|---|---|---|---|\n")
        parts += [_row(field, purposes[field.encode_name]) for field in fields_of(kind)]
    for dialect in DIALECTS.values():
        parts.append(f"\n## Columns of `{dialect.name}`\n\nAny other column of a line is not read.\n\n")
        parts.append("| column | what becomes of it |\n|---|---|\n")
        parts += [f"| `{column}` | {treatment} |\n" for column, treatment in dialect.columns.items()]
    parts.append("\nA row without `uniqueid` and `sequence` is told apart by a keyed hash of the whole line.\n")
    return "".join(parts)


def fields_of(kind: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    """Give a wire type's fields."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    return described.fields


def _row(field: inspect.Field, purpose: str) -> str:
    return f"| `{field.encode_name}` | {_form(field.type)} | {_description(field.type)} | {purpose} |\n"


def _summary(kind: type[msgspec.Struct]) -> str:
    return (kind.__doc__ or "").split("\n", maxsplit=1)[0].replace("``", "`")


def _form(kind: inspect.Type) -> str:  # noqa: C901, PLR0911  one line for each kind of the wire's types
    """Say in few words what a value looks like."""
    match kind:
        case inspect.Metadata(type=inner):
            return _form(inner)
        case inspect.UnionType(types=types):
            return " or ".join(_form(item) for item in types)
        case inspect.IntType(ge=least, le=most):
            return f"integer, {least:,} to {'2^53 - 1' if most == MAX_JSON_INTEGER else f'{most:,}'}"
        case inspect.StrType(pattern=pattern):
            return f"text, `{(pattern or '').removesuffix(chr(92) + 'Z')}`"
        case inspect.DateTimeType():
            return "time"
        case inspect.EnumType(cls=values):
            return ", ".join(f"`{member.value}`" for member in values)
        case inspect.ListType(item_type=item):
            return f"list of {_form(item)}"
        case inspect.StructType(cls=struct):
            return struct.__name__
        case inspect.LiteralType(values=choices):
            return ", ".join(f"`{choice}`" for choice in choices)
        case inspect.NoneType():
            return "null"
    raise TypeError(f"the inventory cannot describe a {type(kind).__name__}")


def _description(kind: inspect.Type) -> str:
    """Give the description that the wire's type itself carries."""
    match kind:
        case inspect.Metadata(extra_json_schema=dict(schema)):
            return str(schema.get("description", ""))
        case inspect.UnionType(types=types):
            return next((text for item in types if (text := _description(item))), "")
        case inspect.EnumType(cls=values):
            return (values.__doc__ or "").split("\n", maxsplit=1)[0]
        case inspect.StructType(cls=struct):
            return _summary(struct)
        case _:
            return ""
