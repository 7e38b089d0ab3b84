"""Headers that every answer of the console carries, and cookies: what a browser may do with a page, said once.

Pure ASGI around the whole console, so that error pages and static files carry them too. Leaves out: who may see what (`visit`).
"""

from __future__ import annotations

import secrets

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
THEME_COOKIE = "affiant_theme"
_YEAR_S = 365 * 86_400


class SecurityHeaders:
    """Adds `HEADERS`, and `no-store` to what is not a static file.

    Args:
        app: the console.
        secure: whether people reach it by https, which adds HSTS.
    """

    def __init__(self, app: ASGIApp, secure: bool) -> None:
        self.app, self.secure = app, secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if self.secure:
                    headers["strict-transport-security"] = f"max-age={_YEAR_S}"
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self.app(scope, receive, with_headers)


class Cookies:
    """Names and attributes of the console's cookies: HttpOnly, SameSite=Strict, and host-bound Secure ones by https."""

    def __init__(self, secure: bool) -> None:
        prefix = "__Host-" if secure else ""
        self.secure, self.session_name, self.form_name = secure, prefix + "affiant_session", prefix + "affiant_form"

    def session(self, request: Request) -> str:
        """The session token that the browser sent, or ""."""
        return request.cookies.get(self.session_name, "")

    def set_session(self, response: Response, token: str) -> None:
        """Give the browser a session token; it ends with the browser or the session."""
        response.set_cookie(self.session_name, token, httponly=True, samesite="strict", secure=self.secure, path="/")

    def drop_session(self, response: Response) -> None:
        """Take the session token away."""
        response.delete_cookie(self.session_name, httponly=True, samesite="strict", secure=self.secure, path="/")

    def form_token(self, request: Request) -> str:
        """The token that ties a form shown before sign-in to this browser; a fresh one if it has none."""
        token = request.cookies.get(self.form_name, "")
        return token if len(token) == 43 else secrets.token_urlsafe(32)

    def set_form_token(self, response: Response, token: str) -> None:
        """Give the browser the token of its form."""
        response.set_cookie(self.form_name, token, httponly=True, samesite="strict", secure=self.secure, path="/", max_age=3600)

    def set_theme(self, response: Response, theme: str) -> None:
        """Remember a theme; `system` forgets it."""
        if theme == "system":
            response.delete_cookie(THEME_COOKIE, path="/")
        else:
            response.set_cookie(THEME_COOKIE, theme, samesite="strict", secure=self.secure, path="/", max_age=_YEAR_S)
