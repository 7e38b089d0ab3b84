"""The output guard over an answer: one `AnswerGuard` an answer, one `StreamScanner` a text of it, fed in any pieces.

A scanner holds text back to the last safe place (`cut`), and further back only while it repeats the system text word for
word or a private key is open. What it releases and decides depends on the text alone, not on the pieces. Restores the
caller's pseudonyms in what it releases. Leaves out: wire formats (gateway).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from affiant.guards import cut
from affiant.guards.builtin import built_in
from affiant.guards.detectors import output
from affiant.guards.leakage import Tracker, Watch
from affiant.guards.model import SEVERITY, Action, Decision, GuardRule, Hit, Kind, Part, Role
from affiant.guards.quality.schema import Expected
from affiant.guards.redact import MADE_UP, Pseudonyms, Restorer, replacement, value_key
from affiant.guards.scan import LOOKAHEAD, Finder, Found
from affiant.guards.scan import LOOKBACK as SCAN_LOOKBACK
from affiant.guards.text import Folded
from affiant.guards.types import FORGED, action_of

GUARD, CONTROL = "output", "CO-5.1"
LEAKAGE, LEAKAGE_CONTROL = "leakage", "CO-5.2"
_LEAK = "LEAK"
MAX_HITS = 256
_MAX_PEM = 16_384
_LOOKBACK = max(SCAN_LOOKBACK, output.LOOKBACK) + 16
_SECRET = "SECRET/"  # noqa: S105 - the prefix of a type, no secret
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
    """

    parts: tuple[Part, ...]
    pseudonyms: Pseudonyms
    expected: Expected | None = None


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
    ) -> None:
        self.rule, self.enforce, self.secret, self.pseudonyms = rule, enforce, secret, context.pseudonyms
        self.finder = finder or built_in().scanner
        self.ahead = LOOKAHEAD + reach
        self.leak_rule = leak_rule
        self.watch = watch if leak_rule is not None and watch else None
        self.blocked: Action | None = None
        self._redacted = False
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
        return self.rule is not None or self.watch is not None

    @property
    def changed(self) -> bool:
        """Whether any text was released otherwise than it came."""
        return self._redacted or self.pseudonyms.undone

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
        tally = self._tallies.setdefault((action, type_), _Tally())
        tally.found += 1
        if len(tally.hits) < MAX_HITS:
            tally.hits.append(hit)
        if action in (Action.BLOCK, Action.HOLD) and self.enforce and self.blocked is None:
            self.blocked = action

    def decisions(self) -> tuple[Decision, ...]:
        """One decision per guard and action taken, or one that allows; none of a guard that the policy does not name."""
        made: list[Decision] = []
        if self.rule is not None:
            made += self._made_up() + self._decided(self.rule, False)
        if self.leak_rule is not None:
            made += self._decided(self.leak_rule, True)
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
            acted = found if self.enforce and action in (Action.REDACT, Action.HOLD, Action.BLOCK) else 0
            reason = next((_REASONS[head] for head in (t.partition("/")[0] for t in mine) if head in _REASONS), "pii_leaked")
            hits = tuple(hit for tally in mine.values() for hit in tally.hits)
            how = rule.how if action is Action.REDACT else ""
            made.append(Decision(guard, control, action, how, reason, hits, acted, self.enforce, found))
        return made or [Decision(guard, control, Action.ALLOW, enforced=self.enforce)]


def span_text(plain: str, span: Found) -> str:
    """What a span says, as `value_key` takes it."""
    return plain[span.start : span.end].casefold()


def _plain(text: str) -> str:
    return " ".join(output.words(Folded(text).text))


class StreamScanner:
    """Scans one text as it arrives. Made by `AnswerGuard.scanner`."""

    def __init__(self, guard: AnswerGuard, part: int) -> None:
        self._guard, self._part = guard, part
        self._restorer = Restorer(guard.pseudonyms) if guard.enforce and guard.pseudonyms.originals else None
        self._pending = ""  # after the last place that was found safe
        self._before = ""  # the end of what lies before `_pending`, for detectors that look back
        self._ready = ""  # scanned, not yet released
        self._base = 0  # offset of `_ready` in the whole text
        self._hits: list[tuple[int, int, str]] = []
        self._image = False
        self._pem_at = -1
        self._grams: list[str] = []
        self._run: list[str] = []
        self._run_at = -1
        self._run_end = -1
        self._tracker = Tracker(guard.watch) if guard.watch is not None else None
        self.stopped = False

    def feed(self, text: str) -> str:
        """Take the next piece; gives what may be released now. After a block it gives nothing more."""
        if self.stopped:
            return ""
        if not self._guard.looks:
            return self._restorer.feed(text) if self._restorer else text
        self._pending += text
        while cut.overlong(self._pending, self._guard.ahead):
            place, forced = cut.window_cut(self._pending)
            self._commit(self._unsplit(place) if forced else place, must=True)
        place = cut.last_safe(self._pending, len(self._pending) - self._guard.ahead)
        if place > 0:
            self._commit(place)
        return self._release(final=False)

    def finish(self) -> str:
        """The rest, at the end of the text."""
        if self.stopped:
            return ""
        released = ""
        if self._guard.looks:
            self._commit(len(self._pending))
            released = self._release(final=True)
        if self._restorer and not self.stopped:
            released += self._restorer.finish()
        return released

    @property
    def held(self) -> int:
        """Characters held back now."""
        return len(self._pending) + len(self._ready)

    # -- scanning

    def _unsplit(self, place: int) -> int:
        """Move a forced cut before a span that it would split."""
        window = self._pending[: cut.MAX_TOKEN]
        folded = Folded(window)
        spans = [folded.plain_span(span.start, span.end) for span in self._guard.finder.find(folded.plain)]
        inside = [start for start, end in spans if start < place < end]
        return min(inside) or place if inside else place

    def _commit(self, place: int, must: bool = False) -> None:
        """Scan the first `place` characters of what is pending; less where something begun there is not at its end yet.

        Args:
            must: some of it at least, since too much is pending.
        """
        wanted = place
        guard, skip = self._guard, len(self._before)
        view = Folded(self._before + self._pending[: place + guard.ahead])
        spans = []
        for span in guard.finder.find(view.plain):
            begin, stop = view.plain_span(span.start, span.end)
            if begin < skip or "\n" in view.source[begin:stop]:  # what spans lines has its own way: `_private_keys`
                continue
            if guard.action_for(span.type) is not Action.ALLOW:
                spans.append((begin - skip, stop - skip, span))
        for begin, stop, _ in reversed(spans):
            if begin < place < stop:
                place = cut.last_safe(self._pending, begin) if begin > 0 else 0
        if must and not place:  # no safe place outside a span: where the span begins, or ends, will do
            place = next((begin or stop for begin, stop, _ in spans if begin < wanted < stop), wanted)
        segment, self._pending = self._pending[:place], self._pending[place:]
        if not segment:
            return
        look = self._before + segment
        at = self._base + len(self._ready) - skip
        folded = Folded(look)
        folded_skip = folded.index(skip)
        if self._tracker is not None:
            for leak in self._tracker.words(folded, folded_skip, at):  # told with the word that makes it certain, whatever the pieces
                self._hits.append((leak.end - 1, leak.end, f"{_LEAK}/{leak.kind}"))
        for begin, stop, span in spans:
            if stop > place:
                continue
            secret = span.type.startswith(_SECRET)
            key = "" if secret else value_key(span.type, span_text(view.plain, span))
            if not guard.known(output.SECRET if secret else span.type, look[begin + skip : stop + skip], key):
                self._hits.append((at + skip + begin, at + skip + stop, span.type))
        for canary in guard.system.canaries:
            found = look.find(canary, skip)
            while found >= 0 and not guard.known(output.CANARY, canary, ""):
                self._hits.append((at + found, at + found + len(canary), output.CANARY))
                found = look.find(canary, found + len(canary))
        self._links(look, skip, at)
        self._private_keys(look, skip, at)
        if guard.system.grams:
            self._words(folded, folded_skip, at)
        self._ready += segment
        self._before = look[-_LOOKBACK:]

    def _links(self, look: str, skip: int, at: int) -> None:
        if not self._image and "![" not in look and "<" not in look:
            return
        for mark in output.LINK_MARKS.finditer(look, skip):
            text = mark.group()
            if text == "![" or text[0] == "<":
                self._image = True
            elif text in (">", ")") or text[0] == "\n":
                self._image = False
            elif self._image and output.carries_data(text) and not self._guard.known(output.EXFIL_LINK, text, ""):
                self._hits.append((at + mark.start(), at + mark.end(), output.EXFIL_LINK))

    def _private_keys(self, look: str, skip: int, at: int) -> None:
        place = skip
        while True:
            if self._pem_at < 0:
                opened = next((m for m in output.PEM_OPEN.finditer(look) if m.end() > place), None) if "-----" in look else None
                if opened is None:
                    return
                self._pem_at, place = at + opened.end(), opened.end()
            closed = look.find(output.PEM_CLOSE, place)
            limit = self._pem_at + _MAX_PEM - at
            end = limit if limit < len(look) and (closed < 0 or closed > limit) else closed
            if end < 0:
                return
            if at + end > self._pem_at:
                self._hits.append((self._pem_at, at + end, f"{output.SECRET}/private_key"))
            self._pem_at, place = -1, end

    def _words(self, folded: Folded, folded_skip: int, at: int) -> None:
        grams = self._guard.system.grams
        for start, end, word in output.word_spans(folded.text[folded_skip:]):
            begin, stop = folded.span(start + folded_skip, end + folded_skip)
            self._grams.append(word)
            if len(self._grams) > output.GRAM:
                del self._grams[0]
            if tuple(self._grams) in grams:
                if self._run_at < 0:
                    self._run_at = at + begin
                    self._run = self._grams[:-1]
                self._run.append(word)
                self._run_end = at + stop
            elif self._run_at >= 0:
                self._end_run()

    def _end_run(self) -> None:
        if self._leaking():
            self._hits.append((self._run_at, self._run_end, output.SYSTEM_TEXT))
        self._run_at, self._run = -1, []

    def _leaking(self) -> bool:
        return len(self._run) >= output.RUN and not self._guard.known(output.SYSTEM_TEXT, " ".join(self._run[: output.RUN]), "")

    # -- releasing

    def _release(self, final: bool) -> str:
        limit = self._base + len(self._ready)
        if final:
            if self._run_at >= 0:
                self._end_run()
            if 0 <= self._pem_at < limit:
                self._hits.append((self._pem_at, limit, f"{output.SECRET}/private_key"))
        else:
            limit = self._limit(limit)
        if not self._hits and limit == self._base + len(self._ready):
            text, self._ready, self._base = self._ready, "", limit
        else:
            text = self._apply(limit)
        return self._restorer.feed(text) if self._restorer else text

    def _limit(self, limit: int) -> int:
        """How far release may go while a run of system text or a private key is open; a block needs no end of either."""
        if self._pem_at >= 0:
            if limit > self._pem_at and self._blocks(f"{output.SECRET}/private_key"):
                self._hits.append((self._pem_at, limit, f"{output.SECRET}/private_key"))
            else:
                limit = min(limit, self._pem_at)
        if self._run_at >= 0:
            if len(self._run) >= output.RUN and self._blocks(output.SYSTEM_TEXT) and self._leaking():
                self._hits.append((self._run_at, self._run_end, output.SYSTEM_TEXT))
            else:
                limit = min(limit, self._run_at)
        return limit

    def _blocks(self, type_: str) -> bool:
        return self._guard.enforce and self._guard.action_for(type_) in (Action.BLOCK, Action.HOLD)

    def _apply(self, limit: int) -> str:
        """Release up to `limit`, acting on the hits that begin before it."""
        guard, base = self._guard, self._base
        cursor, pieces = base, []
        self._hits.sort(key=lambda hit: (hit[0], -hit[1], hit[2]))
        later = []
        for start, end, type_ in self._hits:
            if start >= limit:
                later.append((start, end, type_))
                continue
            if end <= cursor:
                continue
            begin = max(start, cursor)
            action = guard.action_for(type_)
            if action is Action.ALLOW:
                continue
            stops = guard.enforce and action in (Action.BLOCK, Action.HOLD)
            guard.count(action, type_, Hit(self._part, begin, begin + 1 if stops else end, type_))  # where it ends is not looked at
            if not guard.enforce or action is Action.FLAG:
                continue
            pieces.append(self._ready[cursor - base : begin - base])
            if action is not Action.REDACT:
                return self._stop("".join(pieces))
            original = self._ready[begin - base : end - base]
            how, key = guard.rule.how if guard.rule else "mask", value_key(type_, Folded(original).text)
            pieces.append(replacement(how, type_, key, original, None, guard.secret))
            guard._redacted = True
            cursor = end
        stop = max(limit, cursor)
        pieces.append(self._ready[cursor - base : stop - base])
        self._hits, self._ready, self._base = later, self._ready[stop - base :], stop
        return "".join(pieces)

    def _stop(self, text: str) -> str:
        """Nothing after a block is looked at any more."""
        self.stopped = True
        self._pending, self._ready, self._hits = "", "", []
        if self._restorer:
            return self._restorer.feed(text) + self._restorer.finish()
        return text
