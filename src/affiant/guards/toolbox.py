"""What guards work with besides an exchange and a policy: detectors and models, built outside this room and passed in.

Everything here is read-only and shared by all exchanges of a process. A tool that is None is not there; its guard then
decides nothing, and its decision names no version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from affiant.guards.model import Role
from affiant.guards.scan import Finder, Found
from affiant.guards.text import Folded


class NameFinder(Protocol):
    """Finds persons, places and organizations."""

    def find(self, text: str) -> list[Found]:
        """Spans with a score each."""
        ...


@dataclass(frozen=True, slots=True)
class InjectionScore:
    """How much a text reads as an attempt to instruct the model.

    Args:
        score_ppm: calibrated, comparable over roles and languages.
        stage: the last stage that was asked: `rules`, `ngram` or `encoder`.
        hits: what the rules found, offsets in the source; empty where only a model speaks.
    """

    score_ppm: int
    stage: str
    hits: tuple[Found, ...] = ()


class InjectionScorer(Protocol):
    """Scores one text."""

    def score(self, folded: Folded, role: Role, every_stage: bool = False) -> InjectionScore:
        """Its score, with what it rests on; `every_stage`: ask dear stages even where cheap ones are sure."""
        ...


class Sentence(Protocol):
    """One sentence of an answer."""

    @property
    def start(self) -> int:
        """Offset in the answer."""
        ...

    @property
    def end(self) -> int:
        """Offset in the answer, exclusive."""
        ...

    @property
    def ungrounded_ppm(self) -> int:
        """How little the context supports it."""
        ...


class Grounding(Protocol):
    """How an answer stands to its context."""

    @property
    def ungrounded_ppm(self) -> int:
        """Of the whole answer."""
        ...

    @property
    def unsupported(self) -> Sequence[Sentence]:
        """The sentences that count as unsupported."""
        ...


class Grounder(Protocol):
    """Judges an answer against its context."""

    def judge(self, answer: str, context: str, question: str = "") -> Grounding:
        """Its score, sentence by sentence."""
        ...


class QualityChecker(Protocol):
    """Judges the form of an answer."""

    def check(self, text: str, context: str = "", finish: str = "") -> Sequence[Found]:
        """What is wrong with it; a finding about all of it spans all of it.

        Args:
            context: where its numbers may come from.
            finish: why the provider stopped.
        """
        ...


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Detectors and models of a process.

    Args:
        scanner: structured personal data and secrets, one pass.
        names: tagger of names.
        injection: cascade.
        grounder: of answers.
        quality: of answers.
        versions: guard -> version of what it works with, recorded with decisions; such as `ngram 1 9f3a…`.
    """

    scanner: Finder
    names: NameFinder | None = None
    injection: InjectionScorer | None = None
    grounder: Grounder | None = None
    quality: QualityChecker | None = None
    versions: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> str:
        """What names these versions in evidence: 16 hex digits of the SHA-256 over them; "" where there are none."""
        lines = "".join(f"{guard} {version}\n" for guard, version in sorted(self.versions))
        return hashlib.sha256(lines.encode()).hexdigest()[:16] if lines else ""
