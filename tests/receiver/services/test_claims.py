"""What a certificate claims is read or refused, whatever its bytes are."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.wire.problem import ProblemCode
from receiver.domain.certificate_profile import machine_builder
from receiver.domain.machine_name import MachineName
from receiver.errors import ProblemError
from receiver.kms.local_authority import LocalFileAuthority
from receiver.services.machine_certificates import read_claim
from tests.receiver.newcomer import Newcomer

_NAME = MachineName(tenant_id=UUID("00112233-4455-6677-8899-aabbccddeeff"), appliance="hq")


def _refusal_of(certificate: bytes) -> ProblemCode | None:
    try:
        read_claim(certificate)
    except ProblemError as error:
        return error.problem
    return None


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_any_changed_bit_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A returning machine's certificate was seen by no TLS: whatever is wrong with it is one refusal and no bug."""
    now = datetime.now(tz=UTC)
    authority = LocalFileAuthority.ensure(tmp_path_factory.mktemp("ca") / "ca", now=now)
    machine = Newcomer()
    builder = machine_builder(machine.key.public_key(), machine=_NAME, issuer=authority.issuing, now=now)
    whole = authority.sign(builder).public_bytes(Encoding.DER)
    claim = read_claim(whole)
    assert (claim.name, claim.public_key) == (_NAME, machine.fingerprint)
    seen = set()
    for position in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[position] ^= 1 << bit
            seen.add(_refusal_of(bytes(changed)))
    # A changed signature is not looked at here: such a certificate is not registered.
    assert seen == {None, ProblemCode.FORBIDDEN}
