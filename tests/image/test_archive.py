"""An OVA is four files in one order; every trick that a tar archive can carry is refused, and nothing is unpacked."""

import io
import tarfile
from collections.abc import Callable

import pytest

from image.archive import MAX_TEXT, Member, members, section_of, text_of
from image.errors import FormatError

FILES = [("a.ovf", b"<Envelope/>"), ("a.mf", b"sums"), ("a.cert", b"signature"), ("a.vmdk", bytes(range(256)) * 9)]


def ova(
    files: list[tuple[str, bytes]],
    *,
    change: Callable[[tarfile.TarInfo], object] = lambda _: None,
    form: int = tarfile.USTAR_FORMAT,
) -> io.BytesIO:
    """An archive of ``files``; ``change`` is done to the header of each."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            change(member)
            archive.addfile(member, io.BytesIO(content))
    return target


def retyped(kind: bytes, target: str = "") -> Callable[[tarfile.TarInfo], None]:
    """Make the disk another kind of member."""

    def change(member: tarfile.TarInfo) -> None:
        if member.name == "a.vmdk":
            member.type, member.linkname, member.size = kind, target, 0

    return change


def test_the_files_are_found_where_they_are() -> None:
    """Name, place and length; each reads as itself."""
    file = ova(FILES)
    found = members(file)
    assert [(member.name, text_of(file, member)) for member in found] == FILES
    assert [member.suffix for member in found] == [".ovf", ".mf", ".cert", ".vmdk"]
    assert section_of(file, found[3]).read() == FILES[3][1]


def test_a_section_ends_where_its_file_ends() -> None:
    """Reading on gives no byte of what follows; any place can be gone to."""
    section = section_of(io.BytesIO(b"before|inside|after"), Member("a", 7, 6))
    assert section.seek(0, 2) == 6
    assert section.read() == b""
    assert section.seek(2) == 2
    assert section.read(100) == b"side"
    assert section.seek(-1, 1) == 5
    assert section.read(1) == b"e"


def test_without_a_certificate_it_is_an_ova_too() -> None:
    """An unsigned rebuild; whether that is right is for others to say."""
    assert len(members(ova([FILES[0], FILES[1], FILES[3]]))) == 3


@pytest.mark.parametrize(
    "order",
    [[1, 0, 2, 3], [0, 1, 3, 2], [0, 3], [0, 1, 2], [3, 0, 1, 2], []],
    ids=lambda order: "".join(map(str, order)),
)
def test_another_order_is_refused(order: list[int]) -> None:
    """The descriptor first: an importer that streams needs it so."""
    with pytest.raises(FormatError):
        members(ova([FILES[number] for number in order]))


@pytest.mark.parametrize(
    "name",
    ["/a.ovf", "../a.ovf", "b/a.ovf", ".hidden.ovf", "a b.ovf", "a\\b.ovf", "\u00e9.ovf", "x" * 120 + ".ovf", "-a.ovf"],
    ids=["absolute", "climbing", "folder", "hidden", "space", "backslash", "letters", "long", "option"],
)
@pytest.mark.parametrize(
    "form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["ustar", "gnu", "pax"]
)
def test_a_name_that_is_no_plain_file_name_is_refused(name: str, form: int) -> None:
    """Whoever unpacks the archive with another program is not led astray either."""
    try:
        file = ova([(name, b""), *FILES[1:]], form=form)
    except ValueError:
        assert form == tarfile.USTAR_FORMAT  # too long for the form itself
        return
    with pytest.raises(FormatError):
        members(file)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.LNKTYPE, "a.ovf"),
        (tarfile.DIRTYPE, ""),
        (tarfile.CHRTYPE, ""),
        (tarfile.FIFOTYPE, ""),
        (tarfile.GNUTYPE_SPARSE, ""),
        (tarfile.AREGTYPE, ""),
        (tarfile.REGTYPE, "/etc/passwd"),
    ],
    ids=["symlink", "link", "folder", "device", "pipe", "sparse", "old", "link name"],
)
def test_a_member_that_is_no_regular_file_is_refused(kind: bytes, target: str) -> None:
    """Links, folders, devices, pipes, sparse files, and a file with a link's name."""
    with pytest.raises(FormatError):
        members(ova(FILES, change=retyped(kind, target)))


@pytest.mark.parametrize("extra", [FILES[0], FILES[3], ("b.vmdk", b"x"), ("a.exe", b"x")], ids=lambda extra: extra[0])
def test_a_file_twice_or_too_many_is_refused(extra: tuple[str, bytes]) -> None:
    """Programs differ in which of two they take."""
    with pytest.raises(FormatError, match="twice"):
        members(ova([*FILES, extra]))


def test_files_of_different_names_are_refused() -> None:
    """A manifest of another descriptor."""
    with pytest.raises(FormatError, match="different names"):
        members(ova([FILES[0], ("b.mf", b""), FILES[3]]))


def test_every_cut_is_refused() -> None:
    """In a header, in a file, before the end's two empty blocks."""
    content = ova(FILES).getvalue()
    end = 512 * 4 + 512 * 3 + 2560
    for length in (0, 100, 512, 700, 1024, 3000, end, end + 512, end + 1000):
        with pytest.raises(FormatError):
            members(io.BytesIO(content[:length]))


def test_something_behind_the_end_is_refused() -> None:
    """A second archive there is what tar --ignore-zeros would unpack."""
    with pytest.raises(FormatError, match="follows"):
        members(io.BytesIO(ova(FILES).getvalue() + ova(FILES).getvalue()))
    with pytest.raises(FormatError, match="follows"):
        members(io.BytesIO(ova(FILES).getvalue() + bytes(1 << 20)))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (124, b"7" * 11 + b"\0"),
        (124, b"\x80" + b"\0" * 10 + b"\1"),
        (124, b"-0000000001\0"),
        (148, b"0000000\0"),
        (257, b"ustar  "),
    ],
    ids=["huge", "binary", "negative", "checksum", "gnu"],
)
def test_a_header_with_wrong_numbers_is_refused(place: int, value: bytes) -> None:
    """A length beyond the file, or not octal; a checksum that does not fit; GNU's own form."""
    content = bytearray(ova(FILES).getvalue())
    content[place : place + len(value)] = value
    if place != 148:
        content[148:156] = b" " * 8
        content[148:156] = b"%06o\0 " % sum(content[:512])
    with pytest.raises(FormatError):
        members(io.BytesIO(content))


def test_a_text_that_is_too_long_is_not_read() -> None:
    """A descriptor of gigabytes does not come into memory."""
    file = ova([("a.ovf", bytes(MAX_TEXT + 1)), *FILES[1:]])
    with pytest.raises(FormatError, match="too long"):
        text_of(file, members(file)[0])
