"""The table of routes, and the one way in: session, role, CSRF token, then the page.

Each `Spec` says which action a route needs (`records.roles`); a route without one is public and listed as such. A refusal of a
signed-in person is an `access.denied` event. Leaves out: what pages show (`pages`), headers (`security`).
"""

from __future__ import annotations

import hmac
import inspect
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from affiant.console.context import Context
from affiant.console.index import Index
from affiant.console.pages import PUBLIC, SPECS, PublicHandler
from affiant.console.pages.error import ErrorPage
from affiant.console.queries import Queries
from affiant.console.render import render
from affiant.console.security import Cookies, SecurityHeaders
from affiant.console.visit import Spec, Visit, catch_up, theme_of
from affiant.kit.errors import AffiantError, BadInput, Conflict, CouldNotLook, Forbidden, NotFound
from affiant.records.model import Session
from affiant.records.roles import may, who_may

_log = logging.getLogger("affiant.console")
MAX_FORM_BYTES = 256 * 1024
STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Console:
    """What every route closes over."""

    context: Context
    index: Index
    cookies: Cookies


def create_console(context: Context) -> list[BaseRoute]:
    """The console as routes to mount last, at the root: everything that is not the API's is its to answer."""
    console = Console(context, Index(context.index_path, context.origin), Cookies(context.secure))
    routes: list[BaseRoute] = [Mount("/static", _Static(directory=STATIC), name="static")]
    routes += [Route(spec.path, _signed_in(console, spec), methods=[spec.method]) for spec in SPECS]
    routes += [Route(path, _public(console, handler), methods=[method]) for path, method, handler in PUBLIC]
    app = Starlette(routes=routes, exception_handlers=_exception_handlers(console))
    return [Mount("/", SecurityHeaders(app, context.secure), name="console")]


class _Static(StaticFiles):
    """Static files, kept by browsers for a day; their addresses carry a digest of their content."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def cached(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                message["headers"].append((b"cache-control", b"public, max-age=86400"))
            await send(message)

        await super().__call__(scope, receive, cached)


def _signed_in(console: Console, spec: Spec) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        form = await read_form(request) if spec.method == "POST" else {}
        session = await run_in_threadpool(_session, console, request)
        if session is None:
            return _to_sign_in(request)
        if spec.method == "POST":
            check_form(request, form, session.csrf)
        if not may(session.roles, spec.action):
            await run_in_threadpool(console.context.records.deny, session.person, spec.action, "role")
            raise Forbidden(f"Your roles do not allow `{spec.action}`.", f"Roles that may: {', '.join(who_may(spec.action)) or 'none'}.")
        behind = await run_in_threadpool(catch_up, console.context, console.index)
        visit = Visit(request, console.context, session, Queries(console.index), behind, console.cookies, form)
        if inspect.iscoroutinefunction(spec.handler):
            answer: Response = await spec.handler(visit)
            return answer
        return await run_in_threadpool(spec.handler, visit)  # type: ignore[arg-type]

    return endpoint


def _public(console: Console, handler: PublicHandler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        form = await read_form(request) if request.method == "POST" else {}
        if request.method == "POST":
            check_form(request, form, request.cookies.get(console.cookies.form_name, ""))
        return await run_in_threadpool(handler, console.context, console.cookies, request, form)

    return endpoint


def _session(console: Console, request: Request) -> Session | None:
    token = console.cookies.session(request)
    return console.context.records.session(token) if token else None


def _to_sign_in(request: Request) -> Response:
    """Ask for a sign-in, and come back to the page afterwards; a live fragment makes the whole page go there."""
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"hx-redirect": "/sign-in"})
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse("/sign-in" + (f"?next={quote(path)}" if request.method == "GET" and path != "/" else ""), 303)


async def read_form(request: Request) -> Mapping[str, str]:
    """Fields of a small url-encoded form, each at most once.

    Raises:
        BadInput: another content type, too large, not UTF-8, or a field given twice.
    """
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise BadInput("A form of another kind was sent.", "Send it as application/x-www-form-urlencoded.")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM_BYTES:
                raise BadInput(f"The form is larger than {MAX_FORM_BYTES // 1024} KiB.", "Shorten what you enter.")
    except ClientDisconnect as error:
        raise BadInput("The form ended early.", "Send it again.") from error
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=50, errors="strict")
    except ValueError as error:
        raise BadInput("The form cannot be read.", "Go back and send it again.") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise BadInput("The form gives a field twice.", "Go back and send it again.")
    return form


def check_form(request: Request, form: Mapping[str, str], token: str) -> None:
    """Refuse a form that did not come from this console's own page in this session.

    Raises:
        Forbidden: another origin, or without the right token.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    given = form.get("csrf", "")
    if site not in ("same-origin", "none") or not token or not hmac.compare_digest(given.encode(), token.encode()):
        raise Forbidden("This form did not come from this console's own page.", "Open the page again and send it from there.")


_STATUS: tuple[tuple[type[AffiantError], int, str], ...] = (
    (NotFound, 404, "Not found"),
    (Forbidden, 403, "You may not do this"),
    (Conflict, 409, "Not in this state"),
    (BadInput, 400, "This cannot be done as asked"),
    (CouldNotLook, 503, "Could not look"),
)
_HTTP_WORDS = {
    404: ("Not found", "There is no page at this address.", "Start from Today, or check the address."),
    405: ("Not found", "This address is not used in this way.", "Start from Today, or check the address."),
    403: ("You may not do this", "This is not for your roles.", "Ask an admin for the role, or ask someone who has it."),
}


def _exception_handlers(console: Console) -> dict[Any, Any]:
    def answer(request: Request, page: ErrorPage) -> Response:
        return HTMLResponse(render("error.html", page, None, theme_of(request)), page.status)

    def known(request: Request, error: AffiantError) -> Response:
        status, title = next(((s, t) for kind, s, t in _STATUS if isinstance(error, kind)), (500, "Something is wrong with this home"))
        return answer(request, ErrorPage(status, title, error.message, error.next_step, console.context.origin, console.context.demo))

    def http(request: Request, error: HTTPException) -> Response:
        words = _HTTP_WORDS.get(error.status_code, ("Not possible", "The request cannot be answered.", "Start from Today."))
        return answer(request, ErrorPage(error.status_code, *words, console.context.origin, console.context.demo))

    def surprise(request: Request, error: Exception) -> Response:
        reference = secrets.token_hex(4)
        _log.error("console error %s at %s", reference, request.url.path, exc_info=error)
        text, step = "This page met an error that it does not know.", "Look in the log of control for the reference, and report it."
        page = ErrorPage(500, "Something went wrong", text, step, console.context.origin, console.context.demo, reference)
        return answer(request, page)

    return {AffiantError: known, HTTPException: http, Exception: surprise}
