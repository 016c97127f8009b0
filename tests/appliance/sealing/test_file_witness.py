"""A machine without a TPM proves that it made its request, and nothing more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import WrongMachineError
from appliance.sealing.file_witness import FileWitness
from appliance.wire.batch import KeyProtection
from appliance.wire.enrollment import FileEvidence, HpkeChallenge, TpmChallenge
from receiver.domain.transport_seal import seal_to_transport_key

ENROLLMENT = "0b7e2c9a-1f7c-4c51-9c3e-6d2d1f0a9b11"
SECRET = bytes(range(32))
WITNESS = FileWitness()
SEALED = seal_to_transport_key(WITNESS.transport_key, secret=SECRET, enrollment=ENROLLMENT)


def test_it_opens_its_challenge() -> None:
    """From the receiver's seal to the transport secret, once around."""
    assert WITNESS.open_challenge(SEALED, enrollment=ENROLLMENT).reveal() == SECRET


def test_it_has_nothing_to_show() -> None:
    """Its evidence says so, and its protection is the lowest."""
    assert WITNESS.evidence(public_key=b"key", occasion=b"token") == FileEvidence()
    assert WITNESS.key_protection is KeyProtection.FILE


def test_its_key_is_its_own() -> None:
    """Each process has a key of its own, of 32 bytes."""
    assert len(WITNESS.transport_key) == 32
    assert FileWitness().transport_key != WITNESS.transport_key


def test_another_witness_does_not_open_it() -> None:
    """Not even on the same machine, after a restart."""
    with pytest.raises(WrongMachineError):
        FileWitness().open_challenge(SEALED, enrollment=ENROLLMENT)


def test_it_does_not_open_in_another_enrollment() -> None:
    """A challenge is for one enrollment."""
    with pytest.raises(WrongMachineError):
        WITNESS.open_challenge(SEALED, enrollment=ENROLLMENT[:-1] + "2")


def test_a_challenge_for_a_tpm_does_not_open() -> None:
    """A machine without a TPM takes no credential."""
    with pytest.raises(WrongMachineError, match="for a TPM"):
        WITNESS.open_challenge(TpmChallenge(credential=b"\0", secret=b"\0"), enrollment=ENROLLMENT)


@given(data=st.data())
def test_an_altered_challenge_does_not_open(data: st.DataObject) -> None:
    """One flipped bit anywhere, and no echo of it."""
    content = bytearray(SEALED.ciphertext)
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(WrongMachineError) as caught:
        WITNESS.open_challenge(HpkeChallenge(ciphertext=bytes(content)), enrollment=ENROLLMENT)
    assert content.hex() not in str(caught.value)


@given(content=st.binary(max_size=256))
def test_any_bytes_do_not_open(content: bytes) -> None:
    """Whatever comes, it is the one error."""
    with pytest.raises(WrongMachineError):
        WITNESS.open_challenge(HpkeChallenge(ciphertext=content), enrollment=ENROLLMENT)
