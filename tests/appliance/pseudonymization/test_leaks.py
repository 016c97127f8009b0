"""Nothing of a row leaves but what policy allows: over generated rows and over the real samples."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.record import CallRecord
from appliance.wire.call import Call
from appliance.wire.codec import encode_call
from tests.support.cdr_generator import LATIN_1_NAMES, NAMES, generate
from tests.support.cdr_rows import encoder, master, parse

SAMPLES = Path(__file__).parents[4] / "shared" / "cdr-samples"
SECRET_RUN = 5
"""So many digits of a number in a row are a leak; clear digits are four at most."""
TIMES = re.compile(r'"(?:started|answered|ended)_at":"[^"]*"|"(?:ring|talk|total)_seconds":\d+')
RUNS = re.compile(r"\d{5,}")


def encoded(data: bytes, *, zone: str = "Europe/Brussels") -> Iterator[str]:
    """What leaves of a file, without the times and durations, which are known to be digits."""
    encode = encoder()
    for outcome in parse(data, zone=zone):
        if isinstance(outcome, CallRecord):
            yield TIMES.sub("", encode_call(encode.to_calls([outcome])[0]).decode())


def pieces(data: bytes) -> set[str]:
    """Each run of five digits of a file."""
    runs = RUNS.findall(data.decode("latin-1"))
    return {run[start : start + SECRET_RUN] for run in runs for start in range(len(run) - SECRET_RUN + 1)}


def test_no_five_digits_and_no_name_leave_the_demo_file() -> None:
    """Over every row of the generated file: numbers, ids, channels, names, contexts, dial strings."""
    leaving = "\n".join(encoded(generate()))
    assert leaving.count("\n") > 1000
    assert not RUNS.search(leaving)
    assert not [piece for piece in pieces(generate()) if piece in leaving]
    words = {word for name in (*NAMES, *LATIN_1_NAMES) for word in re.findall(r"\w{4,}", name)}
    assert not [word for word in words if word.lower() in leaving.lower()]
    assert not re.search(r"PJSIP|Local/|trunk|from-|Dial|Queue|default", leaving)


@given(
    st.text("0123456789", min_size=5, max_size=15),
    st.sampled_from(
        ["src", "dst", "clid", "channel", "dstchannel", "lastdata", "userfield", "accountcode", "dcontext"]
    ),
    st.sampled_from(["{}", "+{}", "sip:{}@10.0.0.1", "Local/{}@x", '"{}" <{}>', "*72*{}", "{} Ann"]),
)
def test_a_number_in_any_column_does_not_leave(digits: str, column: str, spelling: str) -> None:
    """In whatever column and spelling: no five of its digits are in what leaves."""
    for call in encoded(master(**{column: spelling.replace("{}", digits)})):
        assert not [piece for piece in pieces(digits.encode()) if piece in call]


def test_the_call_has_no_field_beyond_the_list() -> None:
    """A new field of the wire must be looked at here."""
    assert set(Call.__struct_fields__) == {
        *("event_id", "call_id", "leg", "started_at", "answered_at", "ended_at", "ring_seconds", "talk_seconds"),
        *("total_seconds", "direction", "disposition", "calling", "called", "forwarded_to", "feed", "dialect"),
        "key_version",
    }


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real samples are not part of the project")
@pytest.mark.parametrize("pattern", ["asterisk_cdr_c*.csv", "freepbx_*.csv"])
def test_nothing_leaves_the_real_samples(pattern: str) -> None:
    """No five digits of any column, and no word of a name, of any real row."""
    files = sorted(SAMPLES.glob(pattern))
    assert files
    for file in files:
        data = file.read_bytes()
        leaving = "\n".join(encoded(data, zone="Europe/Lisbon"))
        assert not [piece for piece in pieces(data) if piece in leaving]
        names = {row[1] for row in csv.reader(data.decode("latin-1").splitlines()) if len(row) > 1}
        words = {word for name in names for word in re.findall(r"[A-Za-z]{5,}", name)}
        assert not [word for word in words if word.lower() in leaving.lower()]
