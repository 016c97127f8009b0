"""EFI programs, a FAT volume and a disk with an ESP, small and by hand."""

import struct
from collections.abc import Mapping, Sequence

ESP = bytes.fromhex("28732ac11ff8d211ba4b00a0c93ec93b")
CLUSTER = 512
CODE = 0x60000020


def program(
    sections: Sequence[tuple[str, bytes]], *, certificate: bytes = b"", checksum: int = 0, overlap: bool = False
) -> bytes:
    """A PE32+ program of sections in order, with a certificate at its end when one is given."""
    table = 64 + 4 + 20 + 240
    headers = -(-(table + 40 * len(sections)) // 512) * 512
    rows, bodies, address = b"", b"", 4096
    for name, content in sections:
        raw = -(-len(content) // 512) * 512
        row = struct.pack("<8sIIII", name.encode(), len(content), address, raw, headers + len(bodies))
        rows += row + bytes(12) + struct.pack("<I", CODE)
        bodies += content.ljust(raw, b"\0")
        address += 0 if overlap else -(-max(len(content), 1) // 4096) * 4096
    end = headers + len(bodies)
    optional = bytearray(240)
    struct.pack_into("<H", optional, 0, 0x20B)
    struct.pack_into("<III", optional, 56, address, headers, checksum)
    struct.pack_into("<I", optional, 108, 16)
    if certificate:
        certificate = certificate.ljust(-(-len(certificate) // 8) * 8, b"\0")
        struct.pack_into("<II", optional, 112 + 8 * 4, end, len(certificate))
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    head += b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, 240, 0x22E) + bytes(optional) + rows
    return head.ljust(headers, b"\0") + bodies + certificate


def _short(number: int) -> bytes:
    return f"FILE{number:04}   ".encode()


def _entries(number: int, name: str, flags: int, first: int, size: int) -> bytes:
    """A file's entry, and its long name before it, its end first."""
    letters = name.encode("utf-16-le") + b"\0\0"
    letters = letters.ljust(-(-len(letters) // 26) * 26, b"\xff")
    parts = [letters[at : at + 26] for at in range(0, len(letters), 26)]
    long = b""
    for order, part in reversed(list(enumerate(parts, 1))):
        mark = order | (0x40 if order == len(parts) else 0)
        long += bytes([mark]) + part[:10] + b"\x0f\0\0" + part[10:22] + b"\0\0" + part[22:]
    return (
        long + _short(number) + bytes([flags]) + bytes(8) + struct.pack("<HIHI", first >> 16, 0, first & 0xFFFF, size)
    )


def fat16(files: Mapping[str, bytes], *, sectors: int = 8192) -> bytes:
    """A FAT16 volume with ``files``, which lie at the top or one folder deep."""
    volume, table, following = bytearray(sectors * 512), [0xFFF8, 0xFFFF], [2]
    fat_sectors, root_sectors = -(-sectors * 2 // 512), 32
    data = 1 + fat_sectors + root_sectors

    def store(content: bytes) -> int:
        first, count = following[0], -(-len(content) // CLUSTER)
        volume[(data + first - 2) * 512 : (data + first - 2) * 512 + len(content)] = content
        table.extend([first + number + 1 for number in range(count - 1)] + [0xFFFF] * bool(count))
        following[0] += count
        return first if count else 0

    tops: dict[str, list[tuple[str, bytes]]] = {}
    for path, content in files.items():
        folder, _, name = path.rpartition("/")
        tops.setdefault(folder, []).append((name, content))
    root = b"VOLUME     \x08" + bytes(20) + b"\xe5" + bytes(31)
    for number, (folder, inside) in enumerate(tops.items()):
        listing = b"".join(
            _entries(place, name, 0x20, store(body), len(body)) for place, (name, body) in enumerate(inside)
        )
        if folder:
            dots = b".          \x10" + bytes(20) + b"..         \x10" + bytes(20)
            root += _entries(1000 + number, folder, 0x10, store(dots + listing), 0)
        else:
            root += listing
    boot = b"\xeb\x3c\x90mkfs.fat" + struct.pack("<HBHBHHBH", 512, 1, 1, 1, 512, sectors, 0xF8, fat_sectors)
    volume[: len(boot)], volume[510:512] = boot, b"\x55\xaa"
    volume[512 : 512 + 2 * len(table)] = struct.pack(f"<{len(table)}H", *table)
    volume[(1 + fat_sectors) * 512 : (1 + fat_sectors) * 512 + len(root)] = root
    return bytes(volume)


def disk_with(esp: bytes, *, root: bytes = b"root" * 512) -> bytes:
    """A disk with a GPT, an ESP and a root partition."""
    first = 2048
    last = first + len(esp) // 512 - 1
    ends = [(ESP, first, last), (b"r" * 16, last + 1, last + len(root) // 512)]
    table = b"".join(
        (kind + b"u" * 16 + struct.pack("<QQQ", begin, end, 0)).ljust(128, b"\0") for kind, begin, end in ends
    )
    header = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 2, 128, 128)
    disk = bytes(512) + header.ljust(512, b"\0") + table.ljust(128 * 128, b"\0")
    return disk.ljust(first * 512, b"\0") + esp + root + bytes(33 * 512)
