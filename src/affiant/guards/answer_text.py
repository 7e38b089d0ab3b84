"""One text of an answer, fed in any pieces: scanned, held back, released.

A scanner holds text back to the last safe place (`cut`), and further back only while it repeats the system text word for
word or a private key is open. What it releases and decides depends on the text alone, not on the pieces. Restores the
caller's pseudonyms in what it releases. Leaves out: what is decided about a hit (`answer`).
"""

from __future__ import annotations

from typing import Protocol

from affiant.guards import cut
from affiant.guards.detectors import output
from affiant.guards.labels import AnswerLabels
from affiant.guards.leakage import Tracker, Watch
from affiant.guards.model import Action, GuardRule, Hit
from affiant.guards.redact import Pseudonyms, Restorer, replacement, value_key
from affiant.guards.scan import LOOKBACK as SCAN_LOOKBACK
from affiant.guards.scan import Finder, Found
from affiant.guards.text import Folded

_LEAK = "LEAK"
_MAX_PEM = 16_384
_LOOKBACK = max(SCAN_LOOKBACK, output.LOOKBACK) + 16
_SECRET = "SECRET/"  # noqa: S105 - the prefix of a type, no secret


class Decides(Protocol):
    """What a scanner asks of the guard of its answer; see `AnswerGuard`."""

    rule: GuardRule | None
    enforce: bool
    secret: bytes
    pseudonyms: Pseudonyms
    finder: Finder
    ahead: int
    watch: Watch | None
    labels: AnswerLabels | None
    system: output.SystemText
    redacted: bool

    @property
    def looks(self) -> bool: ...

    def action_for(self, type_: str) -> Action: ...

    def looked_for(self, type_: str) -> bool: ...

    def stops(self, type_: str) -> bool: ...

    def known(self, type_: str, value: str, key: str) -> bool: ...

    def count(self, action: Action, type_: str, hit: Hit) -> None: ...


def span_text(plain: str, span: Found) -> str:
    """What a span says, as `value_key` takes it."""
    return plain[span.start : span.end].casefold()


class StreamScanner:
    """Scans one text as it arrives. Made by `AnswerGuard.scanner`."""

    def __init__(self, guard: Decides, part: int) -> None:
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
            if guard.looked_for(span.type):
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
        return self._guard.stops(type_)

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
            action, stops = guard.action_for(type_), guard.stops(type_)
            if end <= cursor and not stops:
                if guard.labels is not None:
                    guard.labels.note(type_)
                continue
            begin = max(start, cursor)
            guard.count(action, type_, Hit(self._part, begin, begin + 1 if stops else end, type_))  # where it ends is not looked at
            if not guard.enforce or (action in (Action.ALLOW, Action.FLAG) and not stops):
                continue
            pieces.append(self._ready[cursor - base : begin - base])
            if stops:
                return self._stop("".join(pieces))
            original = self._ready[begin - base : end - base]
            how, key = guard.rule.how if guard.rule else "mask", value_key(type_, Folded(original).text)
            pieces.append(replacement(how, type_, key, original, None, guard.secret))
            guard.redacted = True
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
