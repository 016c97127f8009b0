"""Commands that only look: ``dialects``, ``status``, ``buffer stats``."""

from pathlib import Path

import click
import msgspec

from appliance.buffer.inspection import open_stats
from appliance.cdr.dialects import DIALECTS
from appliance.cli.account_lines import account_line
from appliance.cli.anchor_words import PROTECTION_WORDS, key_sentence, why_sentences
from appliance.cli.settings_option import with_settings, with_state_directory
from appliance.clock import SystemClock
from appliance.errors import BufferUnusableError
from appliance.ports import BufferStats
from appliance.sealing.secrets_status import SecretsStatus, read_secrets_status
from appliance.settings import Settings
from appliance.status import FeedStatus, Status, read_status

AS_JSON = click.option("--json", "as_json", is_flag=True, help="For machines.")
NO_ESCROW = "none was made: a lost TPM or disk would lose the tenant's secret for good; see `natalia-appliance escrow`"


@click.command()
def dialects() -> None:
    """List the dialects: what they read, how it arrives, what identifies a record, which loss the feed can have."""
    for dialect in DIALECTS.values():
        click.echo(dialect.name)
        for label, text in (
            ("reads", dialect.description),
            ("arrives by", ", ".join(dialect.transports)),
            ("identity", dialect.identity),
            ("loss before us", dialect.inherent_loss),
            ("manual", dialect.manual),
            ("layout", ", ".join(sorted(dialect.options)) or "nothing to declare"),
        ):
            click.echo(f"  {label + ':':<16}{text}")


@click.command()
@with_state_directory
@AS_JSON
def status(directory: Path, *, as_json: bool) -> None:
    """Say how the appliance is: link, feeds, buffer, certificate."""
    report = read_status(directory)
    if as_json:
        whole = msgspec.to_builtins(report) | {"secrets": read_secrets_status(directory)}
        click.echo(msgspec.json.format(msgspec.json.encode(whole)).decode())
        return
    for label, text in _status_lines(report, read_secrets_status(directory)):
        click.echo(f"{label:<14}{text}")


@click.group()
def buffer() -> None:
    """Look into the encrypted buffer."""


@buffer.command()
@with_settings
@AS_JSON
def stats(settings: Settings, *, as_json: bool) -> None:
    """Count what waits, what was set aside, and what went through."""
    counts = _stats(settings)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(counts)).decode())
        return
    for line in _stats_lines(counts):
        click.echo(line)


def _stats(settings: Settings) -> BufferStats:
    """From the database, or, while the appliance runs and holds it, from the appliance's own report."""
    directory = settings.appliance.state_directory
    try:
        return open_stats(directory / "buffer.db", cap_bytes=settings.buffer.cap_mib * 2**20)
    except BufferUnusableError:
        if not (directory / "buffer.db").exists():
            raise
        return read_status(directory).buffer


def _status_lines(report: Status, secrets: SecretsStatus) -> list[tuple[str, str]]:
    age = int((SystemClock().now() - report.written_at).total_seconds())
    lines = [
        ("appliance", f"{report.appliance} (tenant {report.tenant}), version {report.version}"),
        ("reported", f"{age} s ago, running since {report.started_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("key anchor", PROTECTION_WORDS[report.key_protection]),
        *(("not higher", sentence) for sentence in why_sentences(secrets.why_not_higher)),
        ("escrow", _time(secrets.escrow_made_at) if secrets.escrow_made_at else NO_ESCROW),
        (
            "certificate",
            f"until {_time(report.certificate.valid_until)}. {key_sentence(in_tpm=report.certificate.key_in_tpm)}",
        ),
        ("last renewal", _time(report.certificate.renewed_at)),
        ("next renewal", f"{_time(report.certificate.planned_at)}{_because(report.certificate.last_problem)}"),
        ("receiver", f"{report.link.receiver}: {report.link.state}{_because(report.link.last_problem)}"),
        ("last contact", _time(report.link.last_contact_at)),
        (
            "completeness",
            f"reported {_time(report.completeness.last_reported_at)}{_because(report.completeness.last_problem)}",
        ),
    ]
    lines += [
        (
            f"feed {feed.feed}",
            f"{feed.dialect}: {feed.state}, last read {_time(feed.last_read_at)}{_zone(feed)}{_files(feed)}",
        )
        for feed in report.feeds
    ]
    return lines + [("buffer", line) for line in _stats_lines(report.buffer)]


def _stats_lines(counts: BufferStats) -> list[str]:
    lines = [
        f"{counts.records} records in {counts.batches} batches wait ({counts.sealed_bytes} bytes sealed)",
        f"file {counts.file_bytes} of at most {counts.cap_bytes} bytes, epoch {counts.epoch}",
    ]
    lines += [f"set aside: {item.records} ({item.kind}, {item.reason})" for item in counts.quarantine]
    for tally in counts.tallies:
        if not tally.feed:
            lines += [f"whole buffer: {kind} {count}" for kind, count in sorted(tally.counts.items())]
    return lines + [account_line(account) for account in counts.accounts]


def _time(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "never"


def _zone(feed: FeedStatus) -> str:
    """Say if the feed's times are of another zone than the site's."""
    if feed.zone_fits is not False:
        return ""
    return f"; its times do not fit site.timezone, {' or '.join(feed.zones_that_fit) or 'and no zone'} would fit"


def _files(feed: FeedStatus) -> str:
    """Say which files could not be read, or not to their end."""
    return "".join(f"; {problem} {count}" for problem, count in sorted(feed.file_problems.items()))


def _because(problem: str | None) -> str:
    return f" ({problem})" if problem else ""
