"""An answer that arrives in events: each text of it has a lane, each lane a scanner that may hold back.

An event goes in, the events to send in its place come out: with released text instead of what arrived, with extra events where a lane
ends and something was held, and with later repetitions of a whole text replaced by what was released of it. Events that went in are
never altered. Tokens with probabilities are withheld, because they run ahead of what is released. Leaves out: framing (gateway), and
each surface's events (`stream_chat`, `stream_responses`, `stream_messages`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from affiant.guards.model import Kind, Part, Role
from affiant.guards.places.jsonlane import JsonLane, Scanner
from affiant.guards.places.walk import BadShape, Json, Uninspected, Walk

MAX_LANES = 512
_MOST_NUMBERED = 10_000_000  # larger numbers are read, as anywhere
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """One text of a streamed answer.

    Args:
        key: stable over the stream, such as `(0, "content")` or `(0, "tool_calls", 1, "function", "arguments")`.
        where: its path in the surface's whole answer, or in its event.
        role: who wrote it.
        kind: what it is.
        json: whether the text is JSON; each string in it is then scanned by itself, with escapes undone.
    """

    key: Key
    where: str
    role: Role = Role.ASSISTANT
    kind: Kind = Kind.TEXT
    json: bool = False


class Texts(Protocol):
    """What decides about texts. Made by the caller for one answer."""

    def scanner(self, lane: Lane) -> Scanner:
        """A scanner for a text that arrives in pieces; of a lane that is JSON, one for each string in it."""
        ...

    def text(self, part: Part) -> str:
        """What may be released of a whole text."""
        ...

    def fixed(self, part: Part) -> None:
        """An identifier or word of the protocol: to be looked at; it cannot be changed."""
        ...


@dataclass(slots=True)
class Track:
    """A lane under way.

    Args:
        lane: which.
        scanner: of its text.
        received: pieces as they came.
        released: pieces as they went.
        last: the event that carried the last piece.
    """

    lane: Lane
    scanner: Scanner
    received: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    last: Json = None


class StreamPlaces:
    """Places of one streamed answer. Made by `streams.stream`.

    Args:
        texts: what decides.
    """

    _repeats = False  # whether later events of the surface repeat whole texts

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._tracks: dict[Key, Track] = {}
        self._ended: dict[str, str] = {}
        self._seen: set[tuple[str, str]] = set()
        self._envelope: dict[str, Json] = {}
        self._envelope_made: dict[str, Json] = {}
        self.unknown: set[str] = set()
        self.uninspected: list[Uninspected] = []

    def event(self, event: Json) -> list[Json]:
        """The events to send in place of one.

        Raises:
            BadShape: it is no event of this surface, or the stream has too many texts at once.
        """
        raise NotImplementedError

    def finish(self) -> list[Json]:
        """The events to send at the end of the stream, where lanes were left open."""
        raise NotImplementedError

    @property
    def open(self) -> int:
        """Lanes that began and did not end."""
        return len(self._tracks)

    # -- for the surfaces

    def _feed(self, lane: Lane, text: str, last: Json = None) -> str:
        track = self._tracks.get(lane.key)
        if track is None:
            if len(self._tracks) >= MAX_LANES:
                raise BadShape(f"The stream has more than {MAX_LANES} texts at once.", "Ask for fewer choices or tool calls.")
            track = self._tracks[lane.key] = Track(lane, self._scanner(lane))
        released = track.scanner.feed(text)
        track.last = last
        if self._repeats:
            track.received.append(text)
            track.released.append(released)
        return released

    def _end(self, key: Key) -> str:
        """The rest of a lane."""
        track = self._tracks.pop(key)
        rest = track.scanner.finish()
        if self._repeats:
            self._ended["".join(track.received)] = "".join(track.released) + rest
        return rest

    def _scanner(self, lane: Lane) -> Scanner:
        if not lane.json:
            return self._texts.scanner(lane)
        return JsonLane(lambda: self._texts.scanner(lane), lambda text: self._texts.text(Part(lane.where, lane.role, lane.kind, text)))

    def _enveloped(self, envelope: dict[str, Json], walk: Callable[[dict[str, Json]], dict[str, Json]]) -> dict[str, Json]:
        """An envelope, which delta after delta repeats but for its number: walked once."""
        number = envelope.get("sequence_number")
        still = {name: value for name, value in envelope.items() if name != "sequence_number"} if number is not None else envelope
        if still == self._envelope and (number is None or (isinstance(number, int) and 0 <= number < _MOST_NUMBERED)):
            return self._envelope_made if number is None else {**self._envelope_made, "sequence_number": number}
        made = walk(envelope)
        if made.keys() == envelope.keys():
            self._envelope, self._envelope_made = still, made
        return made

    def _walk(self) -> Walk:
        return Walk(_Whole(self), self.unknown, self.uninspected, withhold=True)


class _Whole:
    """Visitor of what is no delta."""

    def __init__(self, places: StreamPlaces) -> None:
        self._places = places

    def text(self, part: Part, fixed: bool) -> str:
        places = self._places
        if not fixed:
            return places._texts.text(part)
        if part.text and (part.where, part.text) not in places._seen:
            if len(places._seen) < 1024:  # identifiers that every event repeats are looked at once
                places._seen.add((part.where, part.text))
            places._texts.fixed(part)
        return part.text

    def whole(self, text: str) -> str | None:
        return self._places._ended.get(text)
