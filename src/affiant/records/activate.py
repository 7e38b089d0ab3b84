"""Activation: the governed row, `change.activated` and the kind's own event, all in one transaction.

A route's event names the digest of its policy and what that policy redacts; so a changed policy repeats the event of every
route that follows it, and a model without a route gets the event of its implicit one. Leaves out: approval (`changes`).
"""

from __future__ import annotations

from typing import Any

from affiant.kit.errors import Conflict
from affiant.ledger import Draft
from affiant.records import people
from affiant.records.changes import open_change
from affiant.records.content import canonical, digest_of, redacted_types
from affiant.records.model import Change, Content, Governed
from affiant.records.references import reference_faults, users_of
from affiant.records.snapshot import DEFAULT_RISK
from affiant.records.unit import Unit, actor_of

DEFAULT_POLICY = "default"
_REMOVED = {"provider": "provider.removed", "route": "route.removed", "limit": "limit.removed", "protected": "protected.removed"}


def activate(unit: Unit, change_id: str, by: str) -> Change:
    """Put an approved change into force.

    Raises:
        NotFound: no such change.
        Conflict: not approved, over, its base has changed meanwhile, or what it names is not in force.
    """
    change = open_change(unit, change_id)
    approvals = [each for each in change.approvals if each.digest == change.digest]
    if not approvals and not change.bootstrap:
        raise Conflict(f"The change {change_id} has no approval.", "Let another person approve it first.")
    now = unit.store.governed(change.kind, change.target)
    if (now.digest if now else "") != change.before:
        raise Conflict(f"The {change.kind} `{change.target}` has changed since {change_id} was proposed.", "Propose the change again.")
    if digest_of(change.content) != change.digest:
        raise Conflict(f"The content of {change_id} is not what was approved.", "records.db was altered; restore it, then propose again.")
    _check_references(unit, change)
    approved_by = ",".join(each.by for each in approvals) or change.awaits
    if change.content is None:
        unit.store.drop_governed(change.kind, change.target)
    else:
        record = Governed(
            change.kind, change.target, change.content, change.digest, change.id, change.author, approved_by, unit.now_us
        )  # fmt: skip
        unit.store.put_governed(record, canonical(change.content).decode())
    unit.store.end_change(change_id, by, unit.now_us)
    body: dict[str, Any] = {
        "kind": change.kind, "target": change.target, "digest": change.digest, "author": change.author, "by": by,
        "emergency": int(change.emergency), "bootstrap": int(change.bootstrap),
    }  # fmt: skip
    if change.before:
        body["before"] = change.before
    unit.emit(Draft("change.activated", body, ref=change_id, actor=actor_of(by)))
    _write_kind(unit, change, now.content if now else None, approved_by, actor_of(by))
    unit.new_epoch()
    found = unit.store.change(change_id)
    assert found is not None
    return found


def _check_references(unit: Unit, change: Change) -> None:
    state = unit.store.state()
    if change.content is None:
        users = users_of(change.kind, change.target, state)
        if users:
            raise Conflict(f"The {change.kind} `{change.target}` is in use by {', '.join(users[:5])}.", "Change those first.")
        return
    faults = reference_faults(change.kind, change.content, state, {key.id for key in unit.store.all_keys()})
    if faults:
        text = " ".join(f"{name}: {text}" for name, text in faults)
        raise Conflict(f"The change {change.id} names what is not in force. {text}", "Activate those records first.")


def _write_kind(unit: Unit, change: Change, before: Content | None, approved_by: str, actor: str) -> None:
    """The event, and for people the rows, of one kind."""
    content, target = change.content, change.target

    def emit(event: str, body: dict[str, Any]) -> None:
        unit.emit(Draft(event, body | {"change": change.id}, ref=target, actor=actor))

    if change.kind == "person":
        if content is None:
            people.take_out(unit, target, change.id, actor)
        else:
            people.put(unit, target, tuple(content["roles"]), change.id, actor)
    elif change.kind == "model":
        _write_model(unit, change, before, approved_by, actor)
    elif content is None:
        emit(_REMOVED[change.kind], {})
        if change.kind == "route" and unit.store.governed("model", target):
            emit_route(unit, target, _implicit(target), change.id, actor)
    elif change.kind == "route":
        emit_route(unit, target, content, change.id, actor)
    elif change.kind == "policy":
        guards = [
            {"guard": name, "action": rule["action"]} | ({"how": rule["how"]} if rule["how"] else {})
            for name, rule in sorted(content["guards"].items())
        ]
        emit("policy.set", {
            "digest": change.digest, "guards": guards, "redacts": redacted_types(content), "on_evidence_loss": content["on_evidence_loss"],
        } | _departures(content))  # fmt: skip
        _repeat_routes(unit, target, change.id, actor)
    elif change.kind == "provider":
        emit(
            "provider.set",
            {name: content[name] for name in ("kind", "base_url", "region", "network", "labels", "betas") if name in content},
        )
    elif change.kind == "protected":
        told = {name: content[name] for name in ("what", "label", "tenant", "words")}
        emit("protected.set", told | {"prints": len(content["prints"]) // 16})
    elif change.kind == "limit":
        emit("limit.set", dict(content))
    else:
        emit("commitment.set", dict(content))


def _departures(content: Content) -> dict[str, Any]:
    """Where a policy departs from what it says of each guard: by place, by risk or tenant, while guards are busy, and in labels."""
    at = [
        {"guard": name, "place": place, "action": each["action"]}
        for name, rule in sorted(content["guards"].items())
        for place, each in rule.get("at", {}).items()
        if each["action"] != rule["action"]
    ]
    overrides = [
        {name: override[name] for name in ("risk", "tenant") if override[name]} | {"guard": guard, "action": rule["action"]}
        for override in content.get("overrides", [])
        for guard, rule in sorted(override["guards"].items())
    ]
    busy = {name: content[name] for name in ("on_busy", "keep_pseudonyms_s") if name in content}
    labels = {name: content[name] for name in ("labels", "on_label", "labels_in") if name in content}
    if labels:
        labels["labels"] = [{"type": name, "label": label} for name, label in content["labels"].items()]
    return busy | labels | ({"at": at} if at else {}) | ({"overrides": overrides} if overrides else {})


def _write_model(unit: Unit, change: Change, before: Content | None, approved_by: str, actor: str) -> None:
    content, target = change.content, change.target
    explicit = unit.store.governed("route", target) is not None
    if content is None:
        unit.emit(Draft("model.withdrawn", {"change": change.id, "why": change.reason or "removed"}, ref=target, actor=actor))
        if not explicit:
            unit.emit(Draft("route.removed", {"change": change.id}, ref=target, actor=actor))
        return
    if before is not None and before["approved"] and not content["approved"]:
        unit.emit(Draft("model.withdrawn", {"change": change.id, "why": "no longer approved"}, ref=target, actor=actor))
    body = {name: content[name] for name in ("provider", "upstream", "version")} | {"change": change.id}
    if content["approved"]:
        body |= {"approved_by": approved_by, "author": change.author}
    unit.emit(Draft("model.approved" if content["approved"] else "model.registered", body, ref=target, actor=actor))
    if before is None and not explicit:
        emit_route(unit, target, _implicit(target), change.id, actor)


def _implicit(model: str) -> Content:
    """The route of a model that has none of its own."""
    return {"models": [model], "policy": DEFAULT_POLICY, "mode": "enforce", "label": "internal", "tenant": ""}


def emit_route(unit: Unit, route: str, content: Content, change: str, actor: str) -> None:
    """Write `route.set` with the policy as it is in force now."""
    policy, risk = unit.store.governed("policy", content["policy"]), content.get("risk", DEFAULT_RISK)
    body: dict[str, Any] = {
        "models": content["models"], "policy": content["policy"], "policy_digest": policy.digest if policy else "", "mode": content["mode"],
        "label": content["label"], "redacts": redacted_types(policy.content if policy else None, risk, content["tenant"]), "change": change,
    }  # fmt: skip
    if risk != DEFAULT_RISK:
        body["risk"] = risk
    if content["tenant"]:
        body["tenant"] = content["tenant"]
    if content.get("strict"):
        body["strict"] = 1
    unit.emit(Draft("route.set", body, ref=route, tenant=content["tenant"], actor=actor))


def effective_routes(unit_store: Any) -> dict[str, tuple[Content, bool]]:
    """Every route in force, id -> (content, whether implicit)."""
    routes: dict[str, tuple[Content, bool]] = {each.id: (each.content, False) for each in unit_store.all_governed("route")}
    for model in unit_store.all_governed("model"):
        routes.setdefault(model.id, (_implicit(model.id), True))
    return routes


def _repeat_routes(unit: Unit, policy: str, change: str, actor: str) -> None:
    for route, (content, _) in effective_routes(unit.store).items():
        if content["policy"] == policy:
            emit_route(unit, route, content, change, actor)
