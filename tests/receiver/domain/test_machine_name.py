"""The appliance's name in its certificate."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.domain.machine_name import MachineName, parse_appliance, parse_urn, to_urn
from receiver.errors import NameInvalidError

_TENANT = UUID("00112233-4455-6677-8899-aabbccddeeff")


@given(tenant_id=st.uuids(), name=st.from_regex(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True))
def test_a_name_survives_its_urn(tenant_id: UUID, name: str) -> None:
    """What is written into a certificate is read out of it."""
    machine = MachineName(tenant_id=tenant_id, appliance=parse_appliance(name))
    assert parse_urn(to_urn(machine)) == machine


@pytest.mark.parametrize("name", ["", "-hq", "hq-", "HQ", "hq\n", "2hq", "h_q", "a" * 64, "hq/1", "h:q", "é"])
def test_another_name_is_refused(name: str) -> None:
    """Names are DNS-like labels that begin with a letter."""
    with pytest.raises(NameInvalidError):
        parse_appliance(name)


@pytest.mark.parametrize(
    "urn",
    [
        "",
        "urn:natalia:tenant::appliance:hq",
        f"urn:natalia:tenant:{_TENANT}:appliance:",
        f"urn:natalia:tenant:{_TENANT}:appliance:hq:appliance:hr",
        f"urn:natalia:tenant:{str(_TENANT).upper()}:appliance:hq",
        "urn:natalia:tenant:------------------------------------:appliance:hq",
        f"spiffe://natalia/{_TENANT}/hq",
    ],
)
def test_another_urn_is_refused(urn: str) -> None:
    """A certificate that names something else names no appliance."""
    with pytest.raises(NameInvalidError):
        parse_urn(urn)
