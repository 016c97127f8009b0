"""A short conversation with the TPM: opened for one piece of work, and nothing of it stays in the TPM afterwards.

Rules: every session is salted with the storage key, so that what is sealed and unsealed never crosses the bus in clear
(TPM 2.0 part 1, 19.6.5 and 21); the storage key's Name is compared with the pinned one before anything else, so that
nobody on the bus can put a key of his own in its place; every session and transient object is flushed, however the
work ends, because a TPM has three slots; whatever goes wrong is an error of ``appliance.errors``.

At a first use nothing is pinned: the key that answers is taken for the TPM's own.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed
from tpm2_pytss import (
    ESAPI,
    ESYS_TR,
    TPM2_ALG,
    TPM2_CAP,
    TPM2_PT,
    TPM2_SE,
    TPM2_SU,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPMA_SESSION,
    TPMT_SYM_DEF,
    TCTILdr,
    TSS2_Exception,
)

from appliance.errors import TpmBusyError, TpmFailedError, TpmReplacedError
from appliance.sealing.vtpm.response_codes import NO_HANDLE, NOT_STARTED, named_errors, plain_code

STORAGE_KEY_HANDLE: Final = 0x81000001
"""TCG TPM v2.0 Provisioning Guidance 7.8: where the storage root key lies; systemd puts its own there too."""
STORAGE_KEY_ATTRIBUTES: Final = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"
TRIES: Final = 5
_PAUSE_SECONDS: Final = 0.02
T = TypeVar("T")

# The library writes to stderr by itself, also what is expected (a key that is not there yet). Its codes are named here.
os.putenv("TSS2_LOG", "all+none")


@dataclass(frozen=True, slots=True)
class Tpm:
    """An open conversation; ``connected`` gives one."""

    esapi: ESAPI
    storage_key: ESYS_TR
    storage_key_name: bytes
    """Its Name (TPM 2.0 part 1, 16): 34 bytes."""
    session: ESYS_TR
    """Salted HMAC session that encrypts the first parameter both ways; authorises what has an empty password."""

    @contextmanager
    def policy_session(self, kind: TPM2_SE = TPM2_SE.POLICY) -> Iterator[ESYS_TR]:
        """A salted policy session that encrypts what the TPM answers; ``TPM2_SE.TRIAL`` to compute a policy."""
        with self.flushed(_salted(self.esapi, self.storage_key, kind)) as session:
            if kind == TPM2_SE.POLICY:
                self.esapi.trsess_set_attributes(session, TPMA_SESSION.ENCRYPT | TPMA_SESSION.CONTINUESESSION)
            yield session

    @contextmanager
    def flushed(self, handle: ESYS_TR) -> Iterator[ESYS_TR]:
        """Flush a transient object or session in the end."""
        with _flushed(self.esapi, handle):
            yield handle


@contextmanager
def connected(tcti: str, *, storage_key_name: bytes | None = None) -> Iterator[Tpm]:
    """Talk to the TPM.

    Args:
        tcti: how it is reached, ``name:configuration``, as ``device:/dev/tpmrm0``.
        storage_key_name: the pinned Name; None at a first use.

    Raises:
        TpmMissingError: nothing answers there.
        TpmReplacedError: its storage key is not the pinned one.
        TpmFailedError: what lies where the storage key belongs is none.
        SealingError: as ``response_codes`` names what the TPM answers, also within the work.
    """
    with named_errors(), ExitStack() as stack:
        way = stack.enter_context(closing(TCTILdr.parse(tcti)))
        esapi = stack.enter_context(closing(ESAPI(way)))
        key = _storage_key(esapi, storage_key_name)
        session = stack.enter_context(_flushed(esapi, _salted(esapi, key, TPM2_SE.HMAC)))
        esapi.trsess_set_attributes(session, TPMA_SESSION.ENCRYPT | TPMA_SESSION.DECRYPT | TPMA_SESSION.CONTINUESESSION)
        yield Tpm(esapi, key, bytes(esapi.tr_get_name(key)), session)


def patiently(work: Callable[[], T]) -> T:
    """Do ``work``, which opens a conversation of its own, up to five times while the TPM is busy or its PCRs change.

    Raises:
        TpmBusyError: as the last try did.
        SealingError: as ``work``.
    """
    tries = Retrying(
        stop=stop_after_attempt(TRIES),
        wait=wait_fixed(_PAUSE_SECONDS),
        retry=retry_if_exception_type(TpmBusyError),
        reraise=True,
    )
    return tries(work)


def found(esapi: ESAPI, handle: int) -> ESYS_TR | None:
    """The persistent object or NV index at a handle; None if there is none."""
    try:
        return esapi.tr_from_tpmpublic(handle)
    except TSS2_Exception as refused:
        if plain_code(int(refused.rc)) == NO_HANDLE:
            return None
        raise


def _storage_key(esapi: ESAPI, pinned: bytes | None) -> ESYS_TR:
    """The storage key, made where it is missing; in a TPM that is not the pinned one nothing is made."""
    _start(esapi)
    if (key := found(esapi, STORAGE_KEY_HANDLE)) is not None:
        _check_name(esapi, key, pinned)
        _check_kind(esapi, key)
        return key
    template = TPM2B_PUBLIC.parse("ecc256:aes128cfb", objectAttributes=STORAGE_KEY_ATTRIBUTES)
    made, *_ = esapi.create_primary(in_sensitive=TPM2B_SENSITIVE_CREATE(), in_public=template)
    with _flushed(esapi, made):
        _check_name(esapi, made, pinned)
        return esapi.evict_control(auth=ESYS_TR.OWNER, object_handle=made, persistent_handle=STORAGE_KEY_HANDLE)


def _start(esapi: ESAPI) -> None:
    """Start a TPM that nobody has started. Behind the kernel's resource manager it always was, and may not be again."""
    try:
        esapi.get_capability(TPM2_CAP.TPM_PROPERTIES, TPM2_PT.FAMILY_INDICATOR, 1)
    except TSS2_Exception as refused:
        if plain_code(int(refused.rc)) != NOT_STARTED:
            raise
        esapi.startup(TPM2_SU.CLEAR)


def _check_name(esapi: ESAPI, key: ESYS_TR, pinned: bytes | None) -> None:
    """Compare the Name that the library computed of the very key that sessions will be salted with."""
    if pinned is not None and bytes(esapi.tr_get_name(key)) != pinned:
        raise TpmReplacedError("the TPM's storage key is not the one that the secrets were sealed under")


def _check_kind(esapi: ESAPI, key: ESYS_TR) -> None:
    """Refuse a key that another program left there and that may be known outside of the TPM."""
    public, *_ = esapi.read_public(key)
    wanted = TPM2B_PUBLIC.parse("ecc256:aes128cfb", objectAttributes=STORAGE_KEY_ATTRIBUTES)
    wanted.publicArea.unique = public.publicArea.unique
    if bytes(public.marshal()) != bytes(wanted.marshal()):
        raise TpmFailedError(f"the key at {STORAGE_KEY_HANDLE:#x} is no storage key of this TPM")


def _salted(esapi: ESAPI, key: ESYS_TR, kind: TPM2_SE) -> ESYS_TR:
    return esapi.start_auth_session(
        tpm_key=key,
        bind=ESYS_TR.NONE,
        session_type=kind,
        symmetric=TPMT_SYM_DEF.parse("aes128cfb"),
        auth_hash=TPM2_ALG.SHA256,
    )


@contextmanager
def _flushed(esapi: ESAPI, handle: ESYS_TR) -> Iterator[ESYS_TR]:
    try:
        yield handle
    except BaseException:
        # A TPM that went away has nothing to flush, and what went wrong must stay the error.
        with suppress(TSS2_Exception):
            esapi.flush_context(handle)
        raise
    esapi.flush_context(handle)
