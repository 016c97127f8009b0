"""A TPM for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.swtpm import Swtpm
from tests.support.tpm_sealing import left_behind


@pytest.fixture
def tpm(tmp_path: Path) -> Iterator[Swtpm]:
    """A software TPM that nobody has used before, switched on."""
    with Swtpm(tmp_path / "tpm") as running:
        yield running


@pytest.fixture
def clean_tpm(tpm: Swtpm) -> Iterator[Swtpm]:
    """The same; and in the end no session and no object is in it, whatever went wrong in the test."""
    yield tpm
    if tpm.running:
        assert left_behind(tpm) == []
