"""The form of an invitation's token, whom it lets in and until when."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.wire.enrollment import Token
from appliance.wire.problem import ProblemCode
from receiver.domain import api_key
from receiver.domain.invitation import (
    LIFETIME,
    Invitation,
    Standing,
    compose,
    describe,
    parse,
    prove,
    require_open,
    standing,
)
from receiver.errors import ProblemError
from tests.receiver.deliveries import NOON

_TENANT = UUID("00112233-4455-6677-8899-aabbccddeeff")
_TOKEN, _TEXT = compose(tenant_id=_TENANT, id_bytes=b"\x01\x02\x03\x04", secret_bytes=bytes(range(20)))
_HASH = _TOKEN.secret_hash(pepper=b"p")
_KEPT = Invitation(
    invitation_id=_TOKEN.identifier, secret_hash=_HASH, appliance="hq", created_at=NOON, expires_at=NOON + LIFETIME
)
_SECOND = timedelta(seconds=1)


def _code(refusal: pytest.ExceptionInfo[ProblemError]) -> ProblemCode:
    return refusal.value.problem


@given(tenant_id=st.uuids(), id_bytes=st.binary(min_size=4, max_size=4), secret=st.binary(min_size=20, max_size=20))
def test_what_was_composed_parses(tenant_id: UUID, id_bytes: bytes, secret: bytes) -> None:
    """A token's text gives back its tenant, id and secret, and is of the wire's form."""
    token, text = compose(tenant_id=tenant_id, id_bytes=id_bytes, secret_bytes=secret)
    assert parse(text) == token
    assert token.tenant_id == tenant_id
    assert msgspec.convert(text, Token) == text


def test_the_form_is_fixed() -> None:
    """Prefix, id, secret and CRC-32, in lower case."""
    assert _TEXT == "nte_aaisem2ekvthpcezvk54zxpo74aqeaye_aaaqeayeaudaocajbifqydiob4ibceqt_a9b98c50"


@given(position=st.integers(0, 77), letter=st.sampled_from("abcdefghijklmnopqrstuvwxyz234567_"))
def test_any_mistyped_character_is_unknown(position: int, letter: str) -> None:
    """A single changed character is refused without a database."""
    position %= len(_TEXT)
    mistyped = _TEXT[:position] + letter + _TEXT[position + 1 :]
    assume(mistyped != _TEXT)
    with pytest.raises(ProblemError) as refusal:
        parse(mistyped)
    assert _code(refusal) is ProblemCode.INVITATION_UNKNOWN


def test_an_api_key_is_no_invitation_and_an_invitation_no_key() -> None:
    """What is made for one door is refused at the other, whole and well spelled as it is."""
    key = api_key.compose(tenant_id=_TENANT, id_bytes=bytes(4), secret_bytes=bytes(20))[1]
    with pytest.raises(ProblemError) as refusal:
        parse(key)
    assert _code(refusal) is ProblemCode.INVITATION_UNKNOWN
    with pytest.raises(ProblemError) as refusal:
        api_key.parse(_TEXT)
    assert _code(refusal) is ProblemCode.UNAUTHENTICATED


def test_the_secret_does_not_show() -> None:
    """A token in a log line or traceback shows its id only."""
    assert _TOKEN.secret not in repr(_TOKEN)
    assert _TOKEN.identifier in repr(_TOKEN)


def test_the_right_secret_opens() -> None:
    """Up to its last instant, whoever knows the secret is given the invitation."""
    assert prove(_KEPT, offered=_HASH, now=_KEPT.expires_at - _SECOND) == _KEPT


@pytest.mark.parametrize(
    ("found", "offered"),
    [
        pytest.param(None, _HASH, id="no row"),
        pytest.param(None, bytes(32), id="no row, and the hash that stands for it"),
        pytest.param(_KEPT, bytes(32), id="a wrong secret"),
        pytest.param(replace(_KEPT, withdrawn_at=NOON), _HASH, id="withdrawn"),
        pytest.param(replace(_KEPT, expires_at=NOON), bytes(32), id="expired, a wrong secret"),
        pytest.param(replace(_KEPT, expires_at=NOON, withdrawn_at=NOON), _HASH, id="withdrawn and expired"),
    ],
)
def test_what_opens_nothing_is_unknown(found: Invitation | None, offered: bytes) -> None:
    """Whoever does not know the secret learns nothing, and a withdrawn invitation is none."""
    with pytest.raises(ProblemError) as refusal:
        prove(found, offered=offered, now=NOON)
    assert _code(refusal) is ProblemCode.INVITATION_UNKNOWN


def test_it_ends_after_a_day() -> None:
    """From the instant of its end an invitation is expired."""
    require_open(_KEPT, now=NOON + timedelta(hours=24) - _SECOND)
    with pytest.raises(ProblemError) as refusal:
        require_open(_KEPT, now=NOON + timedelta(hours=24))
    assert _code(refusal) is ProblemCode.INVITATION_EXPIRED


def test_the_first_key_owns_it() -> None:
    """Nobody's, then its first key's; every other key contests it."""
    assert standing(_KEPT, public_key=b"a") is Standing.FRESH
    owned = replace(_KEPT, used_by=b"a")
    assert standing(owned, public_key=b"a") is Standing.OWN
    assert standing(owned, public_key=b"b") is Standing.CONTESTED


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        (_KEPT, "open"),
        (replace(_KEPT, used_by=b"a"), "begun"),
        (replace(_KEPT, used_by=b"a", enrolled_at=NOON), "enrolled"),
        (replace(_KEPT, expires_at=NOON), "expired"),
        (replace(_KEPT, withdrawn_at=NOON), "withdrawn"),
    ],
)
def test_the_operator_is_told_in_a_word(entry: Invitation, word: str) -> None:
    """Each state has its word."""
    assert describe(entry, now=NOON) == word
