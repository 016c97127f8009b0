"""An invited machine's connection, and what it brings."""

import itertools
from collections.abc import Iterator
from typing import Final
from uuid import UUID

import httpx
import pytest

from appliance.sealing.vtpm.attestation import VtpmWitness
from appliance.wire.batch import KeyProtection
from tests.receiver.deliveries import client_context
from tests.receiver.office import Office
from tests.support.receiver_process import ReceiverProcess
from tests.support.swtpm import Swtpm

_ADDRESSES: Final = itertools.count(2)


@pytest.fixture
def door(receiver: ReceiverProcess) -> Iterator[httpx.Client]:
    """A connection without a certificate, from an address of its own: refusals are counted by address."""
    transport = httpx.HTTPTransport(
        verify=client_context(receiver.trust_anchors), local_address=f"127.0.1.{next(_ADDRESSES)}"
    )
    with httpx.Client(base_url=receiver.url, transport=transport, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def tenant_id(office: Office) -> UUID:
    """A tenant of its own."""
    return office.tenant()[1]


@pytest.fixture
def token(office: Office, tenant_id: UUID) -> str:
    """A fresh invitation's token, for the appliance ``hq``."""
    return office.invite(tenant_id).token


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VtpmWitness]:
    """A real TPM's witness."""
    with Swtpm(tmp_path_factory.mktemp("tpm") / "state") as tpm:
        yield VtpmWitness(tpm.tcti, key_protection=KeyProtection.TPM)
