"""The codec: vectors, what it refuses and with which code, what its errors never say, and its laws."""

import json
import re
import traceback
from contextlib import suppress
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from appliance.wire import codec
from appliance.wire.batch import Batch, HighWater, KeyProtection, Refusal, RefusalCode, Verdict
from appliance.wire.codec import WireError, decode_batch, decode_high_water, decode_problem, decode_verdict
from appliance.wire.limits import MAX_ANSWER_BYTES, MAX_COMPRESSED_BYTES, MAX_JSON_BYTES, MAX_RECORDS_PER_BATCH
from appliance.wire.problem import ProblemCode, problem
from tests.support.records import call, token
from tests.support.wire_strategies import batches

RECORD_TEXT = (
    b'{"type":"call.v1","event_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab","call_id":"aaaaaaaaaaaaaaaaaaaaaaoinekfbaab",'
    b'"leg":1,"started_at":"2026-10-20T08:00:01Z","answered_at":"2026-10-20T08:00:05Z",'
    b'"ended_at":"2026-10-20T08:01:05Z","ring_seconds":4,"talk_seconds":60,"total_seconds":64,"direction":"inbound",'
    b'"disposition":"answered","calling":{"category":"external","pseudonym":"k1_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",'
    b'"clear_digits":"0193"},"called":{"category":"internal","pseudonym":"k1_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaah",'
    b'"clear_digits":null},"forwarded_to":null,"feed":"main","dialect":"asterisk_csv","key_version":1}'
)
BATCH_TEXT = b'{"type":"batch.v1","epoch":3,"sequence":7,"key_protection":"file","records":[%b]}' % RECORD_TEXT
SECRET = "32475123456"
"""Stands for a phone number that a broken or hostile sender puts where it does not belong."""

REFUSED_TEXTS = {
    "no JSON": b"call",
    "nothing": b"",
    "an array": b"[]",
    "nested beyond reason": b"[" * 100_000,
    "not UTF-8": BATCH_TEXT.replace(b'"main"', b'"\xff"'),
    "a number instead of a batch": SECRET.encode(),
    "trailing space": BATCH_TEXT + b" ",
    "leading space": b" " + BATCH_TEXT,
    "a second document": BATCH_TEXT + BATCH_TEXT,
    "escaped letters": BATCH_TEXT.replace(b'"main"', b'"m\\u0061in"'),
    "a doubled field": BATCH_TEXT.replace(b'"leg":1', b'"leg":1,"leg":1'),
    "fields in another order": BATCH_TEXT.replace(b'"epoch":3,"sequence":7', b'"sequence":7,"epoch":3'),
    "another type": BATCH_TEXT.replace(b"batch.v1", SECRET.encode()),
    "another version": BATCH_TEXT.replace(b"call.v1", b"call.v2"),
    "an unknown field of a record": BATCH_TEXT.replace(b'"leg":1', b'"leg":1,"note":"%b"' % SECRET.encode()),
    "a field named as a number": BATCH_TEXT.replace(b'"leg":1', b'"leg":1,"%b":1' % SECRET.encode()),
    "an unknown field of a batch": BATCH_TEXT.replace(b'"epoch"', b'"site":"%b","epoch"' % SECRET.encode()),
    "an unknown field of a party": BATCH_TEXT.replace(b'"category"', b'"name":"%b","category"' % SECRET.encode(), 1),
    "a missing field": BATCH_TEXT.replace(b'"leg":1,', b""),
    "a missing null": BATCH_TEXT.replace(b'"forwarded_to":null,', b""),
    "no record": BATCH_TEXT.replace(RECORD_TEXT, b""),
    "a float": BATCH_TEXT.replace(b'"leg":1', b'"leg":1.0'),
    "a number as text": BATCH_TEXT.replace(b'"leg":1', b'"leg":"%b"' % SECRET.encode()),
    "leg 0": BATCH_TEXT.replace(b'"leg":1', b'"leg":0'),
    "a leg as long as a number": BATCH_TEXT.replace(b'"leg":1', b'"leg":%b' % SECRET.encode()),
    "negative seconds": BATCH_TEXT.replace(b'"ring_seconds":4', b'"ring_seconds":-4'),
    "more seconds than a month": BATCH_TEXT.replace(b'"talk_seconds":60', b'"talk_seconds":%b' % SECRET.encode()),
    "a time without zone": BATCH_TEXT.replace(b"08:00:01Z", b"08:00:01"),
    "an offset": BATCH_TEXT.replace(b"08:00:01Z", b"10:00:01+02:00"),
    "an odd offset": BATCH_TEXT.replace(b"08:01:05Z", b"08:31:05+00:30"),
    "microseconds": BATCH_TEXT.replace(b"08:00:05Z", b"08:00:05.475123Z"),
    "a number for a dialect": BATCH_TEXT.replace(b"asterisk_csv", b"d%b" % SECRET.encode()),
    "a day that is none": BATCH_TEXT.replace(b"2026-10-20T08:00:01Z", b"2026-02-30T08:00:01Z"),
    "an unknown direction": BATCH_TEXT.replace(b'"inbound"', b'"+%b"' % SECRET.encode()),
    "an unknown category": BATCH_TEXT.replace(b'"external"', b'"%b"' % SECRET.encode()),
    "digits in a token": BATCH_TEXT.replace(token(1).encode(), b"0" * 31 + b"1", 1),
    "a number in a token": BATCH_TEXT.replace(token(1).encode(), SECRET.encode(), 1),
    "a short token": BATCH_TEXT.replace(token(1).encode(), token(1)[1:].encode(), 1),
    "a token with a line end": BATCH_TEXT.replace(token(1).encode(), token(1).encode() + b"\\n", 1),
    "a token beyond p": BATCH_TEXT.replace(token(1).encode(), b"q" * 32, 1),
    "a pseudonym without version": BATCH_TEXT.replace(b"k1_", b"", 1),
    "a pseudonym of version 0": BATCH_TEXT.replace(b"k1_", b"k0_", 1),
    "a pseudonym with a number for version": BATCH_TEXT.replace(b"k1_", b"k%b_" % SECRET.encode(), 1),
    "five clear digits": BATCH_TEXT.replace(b'"0193"', b'"20193"'),
    "no clear digit": BATCH_TEXT.replace(b'"0193"', b'""'),
    "clear letters": BATCH_TEXT.replace(b'"0193"', b'"O193"'),
    "digits of another script": BATCH_TEXT.replace(b'"0193"', '"٠١٩٣"'.encode()),
    "a feed named as a number": BATCH_TEXT.replace(b'"main"', b'"f%b"' % SECRET.encode()),
    "an epoch of 0": BATCH_TEXT.replace(b'"epoch":3', b'"epoch":0'),
    "a sequence beyond JSON's integers": BATCH_TEXT.replace(b'"sequence":7', b'"sequence":9007199254740992'),
    "an unknown key protection": BATCH_TEXT.replace(b'"file"', b'"vault"'),
}
REFUSED_BODIES = {
    "nothing": (b"", ProblemCode.ENCODING_UNSUPPORTED),
    "plain JSON": (BATCH_TEXT, ProblemCode.ENCODING_UNSUPPORTED),
    "no declared size": (
        zstandard.ZstdCompressor(write_content_size=False).compress(BATCH_TEXT),
        ProblemCode.ENCODING_UNSUPPORTED,
    ),
    "two frames": (zstandard.compress(BATCH_TEXT) + zstandard.compress(b" "), ProblemCode.ENCODING_UNSUPPORTED),
    "trailing bytes": (zstandard.compress(BATCH_TEXT) + b"x", ProblemCode.ENCODING_UNSUPPORTED),
    "a skippable frame first": (
        b"\x50\x2a\x4d\x18\x04\0\0\0" + SECRET[:4].encode() + zstandard.compress(BATCH_TEXT),
        ProblemCode.ENCODING_UNSUPPORTED,
    ),
    "a cut frame": (zstandard.compress(BATCH_TEXT)[:-1], ProblemCode.ENCODING_UNSUPPORTED),
    "a bomb": (zstandard.compress(b" " * (MAX_JSON_BYTES + 1)), ProblemCode.BATCH_TOO_LARGE),
    "a long body": (b"x" * (MAX_COMPRESSED_BYTES + 1), ProblemCode.BATCH_TOO_LARGE),
}


def test_a_batch_is_exactly_these_bytes() -> None:
    """The published vector: encoding gives it and decoding takes it."""
    batch = Batch(3, 7, KeyProtection.FILE, [call(1)])
    assert zstandard.decompress(codec.encode_batch(batch)) == BATCH_TEXT
    assert decode_batch(zstandard.compress(BATCH_TEXT)) == batch
    assert codec.encode_call(call(1)) == RECORD_TEXT


def test_answers_are_exactly_these_bytes() -> None:
    """The published vectors of the three answers."""
    verdict = Verdict(3, 7, 1, 0, [Refusal(1, RefusalCode.TIME_ORDER)], HighWater(3, 7))
    refusal = problem(ProblemCode.BATCH_INVALID, detail="d", hint="h")
    assert codec.encode_answer(verdict) == (
        b'{"type":"verdict.v1","epoch":3,"sequence":7,"accepted":1,"duplicate":0,'
        b'"refused":[{"index":1,"code":"time_order"}],"high_water":{"epoch":3,"sequence":7}}'
    )
    assert codec.encode_answer(HighWater(0, 0)) == b'{"epoch":0,"sequence":0}'
    assert codec.encode_answer(refusal) == (
        b'{"type":"urn:natalia:problem:batch_invalid","title":"Batch invalid","status":422,"code":"batch_invalid",'
        b'"detail":"d","hint":"h"}'
    )


@pytest.mark.parametrize("text", REFUSED_TEXTS.values(), ids=REFUSED_TEXTS.keys())
def test_what_is_not_exactly_the_contract_is_refused_without_repeating_it(text: bytes) -> None:
    """One code for every such body, and a message that holds no value of it and no name that it made up."""
    assert text != BATCH_TEXT
    with pytest.raises(WireError) as caught:
        decode_batch(zstandard.compress(text))
    assert caught.value.code is ProblemCode.BATCH_INVALID
    assert not re.search(r"[0-9]{4}", str(caught.value))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("body", "code"), REFUSED_BODIES.values(), ids=REFUSED_BODIES.keys())
def test_a_body_that_is_not_one_small_frame_is_refused_before_it_is_read(body: bytes, code: ProblemCode) -> None:
    """Size and frame are judged before a byte is inflated."""
    with pytest.raises(WireError) as caught:
        decode_batch(body)
    assert caught.value.code is code


def test_a_frame_that_lies_about_its_size_is_refused() -> None:
    """More bytes than declared do not pass: the frame's header says one byte less than it holds."""
    frame = bytearray(zstandard.compress(BATCH_TEXT))
    # RFC 8878, 3.1.1: magic number (4 bytes), frame header descriptor (1), then the content size.
    frame[5] -= 1
    with pytest.raises(WireError) as caught:
        decode_batch(bytes(frame))
    assert caught.value.code is ProblemCode.ENCODING_UNSUPPORTED


def test_a_batch_holds_at_most_its_cap_of_records() -> None:
    """The cap itself passes, one more does not."""
    full, over = (
        zstandard.compress(BATCH_TEXT.replace(RECORD_TEXT, b",".join([RECORD_TEXT] * records)))
        for records in (MAX_RECORDS_PER_BATCH, MAX_RECORDS_PER_BATCH + 1)
    )
    assert len(decode_batch(full).records) == MAX_RECORDS_PER_BATCH
    with pytest.raises(WireError, match="records") as caught:
        decode_batch(over)
    assert caught.value.code is ProblemCode.BATCH_INVALID


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BATCH_TEXT.replace(b'"leg":1', b'"leg":"x"'), "Expected `int` at $.records[0].leg"),
        (BATCH_TEXT.replace(b'"leg":1', b'"leg":1,"x":2'), "Object contains unknown field at $.records[0]"),
        (BATCH_TEXT.replace(b'"leg":1,', b""), "Object missing required field `leg` at $.records[0]"),
        (BATCH_TEXT + b" ", "the JSON is not in canonical form"),
        (b"{", "not valid JSON at $"),
    ],
)
def test_an_error_says_where_and_which_rule(text: bytes, message: str) -> None:
    """Enough for the sender's engineer, nothing of the sender's data."""
    with pytest.raises(WireError, match=re.escape(message)):
        decode_batch(zstandard.compress(text))


@pytest.mark.parametrize("decode", [decode_verdict, decode_high_water, decode_problem])
@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"epoch":1,"sequence":1,"digits":"32475123456"}'],
    ids=["empty", "array", "object", "not UTF-8", "deep", "unknown field"],
)
def test_an_answer_that_is_none_is_refused(decode: Any, body: bytes) -> None:
    """The appliance does not act on an answer that it does not understand."""
    with pytest.raises(WireError) as caught:
        decode(body)
    assert caught.value.code is ProblemCode.MALFORMED_REQUEST
    assert not re.search(r"[0-9]{4}", str(caught.value))


@pytest.mark.parametrize("decode", [decode_verdict, decode_high_water, decode_problem])
def test_a_long_answer_is_refused_unread(decode: Any) -> None:
    """Even one that would be valid: trailing spaces are."""
    with pytest.raises(WireError, match="too long"):
        decode(b'{"epoch":1,"sequence":1}' + b" " * MAX_ANSWER_BYTES)


@given(batch=batches())
def test_a_batch_survives_the_wire(batch: Batch) -> None:
    """Decoding what was encoded gives the same batch."""
    assert decode_batch(codec.encode_batch(batch)) == batch


@given(batch=batches())
def test_lines_are_the_records_of_a_batch(batch: Batch) -> None:
    """What a preview prints is what the wire carries."""
    lines = codec.encode_lines(batch.records)
    assert lines == b"".join(codec.encode_call(record) + b"\n" for record in batch.records)
    assert b",".join(lines.splitlines()) in zstandard.decompress(codec.encode_batch(batch))


@given(batch=batches(), noise=st.binary(min_size=1, max_size=8), place=st.integers(min_value=0))
def test_what_parses_encodes_to_the_same_bytes(batch: Batch, noise: bytes, place: int) -> None:
    """Any mutation of a batch is refused or is itself canonical: one value has one encoding."""
    text = msgspec.json.encode(batch)
    place %= len(text)
    mutated = text[:place] + noise + text[place + len(noise) :]
    with suppress(WireError):
        assert msgspec.json.encode(decode_batch(zstandard.compress(mutated))) == mutated


@given(body=st.binary(max_size=64))
def test_no_bytes_raise_anything_but_a_wire_error(body: bytes) -> None:
    """A hostile peer gets a problem code, never a traceback."""
    for decode in (decode_batch, decode_verdict, decode_high_water, decode_problem):
        with pytest.raises(WireError):
            decode(body)
        with pytest.raises(WireError):
            decode(zstandard.compress(body))


@given(batch=batches())
def test_the_only_runs_of_digits_are_those_the_contract_names(batch: Batch) -> None:
    """With times, counts, clear digits and versions taken out, no record holds a run of five digits."""
    for record in batch.records:
        fields = json.loads(codec.encode_call(record))
        tokens = [fields["event_id"], fields["call_id"], fields["calling"]["pseudonym"], fields["feed"]]
        assert not any(re.search(r"[0-9]{5}", str(value)) for value in tokens)
