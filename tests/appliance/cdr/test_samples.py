"""Every row of every real sample is a record, a known non-record, or refused for a reason that can be defended."""

from typing import Any

import pytest

from tests.support import samples

EXPECTED = samples.expected()


def test_a_refusal_is_defended() -> None:
    """Where a sample's rows are refused, the table says why."""
    assert EXPECTED
    for _, name, table in EXPECTED:
        assert bool(table["quarantined"]) == bool(table.get("defence")), name


@pytest.mark.skipif(not samples.SAMPLES.is_dir(), reason="the real samples are not part of the project")
@pytest.mark.parametrize(("dialect", "name", "table"), EXPECTED, ids=lambda item: str(item)[:50])
def test_sample(dialect: str, name: str, table: dict[str, Any]) -> None:
    """The counts are those of docs/reference/dialects.md."""
    made = samples.counted(dialect, samples.SAMPLES / name, table)
    assert made == {key: table[key] for key in made}
