"""The allow-list, written a second time: whatever is added to a wire type must be added here, knowingly."""

from enum import StrEnum

import msgspec
import pytest

from appliance.wire.batch import Batch, HighWater, KeyProtection, Refusal, RefusalCode, Verdict
from appliance.wire.call import Call, Category, Direction, Disposition, Party
from appliance.wire.completeness import Account, Completeness, Gap, GapCause, ReasonCount, Receipt
from appliance.wire.limits import MAX_CLEAR_DIGITS
from appliance.wire.problem import Problem

FIELDS: dict[type[msgspec.Struct], str] = {
    Batch: "epoch sequence key_protection records",
    Call: (
        "event_id call_id leg started_at answered_at ended_at ring_seconds talk_seconds total_seconds direction "
        "disposition calling called forwarded_to feed dialect key_version"
    ),
    Party: "category pseudonym clear_digits",
    HighWater: "epoch sequence",
    Refusal: "index code",
    Verdict: "epoch sequence accepted duplicate refused high_water",
    Completeness: "number accounts",
    Account: (
        "feed day read recorded quarantined ignored held waiting acknowledged duplicate refused set_aside lost "
        "chain_broken reasons gaps"
    ),
    ReasonCount: "kind reason records",
    Gap: "began_at ended_at records cause",
    Receipt: "number stored newest",
    Problem: "type title status code detail hint",
}
VALUES: dict[type[StrEnum], str] = {
    GapCause: "buffer_full disconnected sequence_gap torn too_long",
    Category: "external internal emergency short service withheld uri unknown",
    Direction: "inbound outbound internal transit unknown",
    Disposition: "answered no_answer busy failed congestion unknown",
    KeyProtection: "file tpm tpm_measured_boot",
    RefusalCode: "time_order time_out_of_range party_inconsistent feed_unknown",
}


@pytest.mark.parametrize(("kind", "names"), FIELDS.items())
def test_a_type_has_these_fields_and_no_other(kind: type[msgspec.Struct], names: str) -> None:
    """Nothing leaves the site by accident: a new field fails here before it ships."""
    assert [field.encode_name for field in msgspec.structs.fields(kind)] == names.split()


@pytest.mark.parametrize("kind", FIELDS)
def test_a_type_is_closed_and_every_field_required(kind: type[msgspec.Struct]) -> None:
    """Unknown fields are refused and no field has a default, so one value has one encoding."""
    assert kind.__struct_config__.forbid_unknown_fields
    assert kind.__struct_config__.frozen
    assert all(field.required for field in msgspec.structs.fields(kind))


@pytest.mark.parametrize(("kind", "values"), VALUES.items())
def test_an_enumeration_has_these_values(kind: type[StrEnum], values: str) -> None:
    """Published values are permanent."""
    assert [member.value for member in kind] == values.split()


def test_at_most_four_digits_can_ever_stay_clear() -> None:
    """The bound is the contract's, not a setting's."""
    assert MAX_CLEAR_DIGITS == 4
