"""Renewals over TLS, by machines whose certificate and key lie in files."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7
from msgspec import structs

from appliance.ports import MachineWitness
from appliance.wire.codec import decode_problem, encode_enrollment
from appliance.wire.enrollment import REQUEST_MEDIA_TYPE, SIMPLE_REENROLL_PATH, RenewalEvidence, Return, binding
from appliance.wire.problem import ProblemCode
from tests.receiver.deliveries import PEM, Machine, key_pem
from tests.receiver.fleet_world import fresh_key, renewal_csr, spki
from tests.receiver.newcomer import Newcomer, PlainWitness
from tests.support.receiver_process import ReceiverProcess

ENDED_LONG_AGO: Final = "UPDATE natalia.machine_certificate SET expires_at = now() - interval '31 days'"
"""As if the tenant's appliances had been off for more than a month."""


def reenroll(client: httpx.Client, der: bytes, *, media_type: str = REQUEST_MEDIA_TYPE) -> httpx.Response:
    """Send a renewal's request."""
    return client.post(SIMPLE_REENROLL_PATH, content=base64.encodebytes(der), headers={"Content-Type": media_type})


def request_of(machine: Machine, key: ec.EllipticCurvePrivateKey, *, witness: MachineWitness | None = None) -> bytes:
    """A machine's request for ``key``, DER."""
    shown = witness or PlainWitness()
    occasion = leaf_of(machine).public_bytes(Encoding.DER)
    evidence = shown.evidence(public_key=spki(key), occasion=occasion)
    return renewal_csr(key, [encode_enrollment(RenewalEvidence(shown.key_protection, evidence))])


def renewed(
    receiver: ReceiverProcess, machine: Machine, folder: Path, *, witness: MachineWitness | None = None
) -> Machine:
    """Renew a machine's certificate; give the machine that holds the new one."""
    key = fresh_key()
    with machine.connect(receiver) as client:
        response = reenroll(client, request_of(machine, key, witness=witness))
    assert response.status_code == 200, response.text
    return stored(machine, folder, key=key, chain=chain_of(response, key))


def stored(
    machine: Machine, folder: Path, *, key: ec.EllipticCurvePrivateKey, chain: list[x509.Certificate]
) -> Machine:
    """Keep a key and its chain in files of their own."""
    stem = f"{chain[0].serial_number:x}"
    certificate, key_file = folder / f"{stem}.pem", folder / f"{stem}.key"
    certificate.write_bytes(b"".join(link.public_bytes(PEM) for link in chain))
    key_file.write_bytes(key_pem(key))
    return replace(machine, certificate=certificate, key=key_file)


def chain_of(response: httpx.Response, key: ec.EllipticCurvePrivateKey) -> list[x509.Certificate]:
    """Read the answer: the leaf of ``key`` first, whatever order the set is in."""
    found = pkcs7.load_der_pkcs7_certificates(base64.b64decode(response.content))
    return sorted(found, key=lambda link: link.public_key() != key.public_key())


def leaf_of(machine: Machine) -> x509.Certificate:
    """A machine's certificate."""
    return x509.load_pem_x509_certificates(machine.certificate.read_bytes())[0]


def key_of(machine: Machine) -> ec.EllipticCurvePrivateKey:
    """A machine's key."""
    key = load_pem_private_key(machine.key.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def refusal_of(response: httpx.Response) -> tuple[int, ProblemCode]:
    """Status and code of a refusal."""
    return response.status_code, decode_problem(response.content).code


def wish_of(machine: Machine, newcomer: Newcomer) -> bytes:
    """A return's message."""
    certificate = leaf_of(machine).public_bytes(Encoding.DER)
    signature = key_of(machine).sign(binding(newcomer.public_key, certificate), ec.ECDSA(hashes.SHA256()))
    returning = Return(certificate=certificate, signature=signature)
    return encode_enrollment(structs.replace(newcomer.request(""), token=None, returning=returning))
