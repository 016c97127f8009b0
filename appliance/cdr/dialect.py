"""What a dialect is: its metadata for the installer, its framing, and the parser that it opens for each file.

A dialect module has a ``DIALECT`` of this type, a column map that cites its manual, and a reader that turns one row,
text or document into a ``CallRecord``, a reason or None. ``line_parser`` drives the reader; framing is ``framing``'s
or ``documents``'. All of it is pure: zone, time and declared columns are arguments.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Annotated, Literal, Protocol

from msgspec import Meta, Struct, structs

from appliance.cdr.framing import LineFramer
from appliance.cdr.record import Line, Parsed
from appliance.cdr.zone_check import ZoneCheck
from appliance.errors import SettingsError


class Layout(Struct, frozen=True, kw_only=True):
    """How the administrator set the feed up, for dialects whose columns are a matter of configuration."""

    columns: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^(?:-|[a-z][a-z0-9_-]{0,40})\Z")], ...],
        Meta(min_length=1, max_length=512, description="The columns in their order; `-` is one that is not read"),
    ] = ()
    widths: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=1000)], ...],
        Meta(min_length=1, max_length=512, description="Characters of each column, where lines have a fixed width"),
    ] = ()
    separator: Annotated[
        Annotated[str, Meta(pattern=r"^[^\r\n\x00\"]\Z")] | None, Meta(description="The character between columns")
    ] = None
    date_order: Annotated[
        Literal["ymd", "dmy", "mdy"] | None,
        Meta(description="Order of year, month and day where a date can be read in two ways"),
    ] = None


class FeedContext(Struct, frozen=True, kw_only=True):
    """What a dialect must be told of the site: it never reads a clock or a settings file."""

    zone: tzinfo
    country: str = "BE"
    """ISO 3166; says in which order day and month are usually written."""
    layout: Layout = Layout()


class LineParser(Protocol):
    """Reads the lines of one file in order. It may remember earlier lines (a header, how often a line occurred)."""

    @property
    def zone_check(self) -> ZoneCheck | None:
        """What the records' own epochs say of the configured time zone; None where the format has none."""
        ...

    def parse(self, lines: Sequence[Line], *, now: datetime) -> Parsed:
        """Give what the lines hold, in their order; ``now`` (UTC) bounds dates. Never raises on any bytes."""
        ...

    def rewind(self, preceding: Sequence[Line], *, held: Sequence[Line] = ()) -> None:
        """Start in the middle of a file: take note of lines before it, which were recorded earlier.

        ``preceding`` are those near the file's head and shortly before; ``held`` is what ``held`` gave when the file,
        or the one before it, was left.
        """
        ...

    def held(self) -> Sequence[Line]:
        """Lines that wait for another, or that later ones depend on: ``rewind`` must be shown them after a restart."""
        ...

    def finish(self) -> Parsed:
        """Nothing follows: give what was held back."""
        ...


class Framer(Protocol):
    """Bytes in, lines or documents out. Made with the offset of the byte that is fed first."""

    @property
    def pending(self) -> int:
        """How many bytes were fed after the last line given out."""
        ...

    @property
    def offset(self) -> int:
        """Where the first line not yet given out starts: a new framer fed from there goes on the same."""
        ...

    def feed(self, data: bytes) -> list[Line]:
        """Take the next bytes and give the lines that they end."""
        ...

    def finish(self) -> Line | None:
        """Give what stands after the last line's end, if anything does. The caller knows that nothing follows."""
        ...


class Dialect(Struct, frozen=True, kw_only=True):
    """One way PBXs write call records."""

    name: str
    """As in settings and on the wire."""
    description: str
    """One line for the installer: which PBX, which versions."""
    transports: tuple[str, ...]
    """How the feed reaches the appliance."""
    identity: str
    """What identifies a record."""
    inherent_loss: str
    """Which loss the feed itself can have, before the appliance sees it."""
    manual: str
    """The manual or source that the column map cites."""
    columns: Mapping[str, str]
    """What becomes of each column or field that is named in the manual; any other is not read."""
    open: Callable[[FeedContext], LineParser]
    """Start a parser for one file. Raises ``SettingsError`` where the context's layout is not one of the dialect's."""
    framer: Callable[[int], Framer] = LineFramer
    """What cuts the feed's bytes."""
    options: frozenset[str] = frozenset()
    """Which options of ``Layout`` the dialect takes."""


def start(dialect: Dialect, context: FeedContext) -> LineParser:
    """Open a dialect for one file.

    Raises:
        SettingsError: the context's layout says something that the dialect does not take, or takes otherwise.
    """
    given = {field.name for field in structs.fields(Layout) if getattr(context.layout, field.name) != field.default}
    surplus = sorted(given - dialect.options)
    if surplus:
        raise SettingsError([f"layout.{option}: the dialect {dialect.name} does not take it" for option in surplus])
    return dialect.open(context)


def unread(*names: str) -> dict[str, str]:
    """Say of columns (names between blanks) that nothing of them leaves or is looked at."""
    return dict.fromkeys(" ".join(names).split(), "never leaves, is not read")
