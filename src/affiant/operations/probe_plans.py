"""What each probe sends and which answer is right, worked out from the snapshot in force. Pure: randomness is passed in.

A plan looks like the company's own traffic: a route it serves, a text drawn anew, headers that common clients send.
Leaves out: pledging and sending (`probes`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import msgspec

from affiant.kit.errors import NotFound
from affiant.operations import probe_texts as texts
from affiant.operations.probe_key import ProbeKey
from affiant.records.snapshot import KeySnap, PlaceSnap, RouteSnap, RuleSnap, Snapshot

UNAUTHENTICATED, INJECTION, PII, UNAPPROVED = "unauthenticated", "injection", "pii", "unapproved-model"
ALLOWED = "allowed"
Rule = RuleSnap | PlaceSnap
PII_REDACTED = "pii_redacted"

_CLIENTS = (
    {"user-agent": "OpenAI/Python 1.68.2", "x-stainless-lang": "python", "accept": "application/json"},
    {"user-agent": "AsyncOpenAI/Python 1.75.0", "x-stainless-lang": "python", "accept": "application/json"},
    {"user-agent": "OpenAI/JS 4.96.0", "x-stainless-lang": "js", "accept": "application/json"},
    {"user-agent": "python-requests/2.32.3", "accept": "*/*"},
    {"user-agent": "Go-http-client/1.1"},
)
_KEY_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass(frozen=True, slots=True)
class Plan:
    """One probe before it is sent.

    Args:
        probe: its name, one of the four above.
        body: request bytes as they will be sent.
        headers: as they will be sent.
        key: key id, "" for a call without a valid key.
        expected: the decision code that is right.
    """

    probe: str
    body: bytes
    headers: dict[str, str]
    key: str
    expected: str


def _headers(rng: Random, secret: str) -> dict[str, str]:
    headers = {"content-type": "application/json", **rng.choice(_CLIENTS)}
    if secret:
        headers["authorization"] = f"Bearer {secret}"
    return headers


def _body(rng: Random, model: str, text: str) -> bytes:
    messages = [{"role": "user", "content": text}]
    if rng.random() < 0.6:
        messages.insert(0, {"role": "system", "content": texts.system(rng)})
    body: dict[str, object] = {"model": model, "messages": messages}
    if rng.random() < 0.5:
        body["temperature"] = rng.choice((0, 0.2, 0.7, 1))
    if rng.random() < 0.4:
        body["max_tokens"] = rng.choice((64, 128, 256, 300))
    return msgspec.json.encode(body)


def _key_of(snapshot: Snapshot, key: ProbeKey) -> KeySnap:
    for known in snapshot.keys:
        if known.id == key.key_id and not known.revoked:
            return known
    raise NotFound(f"The key for probes, {key.key_id}, is not in force.", "Make another one with `affiant key create --probes`.")


def _routes(snapshot: Snapshot, key: KeySnap) -> list[RouteSnap]:
    approved = {model.id for model in snapshot.models if model.approved}
    return [
        route
        for route in snapshot.routes
        if route.tenant in ("", key.tenant)
        and ("*" in key.scope or route.id in key.scope)
        and any(model in approved for model in route.models)
    ]


def _rule(snapshot: Snapshot, route: RouteSnap, guard: str, tenant: str) -> Rule | None:
    """What the policy of a route says of a guard in what a user writes, for a tenant."""
    for policy in snapshot.policies:
        if policy.id == route.policy:
            rule = next((rule for rule in policy.rules_for(route.risk, tenant) if rule.guard == guard), None)
            return rule.at.get("user/en") or rule.at.get("user", rule) if rule else None
    return None


def _redacted(rule: Rule) -> tuple[str, ...]:
    return tuple(each for each in texts.PERSONAL_TYPES if rule.types.get(each, rule.action) == "redact")


def _blocks(rule: Rule) -> bool:
    return rule.action == "block"


def _enforced_routes(snapshot: Snapshot, key: KeySnap, guard: str, wanted: Callable[[Rule], object]) -> list[RouteSnap]:
    """Routes that the key may use and whose policy enforces a guard as wanted.

    Raises:
        NotFound: none, so that the probe cannot be planned.
    """
    found = []
    for route in _routes(snapshot, key):
        rule = _rule(snapshot, route, guard, key.tenant)
        if route.mode == "enforce" and rule is not None and wanted(rule):
            found.append(route)
    if not found:
        raise NotFound(
            f"No route that the key for probes may use enforces the guard {guard}.", "Widen its scope, or set a route's mode to enforce."
        )
    return found


def plan_unauthenticated(snapshot: Snapshot, key: ProbeKey, rng: Random) -> Plan:
    """A call without a key, or with one that was never given out."""
    route = rng.choice(_routes(snapshot, _key_of(snapshot, key)) or list(snapshot.routes))
    shown = len(key.secret) // 7  # the prefix that every key has
    invented = key.secret[:shown] + "".join(rng.choice(_KEY_CHARS) for _ in range(len(key.secret) - shown))
    secret = rng.choice(("", invented))
    expected = "key_missing" if not secret else "key_unknown"
    return Plan(UNAUTHENTICATED, _body(rng, route.id, texts.question(rng)), _headers(rng, secret), "", expected)


def plan_injection(snapshot: Snapshot, key: ProbeKey, rng: Random) -> Plan:
    """A planted attempt to take over the model, on a route that blocks it."""
    route = rng.choice(_enforced_routes(snapshot, _key_of(snapshot, key), INJECTION, _blocks))
    parts = [texts.question(rng), texts.attack(rng)]
    rng.shuffle(parts)
    return Plan(INJECTION, _body(rng, route.id, " ".join(parts)), _headers(rng, key.secret), key.key_id, "injection_detected")


def plan_pii(snapshot: Snapshot, key: ProbeKey, rng: Random) -> Plan:
    """Planted personal data on a route that redacts it, of the types that it redacts."""
    known = _key_of(snapshot, key)
    route = rng.choice(_enforced_routes(snapshot, known, PII, _redacted))
    rule = _rule(snapshot, route, PII, known.tenant)
    text = f"{texts.question(rng)} {texts.personal(rng, _redacted(rule) if rule else ())}"
    return Plan(PII, _body(rng, route.id, text), _headers(rng, key.secret), key.key_id, PII_REDACTED)


def plan_unapproved(snapshot: Snapshot, key: ProbeKey, rng: Random) -> Plan:
    """A call for a model version that is registered and not approved; without one, for a model that nobody registered."""
    scope = _key_of(snapshot, key).scope
    waiting = [model.id for model in snapshot.models if not model.approved and ("*" in scope or model.id in scope)]
    model = rng.choice(waiting) if waiting else rng.choice(("gpt-4o-2024-05-13", "mistral-large-2407", "claude-3-opus-20240229"))
    expected = "model_not_approved" if waiting else "model_not_found"
    return Plan(UNAPPROVED, _body(rng, model, texts.question(rng)), _headers(rng, key.secret), key.key_id, expected)


Planner = Callable[[Snapshot, ProbeKey, Random], Plan]

PLANNERS: dict[str, Planner] = {
    UNAUTHENTICATED: plan_unauthenticated,
    INJECTION: plan_injection,
    PII: plan_pii,
    UNAPPROVED: plan_unapproved,
}
