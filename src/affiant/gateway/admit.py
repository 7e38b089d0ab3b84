"""Admission: whose key, which route. Pure lookups in the tables; refusals are raised as `Refusal`.

Leaves out: limits (`limits`), guards, evidence (`walk`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from affiant.gateway.faults import Refusal
from affiant.gateway.formats import Format
from affiant.gateway.tables import Route, Tables
from affiant.records.snapshot import KeySnap

MAX_SECRET_BYTES = 512


def authenticate(tables: Tables, headers: Iterable[tuple[bytes, bytes]], now_us: int) -> KeySnap:
    """The key that calls: as a Bearer, else as `x-api-key`.

    The same work is done whether or not a key was sent or is known: one hash, one lookup.

    Raises:
        Refusal: key_missing, key_unknown, key_revoked or key_expired.
    """
    secret = other = b""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, rest = value.partition(b" ")
            secret = rest.strip()[:MAX_SECRET_BYTES] if scheme.lower() == b"bearer" else b""
        elif name == b"x-api-key":
            other = value.strip()[:MAX_SECRET_BYTES]
    secret = secret or other
    key = tables.keys.get(hashlib.sha256(secret).hexdigest())
    if not secret:
        raise Refusal("key_missing")
    if key is None:
        raise Refusal("key_unknown")
    if key.revoked:
        raise Refusal("key_revoked")
    if key.expires_us and key.expires_us <= now_us:
        raise Refusal("key_expired")
    return key


def may_use(key: KeySnap, route: Route) -> bool:
    """Whether a route lies in the scope and tenant of a key."""
    return route.tenant in ("", key.tenant) and ("*" in key.scope or route.id in key.scope)


def admit(tables: Tables, key: KeySnap, name: str, spoken: Format) -> Route:
    """The route that a caller names, if its key may use it and it may serve this format.

    Raises:
        Refusal: model_not_found (also for another tenant's route), key_scope, route_without_policy, model_not_approved, label_forbidden,
            format_not_spoken.
    """
    route = tables.route_for(name, key.tenant)
    if route is None or route.tenant not in ("", key.tenant):
        raise Refusal("model_not_found", "model")
    if not may_use(key, route):
        raise Refusal("key_scope", "model")
    if route.policy is None:
        raise Refusal("route_without_policy", "model")
    if route.refusal:
        raise Refusal(route.refusal, "model")
    if not route.chains[spoken].links:
        raise Refusal("format_not_spoken", "model")
    return route
