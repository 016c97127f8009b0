"""The dialect ``freeswitch_xml``: what the scanner takes, what it is deaf to, and what it refuses."""

import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr import freeswitch_json
from appliance.cdr.dialect import FeedContext
from appliance.cdr.freeswitch_xml import DIALECT, extract
from appliance.cdr.line_parser import Outcome
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from tests.support.cdr_rows import NOW, outcomes, reason
from tests.support.freeswitch_documents import A_LEG, json_document, leg, profile, unanswered, xml_document

CONTEXT = FeedContext(zone=ZoneInfo("Europe/Brussels"))


def parse(data: bytes) -> list[Outcome]:
    """The outcomes of a whole feed."""
    framer = DIALECT.framer(0)
    lines: list[Line] = framer.feed(data)
    last = framer.finish()
    return outcomes(DIALECT.open(CONTEXT), [*lines, last] if last else lines, now=NOW)


def only(data: bytes) -> CallRecord:
    """The record of a feed of one document."""
    [outcome] = parse(data)
    assert isinstance(outcome, CallRecord), reason(outcome)
    return outcome


@pytest.mark.parametrize(
    ("variables", "profiles"),
    [
        (leg(), [profile()]),
        (unanswered(), [profile("anonymous", "201", "public")]),
        (leg(sip_Privacy="id", call_direction="inbound"), [profile()]),
        (leg(), [profile(called="202"), profile(called="201")]),
        (leg(caller_id_number="+32470112233"), [profile("", "")]),
    ],
)
def test_xml_and_json_say_the_same(variables: dict[str, str], profiles: list[dict[str, str]]) -> None:
    """Two spellings of one leg give one record."""
    [expected] = outcomes(
        freeswitch_json.DIALECT.open(CONTEXT), [Line(0, json_document(variables, profiles).strip())], now=NOW
    )
    assert only(xml_document(variables, profiles)) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "      <set foo>bar</set foo>\n",
        "      <set foo bar>never closed\n",
        "      <1>numeric</1>\n",
        '      <sip_full_to>"Ann" <sip:201@pbx.example>;tag=1</sip_full_to>\n',
        "      <sip_full_via><uuid>evil</uuid></sip_full_via>\n",
        "      <sip_full_via>\n<uuid>evil</uuid>\n</sip_full_via>\n",
        "      <empty/>\n",
        "      <empty/><uuid>" + A_LEG + "</uuid>\n",
        "      <>x</>\n",
        "      stray text\n",
        "      </stray>\n",
        "      <a>text</b>\n",
        "      <!-- a comment <uuid>evil</uuid> -->\n",
        f"      <{'x' * 300}>long</{'x' * 300}>\n",
        "      <x>&lol; is not read</x>\n",
        "      <DP_MATCH>1</DP_MATCH>\n      <DP_MATCH>2</DP_MATCH>\n",
    ],
)
def test_malformed_children_do_no_harm(raw: str) -> None:
    """Tags that are none, raw addresses in headers, stray text: the rest is read all the same."""
    assert only(xml_document(raw=raw)) == only(xml_document())


@pytest.mark.parametrize(
    "raw",
    [
        "      <sip_full_via>x</sip_full_via><uuid>evil</uuid><x></sip_full_via>\n",
        "      <uuid>evil</uuid>\n",
        "      <hangup_cause>USER_BUSY</hangup_cause>\n",
        "      <set a>\n" * 300,
        "      <set a>" + "x" * 70_000 + "\n",
        "      <call_direction>&lol;</call_direction>\n",
        "      <call_direction>&lol</call_direction>\n",
    ],
)
def test_what_could_be_more_than_one_thing_is_refused(raw: str) -> None:
    """A value that is read stands twice and differs, or too much is malformed."""
    assert parse(xml_document(raw=raw)) == [Reason.TYPE_SIGNATURE]


def test_values_come_from_their_own_place() -> None:
    """Not from the other leg's profile within the leg's own, nor from an application's data."""
    record = only(xml_document())
    assert (record.calling, record.called) == ("0470112233", "201")
    moved = xml_document().replace(b"callee=201", b"&lt;uuid&gt;evil&lt;/uuid&gt;")
    assert only(moved) == record


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]>\n<cdr><variables></variables></cdr>',
        b'<cdr><!ENTITY b "c"></cdr>',
        b"<cdr></cdr>",
        b"no document",
        xml_document().replace(b"<variables>", b"<other>"),
        xml_document().replace(b"    <caller_profile>", b"<caller_profile></caller_profile><caller_profile>"),
        xml_document().replace(b"    <times>", b"<times></times><times>"),
        xml_document().replace(b"</app_log>", b"</app_log>" + b"<callflow></callflow>" * 300),
        xml_document(leg(start_uepoch="soon")),
        xml_document(leg(uuid=None), [profile() | {"uuid": ""}]),
        xml_document().replace(b"</variables>", b""),
    ],
)
def test_documents_that_are_none_are_refused(document: bytes) -> None:
    """A DOCTYPE among them: no entity is ever resolved."""
    assert Reason.TYPE_SIGNATURE in parse(document)
    assert not any(isinstance(outcome, CallRecord) for outcome in parse(document))


def test_entities_of_a_doctype_that_was_cut_off_are_refused() -> None:
    """A billion laughs: the framer gives what stands before the document apart."""
    bomb = b'<!DOCTYPE lolz [<!ENTITY lol "lol">]>\n'
    document = xml_document().replace(b'<?xml version="1.0"?>\n', bomb).replace(b">201</dest", b">&lol;</dest")
    assert parse(document) == [Reason.TYPE_SIGNATURE, Reason.TYPE_SIGNATURE]


def test_the_five_entities_of_xml_are_signs() -> None:
    """In the callflow, whose values are not percent-encoded."""
    assert only(xml_document(profiles=[profile("&quot;Ann&quot; &lt;0470112233&gt;")])).calling == '"Ann" <0470112233>'
    assert only(xml_document(profiles=[profile("a&amp;lt;b")])).calling == "a&lt;b"


def test_a_torn_document_does_not_take_the_next_with_it() -> None:
    """At any place after its start."""
    whole = xml_document()
    assert parse(whole[:1200] + b"\n" + whole) == [Reason.LINE_TORN, *parse(whole)]
    assert parse(whole[:-8]) == [Reason.LINE_TORN]


def test_one_line_or_many() -> None:
    """Releases that do not indent, and CRLF."""
    assert only(xml_document().replace(b"\n", b"")) == only(xml_document())
    assert only(xml_document().replace(b"\n", b"\r\n")) == only(xml_document())


def test_a_document_without_callflow_is_read_by_its_variables() -> None:
    """There may be none; the caller is then the one of the SIP message."""
    whole = xml_document(leg(destination_number="201"))
    record = only(whole[: whole.index(b"  <callflow")] + b"</cdr>")
    assert (record.calling, record.called) == ("ann", "201")
    bare = whole.replace(b"<caller_profile>", b"<a>").replace(b"</caller_profile>", b"</a>")
    assert only(bare).calling == "ann"


@pytest.mark.parametrize("piece", [b"<a", b"<a>", b"<a b>\n", b"</", b"&", b"<a></b>", b"<callflow>", b"\n", b"<!--"])
def test_a_megabyte_of_anything_costs_its_length(piece: bytes) -> None:
    """No search is repeated without a bound."""
    begun = time.perf_counter()
    extract(b"<cdr><variables>" + piece * (1_000_000 // len(piece)) + b"</variables></cdr>")
    assert time.perf_counter() - begun < 2


@given(st.binary(max_size=60))
def test_no_bytes_among_the_variables_raise_or_win(noise: bytes) -> None:
    """The record is that of the document, or there is none."""
    document = xml_document().replace(b"  </variables>", b"<x>" + noise + b"\n  </variables>")
    made = extract(document.strip())
    assert isinstance(made, Reason) or made.variables["uuid"] == A_LEG
