"""Labels detected from content: what guards found says how confidential a request is, or its answer, as its policy has it.

A detected label stands beside the one that its route declares. Above that one it is flagged or blocked. What was found counts as received,
whether or not it is redacted afterwards; of an answer, what the caller did not give. Leaves out: what is found (`chain`, `answer`), and
where a label may go (gateway).
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
    """What is decided about a request, or its answer, whose route declares a label."""
    above = sorted(type_ for type_ in types if _exceeds(type_, policy, declared))
    if not above:
        return Decision(GUARD, CONTROL, Action.ALLOW, enforced=enforce)
    hits = tuple(Hit(0, 0, 0, type_, rule=f"label/{label_of(type_, policy.labels)}") for type_ in above)
    acted = len(hits) if enforce and policy.on_label is Action.BLOCK else 0
    return Decision(GUARD, CONTROL, policy.on_label, "", REASON, hits, acted, enforce, len(hits))


def _exceeds(type_: str, policy: Policy, declared: str) -> bool:
    found = label_of(type_, policy.labels)
    return bool(found) and LABELS.index(found) > LABELS.index(declared)


class AnswerLabels:
    """Labels of what is found in one answer, while it arrives.

    Args:
        declared: label of the route.
        enforce: whether decisions take effect.
    """

    def __init__(self, policy: Policy, declared: str, enforce: bool) -> None:
        self._policy, self._declared, self._enforce = policy, declared, enforce
        self._seen: set[str] = set()

    def names(self, type_: str) -> bool:
        """Whether a type has a label at all."""
        return bool(label_of(type_, self._policy.labels))

    def note(self, type_: str) -> None:
        """Something of a type was found."""
        if self.names(type_):
            self._seen.add(type_)

    def stops(self, type_: str) -> bool:
        """Whether nothing after something of a type may be released."""
        return self._enforce and self._policy.on_label is Action.BLOCK and _exceeds(type_, self._policy, self._declared)

    @property
    def detected(self) -> str:
        """The label of the answer; "" where nothing that was found has one."""
        return detected(self._seen, self._policy.labels)

    def decision(self) -> Decision:
        """What is decided about the answer."""
        return decided(self._policy, self._seen, self._declared, self._enforce)
