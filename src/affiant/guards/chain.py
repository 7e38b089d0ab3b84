"""The chain: guards in their order over one direction of an exchange, under a policy and a mode.

Inbound: sanitize, then personal data, then injection. Outbound: the output guard, and restoring of pseudonyms. In watch and
warn nothing is changed and each decision says `enforced=False`. A guard that the policy does not name does not run and gives
no decision. `hold` blocks: no room keeps held exchanges in this version.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from affiant.guards import sanitize
from affiant.guards.answer import CONTROL as OUTPUT_CONTROL
from affiant.guards.answer import GUARD as OUTPUT
from affiant.guards.answer import AnswerContext, AnswerGuard
from affiant.guards.detectors import injection, pii
from affiant.guards.model import SEVERITY, Action, Decision, Exchange, GuardRule, Hit, Kind, Mode, Part, Policy, Role
from affiant.guards.redact import Pseudonyms, replacement, value_key
from affiant.guards.text import Folded

SANITIZE, PII, INJECTION = "sanitize", "pii", "injection"
CONTROLS = {SANITIZE: "SEC-3.2", PII: "PR-1.1", INJECTION: "SEC-3.1", OUTPUT: OUTPUT_CONTROL}
_REASONS = {SANITIZE: "hidden_text", PII: "pii_detected", INJECTION: "injection_detected"}
_STOPS = (Action.BLOCK, Action.HOLD)
_ACTS = (Action.REDACT, Action.HOLD, Action.BLOCK)
MAX_HITS = 256


@dataclass(frozen=True, slots=True)
class Verdict:
    """What guards decided about one direction.

    Args:
        exchange: with redactions applied where they are enforced.
        decisions: of every guard that ran.
        blocked: the decision that refuses the exchange; None: it may go on.
        would_block: whether one would have blocked, had it been enforced.
        context: for guarding the answer.
    """

    exchange: Exchange
    decisions: tuple[Decision, ...]
    blocked: Decision | None
    would_block: bool
    context: AnswerContext


Findings = dict[Action, list[Hit]]


class GuardChain:
    """Runs guards. Stateless apart from its key.

    Args:
        secret: key of `hash` redaction; the gateway passes one per tenant.
    """

    def __init__(self, secret: bytes = b"") -> None:
        self._secret = secret

    def inbound(self, exchange: Exchange, policy: Policy, mode: Mode, secret: bytes = b"") -> Verdict:
        """Decide about a request.

        Args:
            secret: overrides the chain's own.
        """
        enforce = mode is Mode.ENFORCE
        original = exchange.parts
        pseudonyms = Pseudonyms(tuple(part.text for part in original))
        found: dict[str, Findings] = {name: {} for name in (SANITIZE, PII, INJECTION) if name in policy.guards}
        parts = [
            _guard_part(number, part, policy, found, enforce, pseudonyms, secret or self._secret) if part.text else part
            for number, part in enumerate(original)
        ]
        decisions: list[Decision] = []
        for name, findings in found.items():
            decisions.extend(_decisions(name, policy.guards[name], findings, enforce))
        stopping = [decision for decision in decisions if decision.action in _STOPS]
        changed = exchange if parts == list(original) else replace(exchange, parts=tuple(parts))
        blocked = stopping[0] if stopping and enforce else None
        return Verdict(changed, tuple(decisions), blocked, bool(stopping) and not enforce, AnswerContext(original, pseudonyms))

    def answer(self, context: AnswerContext, policy: Policy, mode: Mode, secret: bytes = b"") -> AnswerGuard:
        """The guard of one answer, streamed or whole."""
        return AnswerGuard(context, policy.guards.get(OUTPUT), mode is Mode.ENFORCE, secret or self._secret)

    def outbound(self, exchange: Exchange, policy: Policy, mode: Mode, context: AnswerContext) -> Verdict:
        """Decide about a whole answer given as parts."""
        guard = self.answer(context, policy, mode)
        parts = tuple(replace(part, text=guard.text(part.text)) if part.text else part for part in exchange.parts)
        decisions = guard.decisions()
        stopping = [decision for decision in decisions if decision.action in _STOPS]
        enforce = mode is Mode.ENFORCE
        kept = replace(exchange, parts=parts) if enforce else exchange
        return Verdict(kept, decisions, stopping[0] if stopping and enforce else None, bool(stopping) and not enforce, context)


def _action(rule: GuardRule, type_: str) -> Action:
    if not rule.types:
        return rule.action
    return rule.types.get(type_) or rule.types.get(type_.partition("/")[0]) or rule.action


def _guard_part(
    number: int, part: Part, policy: Policy, found: dict[str, Findings], enforce: bool, pseudonyms: Pseudonyms, secret: bytes
) -> Part:
    """Run the guards over one part; collects into `found`, gives the part as it may go on."""
    text = part.text
    rule = policy.guards.get(SANITIZE)
    if rule is not None:
        hidden = sanitize.find(text)
        if hidden:
            removed = []
            for start, end, type_ in hidden:
                if _note(found[SANITIZE], rule, Hit(number, start, end, type_)) is Action.REDACT:
                    removed.append((start, end, type_))
            if enforce and removed:
                text = sanitize.without(text, removed)
    folded = Folded(text)
    injected = policy.guards.get(INJECTION)
    if injected is not None and _addresses_model(part):
        for start, end, type_, score in injection.find(folded):
            if score >= injected.threshold_ppm:
                _note(found[INJECTION], injected, Hit(number, start, end, type_, score))
    rule = policy.guards.get(PII)
    if rule is not None:
        text = _personal(number, folded, rule, found[PII], enforce, pseudonyms, secret)
    return part if text == part.text else replace(part, text=text)


def _addresses_model(part: Part) -> bool:
    """Injection is looked for in what others than the application wrote: users, tools, documents, and fields of unknown use."""
    if part.kind in (Kind.TOOL_RESULT, Kind.TOOL_DEFINITION, Kind.UNKNOWN_FIELD):
        return True
    return part.role in (Role.USER, Role.TOOL, Role.DOCUMENT)


def _personal(
    number: int, folded: Folded, rule: GuardRule, findings: Findings, enforce: bool, pseudonyms: Pseudonyms, secret: bytes
) -> str:
    source = folded.source
    pieces: list[str] = []
    cursor = 0
    for begin, stop, type_ in pii.find(folded.text):
        start, end = folded.span(begin, stop)
        if _note(findings, rule, Hit(number, start, end, type_)) is Action.REDACT and enforce:
            key = value_key(type_, folded.text[begin:stop])
            pieces.append(source[cursor:start])
            pieces.append(replacement(rule.how, type_, key, source[start:end], pseudonyms, secret))
            cursor = end
    if not cursor:
        return source
    pieces.append(source[cursor:])
    return "".join(pieces)


def _note(findings: Findings, rule: GuardRule, hit: Hit) -> Action:
    """Count a hit under the action that the policy takes on it."""
    action = _action(rule, hit.type)
    if action is not Action.ALLOW:
        findings.setdefault(action, []).append(hit)
    return action


def _decisions(name: str, rule: GuardRule, findings: Findings, enforce: bool) -> list[Decision]:
    """One decision per action, most severe first; one that allows where nothing was found."""
    made = []
    for action in sorted(findings, key=SEVERITY.__getitem__, reverse=True):
        hits = findings[action]
        acted = len(hits) if enforce and action in _ACTS else 0
        how = (rule.how if name == PII else "remove") if action is Action.REDACT else ""
        made.append(Decision(name, CONTROLS[name], action, how, _REASONS[name], tuple(hits), acted, enforce, len(hits)))
    return made or [Decision(name, CONTROLS[name], Action.ALLOW, enforced=enforce)]
