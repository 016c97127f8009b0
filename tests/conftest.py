"""What holds for every test: how many examples a property gets, and that no list of cases is empty."""

import pytest
from hypothesis import HealthCheck, settings

# No deadline: a busy machine is no failure, and no assertion is timed.
settings.register_profile("default", max_examples=60, deadline=None, print_blob=True)
settings.register_profile(
    "slow", max_examples=5_000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)


def pytest_configure(config: pytest.Config) -> None:
    """Give properties many more examples where the long forms are asked for (``-m slow``)."""
    settings.load_profile("slow" if config.getoption("markexpr") == "slow" else "default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a parametrisation without cases: pytest would skip it, and a glob that finds nothing would look green."""
    empty = [
        item.nodeid
        for item in items
        if any("empty parameter set" in _reason(mark) for mark in item.iter_markers("skip"))
    ]
    if empty:
        raise pytest.UsageError(f"no cases for {', '.join(empty)}")


def _reason(mark: pytest.Mark) -> str:
    return str(mark.kwargs.get("reason", ""))
