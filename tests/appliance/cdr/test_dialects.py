"""The registry of dialects."""

import pytest

from appliance.cdr.dialects import DIALECTS, find_dialect
from appliance.errors import UnknownDialectError


def test_every_dialect_is_found_by_its_name() -> None:
    """And tells the installer what it is."""
    assert DIALECTS
    for name, dialect in DIALECTS.items():
        assert find_dialect(name) is dialect
        assert dialect.name == name
        assert dialect.transports
        assert all((dialect.description, dialect.identity, dialect.inherent_loss, dialect.manual))


def test_an_unknown_name_is_refused() -> None:
    """With the code that the command line shows."""
    with pytest.raises(UnknownDialectError) as caught:
        find_dialect("asterisk_sql")
    assert caught.value.code == "dialect_unknown"
