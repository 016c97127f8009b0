"""Vectors of the whole pure way: a feed's bytes to what leaves, under a fixed secret, or to the reason of refusal.

``tests/testdata/cdr/DIALECT/NAME.txt`` are the bytes, ``NAME.json`` says what they give::

    {"site": {"timezone": …, …}, "layout": {…}, "now": …,   # each optional: the demo's site, no layout, ``NOW``
     "records": [wire records in order], "quarantined": {"line": "reason", …}, "ignored": count}

``python -m tests.support.vectors DIALECT/NAME …`` writes the second half of the file anew, for a person to read line
by line before it is committed; ``test_vectors`` refuses any difference.
"""

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec

from appliance.cdr.dialect import FeedContext, Layout
from appliance.cdr.dialects import DIALECTS, find_dialect
from appliance.cdr.record import Line
from appliance.intake import Translation, Translator
from appliance.numbering.number import Number
from appliance.numbering.plan import NumberingPlan
from appliance.pseudonymization.call import CallEncoder
from appliance.pseudonymization.disclosure import DisclosurePolicy
from appliance.pseudonymization.pseudonym import Pseudonymizer
from appliance.wire.codec import encode_call
from tests.support.cdr_rows import NOW, SECRET

FOLDER = Path(__file__).resolve().parents[1] / "testdata" / "cdr"
SITE: dict[str, Any] = {
    "timezone": "Europe/Brussels",
    "country": "BE",
    "national_prefix": "0",
    "international_prefix": "00",
    "outside_line": "0",
    "extension_lengths": [3, 4],
}
"""Most vectors are of the demo's site; one that says otherwise names all of its site's options."""


PSEUDONYMS = FOLDER / "pseudonyms.json"
"""Every pseudonym of every vector: ``{category: {canonical number: pseudonym}}``; ``test_vectors`` asks openssl."""


class Recorder(Pseudonymizer):
    """Notes what each pseudonym was made of."""

    __slots__ = ()
    made: ClassVar[dict[str, dict[str, str]]] = {}

    def pseudonym(self, number: Number) -> str | None:
        """See ``Pseudonymizer``."""
        made = super().pseudonym(number)
        if made is not None and number.canonical is not None:
            self.made.setdefault(number.category.value, {})[number.canonical] = made
        return made


def vectors() -> list[Path]:
    """Every vector, whatever the dialect."""
    return sorted(FOLDER.glob("*/*.txt"))


def translator(dialect: str, setup: dict[str, Any], pseudonymizer: type[Pseudonymizer] = Pseudonymizer) -> Translator:
    """The pure way of one feed, at the site of ``setup``."""
    site = setup.get("site", SITE)
    plan = {option: value for option, value in site.items() if option != "timezone"}
    encoder = CallEncoder(
        pseudonymizer(SECRET, key_version=1),
        plan=NumberingPlan.parse(**plan),
        policy=DisclosurePolicy.parse(clear_digits=4),
        feed="main",
        dialect=dialect,
    )
    layout = msgspec.convert(setup.get("layout", {}), Layout)
    context = FeedContext(zone=ZoneInfo(site["timezone"]), country=site["country"], layout=layout)
    return Translator(find_dialect(dialect), context, encoder)


def frames(dialect: str, data: bytes) -> list[Line]:
    """All lines or documents of a finished file."""
    framer = DIALECTS[dialect].framer(0)
    lines = framer.feed(data)
    last = framer.finish()
    return [*lines, last] if last else lines


def outcome(dialect: str, data: bytes, setup: dict[str, Any]) -> dict[str, Any]:
    """What a whole file gives, in the form of a vector's second half."""
    return spelled(frames(dialect, data), translations(translator(dialect, setup), frames(dialect, data), setup))


def translations(one: Translator, lines: list[Line], setup: dict[str, Any]) -> list[Translation]:
    """Translate all lines at once, then say that nothing follows."""
    return [translation(one, lines, setup), one.finish()]


def translation(one: Translator, lines: list[Line], setup: dict[str, Any]) -> Translation:
    """Translate lines, more of which may follow."""
    now = datetime.fromisoformat(setup["now"]) if "now" in setup else NOW
    return one.translate(lines, now=now)


def spelled(lines: list[Line], parts: list[Translation]) -> dict[str, Any]:
    """Records, reasons by line number, and the count of what is no record."""
    numbers = {line.offset: number for number, line in enumerate(lines, start=1)}
    refused = {numbers[item.offset]: str(item.reason) for part in parts for item in part.quarantined}
    return {
        "records": [json.loads(encode_call(call)) for part in parts for call in part.calls],
        "quarantined": {str(number): refused[number] for number in sorted(refused)},
        "ignored": sum(part.ignored for part in parts),
    }


def _rewrite(vector: Path) -> Iterator[str]:
    expectation = vector.with_suffix(".json")
    old = json.loads(expectation.read_text(encoding="utf-8")) if expectation.exists() else {}
    setup = {key: old[key] for key in ("site", "layout", "now") if key in old}
    made = setup | outcome(vector.parent.name, vector.read_bytes(), setup)
    expectation.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    counts = f"{len(made['records'])} records, {made['quarantined']}, {made['ignored']} ignored"
    yield f"{vector.parent.name}/{vector.stem}: {counts}"


def write_pseudonyms() -> None:
    """Write the table of all pseudonyms anew."""
    Recorder.made.clear()
    for vector in vectors():
        setup = json.loads(vector.with_suffix(".json").read_text("utf-8"))
        one = translator(vector.parent.name, setup, Recorder)
        translations(one, frames(vector.parent.name, vector.read_bytes()), setup)
    PSEUDONYMS.write_text(json.dumps(Recorder.made, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        for message in _rewrite(FOLDER / f"{name}.txt"):
            print(message)  # noqa: T201  a command's answer
    write_pseudonyms()
