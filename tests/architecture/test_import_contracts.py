"""Each wall of the house can be seen to fall: a miniature of the house breaks one contract at a time.

The miniature is made from ``.importlinter`` itself: one empty module for each layer, and the imports that the
contracts allow. It keeps every contract; with one planted line it breaks the named ones and no other.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from importlinter.api import read_configuration

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / ".importlinter"

SEES_WIRE = "Of the appliance, the receiver sees only the wire contract"
KNOWS_NO_RECEIVER = "The appliance knows nothing of the receiver"
LEAF = "wire is a leaf without I/O or frameworks"
APPLIANCE_LAYERS = "appliance layers"
PURE = "Functional core and use cases of the appliance do no I/O"
RECEIVER_LAYERS = "receiver layers"
DOMAIN = "The receiver's domain and ports do no I/O"
SQL = "SQL lives in schema and storage"
HTTP = "FastAPI lives at the edge"
TLS = "One door per dangerous module: TLS"
TPM = "One door to the TPM"
SUBPROCESS = "No shipped module starts a program through subprocess"
CYCLE = "No import cycles between siblings"
STORAGE = "Only services (and the wiring) touch storage"

ALLOWED = {
    "appliance.cdr.content": "import appliance.wire.content, appliance.errors",
    "appliance.tls_context": "import ssl",
    "receiver.tls_context": "import ssl",
    "receiver.schema.content": "import sqlalchemy",
    "receiver.storage.content": "import alembic",
    "receiver.handlers.content": "import fastapi, starlette\nfrom appliance.wire.content import x",
    "receiver.services.content": "import receiver.storage.content",
    "appliance.sealing.vtpm.content": "import tpm2_pytss",
    "appliance.buffer.content": "import sqlite3, os, pathlib",
    "appliance.cli.content": "import appliance.daemon",
}
"""What the walls let through; the protected packages must be imported by somebody to be in the graph."""
MODULES = {"__main__", "daemon", "intake", "delivery", "renewal", "status", "tls_context", "settings", "ports"}
MODULES |= {"errors", "clock", "app"}


@dataclass(frozen=True, slots=True)
class Violation:
    """One line in one module, and the contracts that it breaks."""

    module: str
    line: str
    breaks: frozenset[str]

    def __str__(self) -> str:
        """Name the case."""
        return f"{self.module}: {self.line or 'exists'}"


def _breaks(module: str, line: str, *contracts: str) -> Violation:
    return Violation(module, line, frozenset(contracts))


VIOLATIONS = [
    _breaks("receiver.services.content", "import appliance.errors", SEES_WIRE),
    _breaks("receiver.domain.content", "import appliance.pseudonymization.content", SEES_WIRE),
    _breaks("receiver.cli", "import appliance", SEES_WIRE),
    _breaks("appliance.daemon", "from receiver import errors", KNOWS_NO_RECEIVER),
    _breaks("appliance.daemon", "import receiver.clock", KNOWS_NO_RECEIVER),
    _breaks("appliance.wire.content", "import os", LEAF, PURE),
    _breaks("appliance.wire.content", "import appliance.errors", LEAF),
    _breaks("appliance.wire.content", "import time", LEAF, PURE),
    _breaks("appliance.buffer.content", "import appliance.uplink.content", APPLIANCE_LAYERS),
    _breaks("appliance.settings", "import appliance.daemon", APPLIANCE_LAYERS),
    _breaks("appliance.cdr.content", "import appliance.numbering.content", APPLIANCE_LAYERS),
    _breaks("appliance.junk", "", APPLIANCE_LAYERS),
    _breaks("appliance.cdr.content", "import os", PURE),
    _breaks("appliance.intake", "import sqlite3", PURE),
    _breaks("appliance.delivery", "from time import sleep", PURE),
    _breaks("appliance.pseudonymization.content", "import secrets", PURE),
    _breaks("appliance.policy.content", "import random", PURE),
    _breaks("appliance.errors", "import pathlib", PURE),
    _breaks("receiver.domain.content", "import receiver.services.content", RECEIVER_LAYERS),
    _breaks("receiver.errors", "import receiver.clock", RECEIVER_LAYERS),
    _breaks("receiver.junk", "", RECEIVER_LAYERS),
    _breaks("receiver.domain.content", "import os", DOMAIN),
    _breaks("receiver.services.content", "import sqlalchemy", SQL),
    _breaks("receiver.handlers.content", "from sqlalchemy import text", SQL),
    _breaks("receiver.services.content", "from alembic import op", SQL),
    _breaks("receiver.services.content", "import fastapi", HTTP),
    _breaks("receiver.settings", "from fastapi import Request", HTTP),
    _breaks("receiver.storage.content", "from starlette.requests import Request", HTTP),
    _breaks("receiver.ports", "from pathlib import Path", DOMAIN),
    _breaks("appliance.uplink.content", "import ssl", TLS),
    _breaks("receiver.app", "from ssl import SSLContext", TLS),
    _breaks("appliance.sealing.content", "import tpm2_pytss", TPM),
    _breaks("receiver.domain.content", "from tpm2_pytss import ESAPI", TPM),
    _breaks("receiver.storage.content", "import subprocess", SUBPROCESS),
    _breaks("appliance.daemon", "from multiprocessing import Process", SUBPROCESS),
    _breaks("appliance.buffer.other", "import appliance.buffer.content", CYCLE),
    _breaks("receiver.handlers.content", "import receiver.storage.content", STORAGE),
]


def test_the_miniature_house_keeps_every_contract_and_each_violation_breaks_its_own(tmp_path: Path) -> None:
    """A planted line breaks exactly the contracts that it is meant to break."""
    trees = [_build(tmp_path / "clean", None)]
    trees += [_build(tmp_path / f"house{place}", violation) for place, violation in enumerate(VIOLATIONS)]
    clean, *broken = _lint(trees)
    assert clean == []
    pairs = zip(VIOLATIONS, broken, strict=True)
    assert {str(violation): names for violation, names in pairs if violation.breaks != set(names)} == {}


def test_every_contract_has_a_violation() -> None:
    """A contract without a case in the table above is one that nobody has seen fail."""
    names = {contract["name"] for contract in read_configuration(str(CONFIG))["contracts_options"]}
    assert names == frozenset().union(*(violation.breaks for violation in VIOLATIONS))


def test_the_house_keeps_every_contract() -> None:
    """The product's own packages break none."""
    assert _lint([ROOT]) == [[]]


def _lint(trees: list[Path]) -> list[list[str]]:
    """Check the trees in one process of its own, which has not imported the product."""
    command = [sys.executable, "-m", "tests.support.import_contracts", str(CONFIG), *map(str, trees)]
    # It runs nothing of the product, and under a tracer the linter's own threads have been seen to wait for ever.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stderr.splitlines()[-1])
    results: list[list[str]] = json.loads(done.stdout.splitlines()[-1])
    return results


def _build(tree: Path, violation: Violation | None) -> Path:
    """Write the miniature, with the violation's line at the end of its module."""
    texts = _modules() | ALLOWED
    if violation:
        if violation.module == "appliance.buffer.other":
            texts["appliance.buffer.content"] = "import appliance.buffer.other"
        texts[violation.module] = f"{texts.get(violation.module, '')}\n{violation.line}\n"
    for name, text in texts.items():
        file = tree.joinpath(*name.split(".")).with_suffix(".py")
        for folder in _packages(file.parent, tree):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "__init__.py").touch()
        file.write_text(text, encoding="utf-8")
    return tree


def _packages(folder: Path, tree: Path) -> list[Path]:
    """Give ``folder`` and its parents up to ``tree``, outermost first."""
    return [parent for parent in [*reversed(folder.parents), folder] if parent.is_relative_to(tree) and parent != tree]


def _modules() -> dict[str, str]:
    """Give one empty module for each layer of each package; a layer that is a package gets a module ``content``."""
    texts: dict[str, str] = {"receiver.migrations.content": ""}
    for contract in read_configuration(str(CONFIG))["contracts_options"]:
        for layer in contract.get("layers", []):
            for part in layer.split("|"):
                name = part.strip(" ()")
                leaf = name in MODULES or (contract["containers"] == ["receiver"] and name == "cli")
                texts[f"{contract['containers'][0]}.{name}{'' if leaf else '.content'}"] = ""
    return texts
