"""In which ways digits without a ``+`` can be read at a site, and in which order.

The order decides only between readings that are equally good: a valid number goes before one that is merely possible.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from appliance.numbering.countries import Country

MAX_LOCAL: Final = 7
_HEADS: Final = tuple(map("{:02}".format, range(100)))
_SHORT_OF_A_CODE: Final = 3
"""So many digits more than usual are not enough for a code with a number behind it."""
_USUAL_INTERNATIONAL: Final = ("00", "011")


class Reading(IntEnum):
    """How to read what follows a prefix."""

    NATIONAL = 0
    """A national number and nothing else."""
    LOCAL = 1
    """As a national one, but it must be valid: most digits make a possible number behind an area code.

    Its first digit belongs to the prefix; ``MAX_LOCAL`` more are as many as a subscriber's number has anywhere.
    """
    HOME = 2
    """What is dialled within the site's country: prefixes, carrier, own calling code and all."""
    ABROAD = 3
    """What is dialled from the site's country to another, by the country's own international prefixes."""
    INTERNATIONAL = 4
    """Calling code and national number."""
    CODED = 5
    """A code that is no part of the number, then whatever can be dialled."""


class Way(NamedTuple):
    """One way to read digits that begin with ``prefix``: what follows it, after ``instead``."""

    prefix: str
    reading: Reading
    instead: str = ""
    """After a code: what the rest must begin with."""
    any_digits: int = 0
    """So many digits after ``prefix`` belong to it, whatever they are."""


class Step(NamedTuple):
    """A way, prepared for digits whose first two are known to fit."""

    prefix: str | None
    """What is still to compare; None if nothing is."""
    reading: Reading
    skip: int
    """So many digits are left out,"""
    lead: str
    """and this is put before the rest: for a national number ``+`` and the calling code too. See ``Way.instead``."""


Steps = tuple[Step, ...]
Ways = Mapping[str, Steps]
"""In the order in which they are tried, by the first two of the digits to read."""


class Access(NamedTuple):
    """How the public network is reached from a site."""

    home: Country
    national: str
    international: str
    area_code: str
    outside_lines: tuple[str, ...]
    codes: tuple[str, ...]
    """Withhold and carrier codes in digits; ``x`` at the end is any digit."""

    def dialled(self) -> Ways:
        """What was dialled at the site.

        What begins with an outside line was dialled to the public network, national before international, because
        "0" + "03…" (Antwerp) is far more frequent than "00" + "3…" with the outside line already taken off.
        """
        return self._by_head(
            *self._coded_prefixes(),
            *(way for line in self.outside_lines for way in (*self._prefixed(line), *self._local(line))),
            *(*self._prefixed(""), *self._local("")),
            *(way for line in self._lines for way in self._bare(line)),
            *(Way(line, Reading.HOME) for line in self._lines),
            *self._coded(""),
        )

    def presented(self) -> Ways:
        """What came with a call; the outside line is only there if the PBX put it there for calling back."""
        lines = self.outside_lines
        return self._by_head(
            *self._coded_prefixes(),
            *(*self._prefixed(""), *self._local(""), *self._bare("")),
            Way("", Reading.HOME),
            *(way for line in lines for way in self._prefixed(line)),
            *(way for line in lines for way in (*self._bare(line), Way(line, Reading.HOME))),
            *self._coded(""),
        )

    def foreign(self) -> Ways:
        """International prefixes of elsewhere: for what can be read in no other way."""
        return self._by_head(
            *(Way(line + prefix, Reading.INTERNATIONAL) for line in self._lines for prefix in _USUAL_INTERNATIONAL)
        )

    @property
    def _lines(self) -> tuple[str, ...]:
        """With an outside line, then without."""
        return (*self.outside_lines, "")

    def _coded_prefixes(self) -> Iterator[Way]:
        """Where numbers can be very long, a code before a prefix is one even if all of it could be a number."""
        if self.national and max(self.home.lengths) > self.home.usual_length + _SHORT_OF_A_CODE:
            yield from self._coded(self.national)
            yield from self._coded(self.international)

    def _coded(self, then: str) -> Iterator[Way]:
        for code in self.codes:
            digits = code.rstrip("x")
            yield from (Way(line + digits, Reading.CODED, then, len(code) - len(digits)) for line in self._lines)

    def _prefixed(self, line: str) -> Iterator[Way]:
        """With the international or a national prefix; the order matters only where national numbers begin with 0."""
        if not (line and self.home.is_plain):
            yield from self._international(line)
        yield from self._national(line)
        if line and self.home.is_plain:
            yield from self._international(line)

    def _national(self, line: str) -> Iterator[Way]:
        """Where the country has more to take off than one prefix, its own rules know what."""
        if not self.home.is_plain:
            yield Way(line, Reading.HOME)
        if self.national:
            yield Way(line + self.national, Reading.NATIONAL)

    def _international(self, line: str) -> Iterator[Way]:
        """The country's own prefixes first: some begin with the "00" of others, as 0011 in Australia."""
        if self.home.international != self.international:
            yield Way(line, Reading.ABROAD)
        if self.international:
            yield Way(line + self.international, Reading.INTERNATIONAL)

    def _local(self, line: str) -> Iterator[Way]:
        """What begins with 0 or 1 is dialled for something else than a subscriber of the same town."""
        if self.area_code:
            yield from (Way(line + digit, Reading.LOCAL, self.area_code + digit) for digit in "23456789")

    def _bare(self, line: str) -> Iterator[Way]:
        """Without a prefix, or with the own calling code and no ``+``, as trunks send it.

        ``HOME`` alone would do for them; but this is what most numbers are, and it takes half the time. The calling
        code comes first where the country has a national prefix, as ``Country.national`` has it.
        """
        if not self.home.is_plain:
            return
        code = self.home.calling_code if self.home.national_prefix else ""
        trunk = "" if self.home.leading_zero else self.home.national_prefix[:1]
        digits = [digit for digit in "0123456789" if digit not in trunk]
        if code and min(self.home.lengths) >= self.home.usual_length:
            yield from (Way(line + code + digit, Reading.NATIONAL, digit) for digit in digits)
        yield from (Way(line + digit, Reading.NATIONAL, digit) for digit in digits if digit not in code[:1])

    def _by_head(self, *ways: Way) -> Ways:
        return {
            head: tuple(self._step(way, head) for way in dict.fromkeys(ways) if head.startswith(way.prefix[:2]))
            for head in _HEADS
        }

    def _step(self, way: Way, head: str) -> Step:
        is_national = way.reading in {Reading.NATIONAL, Reading.LOCAL}
        return Step(
            None if head.startswith(way.prefix) else way.prefix,
            way.reading,
            len(way.prefix) + way.any_digits,
            f"+{self.home.calling_code}{way.instead}" if is_national else way.instead,
        )
