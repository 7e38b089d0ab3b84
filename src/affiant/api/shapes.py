"""How nouns look as JSON. Times are integers, µs UTC, in fields that end in `_us`; nothing here holds a secret."""

from __future__ import annotations

from typing import Any

from affiant.ledger import Event
from affiant.records import ApplyResult, Change, Governed, Key, NewKey, Person, Planned, Session, SignIn


def person(value: Person) -> dict[str, Any]:
    return {
        "id": value.id, "roles": list(value.roles), "active": value.active, "has_password": value.has_password, "since_us": value.since_us,
    }  # fmt: skip


def session(value: Session) -> dict[str, Any]:
    return {
        "id": value.id, "person": value.person, "roles": list(value.roles), "csrf": value.csrf, "opened_us": value.opened_us,
        "expires_us": value.expires_us,
    }  # fmt: skip


def signed_in(value: SignIn) -> dict[str, Any]:
    return session(value.session)


def key(value: Key) -> dict[str, Any]:
    return {
        "id": value.id, "owner": value.owner, "tenant": value.tenant, "models": list(value.scope), "state": value.state,
        "created_us": value.created_us, "expires_us": value.expires_us, "revoke_requested_us": value.revoke_requested_us,
        "revoked_us": value.revoked_us,
    }  # fmt: skip


def new_key(value: NewKey) -> dict[str, Any]:
    """The only answer with a key's secret."""
    return {"key_id": value.key.id, "secret": value.secret} | key(value.key)


def change(value: Change) -> dict[str, Any]:
    return {
        "id": value.id, "kind": value.kind, "target": value.target, "content": value.content, "digest": value.digest,
        "before": value.before, "author": value.author, "emergency": value.emergency, "bootstrap": value.bootstrap,
        "reason": value.reason, "state": value.state, "awaits": value.awaits, "proposed_us": value.proposed_us,
        "activated_us": value.activated_us, "activated_by": value.activated_by,
        "approvals": [{"by": each.by, "at_us": each.at_us, "digest": each.digest} for each in value.approvals],
    }  # fmt: skip


def governed(value: Governed) -> dict[str, Any]:
    return {
        "kind": value.kind, "id": value.id, "content": value.content, "digest": value.digest, "change": value.change,
        "author": value.author, "approved_by": value.approved_by, "at_us": value.at_us,
    }  # fmt: skip


def planned(value: Planned) -> dict[str, Any]:
    return {
        "kind": value.kind, "target": value.target, "action": value.action, "before": value.before, "digest": value.digest,
        "change": value.change, "state": value.state, "awaits": value.awaits, "note": value.note,
    }  # fmt: skip


def applied(value: ApplyResult) -> dict[str, Any]:
    return {
        "bootstrap": value.bootstrap, "dry_run": value.dry_run, "planned": [planned(each) for each in value.planned],
        "keys": [new_key(each) for each in value.secrets],
    }  # fmt: skip


def entry(index: int, event: Event, leaf: bytes, signed_size: int) -> dict[str, Any]:
    return {
        "index": index, "leaf": leaf.hex(), "signed": index < signed_size, "type": event.type, "version": event.version, "at": event.at_us,
        "producer": event.producer, "seq": event.seq, "actor": event.actor, "tenant": event.tenant, "policy": event.policy,
        "ref": event.ref, "body": event.body,
    }  # fmt: skip
