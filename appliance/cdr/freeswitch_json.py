"""Dialect ``freeswitch_json``: the documents of FreeSWITCH's mod_json_cdr and mod_format_cdr, one for each leg.

Sources: signalwire/freeswitch ``src/mod/event_handlers/mod_json_cdr/mod_json_cdr.c``, ``src/switch_ivr.c``.
``freeswitch_document`` says what the fields mean.

Old releases write each entry of the callflow as a key of its own, so that ``callflow`` may be there more than once,
and some variables are; any other field that is read must be there once, or no one could say which is meant.
Numbers stay text: nothing is converted that was not asked for. Names may be of any encoding.
"""

import json
from typing import Any, Final

from appliance.cdr.dialect import Dialect, FeedContext, LineParser
from appliance.cdr.documents import documents, json_framer
from appliance.cdr.freeswitch_document import COLUMNS, PROFILE, TIMES, VARIABLES, Document, DocumentReader, Flow
from appliance.cdr.line_parser import ReaderParser
from appliance.cdr.record import QuarantineReason as Reason

_ONCE: Final = frozenset({"variables", "caller_profile", "times", *VARIABLES, *PROFILE, *TIMES})
_FLOW: Final = "callflow"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members.

    Raises:
        ValueError: one that is read is there twice.
    """
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen = set[str]()
    flows: list[Any] = []
    for name, value in pairs:
        if name == _FLOW:
            flows.append(value)
        elif name in seen and name in _ONCE:
            raise ValueError
        seen.add(name)
    return made | {_FLOW: flows}


def _no_number(text: str) -> str:
    """Refuse NaN and Infinity, which are no JSON.

    Raises:
        ValueError: always.
    """
    raise ValueError(text)


_decode: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=_no_number
).decode


def extract(content: bytes) -> Document | Reason:
    """Take out of a document what is read of it."""
    try:
        document = _decode(content.decode("utf-8", "replace"))
    except json.JSONDecodeError as error:
        # A string is cut by the end of the text or of a line, which no string holds.
        torn = error.msg.startswith("Unterminated") or error.doc[error.pos : error.pos + 1] in {"", "\n", "\r"}
        return Reason.LINE_TORN if torn else Reason.TYPE_SIGNATURE
    except (ValueError, RecursionError):
        return Reason.TYPE_SIGNATURE
    if not isinstance(document, dict) or not isinstance(document.get("variables"), dict):
        return Reason.TYPE_SIGNATURE
    flows = document.get(_FLOW, [])
    return Document(
        _texts(document["variables"], VARIABLES),
        [
            Flow(_texts(flow.get("caller_profile"), PROFILE), _texts(flow.get("times"), TIMES))
            for flow in (flows if isinstance(flows, list) else [flows])
            if isinstance(flow, dict)
        ],
    )


def _texts(found: object, names: dict[str, str]) -> dict[str, str]:
    """Give those of ``names`` that are there as text."""
    if not isinstance(found, dict):
        return {}
    return {name: found[name] for name in names if isinstance(found.get(name), str)}


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(DocumentReader(context, extract), documents)


DIALECT: Final = Dialect(
    name="freeswitch_json",
    description="FreeSWITCH mod_json_cdr and mod_format_cdr, FusionPBX: a JSON document for each leg",
    transports=("file", "http push"),
    identity="uuid of the leg",
    inherent_loss="called legs unless `log-b-leg` is on; documents that no server took and no err-log-dir kept",
    manual="signalwire/freeswitch mod_json_cdr.c, mod_format_cdr.c, src/switch_ivr.c",
    columns=COLUMNS,
    open=_open,
    framer=json_framer,
)
