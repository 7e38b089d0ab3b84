"""Who calls: a console session (cookie, and for mutations the CSRF token) or the home's local credential (control.sock).

Leaves out: what they may do (records decide, and record the refusal).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from affiant.api.context import Context
from affiant.api.model import NOBODY, Caller
from affiant.kit.errors import BadInput, Forbidden, NotFound
from affiant.records import LOCAL, roles

COOKIE = "affiant_session"
CSRF_HEADER = "x-affiant-csrf"
AS_HEADER = "x-affiant-as"
_MUTATING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Unauthenticated(BadInput):
    """Nobody is signed in, or the credential is unknown."""

    code = "unauthenticated"


def cookie_name(secure: bool) -> str:
    """Name of the session cookie; by https it is bound to the host."""
    return f"__Host-{COOKIE}" if secure else COOKIE


def authenticate(context: Context, headers: Mapping[str, str], cookies: Mapping[str, str], method: str, local: bool) -> Caller:
    """The caller.

    Args:
        local: whether the local credential is accepted where this call came in (control.sock, or in process).

    Raises:
        Unauthenticated: no credential, an unknown one, or one that is not accepted here.
        Forbidden: a mutation without the session's CSRF token.
    """
    authorization = headers.get("authorization", "")
    if authorization:
        scheme, _, token = authorization.partition(" ")
        known = scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), context.local_token.encode())
        if not known or not local:
            raise Unauthenticated("This credential is unknown here.", "Use a session, or the command line on the machine itself.")
        return _local(context, headers.get(AS_HEADER, "").strip())
    token = cookies.get(cookie_name(context.secure), "")
    session = context.records.session(token) if token else None
    if session is None:
        raise Unauthenticated("Nobody is signed in.", "Sign in first.")
    if method in _MUTATING and not hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), session.csrf.encode()):
        raise Forbidden(f"The header {CSRF_HEADER} is missing or wrong.", "Send the `csrf` value of the session (see `me`).")
    return Caller(session.person, session.roles, session)


def _local(context: Context, person: str) -> Caller:
    if not person or person == LOCAL:
        return Caller(LOCAL, ())
    try:
        found = context.records.person(person)
    except NotFound:
        if not context.records.bootstrapped:  # the first apply brings the people, its author among them
            return Caller(person, ())
        raise
    if not found.active:
        raise Forbidden(f"`{person}` has left.", "Name another person.")
    return Caller(found.id, found.roles)


def may(caller: Caller, action: str) -> bool:
    """Whether a caller may do an action."""
    if caller is NOBODY:
        return False
    return roles.local_may(action) if caller.by == LOCAL else roles.may(caller.roles, action)
