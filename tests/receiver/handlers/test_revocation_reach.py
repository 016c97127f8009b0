"""A revoked certificate does not deliver, whatever TLS still remembers of it."""

import ssl
from uuid import UUID

import pytest

from tests.receiver.deliveries import Machine
from tests.receiver.office import Office
from tests.receiver.tls_line import TlsLine, machine_context
from tests.support.receiver_process import ReceiverProcess

_MARK = "/v1/ingest/high-water"
_REVOKE = "UPDATE natalia.machine_certificate SET revoked_at = now()"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_resumed_session_is_asked_again(
    receiver: ReceiverProcess, office: Office, machine: Machine, version: ssl.TLSVersion
) -> None:
    """A resumed session shows the certificate no more; the receiver's own table is read all the same."""
    context = machine_context(machine, anchors=receiver.trust_anchors)
    context.minimum_version = context.maximum_version = version
    with TlsLine(receiver, context) as line:
        assert line.get(_MARK) == 200
        session = line.tls.session
    with TlsLine(receiver, context, session=session) as resumed:
        assert (resumed.tls.session_reused, resumed.get(_MARK)) == (True, 200)
        session = resumed.tls.session
    office.execute(UUID(machine.tenant_id), _REVOKE)
    with TlsLine(receiver, context, session=session) as resumed:
        assert (resumed.tls.session_reused, resumed.get(_MARK)) == (True, 403)


def test_a_connection_that_is_kept_open_is_asked_again(
    receiver: ReceiverProcess, office: Office, machine: Machine
) -> None:
    """The very next request on an open connection is refused, also after many that were not."""
    with TlsLine(receiver, machine_context(machine, anchors=receiver.trust_anchors)) as line:
        assert {line.get(_MARK) for _ in range(20)} == {200}
        office.execute(UUID(machine.tenant_id), _REVOKE)
        assert line.get(_MARK) == 403
