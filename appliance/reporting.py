"""Use case: tell the receiver what is known of completeness, so that a call that never came is missed there too.

An account is told when it has changed, and until it was told. What was told is kept in memory: after a start every
account is told once, which also puts a receiver right that was restored from a copy. Reports go their own way, so that
none holds up a batch; the numbers that order them are agreed with the receiver.

Retention: an account that balances, was told and is older than ``KEPT_DAYS`` is forgotten here; one that does not
balance stays, to be looked at.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Protocol

from tenacity import AsyncRetrying, retry_if_exception_type

from appliance.errors import ApplianceError, RetryableError, UplinkError, UplinkUnavailableError
from appliance.policy.back_off import RetryAfter
from appliance.ports import CallBuffer, Clock, OnBufferThread, Uplink
from appliance.wire.codec import is_reportable
from appliance.wire.completeness import Account, Completeness
from appliance.wire.limits import MAX_ACCOUNTS_PER_REPORT

KEPT_DAYS: Final = 35
"""A month and some days to ask about it."""


class ReportState(Protocol):
    """Hears how reporting goes."""

    def reported(self) -> None:
        """The receiver knows all that is to be told."""
        ...

    def unreported(self, error: ApplianceError) -> None:
        """The receiver did not take a report."""
        ...


class Reporting:
    """Tells what has changed."""

    def __init__(
        self, *, buffer: CallBuffer, uplink: Uplink, on_buffer_thread: OnBufferThread, clock: Clock, heard: ReportState
    ) -> None:
        """Tell ``buffer``'s accounts over ``uplink``; ``heard`` is told how it went."""
        self._buffer = buffer
        self._uplink = uplink
        self._run = on_buffer_thread
        self._clock = clock
        self._heard = heard
        self._number = 0
        self._told: dict[tuple[str, str], Account] = {}

    async def step(self) -> None:
        """Tell all that has changed, however long that takes, and forget what need not be kept.

        A report that is refused for good is not sent again before one of its accounts changes.

        Raises:
            BufferUnusableError: the buffer must be reopened.
        """
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(RetryableError),
            wait=RetryAfter(),
            sleep=self._clock.sleep,
            reraise=True,
        ):
            with attempt:
                try:
                    await self.tell_changes()
                except RetryableError as error:
                    self._heard.unreported(error)
                    raise

    async def tell_changes(self) -> None:
        """Do what ``step`` does, with one try.

        Raises:
            RetryableError: the receiver could not be told.
            BufferUnusableError: the buffer must be reopened.
        """
        accounts = await self._run(self._buffer.accounts)
        changed = [account for account in accounts if self._told.get(_place(account)) != account]
        sound = [account for account in changed if is_reportable(account)]
        for start in range(0, len(sound), MAX_ACCOUNTS_PER_REPORT):
            await self._tell(sound[start : start + MAX_ACCOUNTS_PER_REPORT])
        await self._forget_settled(accounts)

    async def _tell(self, accounts: Sequence[Account]) -> None:
        try:
            await self._send(accounts)
            self._heard.reported()
        except UplinkError as error:
            self._heard.unreported(error)
        self._told |= {_place(account): account for account in accounts}

    async def _send(self, accounts: Sequence[Account]) -> None:
        """Send under the next number; a receiver that holds a higher one names it, and gets the one after that."""
        for _ in range(2):
            receipt = await self._uplink.report(Completeness(self._number + 1, list(accounts)))
            self._number = max(self._number + 1, receipt.newest)
            if receipt.stored:
                return
        raise UplinkUnavailableError("the receiver takes other reports of this appliance")

    async def _forget_settled(self, accounts: Sequence[Account]) -> None:
        oldest = (self._clock.now() - timedelta(days=KEPT_DAYS)).date().isoformat()
        settled = [
            account
            for account in accounts
            if account.day < oldest and account.balanced and not account.waiting and self._is_told(account)
        ]
        if settled:
            await self._run(self._buffer.drop_accounts, settled)
        self._told = {_place(account): account for account in accounts if self._is_told(account)}

    def _is_told(self, account: Account) -> bool:
        return self._told.get(_place(account)) == account


def _place(account: Account) -> tuple[str, str]:
    return account.feed, account.day
