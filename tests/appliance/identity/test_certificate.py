"""What a machine certificate says, whatever its bytes are; which ones are accepted, ``test_file_identity`` shows."""

import base64
import warnings
from contextlib import suppress
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ClockOffError, IdentityError
from appliance.identity.certificate import (
    MachineName,
    name_of,
    parse_certificates,
    require_key,
    require_time,
    verify_chain,
)
from appliance.identity.machine_key import MachineKey
from tests.support.enrollment_desk import certify
from tests.support.records import START
from tests.support.tls_peer import APPLIANCE, DAY, TENANT, Authority

AUTHORITY = Authority(now=START)
KEY = MachineKey.generate()
LEAF = certify(KEY.request(), authority=AUTHORITY)
DER = LEAF.public_bytes(Encoding.DER)
CHANGES = st.dictionaries(st.integers(0, len(DER) - 1), st.integers(1, 255), min_size=1, max_size=4)


def judge(der: bytes) -> MachineName:
    """All that is asked of a certificate before it is believed; the library warns of odd serial numbers."""
    lines = base64.encodebytes(der).decode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chain = parse_certificates(f"-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n".encode())
        require_key(chain[0], KEY.public_key)
        name = name_of(chain[0])
        verify_chain(chain, [AUTHORITY.certificate], now=START)
    return name


def test_an_honest_certificate_passes() -> None:
    """Else the next test would show nothing."""
    assert judge(DER) == MachineName(TENANT, APPLIANCE)


@given(CHANGES)
def test_a_damaged_certificate_is_one_of_our_errors(changes: dict[int, int]) -> None:
    """Whatever bytes are changed: never another exception, and never believed."""
    damaged = bytearray(DER)
    for place, change in changes.items():
        damaged[place] ^= change
    with pytest.raises(IdentityError):
        judge(bytes(damaged))


@given(CHANGES)
def test_each_question_to_a_damaged_certificate_has_an_answer_or_our_error(changes: dict[int, int]) -> None:
    """Each by itself, since an earlier one may hide what a later one does."""
    damaged = bytearray(DER)
    for place, change in changes.items():
        damaged[place] ^= change
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            leaf = x509.load_der_x509_certificate(bytes(damaged))
        except (ValueError, x509.InvalidVersion):
            return
        for ask in (
            lambda: require_key(leaf, KEY.public_key),
            lambda: name_of(leaf),
            lambda: verify_chain([leaf], [AUTHORITY.certificate], now=START),
        ):
            with suppress(IdentityError):
                ask()


def test_a_certificate_is_valid_to_its_last_second_and_no_longer() -> None:
    """From its first one on; RFC 5280 4.1.2.5: both are part of it."""
    second = timedelta(seconds=1)
    for inside in (START - DAY, START, START + DAY):
        require_time(LEAF, now=inside)
    for outside in (START - DAY - second, START + DAY + second):
        with pytest.raises(ClockOffError, match=f"{outside:%Y-%m-%d %H:%M} UTC"):
            require_time(LEAF, now=outside)
