"""Sign-in, sessions and people."""

from __future__ import annotations

from typing import Any

from affiant.api import shapes
from affiant.api.auth import cookie_name
from affiant.api.model import PUBLIC, SIGNED_IN, Answer, Call, Field, RouteSpec
from affiant.kit.errors import BadInput
from affiant.records import LOCAL
from affiant.records.people import LINK_S


def _signed_in(call: Call, done: Any) -> Answer:
    return Answer(shapes.signed_in(done), cookies={cookie_name(call.context.secure): done.token})


def sign_in(call: Call) -> Answer:
    return _signed_in(call, call.context.records.sign_in(call.body["person"], call.body["password"]))


def use_link(call: Call) -> Answer:
    return _signed_in(call, call.context.records.use_link(call.body["token"]))


def sign_out(call: Call) -> Answer:
    if call.caller.session is None:
        raise BadInput("The local credential has no session.", "Nothing to end.")
    call.context.records.sign_out(call.caller.session.id, call.caller.by)
    return Answer({"signed_out": True}, cookies={cookie_name(call.context.secure): ""})


def me(call: Call) -> dict[str, Any]:
    if call.caller.session is not None:
        return shapes.session(call.caller.session)
    return {"person": "" if call.caller.by == LOCAL else call.caller.by, "roles": list(call.caller.roles), "local": True}


def list_people(call: Call) -> dict[str, Any]:
    return {"people": [shapes.person(each) for each in call.context.records.people()]}


def show_person(call: Call) -> dict[str, Any]:
    return shapes.person(call.context.records.person(call.path["person"]))


def make_link(call: Call) -> dict[str, Any]:
    token = call.context.records.sign_in_link(call.path["person"], call.caller.by)
    url = f"{call.context.console_url.rstrip('/')}/link/{token}" if call.context.console_url else ""
    return {"person": call.path["person"], "token": token, "url": url, "expires_s": LINK_S}


def set_password(call: Call) -> dict[str, Any]:
    call.context.records.set_password(call.path["person"], call.body["password"], call.caller.by)
    return shapes.person(call.context.records.person(call.path["person"]))


def leave(call: Call) -> dict[str, Any]:
    call.context.records.leave(call.path["person"], call.caller.by)
    return shapes.person(call.context.records.person(call.path["person"]))


_SESSION = "The session, with the `csrf` token that mutations repeat; the cookie carries its secret."

ROUTES = (
    RouteSpec("POST", "/sign-in", PUBLIC, sign_in, "Sign in with a local password.", _SESSION, {
        "person": Field("string", "person id", True), "password": Field("string", "password", True)}),
    RouteSpec("POST", "/sign-in/link", PUBLIC, use_link, "Sign in with a one-time link's token.", _SESSION, {
        "token": Field("string", "the token, good once and for 15 minutes", True)}),
    RouteSpec("POST", "/sign-out", SIGNED_IN, sign_out, "End this session.", "Whether it ended."),
    RouteSpec("GET", "/me", SIGNED_IN, me, "Who is calling.", "The session, or the person for whom the local credential acts."),
    RouteSpec("GET", "/people", "person.read", list_people, "Everybody, those who left included.", "`people`: a list."),
    RouteSpec("GET", "/people/{person}", "person.read", show_person, "One person.", "The person."),
    RouteSpec("POST", "/people/{person}/link", "person.invite", make_link, "Make a one-time sign-in link.",
              "`token` and `url`, shown once; `expires_s` seconds."),
    RouteSpec("POST", "/people/{person}/password", SIGNED_IN, set_password, "Set one's own local password, or as an admin another's.",
              "The person.", {"password": Field("string", "at least 12 characters", True)}, own=True),
    RouteSpec("POST", "/people/{person}/leave", "person.leave", leave,
              "Somebody leaves: roles, sessions and keys are gone in one transaction.", "The person, no longer active."),
)  # fmt: skip
