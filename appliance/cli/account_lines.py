"""The account of a feed and a day in one line of plain words, for ``status`` and ``buffer stats``."""

from appliance.wire.completeness import Account, Gap


def account_line(account: Account) -> str:
    """Give both sums, the gaps, and whether something is unaccounted for. What is 0 is left out after the first."""
    became = _sum(account, "recorded", "quarantined", "ignored", "held")
    went = _sum(account, "waiting", "acknowledged", "duplicate", "refused", "set_aside", "lost")
    parts = [
        f"read {account.read} = {became}",
        f"recorded {account.recorded} = {went}",
        *map(_gap, account.gaps),
    ]
    if account.chain_broken:
        parts.append(f"batches were taken out or altered {account.chain_broken} times")
    if not account.balanced:
        parts.append(
            f"DOES NOT BALANCE: {account.missing_lines} lines and {account.missing_records} records unaccounted for"
        )
    return f"{account.day} {account.feed}: {'; '.join(parts)}"


def _sum(account: Account, first: str, *others: str) -> str:
    terms = [first, *(name for name in others if getattr(account, name))]
    return " + ".join(f"{name.replace('_', ' ')} {getattr(account, name)}" for name in terms)


def _gap(gap: Gap) -> str:
    records = "an unknown number of" if gap.records is None else f"about {gap.records}"
    cause = gap.cause.replace("_", " ")
    return f"gap {gap.began_at:%Y-%m-%d %H:%M:%S} to {gap.ended_at:%Y-%m-%d %H:%M:%S} UTC, {records} records ({cause})"
