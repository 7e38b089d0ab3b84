"""What can only be judged of a whole answer: whether its context supports it, and its quality.

Of a plain answer the decision comes before it is released; of a stream it comes with its end, so that a block there is told and
recorded but takes nothing back. Leaves out: what is checked while text arrives (`answer`), and its form (`structured`).
"""

from __future__ import annotations

from collections.abc import Sequence

from affiant.guards.answer import AnswerContext
from affiant.guards.model import Action, Decision, GuardRule, Hit, Kind, Part, Policy, Role
from affiant.guards.toolbox import Toolbox

GROUNDEDNESS, QUALITY = "groundedness", "quality"
GROUNDEDNESS_CONTROL, QUALITY_CONTROL = "PI-1.1", "PI-1.1"
_TURNS = ("messages[", "input")
_ACTS = (Action.REDACT, Action.HOLD, Action.BLOCK)


def judge(context: AnswerContext, policy: Policy, enforce: bool, text: str, toolbox: Toolbox) -> tuple[Decision, ...]:
    """Decide about a whole answer.

    Args:
        context: of the request; its documents and tool results are what the answer rests on, the last user text is the question.
        text: of the answer, all of it.
    """
    made: list[Decision] = []
    parts = context.parts
    grounded, quality = policy.guards.get(GROUNDEDNESS), policy.guards.get(QUALITY)
    if grounded is not None:
        made.append(_grounded(grounded, parts, enforce, text, toolbox))
    if quality is not None:
        made.append(_quality(quality, parts, enforce, text, toolbox))
    return tuple(made)


def _decided(
    guard: str, control: str, rule: GuardRule, reason: str, hits: tuple[Hit, ...], enforce: bool, score_ppm: int, version: str
) -> Decision:
    if not hits or rule.action is Action.ALLOW:
        return Decision(guard, control, Action.ALLOW, enforced=enforce, score_ppm=score_ppm, version=version)
    acted = len(hits) if enforce and rule.action in _ACTS else 0
    return Decision(
        guard, control, rule.action, reason=reason, hits=hits, acted=acted, enforced=enforce, found=len(hits), score_ppm=score_ppm,
        version=version,
    )  # fmt: skip


def _grounded(rule: GuardRule, parts: Sequence[Part], enforce: bool, text: str, toolbox: Toolbox) -> Decision:
    context = _context(parts)
    version = dict(toolbox.versions).get(GROUNDEDNESS, "")
    if not context or not text.strip() or toolbox.grounder is None:
        return Decision(GROUNDEDNESS, GROUNDEDNESS_CONTROL, Action.ALLOW, enforced=enforce, version=version)
    seen = toolbox.grounder.judge(text, context, _question(parts))
    hits: tuple[Hit, ...] = ()
    if seen.ungrounded_ppm >= rule.threshold_ppm:
        hits = tuple(
            Hit(0, each.start, each.end, "UNSUPPORTED", each.ungrounded_ppm, "groundedness/sentence") for each in seen.unsupported
        ) or (Hit(0, 0, len(text), "UNSUPPORTED", seen.ungrounded_ppm, "groundedness/answer"),)
    return _decided(GROUNDEDNESS, GROUNDEDNESS_CONTROL, rule, "not_grounded", hits, enforce, seen.ungrounded_ppm, version)


def _question(parts: Sequence[Part]) -> str:
    """The last text of the user; of a message if there is one, since other fields of a request hold texts too."""
    asked = [part for part in parts if part.role is Role.USER and part.kind is Kind.TEXT and part.text]
    spoken = [part for part in asked if part.where.startswith(_TURNS)]
    return (spoken or asked)[-1].text if asked else ""


def _context(parts: Sequence[Part]) -> str:
    """What a model was given to rest on: documents and tool results."""
    given = (part.role in (Role.TOOL, Role.DOCUMENT) or part.kind is Kind.TOOL_RESULT for part in parts)
    return "\n\n".join(part.text for part, is_given in zip(parts, given, strict=True) if is_given and part.text)


def _quality(rule: GuardRule, parts: Sequence[Part], enforce: bool, text: str, toolbox: Toolbox) -> Decision:
    calls = not text.strip() and any(part.kind is Kind.TOOL_DEFINITION for part in parts)  # no text, where tools may be called
    if toolbox.quality is None or calls:
        return Decision(QUALITY, QUALITY_CONTROL, Action.ALLOW, enforced=enforce)
    hits = tuple(
        Hit(0, each.start, each.end, each.type, each.score_ppm, each.rule) for each in toolbox.quality.check(text, _context(parts))
    )
    score = max((hit.score_ppm for hit in hits), default=0)
    hits = tuple(hit for hit in hits if hit.score_ppm >= rule.threshold_ppm)
    return _decided(QUALITY, QUALITY_CONTROL, rule, "poor_answer", hits, enforce, score, dict(toolbox.versions).get(QUALITY, ""))


def judges(policy: Policy) -> bool:
    """Whether a policy asks for anything that needs the whole answer."""
    return any(name in policy.guards for name in (GROUNDEDNESS, QUALITY))
