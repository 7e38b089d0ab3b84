"""The API as a Starlette application: authenticate, check the role, read the body, do it, answer in JSON.

Every refusal of a known caller is an `access.denied` event; those of unknown ones are recorded up to a stated number a minute.
Leaves out: what the actions are (`people`, `keys`, `changes`, `evidence`).
"""

from __future__ import annotations

import inspect
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from affiant.api import appeals, changes, evidence, keeping, keys, people
from affiant.api.auth import Unauthenticated, authenticate, may
from affiant.api.context import Context
from affiant.api.model import NOBODY, PUBLIC, SIGNED_IN, Answer, Call, Caller, Raw, RouteSpec, check_body
from affiant.api.openapi import openapi
from affiant.kit.errors import AffiantError, BadInput, Conflict, CouldNotLook, Finding, Forbidden, NotFound
from affiant.records import LOCAL, VIA, FaultyInput

ROUTES: tuple[RouteSpec, ...] = (*people.ROUTES, *keys.ROUTES, *changes.ROUTES, *evidence.ROUTES, *keeping.ROUTES, *appeals.ROUTES)
_STATUS: tuple[tuple[type[AffiantError], int], ...] = (
    (Unauthenticated, 401), (NotFound, 404), (Forbidden, 403), (Conflict, 409), (BadInput, 400), (CouldNotLook, 503), (Finding, 422),
)  # fmt: skip
_PIECE = 1 << 20
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class _Denials:
    """Counts recorded refusals of unknown callers, so that nobody can fill the ledger from outside."""

    def __init__(self, most: int) -> None:
        self.most, self._minute, self._count = most, 0, 0

    def one_more(self) -> bool:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._count = minute, 0
        self._count += 1
        return self._count <= self.most


def create_api(context: Context, allow_local: bool) -> Starlette:
    """The API, to be mounted at `/api/v1`.

    Args:
        context: the rooms below.
        allow_local: whether the local credential counts here: only behind control.sock and in process.
    """
    denials = _Denials(context.max_unknown_denials)
    document = json.dumps(openapi(ROUTES)).encode()

    async def show_document(request: Request) -> Response:
        return Response(document, headers=_HEADERS, media_type="application/json")

    routes = [Route("/openapi.json", show_document, methods=["GET"])]
    ordered = sorted(ROUTES, key=lambda spec: "{" in spec.path)  # fixed words win over parameters
    routes += [Route(spec.path, _endpoint(context, spec, allow_local, denials), methods=[spec.method]) for spec in ordered]
    return Starlette(
        routes=routes,
        exception_handlers={AffiantError: _affiant_error, HTTPException: _http_error, Exception: _surprise},  # type: ignore[dict-item]
    )


def _endpoint(context: Context, spec: RouteSpec, allow_local: bool, denials: _Denials) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        caller = await run_in_threadpool(_admit, context, spec, request, allow_local, denials)
        raw = await _read(request, spec.max_bytes) if spec.method == "POST" else b""
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = _body(spec, raw, media)
        _check_query(spec, request)
        call = Call(context, caller, request.path_params, dict(request.query_params), body, raw, media)
        VIA.set(LOCAL if caller is not NOBODY and caller.session is None else "")
        if inspect.iscoroutinefunction(spec.handler):
            answer = await spec.handler(call)
        else:
            answer = await run_in_threadpool(spec.handler, call)
        return _response(context, answer)

    return endpoint


def _admit(context: Context, spec: RouteSpec, request: Request, allow_local: bool, denials: _Denials) -> Caller:
    """The caller, if the route lets them in.

    Raises:
        Unauthenticated: nobody. Forbidden: wrong role, or no CSRF token.
    """
    if spec.action == PUBLIC:
        return NOBODY
    action = spec.action if spec.action != SIGNED_IN else spec.path.strip("/").split("/")[0]
    try:
        caller = authenticate(context, request.headers, request.cookies, request.method, allow_local)
    except Unauthenticated:
        if denials.one_more():
            context.records.deny("", action, "nobody is signed in")
        raise
    if spec.action == SIGNED_IN or may(caller, spec.action):
        return caller
    if spec.action == "apply" and not context.records.bootstrapped:
        return caller  # the first apply brings the people; its author is checked there
    context.records.require(caller.by, spec.action)
    raise Forbidden(f"`{caller.by}` may not do `{spec.action}`.", "Ask somebody with the role.")


async def _read(request: Request, most: int) -> bytes:
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > most:
                raise BadInput(f"The body is larger than {most} bytes.", "Send less.")
    except ClientDisconnect:
        raise BadInput("The body ended early.", "Send it again.") from None
    return bytes(data)


def _body(spec: RouteSpec, raw: bytes, media: str) -> Any:
    if spec.body is None:
        if media not in spec.media:
            raise BadInput(f"The content type `{media}` is not taken here.", f"Send one of: {', '.join(spec.media)}.")
        return {}
    if not raw:
        return check_body(spec.body, {})
    if media != "application/json":
        raise BadInput(f"The content type `{media}` is not taken here.", "Send application/json.")
    try:
        return check_body(spec.body, json.loads(raw))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The body is no JSON: {error}.", "Send a JSON object.") from error


def _check_query(spec: RouteSpec, request: Request) -> None:
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in spec.query:
            raise BadInput(f"`{name}` is no parameter of this address.", f"Known: {', '.join(spec.query) or 'none'}.")
    if len(names) != len(set(names)):
        raise BadInput("A parameter was given twice.", "Give each once.")


def _response(context: Context, answer: Any) -> Response:
    if isinstance(answer, Raw):
        return _raw(answer)
    status, cookies = 200, {}
    if isinstance(answer, Answer):
        status, cookies, answer = answer.status, dict(answer.cookies), answer.value
    response = Response(json.dumps(answer).encode(), status, _HEADERS, "application/json")
    for name, value in cookies.items():
        if value:
            response.set_cookie(name, value, httponly=True, samesite="strict", secure=context.secure, path="/")
        else:
            response.delete_cookie(name, httponly=True, samesite="strict", secure=context.secure, path="/")
    return response


def _raw(answer: Raw) -> Response:
    if isinstance(answer.data, bytes):
        return Response(answer.data, headers=_HEADERS, media_type=answer.media)
    file = answer.data
    length = file.seek(0, os.SEEK_END)
    file.seek(0)

    def pieces() -> Iterator[bytes]:
        with file:
            yield from iter(lambda: file.read(_PIECE), b"")

    return StreamingResponse(pieces(), headers=_HEADERS | {"content-length": str(length)}, media_type=answer.media)


def _error(status: int, code: str, message: str, next_step: str, faults: list[dict[str, str]] | None = None) -> Response:
    error: dict[str, Any] = {"code": code, "message": message, "next_step": next_step}
    if faults is not None:
        error["faults"] = faults
    return Response(json.dumps({"error": error}).encode(), status, _HEADERS, "application/json")


async def _affiant_error(request: Request, error: AffiantError) -> Response:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    faults = [{"path": each.path, "text": each.text} for each in error.faults] if isinstance(error, FaultyInput) else None
    return _error(status, error.code, error.message, error.next_step, faults)


async def _http_error(request: Request, error: HTTPException) -> Response:
    if error.status_code == 404:
        return _error(404, "not_found", "There is nothing at this address.", "See /api/v1/openapi.json.")
    if error.status_code == 405:
        return _error(405, "bad_method", f"{request.method} is not possible here.", "See /api/v1/openapi.json.")
    return _error(error.status_code, "error", str(error.detail), "See /api/v1/openapi.json.")


async def _surprise(request: Request, error: Exception) -> Response:
    """Answered in words; the server logs the error itself."""
    return _error(500, "internal", "Something unexpected went wrong.", "See what control wrote to standard error.")


__all__ = ["LOCAL", "ROUTES", "create_api"]
