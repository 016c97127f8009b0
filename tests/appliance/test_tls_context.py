"""What the appliance's TLS accepts, tried against real TLS servers."""

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import NameOID

from appliance.errors import IdentityMismatchError, TpmKeyUnusableError
from appliance.ports import MachineIdentity, SecretBytes
from appliance.tls_context import client_context, newcomer_context, signs_handshakes
from tests.support.tls_peer import DAY, Authority, TlsPeer, key_pem, reply, server_context

AUTHORITY = Authority()
GET = b"GET / HTTP/1.1\r\n\r\n"


async def ask(peer: TlsPeer, identity: MachineIdentity, *, host: str = "127.0.0.1") -> tuple[str, str]:
    """Connect, ask once; give the TLS version and the cipher."""
    context = client_context(identity)
    reader, writer = await asyncio.open_connection("127.0.0.1", peer.port, ssl=context, server_hostname=host)
    try:
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        cipher = tls.cipher()
        return tls.version() or "", cipher[0] if cipher else ""
    finally:
        writer.transport.abort()


def peer_of(context: ssl.SSLContext) -> TlsPeer:
    """A peer that answers 200."""
    return TlsPeer(context, lambda _: reply(200))


async def test_a_server_of_our_own_anchors_is_believed_over_tls_1_3() -> None:
    """The newest version both know is used, and the server sees our certificate."""
    async with peer_of(server_context(AUTHORITY)) as peer:
        version, _ = await ask(peer, AUTHORITY.identity())
    assert version == "TLSv1.3"


async def test_tls_1_2_is_spoken_with_forward_secrecy_and_aead() -> None:
    """A server that offers everything gets ECDHE with GCM or ChaCha20."""
    async with peer_of(server_context(AUTHORITY, newest=ssl.TLSVersion.TLSv1_2)) as peer:
        version, cipher = await ask(peer, AUTHORITY.identity())
    assert version == "TLSv1.2"
    assert cipher.startswith("ECDHE-")
    assert "GCM" in cipher or "CHACHA20" in cipher


async def test_a_server_that_asks_for_no_client_certificate_is_believed_all_the_same() -> None:
    """Whether we are known is the receiver's to check; whether it is the receiver is ours."""
    async with peer_of(server_context(AUTHORITY, ask_client=False)) as peer:
        assert (await ask(peer, AUTHORITY.identity()))[0] == "TLSv1.3"


@pytest.mark.parametrize("host", ["receiver.example", "localhost", "127.0.0.2"])
async def test_another_name_than_the_certificates_is_refused(host: str) -> None:
    """The server of 127.0.0.1 may not speak for any other name."""
    async with peer_of(server_context(AUTHORITY)) as peer:
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(peer, AUTHORITY.identity(), host=host)
    assert peer.requests == []


@pytest.mark.parametrize(
    "valid", [(-3 * DAY, -timedelta(minutes=1)), (timedelta(hours=1), DAY)], ids=["expired", "not yet valid"]
)
async def test_a_certificate_outside_its_time_is_refused(valid: tuple[timedelta, timedelta]) -> None:
    """Expired, or from the future."""
    context = server_context(AUTHORITY, certificate=AUTHORITY.issue_server(valid=valid))
    async with peer_of(context) as peer:
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(peer, AUTHORITY.identity())


async def test_a_server_of_another_ca_is_refused() -> None:
    """Anchors come with the identity; nothing else is trusted."""
    context = server_context(AUTHORITY, certificate=Authority().issue_server())
    async with peer_of(context) as peer:
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(peer, AUTHORITY.identity())
    assert peer.requests == []


async def test_a_machine_certificate_cannot_play_the_receiver() -> None:
    """A stolen appliance key is no server key: its extended key usage says client."""
    key = ec.generate_private_key(ec.SECP256R1())
    context = server_context(AUTHORITY, certificate=(AUTHORITY.issue_machine(key.public_key()), key_pem(key)))
    async with peer_of(context) as peer:
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(peer, AUTHORITY.identity())


async def test_a_ca_without_key_usage_is_refused() -> None:
    """RFC 5280 is read strictly, on every Python."""
    loose = Authority(strict=False)
    async with peer_of(server_context(AUTHORITY, certificate=loose.issue_server(), ask_client=False)) as peer:
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(peer, AUTHORITY.identity(anchors=loose.pem))


@pytest.mark.parametrize(
    ("newest", "ciphers"),
    [
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE+AES+SHA256:!AESGCM:@SECLEVEL=0"),
        (ssl.TLSVersion.TLSv1_2, "DHE+AESGCM:@SECLEVEL=0"),
    ],
    ids=["TLS 1.1", "CBC", "finite-field DHE"],
)
async def test_old_protocols_and_ciphers_are_refused(newest: ssl.TLSVersion, ciphers: str) -> None:
    """No common ground with a server that offers nothing sound."""
    async with peer_of(server_context(AUTHORITY, newest=newest, ciphers=ciphers)) as peer:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(peer, AUTHORITY.identity())
    assert peer.requests == []


def test_no_root_of_the_system_is_trusted() -> None:
    """Only the identity's anchors are loaded."""
    context = client_context(AUTHORITY.identity())
    assert context.cert_store_stats()["x509_ca"] == 1
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def damaged(**changes: bytes | SecretBytes) -> MachineIdentity:
    """An identity with a part replaced."""
    return msgspec.structs.replace(AUTHORITY.identity(), **changes)


def locked() -> MachineIdentity:
    """An identity whose own key is encrypted."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
    return damaged(certificate_chain=AUTHORITY.issue_machine(key.public_key()), private_key=SecretBytes(pem))


@pytest.mark.parametrize(
    "identity",
    [
        damaged(private_key=SecretBytes(b"")),
        damaged(private_key=SecretBytes(key_pem(ec.generate_private_key(ec.SECP256R1())))),
        locked(),
        damaged(certificate_chain=b"no certificate"),
        damaged(trust_anchors=b""),
        damaged(trust_anchors=b"\xff\xfe"),
        damaged(trust_anchors=b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ],
    ids=["no key", "another's key", "locked key", "no certificate", "no anchors", "no text", "broken anchors"],
)
def test_what_does_not_belong_together_is_refused_before_a_connection(identity: MachineIdentity) -> None:
    """And nobody is asked for a password at a terminal."""
    with pytest.raises(IdentityMismatchError):
        client_context(identity)


def test_the_key_leaves_no_open_file_behind() -> None:
    """The memory that OpenSSL read it from is gone with its descriptor, also after a failure."""
    before = sorted(item.name for item in Path("/proc/self/fd").iterdir())
    client_context(AUTHORITY.identity())
    with pytest.raises(IdentityMismatchError):
        client_context(damaged(private_key=SecretBytes(b"")))
    assert sorted(item.name for item in Path("/proc/self/fd").iterdir()) == before


def test_a_newcomer_speaks_as_strictly_as_an_appliance() -> None:
    """It lacks nothing but the certificate of its own."""
    newcomer, appliance = newcomer_context(AUTHORITY.pem), client_context(AUTHORITY.identity())
    for context in (newcomer, appliance):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert newcomer.get_ciphers() == appliance.get_ciphers()
    assert newcomer.options == appliance.options
    assert newcomer.get_ca_certs(binary_form=True) == [AUTHORITY.certificate.public_bytes(Encoding.DER)]


@pytest.mark.parametrize("anchors", [b"", b"no PEM", "café".encode()], ids=["empty", "no PEM", "no ASCII"])
def test_a_newcomer_trusts_nothing_that_is_no_certificate(anchors: bytes) -> None:
    """Its own error."""
    with pytest.raises(IdentityMismatchError):
        newcomer_context(anchors)


HOST = "key.invalid"


def own_certificate(key: ec.EllipticCurvePrivateKey, *, host: str = HOST) -> bytes:
    """A certificate that the key signs itself, PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, AUTHORITY.now - DAY, AUTHORITY.now + DAY)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def test_a_key_that_openssl_can_use_signs_a_handshake() -> None:
    """Tried in memory, with a certificate that nobody else trusts; as often as one likes."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = own_certificate(key)
    assert [signs_handshakes(SecretBytes(key_pem(key)), certificate, host=HOST) for _ in range(2)] == [True, True]


KEY, STRANGER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
NO_PROVIDER = SecretBytes(b"-----BEGIN TSS2 PRIVATE KEY-----\nMAA=\n-----END TSS2 PRIVATE KEY-----\n")


@pytest.mark.parametrize(
    ("key", "certificate"),
    [
        (SecretBytes(key_pem(STRANGER)), own_certificate(KEY)),
        (SecretBytes(key_pem(KEY)), own_certificate(KEY, host="other.invalid")),
        (NO_PROVIDER, own_certificate(KEY)),
        (SecretBytes(b""), own_certificate(KEY)),
    ],
    ids=["another's key", "another name", "in a TPM", "no key"],
)
def test_a_key_that_openssl_cannot_use_is_told(key: SecretBytes, certificate: bytes) -> None:
    """Whatever is wrong with it; nothing is raised, and nobody is asked for a password."""
    assert not signs_handshakes(key, certificate, host=HOST)


def test_a_key_in_a_tpm_that_openssl_does_not_get_at_has_its_own_error() -> None:
    """Without the provider; the certificate is not to blame."""
    with pytest.raises(TpmKeyUnusableError):
        client_context(damaged(private_key=NO_PROVIDER))
