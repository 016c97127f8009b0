"""Every vector of every dialect, and that there are enough of them."""

import json
import subprocess
from pathlib import Path

import pytest

from appliance.cdr.dialects import DIALECTS
from tests.support import vectors
from tests.support.cdr_rows import SECRET

ALL = vectors.vectors()
KINDS = ("ordinary", "transfer", "unanswered", "withheld", "internal", "dst", "hostile")
"""What at least one vector of each dialect shows; its name begins so."""


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_dialect_has_a_vector_of_each_kind(dialect: str, kind: str) -> None:
    """A dialect is not done before its hard cases are written down."""
    assert [path for path in ALL if path.parent.name == dialect and path.name.startswith(kind)]


@pytest.mark.parametrize("vector", ALL, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_vector(vector: Path) -> None:
    """The bytes give exactly what is written beside them."""
    expected = json.loads(vector.with_suffix(".json").read_text(encoding="utf-8"))
    made = vectors.outcome(vector.parent.name, vector.read_bytes(), expected)
    assert made == {key: expected[key] for key in made}


@pytest.mark.parametrize("vector", ALL, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_vector_in_any_chunks_and_with_restarts(vector: Path) -> None:
    """Line by line, with a new parser before each line that is shown the lines before and what was held: the same."""
    setup = json.loads(vector.with_suffix(".json").read_text(encoding="utf-8"))
    lines = vectors.frames(vector.parent.name, vector.read_bytes())
    one = vectors.translator(vector.parent.name, setup)
    parts = []
    for place, line in enumerate(lines):
        parts.append(vectors.translation(one, [line], setup))
        held = one.held()
        one = vectors.translator(vector.parent.name, setup)
        one.restart(lines[: place + 1], held=held)
    parts.append(one.finish())
    made = vectors.spelled(lines, parts)
    assert made == {key: setup[key] for key in made}


LABELS = {"external": "external", "internal": "extension"}
"""Which key a category's pseudonyms are made with; the others' is ``other``."""


@pytest.mark.parametrize("category", ["external", "internal", "short", "emergency", "uri"])
def test_every_pseudonym_of_the_vectors_agrees_with_openssl(category: str) -> None:
    """HMAC-SHA256 under an HKDF key, both by another program, for each number that any vector holds."""
    key = _openssl_key(LABELS.get(category, "other"))
    made = json.loads(vectors.PSEUDONYMS.read_text(encoding="utf-8"))[category]
    assert made == {number: "k1_" + _openssl_token(key, f"{category}\0{number}".encode()) for number in made}


def test_the_table_of_pseudonyms_is_complete() -> None:
    """No vector holds a pseudonym that openssl was not asked about."""
    table = json.loads(vectors.PSEUDONYMS.read_text(encoding="utf-8"))
    known = {(category, made) for category, numbers in table.items() for made in numbers.values()}
    used = {
        (party["category"], party["pseudonym"])
        for path in ALL
        for record in json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["records"]
        for party in (record["calling"], record["called"], record["forwarded_to"])
        if party and party["pseudonym"]
    }
    assert used == known


def _openssl_key(label: str) -> str:
    options = ["-kdfopt", "digest:SHA256", "-kdfopt", f"hexkey:{SECRET.hex()}"]
    options += ["-kdfopt", "hexinfo:" + f"natalia/pseudonym/v1/{label}".encode().hex()]
    command = ["openssl", "kdf", "-keylen", "32", *options, "HKDF"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().replace(":", "")


def _openssl_token(key: str, message: bytes) -> str:
    command = ["openssl", "mac", "-digest", "SHA256", "-macopt", f"hexkey:{key}", "HMAC"]
    made = subprocess.run(command, input=message, check=True, capture_output=True).stdout.decode().strip()
    return made.lower()[:32].translate(str.maketrans("0123456789abcdef", "abcdefghijklmnop"))
