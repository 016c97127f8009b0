"""Lines of MiVoice Business' SMDR for tests, in each of its fixed widths; every number is invented."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options that decide the widths (Mitel help, SMDR Options form)."""

    extended: bool = False
    numbers: bool = False
    network: bool = False
    reporting: int = 0
    """Level of extended reporting: 2 adds seconds to the start."""


SHORTEST = Options()
COLUMNS = {
    "long": "",
    "date": "10/20",
    "time": "09:00",
    "seconds": "00",
    "marker": "",
    "duration": "00:01:00",
    "calling": "T102",
    "flag": "",
    "answer": "005",
    "digits": "201",
    "pulses": "",
    "completion": "",
    "speed": "",
    "called": "201",
    "transfer": "",
    "third": "",
    "account": "",
    "route": "",
    "system": "000",
    "ldn": "",
    "ani": "0470112233",
    "dnis": "4501",
    "suite": "",
    "call_id": "",
    "sequence": "",
    "associated": "",
}


def line(changes: dict[str, str] | None = None, options: Options = SHORTEST) -> bytes:
    """One line, the columns named replaced, with its trailing blanks."""
    columns = COLUMNS | (changes or {})
    party = 7 if options.extended else 4
    long_dnis = options.reporting or not options.extended
    duration = columns["duration"].rjust(10, "0") if options.extended else columns["duration"]
    digits = columns["digits"].ljust(21) + columns["pulses"].rjust(5)
    seconds = f":{columns['seconds']}" if options.reporting > 1 else ""
    text = f"{columns['long']:1}{columns['date']} {columns['time']}{seconds}{columns['marker']:1} {duration} "
    text += f"{columns['calling']:{party}} {columns['flag']:1}{columns['answer']:>3} "
    text += f"{digits if columns['pulses'] else columns['digits']:26}{columns['completion']:1}{columns['speed']:1}"
    text += f"{columns['called']:{party}}" + (f" {columns['ldn']:7}" if options.reporting else "")
    text += f"{columns['transfer']:1} {columns['third']:{party}} {columns['account']:12}{columns['route']:1}"
    text += f"{columns['system']:3}  "
    if options.numbers:
        text += f" {columns['ani']:{20 if options.reporting else 10}} {columns['dnis']:{10 if long_dnis else 7}}"
    if options.reporting:
        text += f" {columns['suite']:7}"
    if options.network:
        text += f" {columns['call_id']:8}{columns['sequence']:1} {columns['associated']:8}"
    return text.encode() + b"\r\n"
