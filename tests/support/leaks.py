"""What of a CDR file must never be found outside the site: digits of its numbers, its names, its channels.

Digits: every run of five within any run of digits that is longer, in any column, but for what is not a number:
uniqueids (``epoch.sequence``), dates and times. Names and channels: as whole strings.
"""

import re

WINDOW = 5
_NOT_NUMBERS = re.compile(
    rb"[0-9]{9,10}\.[0-9]+"  # uniqueid, linkedid
    rb"|[0-9]{1,4}[-/][0-9]{1,2}[-/][0-9]{1,4}[ T][0-9:]{5,8}"
)
_DURATION = re.compile(rb'(_seconds":)[0-9]+')
_DIGITS = re.compile(rb"[0-9]{%d,}" % WINDOW)
_WORD = re.compile(rb"[a-z]{4,}")
_NAME = re.compile(rb'"+([^"<>,]{4,60})"+ ?<')
_CHANNEL = re.compile(rb"\b(?:SIP|PJSIP|Local|IAX2|DAHDI|Dongle|TELCHAN|Console)/[^\",;]{3,}")


def digit_runs(data: bytes) -> set[bytes]:
    """Every five digits in a row; of what leaves, without its durations, which are known to be digits."""
    runs = _DIGITS.findall(_DURATION.sub(rb"\1", data))
    return {run[start : start + WINDOW] for run in runs for start in range(len(run) - WINDOW + 1)}


def words(data: bytes) -> set[bytes]:
    """Every word of four letters or more, in lower case."""
    return set(_WORD.findall(data.lower()))


def forbidden(feed: bytes) -> set[bytes]:
    """Everything of ``feed`` that may not leave."""
    text = _NOT_NUMBERS.sub(b" ", feed)
    windows = digit_runs(text)
    names = {name.strip() for name in _NAME.findall(feed) if re.search(rb"[A-Za-z]{3}", name)}
    return windows | names | set(_CHANNEL.findall(feed))


def found(content: bytes, secrets: set[bytes]) -> set[bytes]:
    """Which of ``secrets`` stand in ``content``; the wire's own durations may be as long as they like."""
    content = _DURATION.sub(rb"\1", content)
    return (digit_runs(content) & secrets) | {
        secret for secret in secrets if not secret.isdigit() and secret in content
    }
