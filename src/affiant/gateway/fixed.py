"""What is found where nothing may be rewritten (identifiers and words of the protocol): told, and where a policy blocks, blocked.

A redaction there becomes a flag: the value goes on, and the evidence says so. Leaves out: which places those are (`guards.places`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from affiant.guards import Action, Decision, GuardRule, Policy


def flagged(decisions: Iterable[Decision], fixed: frozenset[int]) -> tuple[Decision, ...]:
    """Decisions about a request, with redactions in fixed parts told as flags."""
    made: list[Decision] = []
    for decision in decisions:
        stuck = tuple(hit for hit in decision.hits if hit.part in fixed) if decision.action is Action.REDACT else ()
        if not stuck:
            made.append(decision)
            continue
        others = tuple(hit for hit in decision.hits if hit.part not in fixed)
        if others:
            made.append(replace(decision, hits=others, found=len(others), acted=len(others) if decision.enforced else 0))
        made.append(replace(decision, action=Action.FLAG, how="", hits=stuck, found=len(stuck), acted=0))
    return merged(made)


def merged(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """One decision a guard and action, in order; none that allows beside one of its guard that does not."""
    known: dict[tuple[str, Action], Decision] = {}
    for decision in decisions:
        key = (decision.guard, decision.action)
        before = known.get(key)
        known[key] = decision if before is None else _sum(before, decision)
    loud = {guard for guard, action in known if action is not Action.ALLOW}
    return tuple(each for each in known.values() if each.action is not Action.ALLOW or each.guard not in loud)


def _sum(one: Decision, other: Decision) -> Decision:
    found = (one.found or len(one.hits)) + (other.found or len(other.hits))
    return replace(one, hits=one.hits + other.hits, found=found, acted=one.acted + other.acted)


def without_redaction(policy: Policy) -> Policy:
    """The same policy for places that cannot be rewritten."""
    return replace(policy, guards={name: _without(rule) for name, rule in policy.guards.items()})


def _without(rule: GuardRule) -> GuardRule:
    types = {name: _told(action) for name, action in rule.types.items()}
    return replace(rule, action=_told(rule.action), types=types, at={place: _without(each) for place, each in rule.at.items()})


def _told(action: Action) -> Action:
    return Action.FLAG if action is Action.REDACT else action
