"""One key signs; a development key says that it is one; a key that will not do is refused before anything is built."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from image.errors import SignatureError, SigningKeyError
from image.signing import DEVELOPMENT, Signer, development_signer, fingerprint, load_signer, title, verify_signature
from tests.support.releases import NOW, signer

CONTENT = b"0123  a\n"


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: bytes = b"") -> bytes:
    """A private key's file."""
    locked = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)


def saved(folder: Path, content: bytes, by: Signer) -> tuple[Path, Path]:
    """A key's and a certificate's file."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    key.write_bytes(content)
    certificate.write_bytes(by.pem)
    return key, certificate


def test_a_signature_verifies_and_is_the_same_each_time() -> None:
    """So that a signed release, too, can be built again to the byte."""
    signature = signer().sign(CONTENT)
    verify_signature(CONTENT, signature, signer().certificate)
    assert signature == signer().sign(CONTENT)


@pytest.mark.parametrize("content", [b"", CONTENT + b"\n", CONTENT.upper()], ids=["empty", "longer", "other"])
def test_a_signature_over_something_else_is_refused(content: bytes) -> None:
    """A changed list."""
    with pytest.raises(SignatureError):
        verify_signature(content, signer().sign(CONTENT), signer().certificate)


@pytest.mark.parametrize("signature", [b"", bytes(256), b"x" * 100_000], ids=["empty", "zeros", "long"])
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    """Of whatever length."""
    with pytest.raises(SignatureError):
        verify_signature(CONTENT, signature, signer().certificate)


def test_another_signers_signature_is_refused() -> None:
    """It is a good one, of somebody else."""
    with pytest.raises(SignatureError):
        verify_signature(CONTENT, signer("Somebody else").sign(CONTENT), signer().certificate)


def test_a_key_and_its_certificate_are_loaded(tmp_path: Path) -> None:
    """As openssl writes them."""
    loaded = load_signer(*saved(tmp_path, pem(signer().key), signer()))
    assert loaded.sign(CONTENT) == signer().sign(CONTENT)
    assert loaded.pem == signer().pem


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pem(signer("Somebody else").key), "another key"),
        (pem(rsa.generate_private_key(65537, 1024)), "2048"),  # noqa: S505 - what must be refused
        (pem(ec.generate_private_key(ec.SECP256R1())), "RSA"),
        (pem(signer().key, b"secret"), "not a PEM key"),
        (b"", "not a PEM key"),
    ],
    ids=["other", "short", "elliptic", "locked", "empty"],
)
def test_a_key_that_will_not_do_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    """Of another certificate, too short, of a kind that VMware does not read, locked, or none."""
    with pytest.raises(SigningKeyError, match=reason):
        load_signer(*saved(tmp_path, content, signer()))


def test_a_key_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A typed error with a hint."""
    with pytest.raises(SigningKeyError) as caught:
        load_signer(tmp_path / "none", tmp_path / "none")
    assert "PEM" in caught.value.hint


def test_the_development_key_is_made_once_and_says_what_it_is(tmp_path: Path) -> None:
    """Kept, readable by its owner alone, and named so that nobody takes it for the real one."""
    first, second = (development_signer(tmp_path / "keys", now=NOW) for _ in range(2))
    assert first.certificate == second.certificate
    assert DEVELOPMENT in title(first.certificate)
    assert first.certificate.not_valid_before_utc == NOW
    assert (tmp_path / "keys/development-key.pem").stat().st_mode & 0o777 == 0o600
    verify_signature(CONTENT, second.sign(CONTENT), first.certificate)


def test_two_development_keys_differ(tmp_path: Path) -> None:
    """Each machine makes its own."""
    first, second = (development_signer(tmp_path / name, now=NOW) for name in "ab")
    assert fingerprint(first.certificate) != fingerprint(second.certificate)


def test_a_damaged_development_key_is_refused(tmp_path: Path) -> None:
    """It is not silently made anew: somebody may wait for that fingerprint."""
    development_signer(tmp_path, now=NOW)
    (tmp_path / "development-key.pem").write_bytes(b"")
    with pytest.raises(SigningKeyError):
        development_signer(tmp_path, now=NOW)


def test_a_signer_does_not_show_its_key() -> None:
    """Not in a traceback either."""
    assert str(signer().key.private_numbers().d) not in repr(signer())
    assert repr(signer()).startswith("<")
