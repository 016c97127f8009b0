"""A TPM for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.swtpm import Swtpm


@pytest.fixture
def tpm(tmp_path: Path) -> Iterator[Swtpm]:
    """A software TPM that nobody has used before, switched on."""
    with Swtpm(tmp_path / "tpm") as running:
        yield running
