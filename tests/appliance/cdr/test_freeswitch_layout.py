"""Which column is what: the shipped templates of mod_cdr_csv, headers, and what proves a layout on a row."""

import pytest

from appliance.cdr.freeswitch_layout import LAYOUTS, Fields, compile_layout, fit, header_layout

VALUES = {
    "caller_id_number": "0470112233",
    "ani": "0470112233",
    "destination_number": "201",
    "context": "default",
    "caller_id": 'Ann" <0470112233>"',
    "start_stamp": "2026-10-20 09:00:00",
    "answer_stamp": "2026-10-20 09:00:05",
    "end_stamp": "2026-10-20 09:01:05",
    "duration": "65",
    "billsec": "60",
    "hangup_cause": "NORMAL_CLEARING",
    "hangup_cause_q850": "16",
    "uuid": "99205d8f-5ec4-402e-b174-7a8bb8c23a61",
    "bleg_uuid": "02132a5c-b9b1-4dbf-b79c-bdf408854867",
    "signal_bond": "02132a5c-b9b1-4dbf-b79c-bdf408854867",
    "direction": "inbound",
    "local_ip_v4": "10.0.0.1",
}
HEAD = "caller_id_name caller_id_number destination_number context"
TIMES = "start_stamp answer_stamp end_stamp duration billsec hangup_cause"
TEMPLATES = {
    "built-in": f"{HEAD} {TIMES} uuid bleg_uuid accountcode",
    "cdr-pusher": f"{HEAD} {TIMES} hangup_cause_q850 uuid bleg_uuid accountcode",
    "example": f"{HEAD} {TIMES} uuid bleg_uuid accountcode read_codec write_codec",
    "postgresql": f"local_ip_v4 {HEAD} {TIMES} uuid bleg_uuid accountcode read_codec write_codec",
    "linksys": f"{HEAD} {TIMES} uuid bleg_uuid accountcode read_codec write_codec sip_user_agent sip_p_rtp_stat",
    "snom": f"{HEAD} {TIMES} uuid bleg_uuid accountcode read_codec write_codec sip_user_agent call_clientcode "
    "sip_rtp_rxstat sip_rtp_txstat sofia_record_file",
    "asterisk": "accountcode caller_id_number destination_number context caller_id channel_name bridge_channel "
    f"last_app last_arg {TIMES} amaflags uuid userfield",
    "opencdrrate": "uuid signal_bond direction ani destination_number answer_stamp end_stamp billsec accountcode "
    "userfield network_addr name sip_gateway_name",
}


def row_of(template: str, **changes: str) -> list[str]:
    """A row of a template, which ends in the empty column that the reader appends."""
    return [*((VALUES | changes).get(name, "x") for name in TEMPLATES[template].split()), ""]


def fitted(row: list[str]) -> list[Fields]:
    """What each of the layouts of that width reads, if it fits."""
    return [fields for layout in LAYOUTS.get(len(row) - 1, ()) if (fields := fit(layout, row)) is not None]


@pytest.mark.parametrize("template", TEMPLATES)
def test_each_shipped_template_is_known_by_one_layout(template: str) -> None:
    """And by no other of the same width."""
    row = row_of(template)
    [fields] = fitted(row)
    names = TEMPLATES[template].split()
    for name in set(names) & set(Fields._fields):
        assert getattr(fields, name) == VALUES[name], name
    assert "0470112233" in {fields.calling, fields.ani}


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("duration", ""),
        ("duration", "-1"),
        ("duration", "1:05"),
        ("billsec", "60.5"),
        ("billsec", "99999999999"),
        ("hangup_cause", "normal clearing"),
        ("hangup_cause", "Ann"),
        ("uuid", "two words"),
        ("bleg_uuid", "é"),
        ("hangup_cause_q850", "x"),
        ("local_ip_v4", "Ann"),
        ("direction", "Ann"),
        ("destination_number", '201"'),
        ("caller_id_number", ',0470112233"'),
    ],
)
def test_each_column_of_a_certain_type_proves_the_layout(template: str, column: str, text: str) -> None:
    """One that has another type, and no layout fits; a template without that column does not care."""
    fits = len(fitted(row_of(template, **{column: text})))
    assert fits == (0 if column in TEMPLATES[template].split() else 1)


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_layout_fits_a_row_that_lost_its_first_column(template: str) -> None:
    """Nor one that got another in front; whether times are times is for the reader to see."""
    row = row_of(template)
    for moved in (row[1:], ["Ann", *row], ["Ann", "0470998877", *row]):
        for fields in fitted(moved):
            assert not fields.start_stamp.startswith("2026") or fields.destination_number == "201"


@pytest.mark.parametrize(
    "names",
    [
        ["caller_id_number", "destination_number", "start_stamp"],
        ["ani", "destination_number", "end_epoch", "duration"],
        ["-", "caller_id_number", "-", "destination_number", "start_uepoch"],
    ],
)
def test_columns_that_say_who_and_when_are_a_layout(names: list[str]) -> None:
    """Whatever else there is, and wherever they stand."""
    layout = compile_layout(names)
    assert layout is not None
    assert layout.width == len(names)


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["caller_id_number", "destination_number"],
        ["caller_id_number", "start_stamp"],
        ["destination_number", "start_stamp"],
        ["caller_id_number", "destination_number", "answer_stamp"],
    ],
)
def test_columns_that_say_less_are_none(names: list[str]) -> None:
    """There must be a caller, a called party and a start or an end."""
    assert compile_layout(names) is None


def test_a_header_is_known_in_any_case_and_by_the_tables_names() -> None:
    """FusionPBX' table, whose direction is the call's, and the one of ``cdr_csv.conf.xml``."""
    fusion = header_layout(["XML_CDR_UUID", "Direction", "Caller_ID_Number", "Destination_Number", "Start_Epoch"])
    assert fusion is not None
    fields = fit(fusion, ["99205d8f", "local", "201", "202", "1792479600", ""])
    assert fields is not None
    assert (fields.uuid, fields.call_direction, fields.direction) == ("99205d8f", "local", "")
    table = header_layout(["caller_id_number", "destination_number", "start_timestamp", "end_timestamp"])
    assert table is not None
    assert fit(table, ["201", "202", "a", "b", ""]) is not None


@pytest.mark.parametrize("odd", ["", "2026-10-20 09:00:00", "Ann Peeters", '"quoted"', "0470112233"])
def test_a_row_with_anything_but_names_is_no_header(odd: str) -> None:
    """So that no caller can write one."""
    assert header_layout(["caller_id_number", "destination_number", "start_stamp", odd]) is None
