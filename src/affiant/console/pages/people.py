"""Keys and people: who may do what, and which gateway keys exist."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from affiant.console import words
from affiant.console.model import Empty, Link
from affiant.console.visit import Visit, role_words
from affiant.console.words import STATES, State
from affiant.kit.errors import BadInput
from affiant.records import NO_TENANT, Key


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person."""

    id: str
    roles: str
    how: str


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One gateway key; times are µs or 0."""

    id: str
    short: str
    owner: str
    tenant: str
    scope: str
    made: int
    expires: int
    state: State
    may_revoke: bool


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A key just made: the only time its secret is shown."""

    id: str
    value: str


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """`people.html`."""

    sentence: str
    people: tuple[PersonRow, ...]
    people_links: tuple[Link, ...]
    people_empty: Empty
    keys: tuple[KeyRow, ...]
    keys_links: tuple[Link, ...]
    keys_empty: Empty
    may_create: bool
    secret: NewSecret | None = None


EXPIRES_SOON_US = 7 * words.DAY_US
_KEY_STATES = {
    "live": STATES["active"],
    "revoking": State("revoking", "being revoked", "ring", "failed", "failed"),
    "revoked": STATES["revoked"],
}


def key_row(key: Key, now_us: int, may_revoke: bool) -> KeyRow:
    """One key as a row."""
    state = _KEY_STATES[key.state]
    if key.state == "live" and key.expires_us and key.expires_us <= now_us:
        state = State("expired", "expired", "dash", "quiet", "none")
    scope = "every route of its tenant" if key.scope == ("*",) else ", ".join(key.scope)
    tenant = "" if key.tenant == NO_TENANT else key.tenant
    return KeyRow(
        key.id, words.short_id(key.id), key.owner, tenant, scope, key.created_us, key.expires_us, state, may_revoke and key.state == "live"
    )


def show(visit: Visit, secret: NewSecret | None = None) -> Response:
    """People and keys; a consumer sees their own keys only."""
    records, now = visit.context.records, visit.now_us
    staff = visit.may("person.read")
    people = [person for person in records.people() if staff and (person.active or person.roles)]
    own = "" if set(visit.session.roles) - {"consumer"} else visit.session.person
    keys = sorted(records.keys(own), key=lambda key: (key.state != "live", -key.created_us))
    soon = sum(1 for key in keys if key.state == "live" and 0 < key.expires_us - now <= EXPIRES_SOON_US)
    sentence = words.sentence(f"{words.count(len(people), 'person', 'people')}, {words.count(len(keys), 'key')}")
    sentence += f"; {words.count(soon, 'key expires', 'keys expire')} within a week." if soon else "."
    rows = tuple(
        PersonRow(person.id, role_words(person.roles) or "no roles", "password" if person.has_password else "one-time link")
        for person in people
    )
    may_change = visit.may("change.propose:person")
    page = PeoplePage(
        sentence,
        rows,
        (Link("Propose a change of roles", "/changes/new?kind=person"),) if may_change else (),
        Empty("No people yet", "The first apply names them.", "affiant apply company.yaml"),
        tuple(key_row(key, now, visit.may("key.revoke") or key.owner == visit.session.person) for key in keys),
        (),
        Empty(
            "No gateway keys yet", "A key lets one owner use named routes or models.", "affiant key create --models MODEL --owner PERSON"
        ),
        visit.may("key.create"),
        secret,
    )
    return visit.page("people.html", page, "/people")


def create(visit: Visit) -> Response:
    """Make a key, and show its secret on this page only."""
    form = visit.form
    scope = [part.strip() for part in form.get("scope", "").split(",") if part.strip()]
    days = form.get("days", "").strip()
    if days and not (days.isascii() and days.isdigit() and 0 < int(days) <= 3660):
        raise BadInput(f"{days!r} is no number of days.", "Give 1 to 3660, or nothing for a key without end.")
    expires = visit.now_us + int(days) * words.DAY_US if days else 0
    made = visit.context.records.create_key(
        form.get("owner", "").strip(), scope, visit.session.person, form.get("tenant", "").strip() or NO_TENANT, expires
    )
    return show(visit, NewSecret(made.key.id, made.secret))


def revoke(visit: Visit) -> Response:
    """Ask that a key stop working; records check that this person may."""
    visit.context.records.revoke_key(visit.request.path_params["key"], visit.session.person)
    return visit.back("/people", "revoked")
