"""Entity types, and which of them a policy acts on only where it names them."""

from __future__ import annotations

from affiant.guards.model import Action, GuardRule

NAMES = ("PERSON", "LOCATION", "ORGANIZATION")
NOT_IDENTIFYING = frozenset(("URL", "IP", "MAC", *NAMES))
"""Common in ordinary work, or a matter of likelihood: allowed unless a policy names them."""


def action_of(rule: GuardRule, type_: str) -> Action:
    """What a rule does about a type: what it says of the type, of its family (before `/`), else what it says of all."""
    named = rule.types.get(type_) or rule.types.get(type_.partition("/")[0])
    if named is not None:
        return named
    return Action.ALLOW if type_ in NOT_IDENTIFYING else rule.action
