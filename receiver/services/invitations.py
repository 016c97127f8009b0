"""Make and withdraw invitations, for the receiver's operator."""

import secrets
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.wire.invitation import Invitation as Letter
from receiver.domain.invitation import LIFETIME, Invitation, compose
from receiver.domain.machine_name import parse_appliance
from receiver.domain.scoped_token import ID_BYTES, SECRET_BYTES
from receiver.errors import InvitationMissingError
from receiver.ports import Clock
from receiver.storage import invitations
from receiver.storage.tenant_scope import TenantSession


class Invitations:
    """The invitations of one tenant."""

    def __init__(self, session: TenantSession, *, clock: Clock, pepper: bytes) -> None:
        """Work within ``session``; ``pepper`` is hashed with every secret."""
        self._session = session
        self._clock = clock
        self._pepper = pepper

    async def create(self, appliance: str, *, receiver: str, anchors: Sequence[x509.Certificate]) -> Letter:
        """Invite one machine to be ``appliance``; give what its installer needs, whose token is not kept.

        Args:
            appliance: a new name, or a known one whose machine is to be replaced.
            receiver: ``wire.invitation.ReceiverUrl``.
            anchors: the roots by which the machine knows the receiver.

        Raises:
            NameInvalidError: not an appliance's name.
        """
        now = self._clock.now().replace(microsecond=0)
        token, text = compose(
            tenant_id=self._session.tenant_id,
            id_bytes=secrets.token_bytes(ID_BYTES),
            secret_bytes=secrets.token_bytes(SECRET_BYTES),
        )
        entry = Invitation(
            invitation_id=token.identifier,
            secret_hash=token.secret_hash(pepper=self._pepper),
            appliance=parse_appliance(appliance),
            created_at=now,
            expires_at=now + LIFETIME,
        )
        await invitations.add(self._session, entry)
        return Letter(
            version=1,
            receiver=receiver,
            appliance=entry.appliance,
            token=text,
            expires_at=entry.expires_at,
            trust_anchors=[anchor.public_bytes(Encoding.DER) for anchor in anchors],
        )

    async def list_all(self) -> list[Invitation]:
        """All invitations, oldest first; secrets are not among what is kept."""
        return await invitations.list_all(self._session)

    async def withdraw(self, appliance: str) -> int:
        """Withdraw an appliance's open invitations, and with them enrollments that have not ended; say how many.

        Raises:
            InvitationMissingError: none is open.
        """
        count = await invitations.withdraw(self._session, appliance=appliance, now=self._clock.now())
        if not count:
            raise InvitationMissingError("no invitation of that appliance is open")
        return count
