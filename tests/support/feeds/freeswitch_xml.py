"""A FreeSWITCH that keeps an XML document of each leg, the called leg first."""

from tests.support.freeswitch_calls import calls
from tests.support.freeswitch_documents import xml_document


def feed(*, rows: int, seed: int) -> bytes:
    """About so many documents, the same for the same seed."""
    return b"".join(xml_document(variables, [one]) for variables, one in calls(rows=rows, seed=seed))
