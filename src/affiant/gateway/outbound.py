"""What decides about one answer, whole or streamed: the guard of its texts, and one that looks at what cannot be rewritten."""

from __future__ import annotations

from collections.abc import Sequence

from affiant.gateway.fixed import merged
from affiant.guards import Action, AnswerGuard, Decision, Part, StreamScanner, places
from affiant.guards.leakage import LABELS

FORMAT, FORMAT_CONTROL = "format", "SEC-3.2"


def unknown_fields(unknown: int, enforced: bool, action: Action = Action.FLAG) -> tuple[Decision, ...]:
    """Fields that a format does not have are forwarded and flagged, or refused where a route is strict."""
    if not unknown:
        return ()
    return (Decision(FORMAT, FORMAT_CONTROL, action, reason="unknown_fields", enforced=enforced, found=unknown),)


class Outbound:
    """Decides about one answer; what `places.stream` asks.

    Args:
        guard: of texts.
        looker: of what is fixed, under a policy that redacts nothing.

    Attributes:
        acts: whether texts may be changed.
        observes: whether texts are looked at and passed as they came.
        uninspected: what of it nobody could read.
    """

    def __init__(self, guard: AnswerGuard, looker: AnswerGuard) -> None:
        self._guard, self._looker = guard, looker
        self._unknown: set[str] = set()
        self.acts = guard.enforce and (guard.looks or bool(guard.pseudonyms.originals))
        self.observes = not guard.enforce and guard.looks
        self.uninspected = 0

    @property
    def blocked(self) -> bool:
        """Whether nothing more may be released."""
        return self._guard.blocked is not None or self._looker.blocked is not None

    def scanner(self, lane: places.Lane) -> StreamScanner:
        """For a text that arrives in pieces."""
        return self._guard.scanner()

    def text(self, part: Part) -> str:
        """What may be released of a whole text."""
        return self._guard.text(part.text)

    def fixed(self, part: Part) -> None:
        """Look at what must stay as it is."""
        self.look((part,))

    def look(self, fixed: Sequence[Part]) -> None:
        """The same of several, in one scan."""
        if fixed and self._looker.looks:
            self._looker.text("\n".join(part.text for part in fixed))

    @property
    def detected(self) -> str:
        """The label that the policy gives to what was found; "" where it gives none."""
        found = [each.labels.detected for each in (self._guard, self._looker) if each.labels is not None]
        return max((each for each in found if each), default="", key=LABELS.index)

    def note(self, unknown: set[str], uninspected: Sequence[places.Uninspected]) -> None:
        """What the format does not have, and what could not be read, in the end."""
        self._unknown, self.uninspected = unknown, len(uninspected)

    def decisions(self) -> tuple[Decision, ...]:
        """All that was decided."""
        about = unknown_fields(len(self._unknown), self._guard.enforce)
        return merged((*self._guard.decisions(), *self._looker.decisions(), *about))
