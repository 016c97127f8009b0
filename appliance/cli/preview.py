"""``natalia-appliance preview``: exactly what would leave the site, without a network or a buffer."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from appliance.cdr.dialect import Framer
from appliance.cdr.dialects import find_dialect
from appliance.cdr.zone_check import fitting_zones
from appliance.clock import SystemClock
from appliance.daemon import open_translator
from appliance.intake import Translation, Translator
from appliance.ports import SecretBytes
from appliance.settings import SiteSettings, candidate_zones, default_site, load_site, read_secret_file
from appliance.sources.whole_file import read_lines
from appliance.wire.codec import encode_lines

THROW_AWAY_BYTES: Final = 32
FEED: Final = "preview"
MAX_ZONES: Final = 5
"""How many zones are proposed; those of the site's country come first."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dialect", required=True, help="How the PBX wrote the file; see `natalia-appliance dialects`.")
@click.option("--site", type=click.Path(path_type=Path), help="SITE.toml; without it UTC and Belgian numbering.")
@click.option(
    "--tenant-secret-file",
    type=click.Path(path_type=Path),
    help="At least 32 bytes, used as they are; without it a throw-away secret.",
)
@click.option("--summary-json", type=click.Path(path_type=Path), help="Write the counts as JSON.")
def preview(
    file: Path, dialect: str, site: Path | None, tenant_secret_file: Path | None, summary_json: Path | None
) -> None:
    """Show what would leave the site: one JSON record a line, in the wire form, on stdout.

    On stderr a summary and, for each refused line, its number and reason code, never its content.
    """
    place = load_site(site) if site else default_site()
    secret = read_secret_file(tenant_secret_file) if tenant_secret_file else SecretBytes(os.urandom(THROW_AWAY_BYTES))
    translator = open_translator(dialect, site=place, secret=secret, feed=FEED, layout=place.layout)
    if site is None:
        click.echo("note: no --site given; times are read as UTC and numbers by the Belgian plan", err=True)
    summary = _Summary()
    for translation, lines in _translate(translator, file, find_dialect(dialect).framer):
        summary.add(translation, lines)
    summary.print()
    zone = _zone(translator, place)
    if summary_json:
        counts = summary.as_dict() | {"zone": zone}
        summary_json.write_bytes(msgspec.json.format(msgspec.json.encode(counts)) + b"\n")


def _translate(
    translator: Translator, file: Path, framer: Callable[[int], Framer]
) -> Iterable[tuple[Translation, dict[int, int]]]:
    """Translate the file and write its records; give each translation with the line number of each offset."""
    clock = SystemClock()
    count = 0
    numbers: dict[int, int] = {}
    for lines in read_lines(file, framer):
        numbers |= {line.offset: place for place, line in enumerate(lines, start=count + 1)}
        count += len(lines)
        translation = translator.translate(lines, now=clock.now())
        sys.stdout.buffer.write(encode_lines(translation.calls))
        yield translation, numbers
        numbers = {line.offset: numbers[line.offset] for line in translator.held()}
    last = translator.finish()
    sys.stdout.buffer.write(encode_lines(last.calls))
    yield last, numbers
    sys.stdout.buffer.flush()


def _zone(translator: Translator, place: SiteSettings) -> dict[str, Any]:
    """Say what the records' epochs tell of the site's time zone, and on stderr if it is another."""
    check = translator.zone_check
    finding = check.finding() if check else None
    report: dict[str, Any] = {"configured": str(place.zone), "fits": finding.fits if finding else None, "would_fit": []}
    if check and finding and finding.fits is False:
        report["would_fit"] = fitting_zones(check.samples, candidate_zones(place.site.country))[:MAX_ZONES]
        click.echo(
            f"warning: the times do not fit {place.zone}: by the epochs in {finding.samples} records they are off by"
            f" {' and '.join(f'{offset / 3600:+g} h' for offset in finding.offsets_seconds)};"
            f" {', '.join(report['would_fit']) or 'no zone'} would fit",
            err=True,
        )
    return report


class _Summary:
    """Counts of one file."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._by_reason: Counter[str] = Counter()

    def add(self, translation: Translation, numbers: dict[int, int]) -> None:
        for line in translation.quarantined:
            click.echo(f"line {numbers[line.offset]}: {line.reason}", err=True)
            self._by_reason[line.reason] += 1
        self._counts["records"] += len(translation.calls)
        self._counts["quarantined"] += len(translation.quarantined)
        self._counts["ignored"] += translation.ignored

    def as_dict(self) -> dict[str, Any]:
        """The form of ``--summary-json``."""
        counts = {name: self._counts[name] for name in ("records", "quarantined", "ignored")}
        return {"lines": sum(counts.values()), **counts, "by_reason": dict(sorted(self._by_reason.items()))}

    def print(self) -> None:
        counts = self.as_dict()
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts["by_reason"].items())
        click.echo(
            f"{counts['lines']} lines: {counts['records']} records, {counts['quarantined']} quarantined"
            f"{f' ({reasons})' if reasons else ''}, {counts['ignored']} ignored",
            err=True,
        )
