"""Sign-in with a person and a password, the landing of a one-time link, signing out, and the choice of a theme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from affiant.console.context import Context
from affiant.console.model import Notice
from affiant.console.render import THEMES, render
from affiant.console.security import Cookies
from affiant.console.visit import Visit, theme_of
from affiant.kit.errors import Forbidden


@dataclass(frozen=True, slots=True)
class SignInPage:
    """`sign_in.html`."""

    place: str
    origin: str
    demo: bool
    csrf: str
    next: str = "/"
    person: str = ""
    error: Notice | None = None


@dataclass(frozen=True, slots=True)
class LinkPage:
    """`link.html`: a button, because a link that is only looked at must not be used up."""

    place: str
    origin: str
    demo: bool
    csrf: str
    token: str


def link_path(token: str) -> str:
    """The address on the console at which a one-time token is used."""
    return f"/link/{quote(token, safe='')}"


def local_path(text: str) -> str:
    """A place on this console to go to; anything else becomes Today."""
    good = text.startswith("/") and not text.startswith(("//", "/\\")) and not any(ord(c) < 33 or c == "\\" for c in text)
    return text[:1000] if good else "/"


def _alone(cookies: Cookies, request: Request, template: str, page: SignInPage | LinkPage, status: int = 200) -> Response:
    response = HTMLResponse(render(template, page, None, theme_of(request)), status)
    cookies.set_form_token(response, page.csrf)
    return response


def show(context: Context, cookies: Cookies, request: Request, form: Mapping[str, str]) -> Response:
    """The form."""
    page = SignInPage(
        context.origin, context.origin, context.demo, cookies.form_token(request), local_path(request.query_params.get("next", "/"))
    )
    return _alone(cookies, request, "sign_in.html", page)


def sign_in(context: Context, cookies: Cookies, request: Request, form: Mapping[str, str]) -> Response:
    """Open a session for a password, or say what to do."""
    person, following = form.get("person", "").strip()[:200], local_path(form.get("next", "/"))
    try:
        done = context.records.sign_in(person, form.get("password", ""))
    except Forbidden as error:
        notice = Notice(error.message, error.next_step, "failed")
        page = SignInPage(context.origin, context.origin, context.demo, cookies.form_token(request), following, person, notice)
        return _alone(cookies, request, "sign_in.html", page, 403)
    response = RedirectResponse(following, 303)
    cookies.set_session(response, done.token)
    return response


def show_link(context: Context, cookies: Cookies, request: Request, form: Mapping[str, str]) -> Response:
    """Where a one-time link lands: one button."""
    page = LinkPage(context.origin, context.origin, context.demo, cookies.form_token(request), request.path_params["token"])
    return _alone(cookies, request, "link.html", page)


def use_link(context: Context, cookies: Cookies, request: Request, form: Mapping[str, str]) -> Response:
    """Open a session for a one-time token."""
    done = context.records.use_link(form.get("token", ""))
    response = RedirectResponse("/", 303)
    cookies.set_session(response, done.token)
    return response


def theme(visit: Visit) -> Response:
    """Remember a theme in this browser."""
    wanted = visit.form.get("theme", "system")
    response = RedirectResponse(local_path(visit.form.get("back", "/")), 303)
    visit.cookies.set_theme(response, wanted if wanted in THEMES else "system")
    return response


def sign_out(visit: Visit) -> Response:
    """End this session."""
    visit.context.records.sign_out(visit.session.id, visit.session.person)
    response = RedirectResponse("/sign-in", 303)
    visit.cookies.drop_session(response)
    return response
