"""The real samples beside the project, and what each gives: ``tests/testdata/cdr/DIALECT/samples.json``.

``{"file name": {"site": …, "layout": …, "now": …,          # as in a vector, each optional
"records": count, "quarantined": {"reason": count}, "ignored": count, "defence": "why those are refused"}}``
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support import vectors
from tests.support.tree import ROOT

SAMPLES = ROOT.parent / "shared" / "cdr-samples"


def expected() -> list[tuple[str, str, dict[str, Any]]]:
    """Each (dialect, file name, expectation)."""
    found = []
    for path in sorted(vectors.FOLDER.glob("*/samples.json")):
        table = json.loads(path.read_text(encoding="utf-8"))
        found += [(path.parent.name, name, table[name]) for name in table]
    return found


def counted(dialect: str, file: Path, setup: dict[str, Any]) -> dict[str, Any]:
    """What a file gives, in counts."""
    made = vectors.outcome(dialect, file.read_bytes(), setup)
    reasons = Counter(made["quarantined"].values())
    return {
        "records": len(made["records"]),
        "quarantined": dict(sorted(reasons.items())),
        "ignored": made["ignored"],
    }
