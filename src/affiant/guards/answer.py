"""The output guard over an answer: what the policy says of each hit, what the caller gave themselves, and what was decided in the end.

Leaves out: how one text is scanned as it arrives (`answer_text`), and wire formats (gateway).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from affiant.guards.answer_text import StreamScanner, span_text
from affiant.guards.builtin import built_in
from affiant.guards.detectors import output
from affiant.guards.labels import AnswerLabels
from affiant.guards.leakage import Watch
from affiant.guards.model import SEVERITY, Action, Decision, GuardRule, Hit, Kind, Part, Role
from affiant.guards.quality.schema import Expected
from affiant.guards.redact import MADE_UP, Pseudonyms, value_key
from affiant.guards.scan import LOOKAHEAD, Finder
from affiant.guards.text import Folded
from affiant.guards.types import FORGED, action_of

GUARD, CONTROL = "output", "CO-5.1"
LEAKAGE, LEAKAGE_CONTROL = "leakage", "CO-5.2"
_LEAK = "LEAK"
_STOPS = (Action.BLOCK, Action.HOLD)
MAX_HITS = 256
_REASONS = {
    output.SYSTEM_TEXT: "system_text_leaked", output.CANARY: "system_text_leaked", output.EXFIL_LINK: "exfiltration_link",
    output.SECRET: "secret_leaked", _LEAK: "protected_text",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """What guarding the answer must know of the request.

    Args:
        parts: parts as received, before redaction.
        pseudonyms: to be undone for the caller.
        expected: what the request asks of the answer's form, if anything.
        label: that the route declares.
    """

    parts: tuple[Part, ...]
    pseudonyms: Pseudonyms
    expected: Expected | None = None
    label: str = "public"


@dataclass(slots=True)
class _Tally:
    hits: list[Hit] = field(default_factory=list)
    found: int = 0


class AnswerGuard:
    """Guards one answer.

    Args:
        context: of the request.
        rule: the policy's rule for `output`; None: nothing is looked for, pseudonyms are restored all the same.
        enforce: whether decisions take effect.
        secret: key of `hash`.
        finder: of secrets and personal data; the built-in detectors where it is None.
        leak_rule: the policy's rule for `leakage`.
        watch: protected texts that the answer must not hold.
        labels: of what is found; None: nobody asks.
        reach: characters of the longest span that `finder` gives beyond what the built-in detectors do.
    """

    def __init__(
        self,
        context: AnswerContext,
        rule: GuardRule | None,
        enforce: bool,
        secret: bytes = b"",
        finder: Finder | None = None,
        leak_rule: GuardRule | None = None,
        watch: Watch | None = None,
        reach: int = 0,
        labels: AnswerLabels | None = None,
    ) -> None:
        self.rule, self.enforce, self.secret, self.pseudonyms = rule, enforce, secret, context.pseudonyms
        self.finder = finder or built_in().scanner
        self.ahead = LOOKAHEAD + reach
        self.leak_rule = leak_rule
        self.watch = watch if leak_rule is not None and watch else None
        self.labels = labels
        self.blocked: Action | None = None
        self.redacted = False
        self._parts = context.parts
        self._known: set[str] | None = None
        self._tallies: dict[tuple[Action, str], _Tally] = {}
        self._scanners = 0
        self.system = output.SystemText(
            tuple(part.text for part in context.parts if part.role is Role.SYSTEM and part.kind is Kind.TEXT) if rule else ()
        )

    @property
    def looks(self) -> bool:
        """Whether anything is looked for at all."""
        return self.rule is not None or self.watch is not None or self.labels is not None

    @property
    def changed(self) -> bool:
        """Whether any text was released otherwise than it came."""
        return self.redacted or self.pseudonyms.undone

    def scanner(self) -> StreamScanner:
        """A scanner for the next text of the answer."""
        self._scanners += 1
        return StreamScanner(self, self._scanners - 1)

    def text(self, text: str) -> str:
        """What may be released of a whole text; look at `blocked` afterwards."""
        if not self.looks:
            return self.pseudonyms.restore(text) if self.enforce else text
        scanner = self.scanner()
        return scanner.feed(text) + scanner.finish()

    def action_for(self, type_: str) -> Action:
        """What the policy does on a hit of this type."""
        rule = self.leak_rule if type_.startswith(_LEAK) else self.rule
        return action_of(rule, type_) if rule is not None else Action.ALLOW

    def looked_for(self, type_: str) -> bool:
        """Whether a hit of this type matters to anybody."""
        return self.action_for(type_) is not Action.ALLOW or (self.labels is not None and self.labels.names(type_))

    def stops(self, type_: str) -> bool:
        """Whether nothing after a hit of this type may be released."""
        return self.enforce and (self.action_for(type_) in _STOPS or (self.labels is not None and self.labels.stops(type_)))

    def known(self, type_: str, value: str, key: str) -> bool:
        """Whether the caller gave this value, or it stands for one that they gave, so that answering with it leaks nothing."""
        if key:
            if self.pseudonyms.stands_in(value):
                return True
            if self._known is None:
                self._known = set()
                for part in self._parts:
                    plain = Folded(part.text).plain
                    self._known.update(value_key(span.type, span_text(plain, span)) for span in self.finder.find(plain))
            return key in self._known
        if type_ == output.SYSTEM_TEXT:
            return any(part.role is not Role.SYSTEM and value in _plain(part.text) for part in self._parts)
        hidden = Role.TOOL if type_ == output.EXFIL_LINK else Role.SYSTEM
        return any(part.role is not hidden and value in part.text for part in self._parts)

    def count(self, action: Action, type_: str, hit: Hit) -> None:
        """Count one hit."""
        if self.labels is not None:
            self.labels.note(type_)
        if self.blocked is None and self.stops(type_):
            self.blocked = Action.HOLD if action is Action.HOLD else Action.BLOCK
        if action is Action.ALLOW:
            return
        tally = self._tallies.setdefault((action, type_), _Tally())
        tally.found += 1
        if len(tally.hits) < MAX_HITS:
            tally.hits.append(hit)

    def decisions(self) -> tuple[Decision, ...]:
        """One decision per guard and action taken, or one that allows; none of a guard that the policy does not name."""
        made: list[Decision] = []
        if self.rule is not None:
            made += self._made_up() + self._decided(self.rule, False)
        if self.leak_rule is not None:
            made += self._decided(self.leak_rule, True)
        if self.labels is not None:
            made.append(self.labels.decision())
        return tuple(made)

    def _made_up(self) -> list[Decision]:
        """Placeholders in the answer that stand for nothing: they stay as they are, restored to nobody's value, and are told."""
        count = self.pseudonyms.made_up
        if not count or self.rule is None or action_of(self.rule, FORGED) is Action.ALLOW:
            return []
        return [
            Decision(
                GUARD, CONTROL, Action.FLAG, reason="forged_placeholder", hits=(Hit(0, 0, 0, MADE_UP),), enforced=self.enforce, found=count
            )
        ]

    def _decided(self, rule: GuardRule, leaks: bool) -> list[Decision]:
        guard, control = (LEAKAGE, LEAKAGE_CONTROL) if leaks else (GUARD, CONTROL)
        tallies = {key: tally for key, tally in self._tallies.items() if key[1].startswith(_LEAK) == leaks}
        made = []
        for action in sorted({action for action, _ in tallies}, key=SEVERITY.__getitem__, reverse=True):
            mine = {type_: tally for (its, type_), tally in tallies.items() if its is action}
            found = sum(tally.found for tally in mine.values())
            acted = found if self.enforce and action in (Action.REDACT, *_STOPS) else 0
            reason = next((_REASONS[head] for head in (t.partition("/")[0] for t in mine) if head in _REASONS), "pii_leaked")
            hits = tuple(hit for tally in mine.values() for hit in tally.hits)
            how = rule.how if action is Action.REDACT else ""
            made.append(Decision(guard, control, action, how, reason, hits, acted, self.enforce, found))
        return made or [Decision(guard, control, Action.ALLOW, enforced=self.enforce)]


def _plain(text: str) -> str:
    return " ".join(output.words(Folded(text).text))
