"""Commands of an administrator's decisions: ``appliance list``, ``alarms``, ``approve``, ``release``, ``revoke``."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import click

from receiver.cli.steps import TENANT, as_operator, print_lines, run, tenant_id
from receiver.domain.appliance_view import ApplianceView
from receiver.domain.fleet_rules import RevocationReason
from receiver.domain.security_event import SecurityEvent
from receiver.factory import ProcessContext
from receiver.services.fleet import Fleet, Released

T = TypeVar("T")
_NAME = click.argument("name")


@click.command("list")
@TENANT
@click.pass_obj
def list_appliances(state: Path, tenant: str) -> None:
    """List the appliances: name, state, key protection, certificate's end, last delivery, what is open.

    The state is active, quarantined or revoked; with "returning" the appliance waits for `approve`, and with
    "copy" one of its certificates is quarantined.
    """

    async def show(fleet: Fleet) -> list[ApplianceView]:
        return await fleet.list_all()

    print_lines([_line_of(view) for view in _decide(state, tenant, show)])


@click.command()
@TENANT
@click.option("--all", "everything", is_flag=True, help="Show settled alarms and decisions too.")
@click.pass_obj
def alarms(state: Path, tenant: str, *, everything: bool) -> None:
    """List the open alarms, newest first: time, appliance, kind, facts.

    An alarm stays open until `release` or `revoke` decides about its appliance.
    """

    async def show(fleet: Fleet) -> list[SecurityEvent]:
        return await fleet.events()

    events = [event for event in _decide(state, tenant, show) if everything or event.open]
    print_lines([_event_line(event) for event in events])


@click.command()
@TENANT
@_NAME
@click.pass_obj
def approve(state: Path, tenant: str, name: str) -> None:
    """Let appliance NAME come back, whose certificate ended while it was off.

    Make sure first that the machine that asks is yours: it asks by itself, about once an hour.
    """

    async def decide(fleet: Fleet) -> None:
        await fleet.approve(name)

    _decide(state, tenant, decide)
    click.echo("approved: the appliance fetches its certificate by itself")


@click.command()
@TENANT
@_NAME
@click.pass_obj
def release(state: Path, tenant: str, name: str) -> None:
    """Decide that the quarantined machine is the right one of appliance NAME.

    Its certificates work again, and ALL OTHERS of the appliance are revoked: of two machines with one identity only
    one may go on. If the quarantined machine is the copy, use `revoke --copy` instead.
    """

    async def decide(fleet: Fleet) -> Released:
        return await fleet.release(name)

    outcome = _decide(state, tenant, decide)
    click.echo(f"{outcome.released} certificates released, {outcome.revoked} others revoked")


@click.command()
@TENANT
@_NAME
@click.option("--copy", is_flag=True, help="Only what is quarantined; the rest of the appliance goes on.")
@click.option(
    "--reason",
    type=click.Choice([reason.value for reason in RevocationReason]),
    default=RevocationReason.UNSPECIFIED.value,
    show_default=True,
    help="Kept with the event.",
)
@click.pass_obj
def revoke(state: Path, tenant: str, name: str, *, copy: bool, reason: str) -> None:
    """Revoke appliance NAME: from the next request on nothing is taken from it.

    What it could not deliver stays in its buffer. It comes back with `invite` only.
    """

    async def decide(fleet: Fleet) -> int:
        if copy:
            return await fleet.revoke_copy(name, reason=RevocationReason(reason))
        return await fleet.revoke(name, reason=RevocationReason(reason))

    click.echo(f"{_decide(state, tenant, decide)} certificates revoked")


def _decide(state: Path, tenant: str, step: Callable[[Fleet], Awaitable[T]]) -> T:
    async def work(context: ProcessContext) -> T:
        async with context.fleet(await tenant_id(context, tenant)) as fleet:
            return await step(fleet)

    return run(as_operator(state, work))


def _line_of(view: ApplianceView) -> str:
    marks = [view.state.value]
    if view.waits_for_approval:
        marks.append("returning")
    if view.quarantined_certificates:
        marks.append("copy")
    open_alarms = ",".join(dict.fromkeys(view.open_alarms)) or "-"
    protection = "-" if view.key_protection is None else view.key_protection.value
    fields = [protection, _time(view.certificate_expires_at), _time(view.last_seen_at), open_alarms]
    return "\t".join([view.name, "+".join(marks), *fields])


def _event_line(event: SecurityEvent) -> str:
    facts = " ".join(f"{name}={value}" for name, value in sorted(event.facts.items())) or "-"
    return "\t".join([_time(event.at), event.appliance, event.kind.value, facts])


def _time(instant: datetime | None) -> str:
    return "-" if instant is None else f"{instant:%Y-%m-%dT%H:%M:%SZ}"
