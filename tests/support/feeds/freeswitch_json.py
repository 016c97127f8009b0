"""A FreeSWITCH that keeps a JSON document of each leg, the called leg first."""

from tests.support.freeswitch_calls import calls
from tests.support.freeswitch_documents import encoded, json_document


def feed(*, rows: int, seed: int) -> bytes:
    """About so many documents, the same for the same seed."""
    return b"".join(json_document(encoded(variables), [one]) for variables, one in calls(rows=rows, seed=seed))
