"""Labels detected from content: what guards found says how confidential a request is, as its policy has it.

A detected label stands beside the one that its route declares. Above that one it is flagged or blocked. What was found counts as received,
whether or not it is redacted afterwards. Leaves out: what is found (`chain`), and where a label may go (gateway).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from affiant.guards.leakage import LABELS
from affiant.guards.model import Action, Decision, Hit, Policy

GUARD, CONTROL, REASON = "label", "CO-1.1", "label_exceeded"


def label_of(type_: str, labels: Mapping[str, str]) -> str:
    """The label of a type: its own, or that of its family (before `/`); "" where it has none."""
    return labels.get(type_) or labels.get(type_.partition("/")[0], "")


def detected(types: Collection[str], labels: Mapping[str, str]) -> str:
    """The most confidential label of some types; "" where none has one."""
    return max((found for type_ in types if (found := label_of(type_, labels))), default="", key=LABELS.index)


def decided(policy: Policy, types: Collection[str], declared: str, enforce: bool) -> Decision:
    """What is decided about a request whose route declares a label."""
    above = sorted(t for t in types if (found := label_of(t, policy.labels)) and LABELS.index(found) > LABELS.index(declared))
    if not above:
        return Decision(GUARD, CONTROL, Action.ALLOW, enforced=enforce)
    hits = tuple(Hit(0, 0, 0, type_, rule=f"label/{label_of(type_, policy.labels)}") for type_ in above)
    acted = len(hits) if enforce and policy.on_label is Action.BLOCK else 0
    return Decision(GUARD, CONTROL, policy.on_label, "", REASON, hits, acted, enforce, len(hits))
