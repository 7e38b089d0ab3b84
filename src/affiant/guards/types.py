"""Entity types, and which of them a policy acts on only where it names them."""

from __future__ import annotations

from affiant.guards.model import Action, GuardRule

NAMES = ("PERSON", "LOCATION", "ORGANIZATION")
FORGED = "FORGED_PLACEHOLDER"
"""A placeholder that stands for nothing in this exchange: typed, of another one, or made up by the model."""
NOT_IDENTIFYING = frozenset(("URL", "IP", "MAC", *NAMES, FORGED))
"""Common in ordinary work, a matter of likelihood, or nobody's value: allowed unless a policy names them."""


def action_of(rule: GuardRule, type_: str) -> Action:
    """What a rule does about a type: what it says of the type, of its family (before `/`), else what it says of all."""
    named = rule.types.get(type_) or rule.types.get(type_.partition("/")[0])
    if named is not None:
        return named
    return Action.ALLOW if type_ in NOT_IDENTIFYING else rule.action


ENGLISH, OTHER = "en", "other"
ANSWER = "answer"


def rule_at(rule: GuardRule, place: str, language: str = "") -> GuardRule:
    """The rule at a place: what it says of the place in this language, of the language anywhere, of the place, else the rule itself.

    Args:
        place: a role, or `answer`.
        language: ISO 639-1 code of the text, or `other`; "": does not matter.
    """
    if not rule.at:
        return rule
    languages = [language] if language in ("", ENGLISH, OTHER) else [language, OTHER]
    names = [f"{where}/{each}" for each in languages if each for where in (place, "*")]
    return next((rule.at[name] for name in (*names, place) if name in rule.at), rule)


def languages_of(rule: GuardRule) -> frozenset[str]:
    """Languages by which a rule differs."""
    return frozenset(place.partition("/")[2] for place in rule.at if "/" in place)
