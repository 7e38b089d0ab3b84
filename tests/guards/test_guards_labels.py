"""Labels detected from content, beside the label that a route declares."""

from __future__ import annotations

import pytest

from affiant.gateway.policies import read_policy
from affiant.guards import Action, Exchange, GuardChain, Kind, Mode, Part, Role, Verdict
from affiant.guards.leakage import LABELS
from affiant.records import FaultyInput, parse_yaml, policy_snap
from affiant.records import snapshot as snaps
from affiant.records.policies import read_policy as read_file

CHAIN = GuardChain(b"secret")
POLICY = """
id: labelled
labels: {EMAIL: internal, CREDIT_CARD: confidential, SECRET: restricted, IP: confidential}
on_label: block
guards:
  pii: {action: redact, types: {IP: allow}}
  secrets: {action: redact}
"""


def _seen(text: str, label: str, policy: str = POLICY, mode: Mode = Mode.ENFORCE) -> Verdict:
    part = Part("messages[0]", Role.USER, Kind.TEXT, text)
    known = read_policy(policy_snap(*read_file(parse_yaml(policy, "p.yaml"), "p.yaml")))
    return CHAIN.inbound(Exchange("x", "chat.completions", "r", "t", label, False, (part,)), known, mode)


TOKEN = "".join(("ghp_16C7e42F292c", "6912E7710c838347", "Ae178B4a"))
"""As GitHub's documentation shows one; put together here, so that no file holds it."""


@pytest.mark.parametrize(
    ("text", "label", "detected", "blocked"),
    [
        ("Good morning.", "public", "", False),
        ("Mail dana@example.org", "internal", "internal", False),
        ("Mail dana@example.org", "public", "internal", True),
        ("Card 4111 1111 1111 1111 of dana@example.org", "internal", "confidential", True),
        ("Card 4111 1111 1111 1111", "restricted", "confidential", False),
        ("From 203.0.113.9, which the policy allows", "internal", "confidential", True),
        (f"key AKIAIOSFODNN7EXAMPLE and {TOKEN}", "confidential", "restricted", True),
    ],
)
def test_the_most_confidential_thing_found_says_the_label(text: str, label: str, detected: str, blocked: bool) -> None:
    """As received: also of what is redacted or allowed; above the route's label it is blocked, as this policy says."""
    seen = _seen(text, label)
    assert (seen.detected, seen.blocked is not None) == (detected, blocked)
    decision = next(each for each in seen.decisions if each.guard == "label")
    assert decision.control == "CO-1.1" and (decision.reason == "label_exceeded") == blocked


def test_a_policy_may_only_flag_and_watch_only_tells() -> None:
    """Types are named by family; in watch nothing is enforced."""
    flagged = _seen("Card 4111 1111 1111 1111", "internal", POLICY.replace("block", "flag"))
    decision = next(each for each in flagged.decisions if each.guard == "label")
    assert (decision.action, [hit.rule for hit in decision.hits]) == (Action.FLAG, ["label/confidential"]) and flagged.blocked is None
    watched = _seen("Card 4111 1111 1111 1111", "internal", mode=Mode.WATCH)
    assert watched.blocked is None and watched.would_block and watched.detected == "confidential"


def test_without_labels_nothing_is_decided_or_recorded() -> None:
    """A policy in force is as it was."""
    seen = _seen("Card 4111 1111 1111 1111", "internal", "{id: p, guards: {pii: {action: redact}}}")
    assert seen.detected == "" and not any(each.guard == "label" for each in seen.decisions)


def test_records_and_guards_know_the_same_labels_in_the_same_order() -> None:
    """Though neither imports the other."""
    assert LABELS == snaps.LABELS


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("labels: {NOTHING: internal}", "not a type"),
        ("labels: {EMAIL: secret}", "one of: public"),
        ("on_label: block", "without `labels`"),
        ("labels_in: both", "without `labels`"),
        ("labels: {EMAIL: internal}, labels_in: answers", "one of: requests, both"),
    ],
)
def test_faults_of_labels_name_their_place(more: str, says: str) -> None:
    """Before they are recorded."""
    with pytest.raises(FaultyInput, match=says):
        _seen("x", "internal", "{id: p, guards: {pii: {action: redact}}, " + more + "}")


def test_labels_of_answers_are_asked_for() -> None:
    """A policy that does not name them has the digest that it had; one that does says so in its record."""
    plain, asked, said = (
        read_file(parse_yaml(POLICY + more, "p.yaml"), "p.yaml")[1] for more in ("", "labels_in: both", "labels_in: requests")
    )
    assert plain == said and "labels_in" not in plain and asked["labels_in"] == "both"
    assert read_policy(policy_snap("p", asked)).label_answers and not read_policy(policy_snap("p", plain)).label_answers
