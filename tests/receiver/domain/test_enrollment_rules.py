"""What an enrollment is called, what kind of machine is believed, and what is sealed for it."""

import re
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.wire.batch import KeyProtection
from appliance.wire.codec import decode_tenant_secrets
from appliance.wire.enrollment import EnrollmentRequest, FileEvidence, TenantSecrets, TpmEvidence, seal_key
from appliance.wire.problem import ProblemCode
from appliance.wire.sealed_secrets import open_tenant_secrets
from receiver.domain.enrollment import EnrollmentName, believe, parse_name, seal_secrets, spell_name
from receiver.errors import ProblemError
from tests.receiver.newcomer import Newcomer

_SECRETS = TenantSecrets(key_version=1, tenant_secret=bytes(range(32)))
_TPM = TpmEvidence(
    endorsement_key=b"x",
    endorsement_certificate=None,
    attestation_key=b"x",
    quote=b"x",
    quote_signature=b"x",
    counter=b"x",
    counter_signature=b"x",
)
_PLAIN = Newcomer().request("nte_x")


def _is_no_name(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", text) is None


_NO_KEY = "a machine without a TPM sends a transport key, one with a TPM none"
_TWO_KINDS = "evidence and key protection are not those of one kind of machine"


@given(tenant_id=st.uuids(), enrollment_id=st.uuids())
def test_a_name_that_was_spelled_parses(tenant_id: UUID, enrollment_id: UUID) -> None:
    """An enrollment's id leads back to its tenant and itself."""
    name = EnrollmentName(tenant_id, enrollment_id)
    assert parse_name(spell_name(name)) == name


@given(st.text(max_size=80) | st.text("0123456789abcdefABCDEF ", min_size=60, max_size=70).filter(_is_no_name))
def test_any_other_text_is_no_name(text: str) -> None:
    """All that is not spelled in the one way is one refusal."""
    with pytest.raises(ProblemError) as refusal:
        parse_name(text)
    assert (refusal.value.problem, refusal.value.scheme) == (ProblemCode.UNAUTHENTICATED, 'Basic realm="natalia"')


@pytest.mark.parametrize("text", ["a" * 63, "a" * 65, "A" * 64, f"{'a' * 62} a", "", "g" * 64])
def test_a_name_has_one_spelling(text: str) -> None:
    """64 small hex digits, and nothing between them."""
    with pytest.raises(ProblemError):
        parse_name(text)


def test_a_machine_without_a_tpm_has_nothing_to_show() -> None:
    """Its request is believed, and no fact is known."""
    assert believe(_PLAIN, public_key=b"", occasion=b"") is None


@pytest.mark.parametrize(
    ("mixed", "detail"),
    [
        (replace(_PLAIN, transport_key=None), _NO_KEY),
        (replace(_PLAIN, key_protection=KeyProtection.TPM), _TWO_KINDS),
        (replace(_PLAIN, key_protection=KeyProtection.TPM_MEASURED_BOOT, transport_key=None), _NO_KEY),
        (replace(_PLAIN, evidence=_TPM), _NO_KEY),
        (replace(_PLAIN, evidence=_TPM, transport_key=None), _TWO_KINDS),
        (replace(_PLAIN, evidence=_TPM, key_protection=KeyProtection.TPM), _NO_KEY),
        (replace(_PLAIN, evidence=FileEvidence(), key_protection=KeyProtection.TPM_MEASURED_BOOT), _TWO_KINDS),
    ],
    ids=range(7),
)
def test_a_machine_is_of_one_kind(mixed: EnrollmentRequest, detail: str) -> None:
    """Evidence, level and transport key of two kinds do not go together: a level cannot be claimed without a TPM."""
    with pytest.raises(ProblemError) as refusal:
        believe(mixed, public_key=b"", occasion=b"")
    assert refusal.value.problem is ProblemCode.EVIDENCE_INVALID
    assert refusal.value.detail == detail


def test_a_tpms_evidence_is_verified() -> None:
    """A request of the right kind with evidence of nothing is refused by what is broken in it."""
    request = replace(_PLAIN, evidence=_TPM, key_protection=KeyProtection.TPM, transport_key=None)
    with pytest.raises(ProblemError) as refusal:
        believe(request, public_key=b"", occasion=b"")
    assert "endorsement key" in refusal.value.detail


def test_secrets_open_for_whoever_opened_the_challenge() -> None:
    """The appliance's own reader opens them, for this enrollment and transport secret."""
    sealed = seal_secrets(_SECRETS, transport_secret=b"t" * 32, enrollment="a" * 64, nonce=bytes(12))
    assert open_tenant_secrets(sealed, transport_secret=b"t" * 32, enrollment="a" * 64) == _SECRETS
    plain = AESGCM(seal_key(b"t" * 32)).decrypt(sealed[:12], sealed[12:], b"a" * 64)
    assert decode_tenant_secrets(plain) == _SECRETS
    for key, name in ((b"u" * 32, b"a" * 64), (b"t" * 32, b"b" * 64)):
        with pytest.raises(InvalidTag):
            AESGCM(seal_key(key)).decrypt(sealed[:12], sealed[12:], name)
