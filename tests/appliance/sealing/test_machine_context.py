"""What a machine says of itself, and what counts as saying nothing."""

from pathlib import Path

import pytest

from appliance.sealing.machine_context import MachineContext, read_machine_context


def machine(root: Path, machine_id: bytes | None, product_uuid: bytes | None) -> MachineContext:
    """Ask a machine made of these two files."""
    for path, content in (("etc/machine-id", machine_id), ("sys/class/dmi/id/product_uuid", product_uuid)):
        (root / path).parent.mkdir(parents=True)
        if content is not None:
            (root / path).write_bytes(content)
    return read_machine_context(root)


def test_a_machine_says_who_it_is(tmp_path: Path) -> None:
    """In lower case, without the newline."""
    context = machine(tmp_path, b"0123456789abcdef0123456789abcdef\n", b"AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE\n")
    assert context == MachineContext("0123456789abcdef0123456789abcdef", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")


@pytest.mark.parametrize(
    ("machine_id", "product_uuid"),
    [
        (None, None),
        (b"", b""),
        (b"uninitialized\n", b"Not Settable"),
        (b"0" * 32, b"00000000-0000-0000-0000-000000000000"),
        (b"\xff" * 32, b"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
    ],
)
def test_what_many_machines_say_is_nothing(
    tmp_path: Path, machine_id: bytes | None, product_uuid: bytes | None
) -> None:
    """Missing, empty, a placeholder, all zeros or all ones."""
    assert machine(tmp_path, machine_id, product_uuid) == MachineContext(None, None)
