"""Which column is what, in the column sets that Asterisk and FreePBX write.

``Master.csv`` (asterisk/asterisk ``cdr/cdr_csv.c``, ``configs/samples/cdr.conf.sample``) has 16 columns;
``loguniqueid`` and ``loguserfield`` add one each, ``newcdrcolumns`` three more. Exports of FreePBX' table
``asteriskcdrdb.cdr`` start with ``calldate``; its first 16 columns are fixed, how many follow depends on the release
and on the exporting tool.

A layout is only proposed here by the number of columns or by a header; ``fits`` then proves it on each row by the types
that cannot be mistaken. A row that fits none is refused, never shifted.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Final, NamedTuple

from msgspec import Struct

from appliance.cdr.durations import USUAL_SECONDS, seconds
from appliance.wire.call import Disposition

DISPOSITIONS: Final = {
    "ANSWERED": Disposition.ANSWERED,
    "NO ANSWER": Disposition.NO_ANSWER,
    "BUSY": Disposition.BUSY,
    "FAILED": Disposition.FAILED,
    "CONGESTION": Disposition.CONGESTION,
    "UNKNOWN": Disposition.UNKNOWN,
}
"""``ast_cdr_disp2str`` in asterisk ``main/cdr.c``."""

_NULLS: Final = frozenset({"NULL", "\\N"})
"""How phpMyAdmin and ``SELECT … INTO OUTFILE`` spell SQL's NULL."""


class Fields(NamedTuple):
    """The columns that are read, as text; empty where the layout has none.

    Names and dial strings are not among them, but for ``clid``, which can say that the caller withheld the number,
    and ``dstchannel``, which names a forward.
    """

    src: str
    dst: str
    dcontext: str
    clid: str
    dstchannel: str
    start: str
    answer: str
    end: str
    duration: str
    billsec: str
    disposition: str
    uniqueid: str
    did: str
    cnum: str
    linkedid: str
    sequence: str


_fields: Final[Callable[[Sequence[str]], Fields]] = partial(tuple.__new__, Fields)
"""``Fields._make`` without its check of the length, which ``pick`` fixes: half the time."""


class Layout(Struct, frozen=True):
    """One column set, compiled: ``pick`` reads ``Fields`` from a row to which one empty column was appended."""

    width: int
    pick: Callable[[Sequence[str]], tuple[str, ...]]
    clid: int
    src: int
    channel: int
    lastdata: int
    """Where these stand; ``width`` where there is none."""
    disposition: int
    has_epoch: bool = False
    """The id column must have the shape of an id: it decides between this layout and one of equal width."""
    has_sequence: bool = False
    """Likewise the last column must be a number."""
    spelled: Callable[[Fields], Fields] | None = None
    """What spells the values of other writers as ``Master.csv`` does."""


_MASTER: Final = [
    *("accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata"),
    *("start", "answer", "end", "duration", "billsec", "disposition", "amaflags"),
]
_FREEPBX: Final = [
    *("calldate", "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata"),
    *("duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield"),
    *("did", "recordingfile", "cnum", "cnam", "outbound_cnum", "outbound_cnam", "dst_cnam"),
    *("linkedid", "peeraccount", "sequence"),
]
_FREEPBX_FIXED: Final = 16
_FREEPBX_WIDEST: Final = 28
_NEW_COLUMNS: Final = ["peeraccount", "linkedid", "sequence"]
REQUIRED: Final = frozenset({"src", "dst", "duration", "billsec", "disposition"})
"""What every record has besides its start: a party that is missing is not one that was withheld."""
_ALIASES: Final = {"calldate": "start"}
_SPELLINGS: Final = {
    "callerid": "clid",
    "source": "src",
    "destination": "dst",
    "starttime": "start",
    "answertime": "answer",
    "endtime": "end",
    "billableseconds": "billsec",
}
"""How headers of other tools name columns, without blanks and underscores."""


def compile_layout(
    names: Sequence[str],
    *,
    has_epoch: bool = False,
    has_sequence: bool = False,
    spelled: Callable[[Fields], Fields] | None = None,
) -> Layout:
    """Compile the columns ``names`` (FreePBX' ``calldate`` is the start)."""
    width = len(names)
    where = {_ALIASES.get(name, name): index for index, name in reversed(list(enumerate(names)))}
    return Layout(
        width=width,
        pick=itemgetter(*(where.get(field, width) for field in Fields._fields)),
        clid=where.get("clid", width),
        src=where["src"],
        channel=where.get("channel", width),
        lastdata=where.get("lastdata", width),
        disposition=where["disposition"],
        has_epoch=has_epoch,
        has_sequence=has_sequence,
        spelled=spelled,
    )


def epoch_of(uniqueid: str) -> int | None:
    """Read the epoch in ``[systemname-]epoch.sequence`` (asterisk ``main/channel.c``), seconds UTC."""
    head, _, sequence = uniqueid.rpartition(".")
    epoch = head.rpartition("-")[2]
    if sequence.isdecimal() and epoch.isdecimal() and len(epoch) in {9, 10}:
        return int(epoch)
    return None


def _of_database(fields: Fields) -> Fields:
    """Of a table whose columns are named: NULL literals stand for nothing."""
    fields = _fields(["" if field in _NULLS else field for field in fields])
    return fields if epoch_of(fields.linkedid) is not None else fields._replace(linkedid="")


def _of_unnamed(fields: Fields) -> Fields:
    """Of a table of which release is not known: what follows the id may be anything."""
    fields = _of_database(fields)
    return fields if fields.linkedid else fields._replace(sequence="")


def _by_width(layouts: Sequence[Layout]) -> dict[int, tuple[Layout, ...]]:
    widths = {layout.width for layout in layouts}
    return {width: tuple(layout for layout in layouts if layout.width == width) for width in widths}


def _masters() -> list[Layout]:
    master = [
        (_MASTER, False),
        ([*_MASTER, "uniqueid"], True),
        ([*_MASTER, "userfield"], False),
        ([*_MASTER, "uniqueid", "userfield"], False),
        ([*_MASTER, *_NEW_COLUMNS], False),
        ([*_MASTER, "uniqueid", *_NEW_COLUMNS], True),
        ([*_MASTER, "userfield", *_NEW_COLUMNS], False),
        ([*_MASTER, "uniqueid", "userfield", *_NEW_COLUMNS], False),
    ]
    return [
        compile_layout(names, has_epoch=has_epoch, has_sequence=names[-1] == "sequence") for names, has_epoch in master
    ]


def _exports() -> list[Layout]:
    padded = [*_FREEPBX, *[""] * (_FREEPBX_WIDEST - len(_FREEPBX))]
    return [compile_layout(padded[:width], spelled=_of_unnamed) for width in range(_FREEPBX_FIXED, _FREEPBX_WIDEST + 1)]


Layouts = Mapping[int, tuple[Layout, ...]]
"""The candidates for a number of columns, in the order in which they are tried."""
EXPORTS: Final[Layouts] = _by_width(_exports())
"""Of FreePBX' table."""
LAYOUTS: Final[Layouts] = _by_width([*_masters(), *_exports()])
"""Of ``Master.csv`` and of FreePBX' table."""


def header_layout(row: Sequence[str]) -> Layout | None:
    """Compile the layout that a header line declares; None if the row is no header."""
    names = [name.strip().lower().replace(" ", "").replace("_", "") for name in row]
    return declared_layout([_SPELLINGS.get(name, name) for name in names])


def declared_layout(names: Sequence[str], spelled: Callable[[Fields], Fields] | None = None) -> Layout | None:
    """Compile named columns, those of a table by default; None unless all that a record needs are among them."""
    known = frozenset(names)
    if not (known >= REQUIRED and ("start" in known or "calldate" in known)):
        return None
    return compile_layout(names, spelled=spelled or _of_database)


def fit(layout: Layout, row: Sequence[str]) -> Fields | None:
    """Read ``row``, which ends in an empty column, by ``layout``; None unless each column of a certain type has it.

    That the start is a time is for the caller to see, who reads it anyway.
    """
    fields = _fields(layout.pick(row))
    if layout.spelled is not None:
        fields = layout.spelled(fields)
        if '"' in fields.src or '"' in fields.dst:
            # No number holds a quote: it is a name whose quotes were not doubled, and stands in another's place.
            return None
    if (
        fields.disposition in DISPOSITIONS
        and (fields.duration in USUAL_SECONDS or seconds(fields.duration) is not None)
        and (fields.billsec in USUAL_SECONDS or seconds(fields.billsec) is not None)
        and not (layout.has_epoch and epoch_of(fields.uniqueid) is None)
        and not (layout.has_sequence and not fields.sequence.isdecimal())
    ):
        return fields
    return None
