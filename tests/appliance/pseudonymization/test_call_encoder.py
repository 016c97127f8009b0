"""Records to calls: the parties, the direction, and what is remembered."""

import pytest
from msgspec.structs import replace

from appliance.pseudonymization.call import _MEMO_ENTRIES
from appliance.wire.batch import Batch, KeyProtection
from appliance.wire.call import Call, Category, Direction, Party
from appliance.wire.codec import decode_batch, encode_batch
from tests.support.cdr_rows import encoder, master, only_record

RECORD = only_record(master())


def call(*, calling: str = "0475123456", called: str = "201", forwarded_to: str = "", clear_digits: int = 4) -> Call:
    """The call of a record with these parties."""
    record = replace(RECORD, calling=calling, called=called, forwarded_to=forwarded_to)
    return encoder(clear_digits=clear_digits).to_calls([record])[0]


def test_times_counts_and_feed_are_carried() -> None:
    """As the record has them."""
    made = encoder().to_calls([RECORD])[0]
    assert (made.started_at, made.answered_at, made.ended_at) == (
        RECORD.started_at,
        RECORD.answered_at,
        RECORD.ended_at,
    )
    assert (made.ring_seconds, made.talk_seconds, made.total_seconds, made.leg) == (5, 60, 65, 1)
    assert (made.feed, made.dialect, made.key_version) == ("main", "asterisk_csv", 1)
    assert made.disposition is RECORD.disposition


def test_a_call_passes_the_wire() -> None:
    """What is made here is what the receiver's strict decoder accepts."""
    batch = Batch(epoch=1, sequence=1, key_protection=KeyProtection.FILE, records=[call(forwarded_to="0475998877")])
    assert decode_batch(encode_batch(batch)) == batch


def test_the_same_number_is_the_same_party_on_either_side() -> None:
    """Called and calling, in whatever spelling."""
    one = call(calling="+32475123456", called="201")
    other = call(calling="201", called="00475123456")
    assert one.calling == other.called
    assert one.called == other.calling
    assert one.calling.clear_digits == "3456"


@pytest.mark.parametrize("raw", ["anonymous", "Ann Maes", "*60"])
def test_parties_without_pseudonym_show_only_their_category(raw: str) -> None:
    """Withheld, unknown, service."""
    party = call(called=raw).called
    assert (party.pseudonym, party.clear_digits) == (None, None)


def test_policy_decides_the_clear_digits() -> None:
    """None of them, if the site wants so."""
    assert call(clear_digits=0).calling.clear_digits is None


@pytest.mark.parametrize(
    ("calling", "called", "direction"),
    [
        ("201", "202", Direction.INTERNAL),
        ("201", "*60", Direction.INTERNAL),
        ("201", "00475123456", Direction.OUTBOUND),
        ("201", "01207", Direction.OUTBOUND),
        ("201", "112", Direction.OUTBOUND),
        ("0475123456", "201", Direction.INBOUND),
        ("anonymous", "201", Direction.INBOUND),
        ("0475123456", "0475998877", Direction.TRANSIT),
        ("anonymous", "0475998877", Direction.TRANSIT),
        ("0475123456", "s", Direction.UNKNOWN),
        ("ann", "201", Direction.UNKNOWN),
        ("sip:ann@example", "201", Direction.UNKNOWN),
    ],
)
def test_the_parties_decide_a_direction_that_the_pbx_does_not_say(
    calling: str, called: str, direction: Direction
) -> None:
    """Seen from the site."""
    assert call(calling=calling, called=called).direction is direction


def test_a_direction_that_the_pbx_says_stands() -> None:
    """It knows its trunks."""
    record = replace(RECORD, calling="201", called="202", direction=Direction.INBOUND)
    assert encoder().to_calls([record])[0].direction is Direction.INBOUND


def test_a_forward_has_a_third_party() -> None:
    """Unless it is the called number in another spelling."""
    assert call().forwarded_to is None
    assert call(called="0475123456", forwarded_to="00475123456").forwarded_to is None
    forward = call(forwarded_to="00475998877").forwarded_to
    assert forward is not None
    assert (forward.category, forward.clear_digits) == (Category.EXTERNAL, "8877")


def test_ids_follow_the_keys() -> None:
    """The same record has the same event id, the legs of one call the same call id."""
    encode = encoder()
    first, again = encode.to_calls([RECORD])[0], encode.to_calls([RECORD])[0]
    other = encode.to_calls([replace(RECORD, natural_key=b"another")])[0]
    assert first == again
    assert first.event_id != other.event_id
    assert first.call_id == other.call_id


def test_forgetting_leaves_no_number_and_changes_no_call() -> None:
    """Clear numbers exist only within a batch."""
    encode = encoder()
    before = encode.to_calls([RECORD])[0]
    assert encode._calling
    encode.forget()
    assert not encode._calling
    assert not encode._called
    assert encode.to_calls([RECORD])[0] == before


def test_the_memo_is_bounded_without_forgetting() -> None:
    """A caller that never forgets costs no more than the bound."""
    encode = encoder()
    for number in range(_MEMO_ENTRIES + 5):
        encode.to_calls([replace(RECORD, calling=str(number))])[0]
    assert len(encode._calling) <= _MEMO_ENTRIES


def test_the_repr_names_the_feed_alone() -> None:
    """Numbers that it remembers stay hidden."""
    encode = encoder()
    encode.to_calls([RECORD])[0]
    assert repr(encode) == "CallEncoder(feed='main')"


def test_party_holds_what_the_wire_allows() -> None:
    """Three fields, all of them."""
    assert Party.__struct_fields__ == ("category", "pseudonym", "clear_digits")
