"""How a TPM marshals its structures (TPM 2.0 part 2), and how they are read: strictly.

Rules: numbers are big-endian; every sized part has a bound that its reader names; what is left over is refused. Bytes
that do not fit end in one refusal, which says what was read and never what stood there.
"""

from appliance.wire.problem import ProblemCode
from receiver.errors import ProblemError


def refused(rule: str) -> ProblemError:
    """The refusal of evidence: ``rule`` says which part broke which rule, without a value of it."""
    return ProblemError(
        ProblemCode.EVIDENCE_INVALID,
        detail=rule,
        hint="Restart the machine and try again; if it stays, its TPM does not work as the standard says.",
    )


def sized(content: bytes) -> bytes:
    """A TPM2B: ``content`` with its length before it, in two bytes."""
    return len(content).to_bytes(2, "big") + content


class TpmReader:
    """Takes one structure apart, from its beginning; ``what`` names it in a refusal."""

    def __init__(self, data: bytes, what: str) -> None:
        """Stand at the beginning of ``data``."""
        self._data = data
        self._place = 0
        self._what = what

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes.

        Raises:
            ProblemError: ``evidence_invalid``: fewer are left.
        """
        part = self._data[self._place : self._place + count]
        if len(part) != count:
            raise self.malformed()
        self._place += count
        return part

    def number(self, size: int) -> int:
        """The next unsigned number, of ``size`` bytes. Raises as ``take``."""
        return int.from_bytes(self.take(size), "big")

    def sized(self, *, most: int) -> bytes:
        """The content of the next TPM2B, of at most ``most`` bytes. Raises as ``take``, and where it is longer."""
        size = self.number(2)
        if size > most:
            raise self.malformed()
        return self.take(size)

    def end(self) -> None:
        """Refuse what is left. Raises as ``take``."""
        if self._place != len(self._data):
            raise self.malformed()

    def malformed(self) -> ProblemError:
        """The refusal of what does not read."""
        return refused(f"the {self._what} is not marshalled as the TPM 2.0 standard says")
