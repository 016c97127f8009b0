"""Secrets wrapped under a key file open for their context alone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.errors import NotInitialisedError, WrappedSecretError
from receiver.kms.local_wrapper import LocalFileWrapper
from receiver.ports import KeyWrapper

_WRAPPER: KeyWrapper = LocalFileWrapper(bytes(range(32)))
_SECRET, _CONTEXT = b"thirty-two bytes of tenant secret", b"tenant/7f1f/secret/1"


@given(secret=st.binary(max_size=200), context=st.binary(max_size=80))
def test_what_was_wrapped_opens(secret: bytes, context: bytes) -> None:
    """Any secret comes back for its own context, and does not show in the blob."""
    blob = _WRAPPER.wrap(secret, context=context)
    assert _WRAPPER.unwrap(blob, context=context) == secret
    assert len(blob) == 1 + 12 + len(secret) + 16


@given(context=st.binary(max_size=80).filter(lambda context: context != _CONTEXT))
def test_another_context_is_refused(context: bytes) -> None:
    """A blob that was moved to another tenant's row does not open there."""
    blob = _WRAPPER.wrap(_SECRET, context=_CONTEXT)
    with pytest.raises(WrappedSecretError):
        _WRAPPER.unwrap(blob, context=context)


def test_every_damaged_byte_is_noticed() -> None:
    """A flipped bit in any byte, the version's included, is refused."""
    blob = _WRAPPER.wrap(_SECRET, context=_CONTEXT)
    for place in range(len(blob)):
        damaged = blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]
        with pytest.raises(WrappedSecretError):
            _WRAPPER.unwrap(damaged, context=_CONTEXT)


def test_every_cut_is_noticed() -> None:
    """A blob that ends early is refused, the empty one included."""
    blob = _WRAPPER.wrap(_SECRET, context=_CONTEXT)
    for length in range(len(blob)):
        with pytest.raises(WrappedSecretError):
            _WRAPPER.unwrap(blob[:length], context=_CONTEXT)


def test_another_key_is_refused() -> None:
    """A blob of another receiver does not open, and the refusal says nothing of what it holds."""
    blob = _WRAPPER.wrap(_SECRET, context=_CONTEXT)
    with pytest.raises(WrappedSecretError) as refusal:
        LocalFileWrapper(bytes(32)).unwrap(blob, context=_CONTEXT)
    assert (refusal.value.code, "tenant" in str(refusal.value)) == ("wrapped_secret_unusable", False)


def test_wrapping_twice_gives_two_blobs() -> None:
    """Nobody sees from the database that two tenants have the same secret."""
    assert len({_WRAPPER.wrap(_SECRET, context=_CONTEXT) for _ in range(10)}) == 10


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    """Ensure keeps the key that is there; its file is 0600 and nothing lies beside it."""
    path = tmp_path / "wrapping.key"
    blob = LocalFileWrapper.ensure(path).wrap(_SECRET, context=_CONTEXT)
    assert LocalFileWrapper.ensure(path).unwrap(blob, context=_CONTEXT) == _SECRET
    assert LocalFileWrapper.load(path).unwrap(blob, context=_CONTEXT) == _SECRET
    assert (path.stat().st_mode & 0o777, list(tmp_path.iterdir())) == (0o600, [path])


def test_a_half_written_key_from_before_is_made_anew(tmp_path: Path) -> None:
    """What a power cut left beside the key is no key, and does not stop the next start."""
    (tmp_path / ".wrapping.key.new").write_bytes(b"half")
    LocalFileWrapper.ensure(tmp_path / "wrapping.key")
    assert [path.name for path in tmp_path.iterdir()] == ["wrapping.key"]


@pytest.mark.parametrize("content", [None, b"", bytes(31), bytes(33)], ids=["missing", "empty", "short", "long"])
def test_a_key_that_is_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """A missing or cut key is a refusal, and is never replaced by a new one."""
    path = tmp_path / "wrapping.key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NotInitialisedError):
        LocalFileWrapper.load(path)
    if content is not None:
        with pytest.raises(NotInitialisedError):
            LocalFileWrapper.ensure(path)
        assert path.read_bytes() == content
