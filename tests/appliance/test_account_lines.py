"""An account in words: both sums, every gap, and what is wrong with it."""

from datetime import timedelta

from appliance.cli.account_lines import account_line
from appliance.wire.completeness import Gap, GapCause
from tests.support.records import START, account


def test_an_account_is_one_line_with_both_sums() -> None:
    """Every term that is not 0, in the glossary's words."""
    assert account_line(account()) == (
        "2026-10-20 main: read 12 = recorded 9 + quarantined 1 + ignored 1 + held 1; "
        "recorded 9 = waiting 2 + acknowledged 3 + duplicate 1 + refused 1 + set aside 1 + lost 1"
    )


def test_what_is_nothing_is_left_out() -> None:
    """Of a good day two sums remain."""
    good = {"quarantined": 0, "ignored": 0, "held": 0, "waiting": 0, "duplicate": 0, "refused": 0}
    quiet = account(read=9, acknowledged=9, set_aside=0, lost=0, **good)
    assert account_line(quiet) == "2026-10-20 main: read 9 = recorded 9; recorded 9 = waiting 0 + acknowledged 9"


def test_gaps_say_when_and_how_many_and_why() -> None:
    """Also where nobody knows how many."""
    line = account_line(
        account(
            gaps=[
                Gap(START, START + timedelta(minutes=5), 12, GapCause.BUFFER_FULL),
                Gap(START, START, None, GapCause.DISCONNECTED),
            ]
        )
    )
    assert line.endswith(
        "; gap 2026-10-20 08:00:00 to 2026-10-20 08:05:00 UTC, about 12 records (buffer full)"
        "; gap 2026-10-20 08:00:00 to 2026-10-20 08:00:00 UTC, an unknown number of records (disconnected)"
    )


def test_an_imbalance_and_a_broken_chain_are_shouted() -> None:
    """With how much is unaccounted for, either way."""
    line = account_line(account(read=13, waiting=3, chain_broken=2))
    assert line.endswith(
        "; batches were taken out or altered 2 times; DOES NOT BALANCE: 1 lines and -1 records unaccounted for"
    )
