"""People, sign-in and sessions. A person who leaves loses keys, sessions and roles in one transaction.

Tokens are 256 random bits, stored as SHA-256; passwords go through scrypt. Functions over an open `Unit`; the door checks
roles. Leaves out: single sign-on, second factors.
"""

from __future__ import annotations

import hashlib

from affiant.kit.crypto import new_secret, secret_hash
from affiant.kit.errors import BadInput, Conflict, Forbidden, NotFound
from affiant.ledger import Draft
from affiant.records import keys
from affiant.records.model import Person, Session, SignIn
from affiant.records.unit import Unit, actor_of

LINK_S = 15 * 60
SESSION_IDLE_S = 60 * 60
SESSION_S = 12 * 60 * 60
LOCK_AFTER_FAILURES, LOCK_S = 5, 15 * 60
MIN_PASSWORD_CHARS, MAX_PASSWORD_CHARS = 12, 1000
_TOUCH_S = 60
_US = 1_000_000


def put(unit: Unit, person: str, roles: tuple[str, ...], change: str, actor: str) -> None:
    """Set a person's roles."""
    unit.store.put_person(person, roles, True, unit.now_us)
    unit.emit(Draft("person.set", {"roles": list(roles), "change": change}, ref=person, actor=actor))


def take_out(unit: Unit, person: str, change: str, actor: str) -> None:
    """Take a person's roles, sessions, sign-in links and keys away."""
    unit.store.put_person(person, (), False, unit.now_us)
    unit.store.set_password(person, "")
    unit.store.drop_links(person)
    unit.store.drop_governed("person", person)
    unit.emit(Draft("person.left", {"change": change}, ref=person, actor=actor))
    for row in unit.store.sessions_of(person):
        close_session(unit, row["id"], person, actor)
    for key in unit.store.all_keys(owner=person):
        if key.state == "live":
            keys.ask_revoke(unit, key.id, "its owner left", actor)


def active(unit: Unit, person: str) -> Person:
    """An active person.

    Raises:
        NotFound: no such person, or they left.
    """
    found = unit.store.person(person)
    if found is None or not found.active:
        raise NotFound(f"There is no active person `{person}`.", "See `people`.")
    return found


def check_password_rules(password: str) -> None:
    """Refuse a password that is too short or absurdly long.

    Raises:
        BadInput: with the rule.
    """
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise BadInput(f"The password has {len(password)} characters.", f"Use at least {MIN_PASSWORD_CHARS}.")


def make_link(unit: Unit, person: str, by: str) -> str:
    """A one-time sign-in token, good for 15 minutes.

    Raises:
        NotFound: no such active person.
    """
    active(unit, person)
    token = new_secret()
    unit.store.put_link(secret_hash(token), person, by, unit.now_us + LINK_S * _US)
    return token


def open_session(unit: Unit, person: str, how: str) -> SignIn:
    """A new session of an active person."""
    roles = active(unit, person).roles
    token, session = new_secret(), unit.new_id("ses")
    csrf = hashlib.sha256(b"csrf\x00" + token.encode()).hexdigest()
    expires_us = unit.now_us + SESSION_S * _US
    unit.store.put_session(session, secret_hash(token), person, csrf, unit.now_us, expires_us)
    unit.store.set_failures(person, 0, 0)
    unit.emit(Draft("session.opened", {"person": person, "how": how}, ref=session, actor=actor_of(person)))
    return SignIn(Session(session, person, roles, csrf, unit.now_us, expires_us), token)


def close_session(unit: Unit, session: str, person: str, actor: str) -> None:
    """End a session."""
    unit.store.drop_session(session)
    unit.emit(Draft("session.closed", {"person": person}, ref=session, actor=actor))


def refuse_sign_in(unit: Unit, person: str, why: str) -> None:
    """Record a failed sign-in. `person` is "" unless such a person exists: what was typed may be a password."""
    body = {"why": why} | ({"person": person} if person else {})
    unit.emit(Draft("session.refused", body, actor=actor_of(person) if person else "anonymous"))


def locked(failures: int, failed_us: int, now_us: int) -> bool:
    """Whether sign-in by password rests after too many failures."""
    return failures >= LOCK_AFTER_FAILURES and now_us < failed_us + LOCK_S * _US


def close_expired(unit: Unit) -> int:
    """End sessions that are past their end or idle for too long; how many."""
    over = unit.store.sessions_over(unit.now_us, SESSION_IDLE_S * _US)
    for session, person in over:
        close_session(unit, session, person, "system:sessions")
    return len(over)


def fresh(seen_us: int, expires_us: int, now_us: int) -> bool:
    """Whether a session is neither expired nor idle for too long."""
    return now_us < expires_us and now_us < seen_us + SESSION_IDLE_S * _US


def stale_touch(seen_us: int, now_us: int) -> bool:
    """Whether a session's last use should be written again (at most once a minute)."""
    return now_us - seen_us >= _TOUCH_S * _US


def may_close(person: str, by: str, staff: bool) -> None:
    """Only its owner or somebody who may invite people ends a session.

    Raises:
        Forbidden: somebody else.
    """
    if person != by and not staff:
        raise Forbidden("That session belongs to somebody else.", "Ask an admin to end it.")


def take_link(unit: Unit, token: str) -> SignIn | None:
    """Use a sign-in link up; None if it is unknown, used or expired (recorded)."""
    found = unit.store.take_link(secret_hash(token))
    if found is None:
        refuse_sign_in(unit, "", "link unknown or used")
        return None
    person, expires_us = found
    if unit.now_us >= expires_us:
        refuse_sign_in(unit, person, "link expired")
        return None
    return open_session(unit, person, "link")


def leave_conflict(person: Person | None, name: str) -> None:
    """Refuse to take somebody out who is not there.

    Raises:
        NotFound, Conflict: no such person, or gone already.
    """
    if person is None:
        raise NotFound(f"There is no person `{name}`.", "See `people`.")
    if not person.active:
        raise Conflict(f"`{name}` has left already.", "Nothing to do.")
