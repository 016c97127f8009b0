"""One fuzzing target as a process of its own: ``python -m tests.fuzz.target NAME CORPUS [libFuzzer options]``.

What holds for any bytes: never another exception than a typed refusal; each line is a record, refused or ignored; what
is a record is one that the receiver's strict decoder takes; and no five digits of the input stand in it.
"""

import sys
from collections.abc import Callable
from functools import cache

import atheris
import zstandard

with atheris.instrument_imports(include=["appliance.cdr", "appliance.numbering", "appliance.wire"]):
    from appliance.cdr.dialects import DIALECTS
    from appliance.intake import Translator
    from appliance.wire import codec
    from appliance.wire.batch import Batch, KeyProtection
    from tests.support import vectors
    from tests.support.feeds import setup_of
    from tests.support.leaks import digit_runs

CODECS: dict[str, Callable[[bytes], object]] = {
    "codec.batch": codec.decode_batch,
    "codec.batch_json": lambda data: codec.decode_batch(zstandard.compress(data)),
    "codec.completeness_json": lambda data: codec.decode_completeness(zstandard.compress(data)),
    "codec.receipt": codec.decode_receipt,
    "codec.verdict": codec.decode_verdict,
    "codec.high_water": codec.decode_high_water,
    "codec.problem": codec.decode_problem,
}


@cache
def translator(name: str) -> Translator:
    """The pure way of one dialect; each input starts a parser of its own in it."""
    return vectors.translator(name, setup_of(name))


def check_dialect(name: str, data: bytes) -> None:
    """Hold one feed to what holds for any."""
    setup = setup_of(name)
    lines = vectors.frames(name, data)
    one = translator(name)
    one.restart(())
    parts = vectors.translations(one, lines, setup)
    calls = [call for part in parts for call in part.calls]
    assert len(calls) + sum(len(part.quarantined) + part.ignored for part in parts) == len(lines)
    if calls:
        calls = calls[:1000]
        body = codec.encode_batch(Batch(1, 1, KeyProtection.FILE, calls))
        assert codec.decode_batch(body).records == calls
        assert not digit_runs(codec.encode_lines(calls)) & digit_runs(data)


def check_codec(name: str, data: bytes) -> None:
    """A message is decoded or refused as the wire's own error; what is decoded stays the same."""
    try:
        CODECS[name](data)
    except codec.WireError:
        return


def main() -> None:
    """Run libFuzzer until its options say stop."""
    name = sys.argv.pop(1)
    check = check_dialect if name in DIALECTS else check_codec
    atheris.Setup(sys.argv, lambda data: check(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
