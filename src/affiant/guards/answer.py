"""The output guard over an answer: one `AnswerGuard` an answer, one `StreamScanner` a text of it, fed in any pieces.

A scanner holds text back to the last safe place (`cut`), and further back only while it repeats the system text word for
word or a private key is open. What it releases and decides depends on the text alone, not on the pieces. Restores the
caller's pseudonyms in what it releases. Leaves out: wire formats (gateway).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from affiant.guards import cut
from affiant.guards.detectors import output, pii
from affiant.guards.model import SEVERITY, Action, Decision, GuardRule, Hit, Kind, Part, Role
from affiant.guards.redact import Pseudonyms, Restorer, replacement, value_key
from affiant.guards.text import Folded

GUARD, CONTROL = "output", "CO-5.1"
MAX_HITS = 256
_MAX_PEM = 16_384
_LOOKBACK = max(pii.LOOKBACK, output.LOOKBACK) + 16
_REASONS = {
    output.SYSTEM_TEXT: "system_text_leaked", output.CANARY: "system_text_leaked", output.EXFIL_LINK: "exfiltration_link",
    output.SECRET: "secret_leaked",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """What guarding the answer must know of the request.

    Args:
        parts: parts as received, before redaction.
        pseudonyms: to be undone for the caller.
    """

    parts: tuple[Part, ...]
    pseudonyms: Pseudonyms


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
    """

    def __init__(self, context: AnswerContext, rule: GuardRule | None, enforce: bool, secret: bytes = b"") -> None:
        self.rule, self.enforce, self.secret, self.pseudonyms = rule, enforce, secret, context.pseudonyms
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
    def changed(self) -> bool:
        """Whether any text was released otherwise than it came."""
        return self._redacted or self.pseudonyms.undone

    def scanner(self) -> StreamScanner:
        """A scanner for the next text of the answer."""
        self._scanners += 1
        return StreamScanner(self, self._scanners - 1)

    def text(self, text: str) -> str:
        """What may be released of a whole text; look at `blocked` afterwards."""
        if self.rule is None:
            return self.pseudonyms.restore(text) if self.enforce else text
        scanner = self.scanner()
        return scanner.feed(text) + scanner.finish()

    def action_for(self, type_: str) -> Action:
        """What the policy does on a hit of this type."""
        assert self.rule is not None
        types = self.rule.types
        if not types:
            return self.rule.action
        return types.get(type_) or types.get(type_.partition("/")[0]) or self.rule.action

    def known(self, type_: str, value: str, key: str) -> bool:
        """Whether the caller gave this value, so that answering with it leaks nothing."""
        if type_ in pii.TYPES:
            if self._known is None:
                self._known = set()
                for part in self._parts:
                    folded = Folded(part.text).text
                    self._known.update(value_key(found, folded[start:end]) for start, end, found in pii.find(folded))
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
        """One decision per action taken, or one that allows; empty where the policy does not name this guard."""
        if self.rule is None:
            return ()
        made = []
        for action in sorted({action for action, _ in self._tallies}, key=SEVERITY.__getitem__, reverse=True):
            mine = {type_: tally for (its, type_), tally in self._tallies.items() if its is action}
            found = sum(tally.found for tally in mine.values())
            acted = found if self.enforce and action in (Action.REDACT, Action.HOLD, Action.BLOCK) else 0
            reason = next((_REASONS[head] for head in (t.partition("/")[0] for t in mine) if head in _REASONS), "pii_leaked")
            hits = tuple(hit for tally in mine.values() for hit in tally.hits)
            how = self.rule.how if action is Action.REDACT else ""
            made.append(Decision(GUARD, CONTROL, action, how, reason, hits, acted, self.enforce, found))
        return tuple(made) or (Decision(GUARD, CONTROL, Action.ALLOW, enforced=self.enforce),)


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
        self.stopped = False

    def feed(self, text: str) -> str:
        """Take the next piece; gives what may be released now. After a block it gives nothing more."""
        if self.stopped:
            return ""
        if self._guard.rule is None:
            return self._restorer.feed(text) if self._restorer else text
        self._pending += text
        while cut.overlong(self._pending):
            place, forced = cut.window_cut(self._pending)
            self._commit(self._unsplit(place) if forced else place)
        place = cut.last_safe(self._pending, len(self._pending))
        if place:
            self._commit(place)
        return self._release(final=False)

    def finish(self) -> str:
        """The rest, at the end of the text."""
        if self.stopped:
            return ""
        released = ""
        if self._guard.rule is not None:
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
        spans = [(start, end) for start, end, _ in output.secrets(window)]
        folded = Folded(window)
        spans += [folded.span(start, end) for start, end, _ in pii.find(folded.text)]
        inside = [start for start, end in spans if start < place < end]
        return min(inside) or place if inside else place

    def _commit(self, place: int) -> None:
        """Scan the first `place` characters of what is pending; nothing that matters crosses their end."""
        segment, self._pending = self._pending[:place], self._pending[place:]
        if not segment:
            return
        look, skip = self._before + segment, len(self._before)
        at = self._base + len(self._ready) - skip
        folded = Folded(look)
        folded_skip = folded.index(skip)
        guard = self._guard
        for start, end, type_ in pii.find(folded.text, folded_skip):
            key = value_key(type_, folded.text[start:end])
            begin, stop = folded.span(start, end)
            if not guard.known(type_, look[begin:stop], key):
                self._hits.append((at + begin, at + stop, type_))
        for begin, stop, type_ in output.secrets(look, skip):
            if not guard.known(output.SECRET, look[begin:stop], ""):
                self._hits.append((at + begin, at + stop, type_))
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
        assert guard.rule is not None
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
            pieces.append(replacement(guard.rule.how, type_, value_key(type_, Folded(original).text), original, None, guard.secret))
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
