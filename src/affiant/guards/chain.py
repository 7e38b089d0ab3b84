"""The chain: guards in their order over one direction of an exchange, under a policy and a mode.

Inbound: sanitize, then secrets and personal data (one scan), then injection. Outbound: `answer`. In watch and warn nothing is changed and
each decision says `enforced=False`. A guard that the policy does not name does not run and gives no decision. `hold` blocks: no room
keeps held exchanges in this version.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from affiant.guards import labels, sanitize
from affiant.guards.after import GROUNDEDNESS, QUALITY, judge
from affiant.guards.answer import CONTROL as OUTPUT_CONTROL
from affiant.guards.answer import GUARD as OUTPUT
from affiant.guards.answer import LEAKAGE, LEAKAGE_CONTROL, AnswerContext, AnswerGuard
from affiant.guards.builtin import built_in
from affiant.guards.injection import looks_english
from affiant.guards.leakage import Watch
from affiant.guards.model import SEVERITY, Action, Decision, Exchange, GuardRule, Hit, Kind, Mode, Part, Policy, Role
from affiant.guards.quality.language import identify
from affiant.guards.redact import PSEUDONYMIZE, SHAPE, Pseudonyms, forged, replacement, value_key
from affiant.guards.scan import Finder, Found
from affiant.guards.structured import CONTROL as SCHEMA_CONTROL
from affiant.guards.structured import GUARD as SCHEMA
from affiant.guards.structured import decided_on_request
from affiant.guards.text import Folded
from affiant.guards.toolbox import Toolbox
from affiant.guards.types import ANSWER, ENGLISH, FORGED, NAMES, OTHER, action_of, languages_of, rule_at

SANITIZE, PII, SECRETS, INJECTION = "sanitize", "pii", "secrets", "injection"
CONTROLS = {
    SANITIZE: "SEC-3.2", PII: "PR-1.1", SECRETS: "SEC-4.1", INJECTION: "SEC-3.1", OUTPUT: OUTPUT_CONTROL, LEAKAGE: LEAKAGE_CONTROL,
    GROUNDEDNESS: "PI-1.1", QUALITY: "PI-1.1", SCHEMA: SCHEMA_CONTROL,
}  # fmt: skip
_REASONS = {
    SANITIZE: "hidden_text", PII: "pii_detected", SECRETS: "secret_detected", INJECTION: "injection_detected", LEAKAGE: "protected_text",
}  # fmt: skip
_INBOUND = (SANITIZE, SECRETS, PII, INJECTION, LEAKAGE)
EVERY_STAGE = "every_stage"
STAGES = ("rules", "ngram", "encoder")
NO_WATCH = Watch(())
_STOPS = (Action.BLOCK, Action.HOLD)
_ACTS = (Action.REDACT, Action.HOLD, Action.BLOCK)
_SECRET = "SECRET/"  # noqa: S105 - the prefix of a type, no secret
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
        detected: the label that its content has by the policy; "" where that says nothing.
    """

    exchange: Exchange
    decisions: tuple[Decision, ...]
    blocked: Decision | None
    would_block: bool
    context: AnswerContext
    detected: str = ""


@dataclass(slots=True)
class _Findings:
    """What one guard found in one direction."""

    rule: GuardRule
    by_action: dict[Action, list[Hit]] = field(default_factory=dict)
    score_ppm: int = -1
    stages: set[str] = field(default_factory=set)
    hows: dict[str, None] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def at(self, part: Part) -> GuardRule:
        """The rule for a part."""
        return rule_at(self.rule, part.role)

    def note(self, hit: Hit, rule: GuardRule) -> Action:
        """Count a hit under the action that the rule for its part takes on it."""
        self.seen.add(hit.type)
        action = action_of(rule, hit.type)
        if action is not Action.ALLOW:
            self.by_action.setdefault(action, []).append(hit)
        if action is Action.REDACT:
            self.hows[rule.how] = None
        return action


@dataclass(slots=True)
class _Work:
    """One request on its way through the guards."""

    findings: dict[str, _Findings]
    pseudonyms: Pseudonyms
    enforce: bool
    secret: bytes
    watch: Watch
    finder: Finder
    shapes: frozenset[str]
    names: bool

    def how(self, rule: GuardRule, type_: str) -> str:
        """The way to redact a type: a pseudonym keeps the value's shape where a schema in the request asks for it."""
        return SHAPE if rule.how == PSEUDONYMIZE and type_ in self.shapes else rule.how


class GuardChain:
    """Runs guards. Stateless apart from its key and its tools.

    Args:
        secret: key of `hash` redaction; the gateway passes one per tenant.
        toolbox: detectors and models; the built-in detectors and no model where it is None.
    """

    def __init__(self, secret: bytes = b"", toolbox: Toolbox | None = None) -> None:
        self._secret = secret
        self.toolbox = toolbox or built_in()
        self._versions = dict(self.toolbox.versions)

    def inbound(self, exchange: Exchange, policy: Policy, mode: Mode, secret: bytes = b"", watch: Watch = NO_WATCH) -> Verdict:
        """Decide about a request.

        Args:
            secret: overrides the chain's own.
            watch: protected texts that it must not hold.
        """
        original = exchange.parts
        work = _Work(
            {name: _Findings(policy.guards[name]) for name in _INBOUND if name in policy.guards},
            Pseudonyms(tuple(part.text for part in original), secret or self._secret),
            mode is Mode.ENFORCE,
            secret or self._secret,
            watch,
            self._finder(policy),
            exchange.shapes,
            any(name in policy.labels for name in NAMES),
        )
        for name, value in exchange.known.items():
            work.pseudonyms.know(name, value)
        parts = [self._part(number, part, work) if part.text else part for number, part in enumerate(original)]
        decisions: list[Decision] = []
        for name, findings in work.findings.items():
            decisions.extend(self._decisions(name, findings, work.enforce))
        if SCHEMA in policy.guards and exchange.expected is not None and (exchange.expected.asks or exchange.expected.refused):
            decisions.append(decided_on_request(policy.guards[SCHEMA], exchange.expected, work.enforce))
        seen: set[str] = set().union(*(findings.seen for findings in work.findings.values()))
        if policy.labels:
            decisions.append(labels.decided(policy, seen, exchange.label, work.enforce))
        stopping = [decision for decision in decisions if decision.action in _STOPS]
        changed = exchange if parts == list(original) else replace(exchange, parts=tuple(parts))
        blocked = stopping[0] if stopping and work.enforce else None
        context = AnswerContext(original, work.pseudonyms, exchange.expected, exchange.label)
        return Verdict(
            changed, tuple(decisions), blocked, bool(stopping) and not work.enforce, context, labels.detected(seen, policy.labels)
        )

    def answer(self, context: AnswerContext, policy: Policy, mode: Mode, secret: bytes = b"", watch: Watch = NO_WATCH) -> AnswerGuard:
        """The guard of one answer, streamed or whole."""
        leaking, enforce = policy.guards.get(LEAKAGE), mode is Mode.ENFORCE
        return AnswerGuard(
            context, policy.guards.get(OUTPUT), enforce, secret or self._secret, self._finder(policy),
            rule_at(leaking, ANSWER) if leaking else None, watch, policy.own.reach if policy.own else 0,
            labels.AnswerLabels(policy, context.label, enforce) if policy.label_answers else None,
        )  # fmt: skip

    def after(self, context: AnswerContext, policy: Policy, mode: Mode, text: str) -> tuple[Decision, ...]:
        """What is decided about a whole answer once it is there: groundedness and quality."""
        return judge(context, policy, mode is Mode.ENFORCE, text, self.toolbox)

    def _finder(self, policy: Policy) -> Finder:
        scanner = self.toolbox.scanner
        return policy.own.beside(scanner) if policy.own else scanner

    # -- one part

    def _part(self, number: int, part: Part, work: _Work) -> Part:
        """Run the guards over one part; collects into `work`, gives the part as it may go on."""
        text = part.text
        hiding = work.findings.get(SANITIZE)
        if hiding is not None:
            here = hiding.at(part)
            removed = [span for span in sanitize.find(text) if hiding.note(Hit(number, *span), here) is Action.REDACT]
            if work.enforce and removed:
                text = sanitize.without(text, removed)
        folded = Folded(text)
        injected = work.findings.get(INJECTION)
        if injected is not None and _addresses_model(part):
            self._injection(number, part, folded, injected)
        leaking = work.findings.get(LEAKAGE)
        if leaking is not None and work.watch:
            for leak in work.watch.find(text):
                leaking.note(Hit(number, leak.start, leak.end, f"LEAK/{leak.kind}", rule=leak.id), leaking.at(part))
        text = self._spans(number, part, folded, work)
        return part if text == part.text else replace(part, text=text)

    def _injection(self, number: int, part: Part, folded: Folded, findings: _Findings) -> None:
        scorer = self.toolbox.injection
        assert scorer is not None
        scored = scorer.score(folded, part.role, findings.at(part).how == EVERY_STAGE)
        findings.stages.add(scored.stage)
        findings.score_ppm = max(findings.score_ppm, scored.score_ppm)
        rule = rule_at(findings.rule, part.role, _language(folded, languages_of(findings.rule)))
        if scored.score_ppm < rule.threshold_ppm:
            return
        hits = scored.hits or (Found(0, len(folded.source), f"INJECTION/{scored.stage}", scored.score_ppm),)
        for hit in hits[:MAX_HITS]:
            findings.note(Hit(number, hit.start, hit.end, hit.type, hit.score_ppm, hit.rule), rule)

    def _spans(self, number: int, part: Part, folded: Folded, work: _Work) -> str:
        """Secrets and personal data: one scan, then the tagger where the policy acts on names."""
        secrets, personal = work.findings.get(SECRETS), work.findings.get(PII)
        if secrets is None and personal is None:
            return folded.source
        plain = folded.plain
        found = work.finder.find(plain)
        rules = {id(each): each.at(part) for each in (secrets, personal) if each is not None}
        if personal is not None and self.toolbox.names is not None and (work.names or _acts_on_names(rules[id(personal)])):
            found = _merged(found, self.toolbox.names.find(plain))
        if personal is not None and action_of(rules[id(personal)], FORGED) is not Action.ALLOW:
            strange = [each for each in forged(plain, work.secret) if not work.pseudonyms.stands_in(plain[each.start : each.end])]
            found = _merged(found, sorted(strange, key=lambda each: each.start))
        source, pieces, cursor = folded.source, [], 0
        for span in found:
            findings = secrets if span.type.startswith(_SECRET) else personal
            if findings is None:
                continue
            start, end = folded.plain_span(span.start, span.end)
            rule = rules[id(findings)]
            action = findings.note(Hit(number, start, end, span.type, span.score_ppm, span.rule), rule)
            if action is Action.REDACT and work.enforce and start >= cursor:
                key = value_key(span.type, plain[span.start : span.end].casefold())
                pieces.append(source[cursor:start])
                pieces.append(replacement(work.how(rule, span.type), span.type, key, source[start:end], work.pseudonyms, work.secret))
                cursor = end
        return "".join([*pieces, source[cursor:]]) if cursor else source

    # -- decisions

    def _decisions(self, name: str, findings: _Findings, enforce: bool) -> list[Decision]:
        """One decision per action, most severe first; one that allows where nothing was found."""
        version = self._versions.get(name, "")
        score, stage = findings.score_ppm, max(findings.stages, default="", key=STAGES.index)
        made = []
        for action in sorted(findings.by_action, key=SEVERITY.__getitem__, reverse=True):
            hits = findings.by_action[action]
            acted = len(hits) if enforce and action in _ACTS else 0
            how = ("remove" if name == SANITIZE else "+".join(findings.hows)) if action is Action.REDACT else ""
            made.append(
                Decision(name, CONTROLS[name], action, how, _REASONS[name], tuple(hits), acted, enforce, len(hits), score, stage, version)
            )
        return made or [Decision(name, CONTROLS[name], Action.ALLOW, enforced=enforce, score_ppm=score, stage=stage, version=version)]


def _addresses_model(part: Part) -> bool:
    """Injection is looked for in what others than the application wrote: users, tools, documents, and fields of unknown use."""
    if part.kind in (Kind.TOOL_RESULT, Kind.TOOL_DEFINITION, Kind.UNKNOWN_FIELD):
        return True
    return part.role in (Role.USER, Role.TOOL, Role.DOCUMENT)


def _language(folded: Folded, named: frozenset[str]) -> str:
    """The language of a text, as far as a rule asks for it: English or `other` where no other one is named; "" where none is."""
    if not named:
        return ""
    if named - {ENGLISH, OTHER} and (found := identify(folded.source)[0]):
        return found
    return ENGLISH if looks_english(folded.text) else OTHER


def _acts_on_names(rule: GuardRule) -> bool:
    return any(action_of(rule, name) is not Action.ALLOW for name in NAMES)


def _merged(found: list[Found], names: list[Found]) -> list[Found]:
    """Both in order; what of the second overlaps the first is dropped."""
    if not names:
        return found
    taken, kept = iter(found), []
    span = next(taken, None)
    for name in names:
        while span is not None and span.end <= name.start:
            span = next(taken, None)
        if span is None or span.start >= name.end:
            kept.append(name)
    return sorted([*found, *kept], key=lambda each: each.start)
