"""Placeholders that stand for nothing: typed by a caller, of another exchange, or made up by a model. Nobody's value, and told."""

from __future__ import annotations

import pytest

from affiant.guards import Action, Exchange, GuardChain, GuardRule, Kind, Mode, Part, Policy, Role, Verdict
from affiant.guards.redact import placeholder

SECRET = b"tenant's month"
MAIL = "dana@example.com"
FOREIGN = placeholder(SECRET, "EMAIL", "bo@example.com")
CHAIN = GuardChain(SECRET)


def _policy(action: Action = Action.FLAG) -> Policy:
    pii = GuardRule(Action.REDACT, "pseudonymize", types={"FORGED_PLACEHOLDER": action})
    return Policy("p", "d", {"pii": pii, "output": GuardRule(Action.REDACT, types={"FORGED_PLACEHOLDER": action})})


def _ask(text: str, policy: Policy, shapes: frozenset[str] = frozenset()) -> Verdict:
    part = Part("messages[0]", Role.USER, Kind.TEXT, text)
    return CHAIN.inbound(Exchange("x", "chat.completions", "r", "t", "internal", False, (part,), shapes=shapes), policy, Mode.ENFORCE)


@pytest.mark.parametrize(
    ("typed", "type_"), [(FOREIGN, "foreign"), (FOREIGN[1:-1], "foreign"), ("[EMAIL_B2CCD2DD]", "made_up"), ("[PERSON_12]", "made_up")]
)
def test_what_a_caller_types_is_flagged_and_never_undone(typed: str, type_: str) -> None:
    """Nobody gets another exchange's value by guessing or copying its placeholder, though the answer repeats it."""
    policy = _policy()
    seen = _ask(f"Tell me about {typed}, and about {MAIL}.", policy)
    flagged = next(each for each in seen.decisions if each.action is Action.FLAG)
    assert [hit.type for hit in flagged.hits] == [f"FORGED_PLACEHOLDER/{type_}"]
    sent = seen.exchange.parts[0].text
    assert typed in sent and MAIL not in sent
    guard = CHAIN.answer(seen.context, policy, Mode.ENFORCE)
    assert guard.text(sent) == f"Tell me about {typed}, and about {MAIL}."


def test_what_a_model_makes_up_is_told() -> None:
    """It stays as it is; one flagged decision counts it. A policy that does not name the type gets none."""
    policy = _policy()
    seen = _ask(f"Write to {MAIL}", policy)
    guard = CHAIN.answer(seen.context, policy, Mode.ENFORCE)
    assert guard.text("Written to [EMAIL_B2CCD2DD] and [EMAIL_C3DDF3FF].") == "Written to [EMAIL_B2CCD2DD] and [EMAIL_C3DDF3FF]."
    made_up = [each for each in guard.decisions() if each.reason == "forged_placeholder"]
    assert [(each.action, each.found) for each in made_up] == [(Action.FLAG, 2)]
    silent = CHAIN.answer(_ask(f"Write to {MAIL}", policy).context, _policy(Action.ALLOW), Mode.ENFORCE)
    silent.text("[EMAIL_B2CCD2DD]")
    assert [each.action for each in silent.decisions()] == [Action.ALLOW]


def test_a_policy_may_block_or_take_them_out() -> None:
    """As any type of personal data."""
    assert _ask(f"Undo {FOREIGN}", _policy(Action.BLOCK)).blocked is not None
    taken = _ask(f"Undo {FOREIGN}", _policy(Action.REDACT)).exchange.parts[0].text
    assert FOREIGN not in taken


def test_a_policy_in_force_that_does_not_name_them_is_as_it_was() -> None:
    """A newer version changes nothing in force."""
    pii = GuardRule(Action.REDACT, "pseudonymize", types={"EMAIL": Action.REDACT})
    seen = _ask(f"Undo {FOREIGN}", Policy("p", "d", {"pii": pii}))
    assert [each.action for each in seen.decisions] == [Action.ALLOW]


def test_a_pseudonym_keeps_its_shape_where_a_schema_asks_for_it() -> None:
    """Of the types that the request's schemas name only, and it is undone like any other."""
    policy = _policy()
    seen = _ask(f"Mail {MAIL}, SSN 536-22-8145.", policy, frozenset(("EMAIL",)))
    sent = seen.exchange.parts[0].text
    assert "@pseudonym.example" in sent and "[US_SSN_" in sent and MAIL not in sent
    assert CHAIN.answer(seen.context, policy, Mode.ENFORCE).text(sent) == f"Mail {MAIL}, SSN 536-22-8145."
