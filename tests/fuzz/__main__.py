"""Fuzz every dialect and codec for some seconds each: ``make fuzz SECONDS=60``.

The corpus of each target begins with its vectors, its real samples where they exist, and some generated rows; what
libFuzzer finds of interest is kept below ``build/fuzz`` for the next time. A finding stays there as a file, and the
exit status is 1.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import click
import zstandard

from appliance.cdr.dialects import DIALECTS
from appliance.wire import codec
from appliance.wire.batch import Batch, KeyProtection
from appliance.wire.completeness import Completeness, Receipt
from tests.fuzz.target import CODECS
from tests.support import samples, vectors
from tests.support.feeds import feed_of
from tests.support.records import account, call
from tests.support.tree import ROOT

BUILD = ROOT / "build/fuzz"
REPORT = ROOT / "docs/reference/fuzzing.md"
HEAD = """# Fuzzing

Written by `make fuzz SECONDS=… WRITE=1`; do not edit. libFuzzer (atheris) drives each dialect from bytes to encoded
records, and each codec of the wire. For any bytes: no exception but a typed refusal, each line counted once, every
record one that the receiver's decoder takes, and no five digits of the input in it.
"""
MAX_BYTES = 4096


@dataclass(frozen=True)
class Result:
    """What one target's run gave."""

    name: str
    executions: int
    corpus: int
    findings: int


def seeds(name: str) -> list[bytes]:
    """What the corpus of a target begins with."""
    if name in CODECS:
        body = codec.encode_batch(Batch(1, 1, KeyProtection.FILE, [call(1)]))
        report = codec.encode_completeness(Completeness(1, [account()]))
        texts = [zstandard.decompress(body), zstandard.decompress(report)]
        return [body, *texts, b'{"epoch":1,"sequence":1}', codec.encode_answer(Receipt(1, stored=True, newest=1))]
    files = [path.read_bytes() for path in sorted((vectors.FOLDER / name).glob("*.txt"))]
    for dialect, sample, _ in samples.expected():
        if dialect == name and (samples.SAMPLES / sample).is_file():
            files.append((samples.SAMPLES / sample).read_bytes()[: 4 * MAX_BYTES])
    return [*files, feed_of(name, rows=3, seed=1)]


def fuzz(name: str, seconds: int) -> Result:
    """Run one target."""
    folder = BUILD / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for place, seed in enumerate(seeds(name)):
        (corpus / f"seed-{place}").write_bytes(seed)
    command = [sys.executable, "-m", "tests.fuzz.target", name, str(corpus), f"-artifact_prefix={folder}/"]
    command += [f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", "-timeout=10", "-print_final_stats=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    (folder / "log").write_text(done.stdout + done.stderr, encoding="utf-8")
    executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    findings = len([path for path in folder.iterdir() if path.name.startswith(("crash-", "timeout-", "oom-"))])
    failed = done.returncode != 0 and not findings
    return Result(name, int(executed[1]) if executed else 0, len(list(corpus.iterdir())), findings + failed)


def report(results: list[Result], seconds: int) -> str:
    """Give the document."""
    day = datetime.now(UTC).date().isoformat()
    rows = [f"| `{item.name}` | {item.executions:,} | {item.corpus:,} | {item.findings} |" for item in results]
    total = sum(item.executions for item in results)
    last = f"Last run: {day}, {seconds} s a target, {total:,} executions, {sum(r.findings for r in results)} findings."
    head = "| target | executions | inputs in the corpus | findings |\n|---|---|---|---|"
    return "\n".join([HEAD, last, "", head, *rows, ""])


@click.command()
@click.option("--seconds", default=30, show_default=True)
@click.option("--only", multiple=True, type=click.Choice([*DIALECTS, *CODECS]))
@click.option("--write", is_flag=True, help="Write docs/reference/fuzzing.md.")
def main(seconds: int, only: tuple[str, ...], *, write: bool) -> None:
    """Fuzz, one target after the other."""
    results = []
    for name in only or [*DIALECTS, *CODECS]:
        results.append(fuzz(name, seconds))
        click.echo(f"{name:<26}{results[-1].executions:>12,} executions  {results[-1].findings} findings")
    if write:
        REPORT.write_text(report(results, seconds), encoding="utf-8")
    sys.exit(any(result.findings for result in results))


if __name__ == "__main__":
    main()
