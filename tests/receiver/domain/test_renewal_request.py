"""What a renewal's request must carry, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.wire.batch import KeyProtection
from appliance.wire.codec import encode_enrollment
from appliance.wire.enrollment import EVIDENCE_ATTRIBUTE, FileEvidence, RenewalEvidence
from appliance.wire.problem import ProblemCode
from receiver.domain.certificate_request import parse_der
from receiver.domain.renewal_request import believe_renewal, read_evidence
from receiver.errors import ProblemError
from tests.receiver.fleet_world import ATTRIBUTE, fresh_key, renewal_csr, spki
from tests.support.software_tpm import SoftwareTpm

FILE = RenewalEvidence(key_protection=KeyProtection.FILE, evidence=FileEvidence())
_GOOD = encode_enrollment(FILE)


def refusal(work: Callable[[], Any]) -> ProblemError:
    """What a piece of work is refused with."""
    with pytest.raises(ProblemError) as failure:
        work()
    return failure.value


def test_evidence_is_read_from_its_attribute() -> None:
    """Whatever else the request asks for."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_attribute(x509.ObjectIdentifier("1.2.840.113549.1.9.7"), b"a password")
    builder = builder.add_attribute(ATTRIBUTE, _GOOD)
    request = builder.sign(fresh_key(), hashes.SHA256())
    assert read_evidence(request) == FILE


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param([], id="missing"),
        pytest.param([b"not json"], id="no JSON"),
        pytest.param([b"{}"], id="empty"),
        pytest.param([_GOOD + b" " * (1024 * 1024)], id="too long"),
        pytest.param([_GOOD.replace(b"file.v1", b"other.v1")], id="unknown kind"),
        pytest.param([_GOOD[:-1] + b',"more":1}'], id="unknown field"),
    ],
)
def test_a_request_without_sound_evidence_is_refused(attributes: list[bytes]) -> None:
    """Each is told apart from evidence that is not believed, and nothing of it is repeated."""
    request = parse_der(renewal_csr(fresh_key(), attributes))
    error = refusal(lambda: read_evidence(request))
    assert error.problem is ProblemCode.MALFORMED_REQUEST
    assert "not json" not in error.detail


def _tlv(tag: int, content: bytes) -> bytes:
    """DER: tag, length (X.690, 8.1.3), content."""
    size = len(content)
    octets = size.to_bytes(1 if size < 256 else 2)
    length = octets if size < 128 else bytes([0x80 | len(octets)]) + octets
    return bytes([tag]) + length + content


def _oid_content() -> bytes:
    """The attribute's OID, as X.690, 8.19 spells it."""
    first, second, number = (int(arc) for arc in EVIDENCE_ATTRIBUTE.split("."))
    septets = [number >> shift & 0x7F for shift in range(7 * ((number.bit_length() - 1) // 7), -1, -7)]
    return bytes([first * 40 + second]) + bytes([septet | 0x80 for septet in septets[:-1]]) + bytes(septets[-1:])


def _by_hand(attributes: bytes) -> bytes:
    """A request with ``attributes`` as its SET OF, signed by its key; the library would not write it."""
    key = fresh_key()
    body = _tlv(0x30, bytes.fromhex("020100") + bytes.fromhex("3000") + spki(key) + _tlv(0xA0, attributes))
    signature = key.sign(body, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    return _tlv(0x30, body + algorithm + _tlv(0x03, bytes(1) + signature))


_OID_DER = _tlv(0x06, _oid_content())
_TEXT = _tlv(0x0C, _GOOD)
_ATTRIBUTE = _tlv(0x30, _OID_DER + _tlv(0x31, _TEXT))


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(_ATTRIBUTE * 2, id="twice"),
        pytest.param(_tlv(0x30, _OID_DER + _tlv(0x31, _TEXT * 2)), id="two values"),
        pytest.param(_tlv(0x30, _OID_DER + _tlv(0x31, b"")), id="no value"),
        pytest.param(_tlv(0x30, _OID_DER + _tlv(0x31, _tlv(0x30, b""))), id="no text"),
    ],
)
def test_attributes_that_are_not_one_are_refused(attributes: bytes) -> None:
    """Nobody has to guess which of two counts."""
    error = refusal(lambda: read_evidence(parse_der(_by_hand(attributes))))
    assert error.problem is ProblemCode.MALFORMED_REQUEST


def test_the_hand_writes_what_the_library_does() -> None:
    """Written by hand with one attribute, a request is read like any other."""
    request = parse_der(_by_hand(_ATTRIBUTE))
    assert request.is_signature_valid
    assert read_evidence(request) == FILE


@pytest.mark.parametrize(
    ("protection", "has_tpm"), [(KeyProtection.TPM, False), (KeyProtection.FILE, True)], ids=["no TPM", "TPM"]
)
def test_evidence_of_another_kind_of_machine_is_refused(protection: KeyProtection, has_tpm: bool) -> None:  # noqa: FBT001 - a table's column
    """A machine that says that its TPM guards its keys shows it; one that shows a TPM does not call it a file."""
    tpm = SoftwareTpm()
    shown = RenewalEvidence(
        key_protection=protection, evidence=tpm.evidence(b"certificate") if has_tpm else FileEvidence()
    )
    error = refusal(lambda: believe_renewal(shown, public_key=tpm.public_key, occasion=b"certificate"))
    assert error.problem is ProblemCode.EVIDENCE_INVALID


def test_a_machine_without_a_tpm_proves_nothing_more() -> None:
    """Its key alone speaks for it."""
    assert believe_renewal(FILE, public_key=spki(fresh_key()), occasion=b"certificate") is None


def test_a_tpms_evidence_is_believed_for_its_key_and_occasion() -> None:
    """And for no other key, and with no other certificate in use."""
    tpm = SoftwareTpm()
    shown = RenewalEvidence(key_protection=KeyProtection.TPM, evidence=tpm.evidence(b"certificate"))
    facts = believe_renewal(shown, public_key=tpm.public_key, occasion=b"certificate")
    assert facts is not None
    assert facts.counter == 1
    other = spki(fresh_key())
    for change in ({"public_key": other}, {"occasion": b"another"}):
        proper = {"public_key": tpm.public_key, "occasion": b"certificate"} | change
        assert refusal(lambda: believe_renewal(shown, **proper)).problem is ProblemCode.EVIDENCE_INVALID  # noqa: B023 - called at once
