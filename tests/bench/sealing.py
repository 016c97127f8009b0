"""What a TPM costs at a start and at a sealing anew, beside one bare round trip to the same TPM.

The TPM is swtpm on this machine: what it computes is little, so the product's own sessions, checks and writes show.
The bare round trip is a connection of its own with one salted session, as any careful program has it; the product has
one more session for the policy, and at a sealing it opens the old anchor, proves the new one and writes three files.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tpm2_pytss import (
    ESAPI,
    ESYS_TR,
    TPM2_ALG,
    TPM2_SE,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPM2B_SENSITIVE_DATA,
    TPMA_SESSION,
    TPMS_SENSITIVE_CREATE,
    TPMT_SYM_DEF,
)

from appliance.clock import SystemClock
from appliance.sealing.boot_state import BootState
from appliance.sealing.vtpm.connection import STORAGE_KEY_HANDLE
from appliance.sealing.vtpm.sealer import VtpmAnchor
from tests.bench.figure import BUILD, Figure
from tests.support.swtpm import Swtpm

ROUNDS = 40
PLAIN = BootState(secure_boot=None, public_key=None, signatures=None)
Parts = tuple[TPM2B_PRIVATE, TPM2B_PUBLIC]


def bench_sealing(_only: str | None = None) -> Iterator[Figure]:
    """``seal`` and ``unseal``: the product's whole work, in turns with the bare round trip."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name, Swtpm(Path(name) / "tpm") as tpm:
        anchor = VtpmAnchor(Path(name) / "anchor", tcti=tpm.tcti, boot=PLAIN, clock=SystemClock())
        anchor.open()
        parts = _create(tpm.tcti)
        jobs: list[Callable[[], object]] = [
            anchor.reseal,
            anchor.open,
            lambda: _create(tpm.tcti),
            lambda: _unseal(tpm.tcti, parts),
        ]
        taken = [[_timed(job) for job in jobs] for _ in range(ROUNDS)]
    seal, unseal, create, load = (median(times) for times in zip(*taken, strict=True))
    yield Figure("seal", seal, "ms, wall, p50", "a bare TPM2_Create", create)
    yield Figure("unseal", unseal, "ms, wall, p50", "a bare TPM2_Load and Unseal", load)


def _create(tcti: str) -> Parts:
    """Seal 32 bytes under a password."""
    sensitive = TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(data=TPM2B_SENSITIVE_DATA(bytes(32))))
    public = TPM2B_PUBLIC.parse("keyedhash", objectAttributes="fixedtpm|fixedparent|userwithauth|noda")
    with _salted(tcti) as (esapi, storage_key, session):
        private, made, *_ = esapi.create(storage_key, sensitive, public, session1=session)
    return private, made


def _unseal(tcti: str, parts: Parts) -> None:
    with _salted(tcti) as (esapi, storage_key, session):
        handle = esapi.load(storage_key, *parts, session1=session)
        esapi.unseal(handle, session1=session)
        esapi.flush_context(handle)


@contextmanager
def _salted(tcti: str) -> Iterator[tuple[ESAPI, ESYS_TR, ESYS_TR]]:
    with ESAPI(tcti) as esapi:
        storage_key = esapi.tr_from_tpmpublic(STORAGE_KEY_HANDLE)
        session = esapi.start_auth_session(
            tpm_key=storage_key,
            bind=ESYS_TR.NONE,
            session_type=TPM2_SE.HMAC,
            symmetric=TPMT_SYM_DEF.parse("aes128cfb"),
            auth_hash=TPM2_ALG.SHA256,
        )
        attributes = TPMA_SESSION.ENCRYPT | TPMA_SESSION.DECRYPT | TPMA_SESSION.CONTINUESESSION
        esapi.trsess_set_attributes(session, attributes)
        yield esapi, storage_key, session
        esapi.flush_context(session)


def _timed(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return 1000 * (time.perf_counter() - start)
