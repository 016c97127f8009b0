"""The machine's TLS key in a real TPM: what it signs, what the receiver believes of it, and when it is software."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from msgspec.structs import replace
from tpm2_pytss import TPM2_RH, TPM2B_PRIVATE, TPM2B_PUBLIC, TPM2B_SENSITIVE_CREATE
from tpm2_pytss.tsskey import TSSPrivKey

from appliance.errors import (
    IdentityMismatchError,
    SealedBlobTamperedError,
    SealingError,
    TpmKeyUnusableError,
    TpmMissingError,
    TpmReplacedError,
)
from appliance.identity.file_identity import FileIdentityStore
from appliance.identity.machine_key import MachineKey
from appliance.ports import SecretBytes
from appliance.sealing.anchor import AnchorFiles
from appliance.sealing.anchor_record import AnchorWay
from appliance.sealing.tls_keys import TpmFirst, keys_of
from appliance.sealing.vtpm.connection import STORAGE_KEY_HANDLE, Tpm, connected
from appliance.sealing.vtpm.tls_key import VtpmKey
from appliance.tls_context import client_context
from appliance.wire.enrollment import EVIDENCE_ATTRIBUTE, TpmEvidence
from receiver.domain.certificate_request import parse_der, proven_key, spki
from receiver.domain.machine_evidence import verify_evidence
from receiver.errors import ProblemError
from tests.support.attested import OCCASION, PUBLIC_KEY, witness_at
from tests.support.fake_clock import FakeClock
from tests.support.memory_secrets import MemorySecrets
from tests.support.records import START
from tests.support.swtpm import Swtpm
from tests.support.tls_peer import APPLIANCE, TENANT, Authority
from tests.support.tpm_sealing import PLAIN_BOOT

NOWHERE = "device:/dev/tpmrm9"
LIKE_OURS = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign"
AUTHORITY = Authority(now=START)


class KeysInTpm:
    """Implements ``machine_ports.MachineKeys`` as on a machine whose OpenSSL uses the TPM."""

    def __init__(self, tpm: Swtpm) -> None:
        self.tcti = tpm.tcti

    def generate(self) -> VtpmKey:
        """Make one."""
        return VtpmKey.generate(self.tcti)

    def load(self, pem: SecretBytes) -> VtpmKey:
        """Read one."""
        return VtpmKey.load(pem, self.tcti)


def verify(key: VtpmKey, signature: bytes, message: bytes) -> None:
    """Check a signature by ``key``."""
    public = load_der_public_key(key.public_key)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, message, ec.ECDSA(SHA256()))


def shown_by(tpm: Swtpm, key: VtpmKey, *, public_key: bytes | None = None) -> TpmEvidence:
    """Evidence for ``key``."""
    return witness_at(tpm).evidence(public_key=public_key or key.public_key, occasion=OCCASION, tpm_key=key.tpm_key)


@pytest.mark.parametrize("evidence", [None, b'{"type":"renewal.v1"}'], ids=["enrollment", "renewal"])
def test_the_receiver_takes_its_request(clean_tpm: Swtpm, evidence: bytes | None) -> None:
    """It proves the key, and carries the evidence where there is some; nothing stays in the TPM."""
    key = VtpmKey.generate(clean_tpm.tcti)
    request = parse_der(key.request(evidence=evidence))
    assert spki(proven_key(request)) == key.public_key
    found = [attribute.value for attribute in request.attributes]
    assert found == ([] if evidence is None else [evidence])
    assert all(attribute.oid.dotted_string == EVIDENCE_ATTRIBUTE for attribute in request.attributes)


def test_the_receiver_believes_that_it_lives_in_the_tpm(clean_tpm: Swtpm) -> None:
    """The Name that the receiver derives from a request's key is the one that the TPM certifies."""
    key = VtpmKey.generate(clean_tpm.tcti)
    evidence = shown_by(clean_tpm, key)
    assert verify_evidence(evidence, public_key=key.public_key, occasion=OCCASION).key_in_tpm


def test_of_a_key_in_software_the_tpm_says_nothing(tpm: Swtpm) -> None:
    """The evidence counts all the same."""
    evidence = witness_at(tpm).evidence(public_key=PUBLIC_KEY, occasion=OCCASION)
    assert (evidence.key, evidence.key_signature) == (None, None)
    assert not verify_evidence(evidence, public_key=PUBLIC_KEY, occasion=OCCASION).key_in_tpm


def test_a_key_in_the_tpm_does_not_vouch_for_another(tpm: Swtpm) -> None:
    """Certified for a key that is not the request's, the evidence is refused."""
    evidence = shown_by(tpm, VtpmKey.generate(tpm.tcti), public_key=PUBLIC_KEY)
    with pytest.raises(ProblemError, match="the certified key is not the request's"):
        verify_evidence(evidence, public_key=PUBLIC_KEY, occasion=OCCASION)


def test_a_certification_serves_no_other_evidence(tpm: Swtpm) -> None:
    """Moved into the evidence of another key, it is refused."""
    shown = shown_by(tpm, VtpmKey.generate(tpm.tcti))
    other = witness_at(tpm).evidence(public_key=PUBLIC_KEY, occasion=OCCASION)
    mixed = replace(other, key=shown.key, key_signature=shown.key_signature)
    with pytest.raises(ProblemError, match="certification was made for another key"):
        verify_evidence(mixed, public_key=PUBLIC_KEY, occasion=OCCASION)


@pytest.mark.parametrize("again", [Swtpm.restart, Swtpm.cut_power], ids=["in order", "power cut"])
def test_it_is_the_same_key_after_a_restart(tpm: Swtpm, again: Callable[[Swtpm], None]) -> None:
    """What is kept of it is enough."""
    key = VtpmKey.generate(tpm.tcti)
    again(tpm)
    read = VtpmKey.load(key.pem, tpm.tcti)
    assert read.public_key == key.public_key
    verify(key, read.sign(b"message"), b"message")
    with pytest.raises(InvalidSignature):
        verify(key, read.sign(b"message"), b"another")


def test_reading_it_asks_no_tpm(tpm: Swtpm) -> None:
    """A machine whose TPM is away still knows who it is."""
    key = VtpmKey.generate(tpm.tcti)
    assert VtpmKey.load(key.pem, NOWHERE).public_key == key.public_key


def test_its_certificate_to_try_it_with_is_signed_by_itself(clean_tpm: Swtpm) -> None:
    """Whoever reads it finds the key, and that it has signed."""
    key = VtpmKey.generate(clean_tpm.tcti)
    certificate = x509.load_pem_x509_certificate(key.own_certificate())
    certificate.verify_directly_issued_by(certificate)
    assert spki(proven_key(parse_der(key.request()))) == key.public_key


@pytest.mark.parametrize(
    ("is_pinned", "error"), [(False, SealedBlobTamperedError), (True, TpmReplacedError)], ids=["not pinned", "pinned"]
)
def test_in_another_tpm_it_is_of_no_use(
    tpm: Swtpm, tmp_path: Path, *, is_pinned: bool, error: type[SealingError]
) -> None:
    """A copied disk holds no key: another TPM does not load it."""
    key = VtpmKey.generate(tpm.tcti)
    with connected(tpm.tcti) as conversation:
        pinned = conversation.storage_key_name if is_pinned else None
    with Swtpm(tmp_path / "other") as other:
        copied = VtpmKey.load(key.pem, other.tcti, storage_key_name=pinned)
        with pytest.raises(error):
            copied.sign(b"message")


def made(
    tpm: Tpm, *, template: str = "ecc256:null:null", attributes: str = LIKE_OURS, parent: int = STORAGE_KEY_HANDLE
) -> bytes:
    """A TSS2 PEM of a key of the TPM."""
    public = TPM2B_PUBLIC.parse(template, objectAttributes=attributes)
    private, public, *_ = tpm.esapi.create(tpm.storage_key, TPM2B_SENSITIVE_CREATE(), in_public=public)
    return bytes(TSSPrivKey(private, public, empty_auth=True, parent=parent).to_pem())


@pytest.mark.parametrize(
    "change",
    [
        lambda tpm: made(tpm, attributes=LIKE_OURS.replace("fixedtpm|fixedparent|", "")),
        lambda tpm: made(tpm, attributes=f"{LIKE_OURS}|decrypt"),
        lambda tpm: made(tpm, template="ecc384:null:null"),
        lambda tpm: made(tpm, template="rsa2048:null:null"),
        lambda tpm: made(tpm, template="ecc256:ecdsa-sha256:null"),
        lambda tpm: made(tpm, parent=TPM2_RH.OWNER),
        lambda tpm: made(tpm)[:100],
        lambda tpm: made(tpm).replace(b"TSS2 ", b""),
    ],
    ids=[
        *("may leave the TPM", "also decrypts", "another curve", "RSA", "another scheme", "another parent"),
        *("cut off", "another kind of PEM"),
    ],
)
def test_what_was_not_made_here_is_no_key(tpm: Swtpm, change: Callable[[Tpm], bytes]) -> None:
    """Every part of it but the key itself is as this release makes it; its own error, for store and witness."""
    with connected(tpm.tcti) as conversation:
        pem = change(conversation)
    with pytest.raises(IdentityMismatchError):
        VtpmKey.load(SecretBytes(pem), tpm.tcti)
    with pytest.raises(IdentityMismatchError):
        witness_at(tpm).evidence(public_key=PUBLIC_KEY, occasion=OCCASION, tpm_key=pem)


@pytest.mark.parametrize("content", [b"", b"!", b"MAA=", b"MAMBAf8="], ids=["nothing", "no base64", "empty", "no key"])
def test_what_cannot_be_read_is_no_key(content: bytes) -> None:
    """Whatever stands between the two lines."""
    pem = b"-----BEGIN TSS2 PRIVATE KEY-----\n" + content + b"\n-----END TSS2 PRIVATE KEY-----\n"
    with pytest.raises(IdentityMismatchError):
        VtpmKey.load(SecretBytes(pem), NOWHERE)


def test_a_key_whose_private_part_was_altered_does_not_sign(tpm: Swtpm) -> None:
    """The TPM notices."""
    key = VtpmKey.generate(tpm.tcti)
    kept = TSSPrivKey.from_pem(key.tpm_key)
    private = bytearray(bytes(kept.private))
    private[-1] ^= 1
    altered = TSSPrivKey(TPM2B_PRIVATE(bytes(private)), kept.public, parent=STORAGE_KEY_HANDLE).to_pem()
    with pytest.raises(SealedBlobTamperedError):
        VtpmKey.load(SecretBytes(bytes(altered)), tpm.tcti).sign(b"message")


def test_nothing_shows_a_key_by_accident(tpm: Swtpm) -> None:
    """Neither of its texts holds what is kept."""
    key = VtpmKey.generate(tpm.tcti)
    line = re.findall(r"\n(\S{64})\n", key.tpm_key.decode())[0]
    assert line not in f"{key!r} {key.pem!r}"


def keys_at(folder: Path, tcti: str) -> tuple[TpmFirst | type[MachineKey], AnchorFiles]:
    """What makes keys on a machine that is used for the first time."""
    files = AnchorFiles(folder / "state", boot=PLAIN_BOOT)
    keys = keys_of(files.open(AnchorWay(tcti, None)), software=MachineKey)
    assert isinstance(keys, TpmFirst) or keys is MachineKey
    return keys, files


def test_without_a_tpm_keys_are_software(tmp_path: Path) -> None:
    """The anchor is a file, and nothing is tried."""
    assert keys_at(tmp_path, NOWHERE)[0] is MachineKey


def test_where_openssl_does_not_use_the_tpm_keys_are_software(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """This process's OpenSSL has no provider for it: a key that TLS could not use is not taken."""
    keys, _ = keys_at(tmp_path, clean_tpm.tcti)
    assert isinstance(keys, TpmFirst)
    key = keys.generate()
    assert isinstance(key, MachineKey)
    assert key.tpm_key is None
    assert keys.load(key.pem).public_key == key.public_key


def test_keys_of_both_kinds_are_read(tpm: Swtpm, tmp_path: Path) -> None:
    """One that was made in the TPM is used there, whatever a new one would be; what is neither is refused."""
    keys, _ = keys_at(tmp_path, tpm.tcti)
    made_there = VtpmKey.generate(tpm.tcti)
    verify(made_there, keys.load(made_there.pem).sign(b"message"), b"message")
    with pytest.raises(IdentityMismatchError):
        keys.load(SecretBytes(b"neither"))


def test_a_tpm_that_is_away_is_no_reason_for_software(tpm: Swtpm, tmp_path: Path) -> None:
    """It is the anchor: nothing goes on without it."""
    keys, _ = keys_at(tmp_path, tpm.tcti)
    tpm.stop()
    with pytest.raises(TpmMissingError):
        keys.generate()


def test_the_store_keeps_a_key_of_the_tpm(tpm: Swtpm) -> None:
    """From the proposal, also after a restart, to the identity in use, which signs in the TPM and hides what it is."""
    secrets, keys = MemorySecrets(), KeysInTpm(tpm)
    proposed = FileIdentityStore(secrets, FakeClock(), keys).propose()
    tpm.restart()
    store = FileIdentityStore(secrets, FakeClock(), keys)
    again = store.propose()
    assert (again.public_key, again.tpm_key) == (proposed.public_key, proposed.tpm_key)
    chain = AUTHORITY.issue_machine(proven_key(parse_der(again.request())))
    store.accept(chain, trust_anchors=AUTHORITY.pem, tenant=TENANT, appliance=APPLIANCE)
    identity = FileIdentityStore(secrets, FakeClock(), keys).load()
    assert identity.key_in_tpm
    assert identity.private_key.reveal() == proposed.tpm_key
    verify(keys.load(identity.private_key), store.sign(b"message"), b"message")
    assert store.propose().public_key != again.public_key


def test_an_identity_that_openssl_does_not_get_at_says_so(tpm: Swtpm) -> None:
    """Its own error with the next step, not that of a certificate that does not fit."""
    store = FileIdentityStore(MemorySecrets(), FakeClock(), KeysInTpm(tpm))
    chain = AUTHORITY.issue_machine(proven_key(parse_der(store.propose().request())))
    identity = store.accept(chain, trust_anchors=AUTHORITY.pem, tenant=TENANT, appliance=APPLIANCE)
    with pytest.raises(TpmKeyUnusableError) as caught:
        client_context(identity)
    assert "tpm2-openssl" in caught.value.hint
