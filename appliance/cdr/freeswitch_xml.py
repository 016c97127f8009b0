"""Dialect ``freeswitch_xml``: the documents of FreeSWITCH's mod_xml_cdr, one for each leg.

Sources: signalwire/freeswitch ``src/mod/xml_int/mod_xml_cdr/mod_xml_cdr.c``, ``src/switch_ivr.c``; what is malformed
in the wild: fusionpbx/fusionpbx ``app/xml_cdr``. ``freeswitch_document`` says what the fields mean.

This is no XML parser: it takes the children of ``variables``, and of each ``callflow`` those of ``caller_profile`` and
``times``, in their order, and is deaf to everything else. So tags that are none (``<set x>``, digits), raw ``<sip:…>``
in a header and any encoding do no harm, no entity is ever resolved but the five of XML itself, and the cost is the
length. A document with a DOCTYPE is refused; so is one in which a variable that is read stands twice and differs: text
that a caller smuggled past the encoding cannot win.
"""

import re
from collections.abc import Iterator
from typing import Final

from appliance.cdr.dialect import Dialect, FeedContext, LineParser
from appliance.cdr.documents import documents, xml_framer
from appliance.cdr.freeswitch_document import COLUMNS, PROFILE, TIMES, VARIABLES, Document, DocumentReader, Flow
from appliance.cdr.line_parser import ReaderParser
from appliance.cdr.record import QuarantineReason as Reason

_CHILD: Final = re.compile(rb"<([A-Za-z_][A-Za-z0-9_.:-]*+)>([^<]*+)</([^<>]*+)>\s*+")
"""A child that holds text alone."""
_TAG: Final = re.compile(rb"<([^<>]{1,200}+)>")
_LONGEST_BROKEN: Final = 64 * 1024
_MOST_BROKEN: Final = 256
"""How many children may hold something else than text; each costs one search."""
_MOST_FLOWS: Final = 256
_ENTITIES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))

_OTHER_ENTITY: Final = re.compile(r"&(?!(?:lt|gt|quot|apos|amp);)[A-Za-z_]")


class _AmbiguousError(ValueError):
    """What is read of the document could be more than one thing."""


def extract(content: bytes) -> Document | Reason:
    """Take out of a document what is read of it."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"<cdr" not in content:
        return Reason.TYPE_SIGNATURE
    if not content.endswith(b"</cdr>"):
        return Reason.LINE_TORN
    _, opened, rest = content.partition(b"<variables>")
    if not opened:
        return Reason.TYPE_SIGNATURE
    rest = rest.lstrip()
    try:
        variables, end = _texts(rest, b"</variables>", VARIABLES)
        return Document(variables, list(_flows(rest, end)))
    except _AmbiguousError:
        return Reason.TYPE_SIGNATURE


def _flows(content: bytes, start: int) -> Iterator[Flow]:
    """Give the entries of the callflow, which follow the variables.

    Raises:
        _AmbiguousError: one has two profiles, or there are more than a leg can have.
    """
    blocks = content[start:].split(b"<callflow", _MOST_FLOWS)[1:]
    if len(blocks) == _MOST_FLOWS:
        raise _AmbiguousError
    for block in blocks:
        yield Flow(_part(block, b"<caller_profile>", PROFILE), _part(block, b"<times>", TIMES))


def _part(block: bytes, tag: bytes, names: dict[str, str]) -> dict[str, str]:
    pieces = block.split(tag, 2)
    if len(pieces) > 2:  # noqa: PLR2004  what stands before the tag, and after it
        raise _AmbiguousError
    return _texts(pieces[1].lstrip(), b"</" + tag[1:], names)[0] if len(pieces) > 1 else {}


def _texts(content: bytes, closing: bytes, names: dict[str, str]) -> tuple[dict[str, str], int]:
    """Read the children that ``content`` begins with, until ``closing``; give the texts of ``names``, and where it is.

    Raises:
        _AmbiguousError: one of them is there twice and differs, or too much is malformed.
    """
    found: dict[str, str] = {}
    start = broken = 0
    while not content.startswith(closing, start):
        child = _CHILD.match(content, start)
        if child is None or child[1] != child[3]:
            broken += 1
            if broken > _MOST_BROKEN:
                raise _AmbiguousError
            start = _after_broken(content, start)
            while content[start : start + 1].isspace():
                start += 1
            continue
        start = child.end()
        name = child[1].decode("ascii")
        if name in names:
            value = _resolved(child[2].decode("utf-8", "replace"))
            if found.setdefault(name, value) != value:
                raise _AmbiguousError
    return found, start


def _after_broken(content: bytes, start: int) -> int:
    """Give where a child ends that is no element of text alone: with its own end tag, or else with its line.

    Raises:
        _AmbiguousError: nowhere near.
    """
    tag = _TAG.match(content, start)
    if tag is not None:
        if tag[1].endswith(b"/"):
            return tag.end()
        closing = b"</" + tag[1] + b">"
        end = content.find(closing, tag.end(), tag.end() + _LONGEST_BROKEN)
        if end >= 0:
            return end + len(closing)
    line = content.find(b"\n", start, start + _LONGEST_BROKEN)
    if line < 0:
        raise _AmbiguousError
    return line + 1


def _resolved(text: str) -> str:
    """Put signs for the entities of XML itself.

    Raises:
        _AmbiguousError: there are others, which only a DOCTYPE could tell the meaning of.
    """
    if "&" not in text:
        return text
    if _OTHER_ENTITY.search(text):
        raise _AmbiguousError
    for entity, meaning in _ENTITIES:
        text = text.replace(entity, meaning)
    return text


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(DocumentReader(context, extract), documents)


DIALECT: Final = Dialect(
    name="freeswitch_xml",
    description="FreeSWITCH mod_xml_cdr, FusionPBX: an XML document for each leg",
    transports=("file", "http push"),
    identity="uuid of the leg",
    inherent_loss="called legs where `log-b-leg` is off; documents that no server took and no err-log-dir kept",
    manual="signalwire/freeswitch mod_xml_cdr.c, src/switch_ivr.c; fusionpbx/fusionpbx app/xml_cdr",
    columns=COLUMNS,
    open=_open,
    framer=xml_framer,
)
