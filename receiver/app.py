"""The HTTP application and its server. Every refusal, expected or not, leaves as a problem document.

Nothing of a request is logged: a query may hold pseudonyms, a header a key. A bug is logged as its type and place.
"""

import asyncio
import logging
import signal
import socket
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, NoReturn

import msgspec
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from appliance.wire.problem import ProblemCode
from receiver.errors import AddressUnusableError, ProblemError, ReceiverError
from receiver.factory import ProcessContext
from receiver.handlers import appliances, calls, completeness, enrollments, est, health, ingest, openapi
from receiver.handlers.answers import problem_answer
from receiver.tls_context import CurrentContext, PeerCertificateProtocol, current_context

_LOG: Final = logging.getLogger("receiver")
_GRACE_SECONDS: Final = 10
_FOLLOW_SECONDS: Final = 2.0
"""How late a change of the authority is at most; a look costs one millisecond."""
_ROLLOVER_DUE: Final = timedelta(days=730)
"""So long before the authority's end each start asks for a rollover: machines may be off for a year."""
_HINT: Final = "See /openapi.json for the paths, methods and parameters."
_HTTP_PROBLEMS: Final = {404: ProblemCode.NOT_FOUND, 405: ProblemCode.METHOD_NOT_ALLOWED}


def create_app(context: ProcessContext) -> FastAPI:
    """Put the routes, the refusals and the process context together."""
    app = FastAPI(
        title="Natalia receiver",
        summary="Stores pseudonymised calls of many tenants, each apart",
        version="1",
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    for router in (
        *(ingest.router, calls.router, completeness.router, appliances.router),
        *(enrollments.router, est.router, health.router),
    ):
        app.include_router(router)
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_middleware(ProblemBoundary)
    app.include_router(openapi.router)
    app.state.openapi = msgspec.json.encode(openapi.build_openapi(app))
    return app


class ProblemBoundary:
    """Outermost of our own: turns a bug into ``internal`` without a word of the request, in answer or log."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; answer for what goes wrong unless an answer has begun."""
        begun = False

        async def note_and_send(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, note_and_send)
        except ClientDisconnect:
            # Nobody is left to answer.
            return
        # BLE001: the boundary is where every bug ends; it is logged by type and place.
        except Exception as error:  # noqa: BLE001 as above
            place = traceback.extract_tb(error.__traceback__)[-1]
            _LOG.error("internal error: %s at %s:%s", type(error).__name__, place.name, place.lineno)
            if not begun:
                await problem_answer(_internal())(scope, receive, send)


async def serve(context: ProcessContext, *, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``announce`` is given the address once connections are taken.

    Raises:
        AddressUnusableError: host or port cannot be bound.
    """
    listener = _bind(host, port)
    shown = f"[{host}]" if ":" in host else host
    url = f"https://{shown}:{listener.getsockname()[1]}"
    tls = current_context()
    _renew(context, tls)
    config = uvicorn.Config(
        create_app(context),
        http=PeerCertificateProtocol,
        ws="none",
        ssl_context_factory=lambda _config, _default: tls,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    # uvicorn raises the signal again after its graceful end; what it meets then ends the process with status 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    following = asyncio.create_task(_follow(context, tls))
    try:
        await _AnnouncingServer(config, lambda: announce(url)).serve(sockets=[listener])
    finally:
        following.cancel()


async def _follow(context: ProcessContext, tls: CurrentContext) -> NoReturn:
    """Keep the TLS context up to date. What fails is logged, once, and tried again; what serves goes on serving."""
    ends_at = context.authority.issuing.not_valid_after_utc
    if ends_at - context.clock.now() < _ROLLOVER_DUE:
        _LOG.warning("the machine authority ends on %s; roll it over: natalia-receiver ca --help", ends_at.date())
    failing: str | None = None
    while True:
        await asyncio.sleep(_FOLLOW_SECONDS)
        try:
            _renew(context, tls)
            failing = None
        except ReceiverError as error:
            if error.code != failing:
                _LOG.error("the TLS context is not renewed: %s: %s", error.code, error)
            failing = error.code


def _renew(context: ProcessContext, tls: CurrentContext) -> None:
    context.renew_server_certificate()
    tls.follow(context.state, client_roots=context.authority.anchors)


class _AnnouncingServer(uvicorn.Server):
    """Tells when connections are taken, and not before."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError):
        raise AddressUnusableError("the address cannot be listened on") from None


def _exit(*_: object) -> NoReturn:
    raise SystemExit(0)


def _on_problem(_request: Request, error: Exception) -> Response:
    return problem_answer(error) if isinstance(error, ProblemError) else problem_answer(_internal())


def _on_invalid(_request: Request, error: Exception) -> Response:
    """Name each parameter that is known and wrong; an unknown one's name is not repeated, it may be anything."""
    reports: list[dict[str, Any]] = list(error.errors()) if isinstance(error, RequestValidationError) else []
    named = {str(report["loc"][-1]) for report in reports if report["type"] != "extra_forbidden"}
    parts = [f"invalid: {', '.join(sorted(named))}"] if named else []
    if any(report["type"] == "extra_forbidden" for report in reports):
        parts.append("a parameter that does not exist")
    return problem_answer(ProblemError(ProblemCode.MALFORMED_REQUEST, detail="; ".join(parts), hint=_HINT))


def _on_http_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = _HTTP_PROBLEMS.get(status, ProblemCode.MALFORMED_REQUEST)
    answer = problem_answer(ProblemError(code, detail=code.replace("_", " "), hint=_HINT))
    allow = (error.headers or {}).get("Allow") if isinstance(error, HTTPException) else None
    if allow is not None:
        answer.headers["Allow"] = allow
    return answer


def _internal() -> ProblemError:
    return ProblemError(
        ProblemCode.INTERNAL, detail="the receiver failed", hint="Try again later; the operator's log names the place."
    )
