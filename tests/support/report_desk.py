"""The receiver's side of completeness in memory: it implements the report part of ``ports.Uplink``."""

from appliance.errors import ApplianceError
from appliance.wire.codec import decode_completeness, encode_completeness
from appliance.wire.completeness import Account, Completeness, Receipt


class ReportDesk:
    """Keeps the newest account of each feed and day; fails as it is told, before or after it has stored a report."""

    def __init__(self, *refusals: ApplianceError) -> None:
        self.newest = 0
        self.accounts: dict[tuple[str, str], Account] = {}
        self.reports: list[Completeness] = []
        self.refusals = list(refusals)
        self.lost_answers = self.refusals[:0]

    async def report(self, report: Completeness) -> Receipt:
        """Take a report as the receiver does: whole if its number is higher than any before, else not at all."""
        if self.refusals:
            raise self.refusals.pop(0)
        sound = decode_completeness(encode_completeness(report))
        self.reports.append(sound)
        stored = sound.number > self.newest
        if stored:
            self.newest = sound.number
            self.accounts |= {(account.feed, account.day): account for account in sound.accounts}
        if self.lost_answers:
            raise self.lost_answers.pop(0)
        return Receipt(sound.number, stored, self.newest)
