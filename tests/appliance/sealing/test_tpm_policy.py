"""Policies computed in plain Python, held against a TPM's trial sessions and against systemd-measure."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from tpm2_pytss import (
    ESYS_TR,
    TPM2_EO,
    TPM2_SE,
    TPM2B_DIGEST,
    TPM2B_OPERAND,
    TPM2B_PUBLIC,
    TPML_DIGEST,
    TPML_PCR_SELECTION,
    TPMT_PUBLIC,
    TPMT_SIGNATURE,
)

from appliance.errors import PolicyKeyError, TpmPolicyError
from appliance.sealing import tpm_policy
from appliance.sealing.vtpm.connection import Tpm, connected
from appliance.sealing.vtpm.counter import COUNTER_NAME, count_up
from tests.support.swtpm import Swtpm
from tests.support.tpm_sealing import AT_POWER_ON, RECOVERY, VENDOR, extend, private_pem, public_pem, signer

SIGNED = Path(__file__).parents[2] / "testdata/tpm"
PHASES = {
    "8bd0cd2715030f772cee31991e50c943d3a827742863230d278dbcf8ada61cbe",
    "1fc2025341d84c6611183cc5970abed76f2877496c697267911f7573707f4235",
}
"""What systemd-measure calculates for the file's two phases; see the README beside it."""
KEYS = [VENDOR, RECOVERY]
Step = Callable[[Tpm, ESYS_TR], bytes]


def external(tpm: Tpm, key: tpm_policy.PrivateKey) -> ESYS_TR:
    """Load a public key; the caller flushes it."""
    public = TPM2B_PUBLIC(publicArea=TPMT_PUBLIC.unmarshal(tpm_policy.public_area(key.public_key()))[0])
    return tpm.esapi.load_external(in_public=public, hierarchy=ESYS_TR.OWNER)


def by_pcr(tpm: Tpm, session: ESYS_TR) -> bytes:
    """PCR 11, after something was measured."""
    value = extend(tpm)
    tpm.esapi.policy_pcr(session, b"", "sha256:11")
    return tpm_policy.policy_pcr({11: value})


def by_two_pcrs(tpm: Tpm, session: ESYS_TR) -> bytes:
    """Two PCRs, hashed in the order of their numbers whatever order they are given in."""
    values = {11: extend(tpm), 7: extend(tpm, pcr=7)}
    tpm.esapi.policy_pcr(session, b"", "sha256:7,11")
    return tpm_policy.policy_pcr(values)


def by_counter(tpm: Tpm, session: ESYS_TR) -> bytes:
    """The product's counter."""
    counter = count_up(tpm)
    tpm.esapi.policy_nv(
        auth_handle=counter.handle,
        nv_index=counter.handle,
        policy_session=session,
        operand_b=TPM2B_OPERAND(tpm_policy.counter_bytes(counter.value)),
        operation=TPM2_EO.EQ,
    )
    return tpm_policy.policy_counter(COUNTER_NAME, counter.value)


def by_pcr_and_counter(tpm: Tpm, session: ESYS_TR) -> bytes:
    """One after the other."""
    before = by_pcr(tpm, session)
    counter = count_up(tpm)
    tpm.esapi.policy_nv(
        auth_handle=counter.handle,
        nv_index=counter.handle,
        policy_session=session,
        operand_b=TPM2B_OPERAND(tpm_policy.counter_bytes(counter.value)),
        operation=TPM2_EO.EQ,
    )
    return tpm_policy.policy_counter(COUNTER_NAME, counter.value, before=before)


def by_either(tpm: Tpm, session: ESYS_TR) -> bytes:
    """The second of two branches."""
    branches = [bytes([1]) * 32, by_pcr(tpm, session)]
    tpm.esapi.policy_or(session, TPML_DIGEST([TPM2B_DIGEST(branch) for branch in branches]))
    return tpm_policy.policy_or(branches)


def by_vendor(ref: bytes) -> Step:
    """The vendor's signature."""

    def step(tpm: Tpm, session: ESYS_TR) -> bytes:
        policy = by_pcr(tpm, session)
        signature = VENDOR.sign(policy + ref, PKCS1v15(), SHA256())
        area = TPMT_SIGNATURE.unmarshal(tpm_policy.signature_area(VENDOR.public_key(), signature))[0]
        name = tpm_policy.key_name(VENDOR.public_key())
        with tpm.flushed(external(tpm, VENDOR)) as key:
            digest = hashlib.sha256(policy + ref).digest()
            ticket = tpm.esapi.verify_signature(key, digest, area)
        tpm.esapi.policy_authorize(
            policy_session=session, approved_policy=policy, policy_ref=ref, key_sign=name, check_ticket=ticket
        )
        return tpm_policy.policy_authorize(name, ref=ref)

    return step


def by_signature(key: tpm_policy.PrivateKey) -> Step:
    """The recovery key's signature."""

    def step(tpm: Tpm, session: ESYS_TR) -> bytes:
        nonce = bytes(tpm.esapi.trsess_get_nonce_tpm(session))
        signature = signer(key)(tpm_policy.recovery_message(nonce))
        area = TPMT_SIGNATURE.unmarshal(tpm_policy.signature_area(key.public_key(), signature))[0]
        with tpm.flushed(external(tpm, key)) as handle:
            tpm.esapi.policy_signed(
                auth_object=handle,
                policy_session=session,
                auth=area,
                nonce_tpm=nonce,
                policy_ref=tpm_policy.RECOVERY_REF,
                expiration=0,
            )
        return tpm_policy.policy_signed(tpm_policy.key_name(key.public_key()), ref=tpm_policy.RECOVERY_REF)

    return step


STEPS = {
    "pcr": by_pcr,
    "two_pcrs": by_two_pcrs,
    "counter": by_counter,
    "pcr_and_counter": by_pcr_and_counter,
    "either": by_either,
    "authorize": by_vendor(b""),
    "authorize_with_reference": by_vendor(b"a reference"),
    "signed_by_p256": by_signature(RECOVERY),
    "signed_by_rsa": by_signature(VENDOR),
}


@pytest.mark.parametrize("kind", [TPM2_SE.TRIAL, TPM2_SE.POLICY], ids=["trial", "real"])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_tpm_arrives_at_the_same_digest(tpm: Swtpm, step: Step, kind: TPM2_SE) -> None:
    """Each policy in plain Python is what the TPM's session says, trial or not."""
    with connected(tpm.tcti) as open_tpm, open_tpm.policy_session(kind) as session:
        expected = step(open_tpm, session)
        assert bytes(open_tpm.esapi.policy_get_digest(session)) == expected


@pytest.mark.parametrize("key", KEYS, ids=["rsa", "p256"])
def test_a_tpm_gives_a_key_the_same_name(tpm: Swtpm, key: tpm_policy.PrivateKey) -> None:
    """The Name is the key's fingerprint in an anchor."""
    with connected(tpm.tcti) as open_tpm, open_tpm.flushed(external(open_tpm, key)) as handle:
        assert bytes(open_tpm.esapi.tr_get_name(handle)) == tpm_policy.key_name(key.public_key())
    assert len(tpm_policy.key_name(key.public_key())) == tpm_policy.NAME_BYTES


@given(st.sets(st.integers(0, 23), min_size=1))
def test_a_selection_of_pcrs_is_what_the_library_makes_of_it(pcrs: set[int]) -> None:
    """One bank, three bytes of bits."""
    written = ",".join(str(number) for number in sorted(pcrs))
    assert tpm_policy.pcr_selection(sorted(pcrs)) == TPML_PCR_SELECTION.parse(f"sha256:{written}").marshal()


def test_what_systemd_measure_signed_is_understood() -> None:
    """Its policies are those of the values that it calculates, under the fingerprint of the key, and verify."""
    key = tpm_policy.read_public_key((SIGNED / "tpm2-pcr-public-key.pem").read_bytes())
    assert isinstance(key, rsa.RSAPublicKey)
    signatures = tpm_policy.read_signatures((SIGNED / "tpm2-pcr-signature.json").read_bytes())
    assert {item.pol for item in signatures} == {
        tpm_policy.policy_pcr({11: bytes.fromhex(value)}).hex() for value in PHASES
    }
    for item in signatures:
        assert (item.pcrs, item.pkfp) == ([11], tpm_policy.fingerprint(key))
        key.verify(item.sig, bytes.fromhex(item.pol), PKCS1v15(), SHA256())


def test_signatures_are_written_as_systemd_measure_writes_them() -> None:
    """Read and written again, its file is the same to the byte."""
    content = (SIGNED / "tpm2-pcr-signature.json").read_bytes().strip()
    assert tpm_policy.write_signatures(tpm_policy.read_signatures(content)) == content


def test_a_release_is_signed_without_a_tpm() -> None:
    """The image build signs the value that PCR 11 will have."""
    signed = tpm_policy.sign_pcr_policy(VENDOR, AT_POWER_ON)
    policy = tpm_policy.policy_pcr({11: AT_POWER_ON})
    VENDOR.public_key().verify(signed.sig, policy, PKCS1v15(), SHA256())
    assert (signed.pol, signed.pkfp) == (policy.hex(), tpm_policy.fingerprint(VENDOR.public_key()))
    assert tpm_policy.read_signatures(tpm_policy.write_signatures([signed])) == [signed]


def test_other_banks_are_passed_over() -> None:
    """systemd-measure signs for each bank that it is asked for; this product reads one."""
    assert tpm_policy.read_signatures(b'{"sha1":[{"pcrs":[11]}]}') == []


NO_HEX = {"pcrs": [11], "pkfp": "A" * 64, "pol": "0" * 64, "sig": ""}
DAMAGED = {
    "empty": b"",
    "no_text": b"\xff",
    "a_list": b"[]",
    "deep": b"[" * 100_000,
    "no_list": b'{"sha256":{}}',
    "fields_missing": b'{"sha256":[{"pcrs":[11]}]}',
    "no_hex": json.dumps({"sha256": [NO_HEX]}).encode(),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_of_signatures_allows_nothing(content: bytes) -> None:
    """It is refused whole."""
    with pytest.raises(TpmPolicyError):
        tpm_policy.read_signatures(content)


@pytest.mark.parametrize("key", KEYS, ids=["rsa", "p256"])
def test_a_key_is_read_from_pem(key: tpm_policy.PrivateKey) -> None:
    """Public or private; what the private half signs, the public half verifies."""
    public = tpm_policy.read_public_key(public_pem(key))
    assert public == key.public_key()
    signature = tpm_policy.read_signer(private_pem(key))(b"message")
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, b"message", PKCS1v15(), SHA256())
    else:
        public.verify(signature, b"message", ec.ECDSA(SHA256()))


UNFIT: dict[str, Callable[[], Any]] = {
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa_3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa_exponent_3": lambda: rsa.generate_private_key(3, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


@pytest.mark.parametrize("make", UNFIT.values(), ids=UNFIT)
def test_a_key_that_no_policy_takes_is_refused(make: Callable[[], Any]) -> None:
    """By its public and by its private half."""
    key = make()
    with pytest.raises(PolicyKeyError):
        tpm_policy.read_public_key(public_pem(key))
    with pytest.raises(PolicyKeyError):
        tpm_policy.read_signer(private_pem(key))


def test_what_is_no_key_is_refused() -> None:
    """Another kind of file, the wrong half, one with a passphrase: an error of its own, which shows nothing of it."""
    locked = RECOVERY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))
    for pem in (b"", b"no PEM", private_pem(RECOVERY)):
        with pytest.raises(PolicyKeyError):
            tpm_policy.read_public_key(pem)
    for pem in (b"", b"no PEM", public_pem(RECOVERY), locked):
        with pytest.raises(PolicyKeyError) as caught:
            tpm_policy.read_signer(pem)
        assert "PRIVATE" not in str(caught.value)


HUGE = encode_dss_signature(2**256, 1)


@pytest.mark.parametrize(
    ("key", "signature"),
    [
        (VENDOR, b""),
        (VENDOR, bytes(255)),
        (VENDOR, bytes(257)),
        (RECOVERY, b""),
        (RECOVERY, b"no DER"),
        (RECOVERY, HUGE),
    ],
    ids=["rsa_none", "rsa_short", "rsa_long", "p256_none", "p256_no_der", "p256_too_large"],
)
def test_what_cannot_be_a_signature_is_refused(key: tpm_policy.PrivateKey, signature: bytes) -> None:
    """Before a TPM sees it."""
    with pytest.raises(ValueError, match=r"."):
        tpm_policy.signature_area(key.public_key(), signature)
