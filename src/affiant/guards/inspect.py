"""One text under one policy, as an author or an outsider looks at it: what every guard would decide, and why. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from affiant.guards.answer import AnswerContext
from affiant.guards.chain import INJECTION, STAGES, GuardChain
from affiant.guards.model import SEVERITY, Action, Decision, Exchange, Hit, Kind, Mode, Part, Policy, Role
from affiant.guards.quality.schema import Expected
from affiant.guards.redact import Pseudonyms
from affiant.guards.structured import GUARD as SCHEMA
from affiant.guards.structured import Output, decided, fault_of

_KINDS = {Role.TOOL: Kind.TOOL_RESULT, Role.DOCUMENT: Kind.TOOL_RESULT}


@dataclass(frozen=True, slots=True)
class Inspection:
    """What guards say of a text.

    Args:
        decision: the most severe action.
        decisions: of every guard that ran.
        hits: what was found, without repetition, by place.
        injection_ppm: score; 0 where it was not looked for.
        secret_ppm: the highest confidence of a secret; 0 where none was found.
        ungrounded_ppm: how likely the context does not support it; -1 where there is none.
        stage: the last stage of the injection cascade that was reached; "" where it was not asked.
    """

    decision: Action
    decisions: tuple[Decision, ...]
    hits: tuple[Hit, ...]
    injection_ppm: int
    secret_ppm: int
    ungrounded_ppm: int
    stage: str


def inspect(
    text: str,
    role: Role,
    policy: Policy,
    chain: GuardChain,
    context: str = "",
    question: str = "",
    expected: Expected | None = None,
    label: str = "internal",
    tenant: str = "",
) -> Inspection:
    """Run every guard of a policy over one text, in watch.

    Args:
        role: who wrote it; an assistant's text is looked at as an answer too.
        context: what an assistant's text should rest on; "": groundedness is not asked.
        question: that it answers.
        expected: the form that an assistant's text was asked to have.
        label: that the route declares.
        tenant: whose exchange it is.
    """
    part = Part("text", role, _KINDS.get(role, Kind.TEXT), text)
    exchange = Exchange("inspection", "inspection", "", tenant, label, False, (part,))
    decisions = list(chain.inbound(exchange, policy, Mode.WATCH).decisions)
    if role is Role.ASSISTANT:
        asked = [Part("context", Role.DOCUMENT, Kind.TEXT, context)] if context else []
        if question:
            asked.append(Part("question", Role.USER, Kind.TEXT, question))
        request = AnswerContext(tuple(asked), Pseudonyms(), label=label)
        guard = chain.answer(request, policy, Mode.WATCH)
        guard.text(text)
        decisions += guard.decisions()
        decisions += chain.after(request, policy, Mode.WATCH, text)
        if SCHEMA in policy.guards and expected is not None and expected.asks:
            fault = fault_of(Output(text), expected)
            decisions += decided(policy.guards[SCHEMA], ((0, fault),) if fault else (), 0, False)
    return _summed(decisions)


def _summed(decisions: list[Decision]) -> Inspection:
    seen: set[tuple[int, int, str]] = set()
    hits = []
    for hit in sorted((hit for decision in decisions for hit in decision.hits), key=lambda each: (each.start, each.end, each.type)):
        if (hit.start, hit.end, hit.type) not in seen:
            seen.add((hit.start, hit.end, hit.type))
            hits.append(hit)
    scores = {decision.guard: decision.score_ppm for decision in decisions if decision.score_ppm >= 0}
    secret = max((hit.score_ppm for hit in hits if hit.type.startswith("SECRET/")), default=0)
    stage = max((decision.stage for decision in decisions if decision.guard == INJECTION and decision.stage), default="", key=STAGES.index)
    return Inspection(
        max((decision.action for decision in decisions), default=Action.ALLOW, key=SEVERITY.__getitem__),
        tuple(decisions), tuple(hits), scores.get(INJECTION, 0), secret, scores.get("groundedness", -1), stage,
    )  # fmt: skip
