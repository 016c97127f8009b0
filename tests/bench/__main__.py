"""Print the table and write ``build/bench/summary.json``."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from appliance.cdr.dialects import DIALECTS
from tests.bench.backlog import bench_backlog
from tests.bench.commits import bench_commits
from tests.bench.dialects import bench_dialects
from tests.bench.edge import bench_edge_way, bench_preview
from tests.bench.enrollment import bench_enrollment
from tests.bench.figure import Figure
from tests.bench.ingest import bench_ingest
from tests.bench.machine_tls import bench_machine_tls
from tests.bench.sealing import bench_sealing
from tests.bench.system import bench_system
from tests.bench.tpm_handshake import bench_tpm_handshake

BENCHES: dict[Callable[[str | None], Iterator[Figure]], tuple[str, ...]] = {
    bench_dialects: tuple(f"dialect.{name}" for name in DIALECTS),
    bench_preview: ("preview",),
    bench_edge_way: ("edge_way", "edge_way_wall", "bytes_on_disk_per_record"),
    bench_commits: (
        *("commit_encrypted_over_plain", "commit_encrypted_over_plain_100"),
        *("commit_full_over_normal", "commit_single_over_fsync"),
    ),
    bench_backlog: ("resident_mb_backlog", "resident_mb_at_half", "resident_mb_at_whole", "bytes_on_disk_backlog"),
    bench_system: ("full_way", "idle_core_share"),
    bench_ingest: ("ingest_end_to_end",),
    bench_sealing: ("seal", "unseal"),
    bench_enrollment: ("enroll", "enroll_tpm"),
    bench_tpm_handshake: ("tls_handshake_tpm_over_software",),
    bench_machine_tls: ("renew", "tls_handshake"),
}


@click.command()
@click.option("--only", type=click.Choice([name for names in BENCHES.values() for name in names]))
def main(only: str | None) -> None:
    """Measure everything, or the one figure asked for."""
    figures = []
    click.echo(f"{'figure':<30}{'value':>14}  {'unit':<28}{'limit':>14}  {'ratio':>7}  limit is")
    for bench, names in BENCHES.items():
        if only and only not in names:
            continue
        for figure in bench(only):
            if only in (None, figure.name):
                figures.append(figure)
                click.echo(
                    f"{figure.name:<30}{figure.value:>14,.3f}  {figure.unit:<28}{figure.limit_value:>14,.3f}"
                    f"  {figure.ratio:>7.3f}  {figure.limit_name}"
                )
    target = Path(__file__).resolve().parents[2] / "build/bench/summary.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps([figure.as_row() for figure in figures], indent=2) + "\n", encoding="utf-8")


main()
