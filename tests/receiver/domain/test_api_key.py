"""The form of API keys, and what is kept of them."""

import hashlib
import zlib
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from appliance.wire.problem import ProblemCode
from receiver.domain.api_key import compose, parse
from receiver.errors import ProblemError

_TENANT = UUID("00112233-4455-6677-8899-aabbccddeeff")


@given(tenant_id=st.uuids(), id_bytes=st.binary(min_size=4, max_size=4), secret=st.binary(min_size=20, max_size=20))
def test_what_was_composed_parses(tenant_id: UUID, id_bytes: bytes, secret: bytes) -> None:
    """A key's text gives back its tenant, id and secret."""
    key, text = compose(tenant_id=tenant_id, id_bytes=id_bytes, secret_bytes=secret)
    assert parse(text) == key
    assert key.tenant_id == tenant_id


def test_the_form_is_fixed() -> None:
    """Prefix, environment, id, secret and CRC-32 of all before it, in lower case."""
    _, text = compose(tenant_id=_TENANT, id_bytes=b"\x01\x02\x03\x04", secret_bytes=bytes(range(20)))
    head, _, checksum = text.rpartition("_")
    assert head == "ntl_live_aaisem2ekvthpcezvk54zxpo74aqeaye_aaaqeayeaudaocajbifqydiob4ibceqt"
    assert checksum == f"{zlib.crc32(head.encode()):08x}"


@given(position=st.integers(0, 85), letter=st.sampled_from("abcdefghijklmnopqrstuvwxyz234567_"))
def test_any_mistyped_character_is_refused(position: int, letter: str) -> None:
    """CRC-32 finds every single changed character, so no database is asked."""
    _, text = compose(tenant_id=_TENANT, id_bytes=bytes(4), secret_bytes=bytes(20))
    position %= len(text)
    mistyped = text[:position] + letter + text[position + 1 :]
    assume(mistyped != text)
    with pytest.raises(ProblemError) as refusal:
        parse(mistyped)
    assert refusal.value.problem is ProblemCode.UNAUTHENTICATED


@given(st.text(max_size=120))
def test_any_text_is_refused_without_another_error(text: str) -> None:
    """Whatever a client sends as a key raises the one refusal."""
    with pytest.raises(ProblemError):
        parse(text)


def test_the_secret_does_not_show() -> None:
    """A key in a log line or traceback shows its id only."""
    key, _ = compose(tenant_id=_TENANT, id_bytes=bytes(4), secret_bytes=b"\xff" * 20)
    assert key.secret not in repr(key)
    assert key.identifier in repr(key)


def test_the_kept_hash_is_peppered() -> None:
    """What is kept is SHA-256 over pepper and secret; another pepper gives another value."""
    key, _ = compose(tenant_id=_TENANT, id_bytes=bytes(4), secret_bytes=bytes(20))
    kept = key.secret_hash(pepper=b"p" * 32)
    assert kept == hashlib.sha256(b"p" * 32 + b"a" * 32).digest()
    assert kept != key.secret_hash(pepper=b"q" * 32)
