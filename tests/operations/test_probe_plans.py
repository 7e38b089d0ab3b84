"""Plans of probes: never alike, never recognizable, and right about what the guards do."""

import json
from random import Random

import pytest

from affiant.guards import Action, Exchange, GuardChain, GuardRule, Kind, Mode, Part, Policy, Role
from affiant.kit.errors import NotFound
from affiant.operations.probe_key import ProbeKey
from affiant.operations.probe_plans import INJECTION, PII, PLANNERS, UNAPPROVED, UNAUTHENTICATED, Plan
from affiant.records.snapshot import KeySnap, ModelSnap, PolicySnap, ProviderSnap, RouteSnap, RuleSnap, Snapshot

KEY = ProbeKey("key_a", "sk-aff-" + "x" * 43)


def snapshot(mode: str = "enforce", scope: tuple[str, ...] = ("*",), types: dict[str, str] | None = None) -> Snapshot:
    """One company with one guarded route."""
    rules = (
        RuleSnap("pii", "redact", "mask", 500_000, types or {}),
        RuleSnap("injection", "block", "", 500_000, {}),
    )
    return Snapshot(
        1, "n1", "test/plans",
        (KeySnap("key_a", "00", "cat", "acme", scope),),
        (ProviderSnap("harbor", "openai", "http://127.0.0.1:1", "env:X", "eu", "private", ("internal",)),),
        (ModelSnap("scribe", "harbor", "s", "1", 1), ModelSnap("unready", "harbor", "s", "2", 0)),
        (RouteSnap("help", ("scribe",), "p", mode, "internal", ""), RouteSnap("theirs", ("scribe",), "p", mode, "internal", "other")),
        (PolicySnap("p", "d", rules, "refuse"),), (), (),
    )  # fmt: skip


def verdict(plan: Plan, types: dict[str, str] | None = None) -> tuple[str, bool, bool]:
    """Route, whether the guards block it, whether they redact personal data."""
    body = json.loads(plan.body)
    parts = tuple(Part(f"messages[{n}].content", Role(m["role"]), Kind.TEXT, m["content"]) for n, m in enumerate(body["messages"]))
    chosen = {name: Action(action) for name, action in (types or {}).items()}
    policy = Policy("p", "d", {"pii": GuardRule(Action.REDACT, types=chosen), "injection": GuardRule(Action.BLOCK)})
    found = GuardChain().inbound(Exchange("x", "chat.completions", body["model"], "acme", "internal", False, parts), policy, Mode.ENFORCE)
    redacted = any(each.guard == "pii" and each.action is Action.REDACT and each.acted for each in found.decisions)
    return body["model"], found.blocked is not None, redacted


@pytest.mark.parametrize("probe", list(PLANNERS))
def test_no_two_are_alike_and_none_names_itself(probe: str) -> None:
    """A thousand plans differ, and none says what it is."""
    rng = Random(7)
    plans = [PLANNERS[probe](snapshot(), KEY, rng) for _ in range(1000)]
    assert len({plan.body for plan in plans}) >= 990
    for plan in plans:
        sent = plan.body.lower() + json.dumps(plan.headers).replace(KEY.secret, "").lower().encode()
        assert not any(word in sent for word in (b"probe", b"affiant", b"pledge", b"test"))


def test_injections_are_blocked_and_personal_data_is_redacted() -> None:
    """What a plan expects is what the guards decide, for each of a thousand."""
    rng = Random(8)
    for _ in range(1000):
        model, blocked, _ = verdict(PLANNERS[INJECTION](snapshot(), KEY, rng))
        assert (model, blocked) == ("help", True)
        assert verdict(PLANNERS[PII](snapshot(), KEY, rng)) == ("help", False, True)


def test_only_types_that_the_policy_redacts_are_planted() -> None:
    """Where e-mail is only flagged and cards are blocked, neither is planted."""
    rng = Random(9)
    types = {"EMAIL": "flag", "CREDIT_CARD": "block"}
    for _ in range(300):
        plan = PLANNERS[PII](snapshot(types=types), KEY, rng)
        assert b"@" not in plan.body
        assert verdict(plan, types) == ("help", False, True)


def test_calls_without_a_valid_key() -> None:
    """Sometimes no key is sent, sometimes one that was never given out; never the real one."""
    rng = Random(10)
    plans = [PLANNERS[UNAUTHENTICATED](snapshot(), KEY, rng) for _ in range(100)]
    assert {plan.expected for plan in plans} == {"key_missing", "key_unknown"}
    assert all(plan.key == "" for plan in plans)
    for plan in plans:
        assert plan.headers.get("authorization") != f"Bearer {KEY.secret}"
        assert ("authorization" in plan.headers) == (plan.expected == "key_unknown")


def test_unapproved_models_are_those_of_the_company() -> None:
    """A registered version without approval is called; where there is none, a name that nobody registered."""
    plan = PLANNERS[UNAPPROVED](snapshot(), KEY, Random(1))
    assert json.loads(plan.body)["model"] == "unready" and plan.expected == "model_not_approved"


def test_what_cannot_be_exercised_is_said() -> None:
    """Without an enforcing route, or with a revoked key, no plan is made up."""
    with pytest.raises(NotFound, match="enforces the guard"):
        PLANNERS[PII](snapshot(mode="watch"), KEY, Random(1))
    with pytest.raises(NotFound, match="not in force"):
        PLANNERS[PII](snapshot(), ProbeKey("key_b", KEY.secret), Random(1))
