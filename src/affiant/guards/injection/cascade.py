"""The cascade: rules and the cheap model on a text and its other readings, then the encoder where they are unsure.

The score is a calibrated probability in parts per million, comparable over roles and languages; thresholds differ by both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from affiant.guards.injection.decode import readings
from affiant.guards.injection.model import InjectionModel
from affiant.guards.injection.rules import Hit, decoded
from affiant.guards.injection.views import View
from affiant.guards.model import Role
from affiant.guards.scan import Found
from affiant.guards.text import Folded
from affiant.guards.toolbox import InjectionScore

RULES, NGRAM, ENCODER = "rules", "ngram", "encoder"
"""Stages."""
FULL = 1_000_000
RULES_THRESHOLD = 500_000
"""Score from which rules alone take a text for an attack."""
HIDDEN = 0.7
"""Added to the logit of a reading that its writer hid."""

Encode = Callable[[Sequence[str]], Sequence[float]]
"""Probability of an attack for each text, by the encoder."""

_ENGLISH = re.compile(r"\b(?:the|and|you|to|of|is|that|for|this|with|your|are|what|how|please|me|my|it|all|write)\b")
_WORD = re.compile(r"\w+")
_HEAD = 2000


@dataclass(frozen=True, slots=True)
class Score:
    """What the cascade makes of one text.

    Args:
        score_ppm: how likely it is an attack.
        stage: the last stage that was asked: `rules`, `ngram` or `encoder`.
        hits: of rules: start, end, rule and score, offsets in the source.
        window: part of the source that the cheap model holds for the worst; (0, 0) without a model.
        threshold_ppm: from which such a text is taken for an attack unless a policy says otherwise.
    """

    score_ppm: int
    stage: str
    hits: list[Hit] = field(default_factory=list)
    window: tuple[int, int] = (0, 0)
    threshold_ppm: int = RULES_THRESHOLD


def score(
    folded: Folded,
    role: Role,
    lang: str | None = None,
    model: InjectionModel | None = None,
    encoder: Encode | None = None,
    every_stage: bool = False,
) -> Score:
    """Score one text.

    Args:
        folded: the text.
        role: who wrote it.
        lang: ISO 639-1 code if known; else guessed as English or not.
        model: weights of the cheap stage; None: rules only.
        encoder: asked only about English texts where the cheap stage's score lies in the model's grey zone: of other languages it
            flags much that is harmless.
        every_stage: ask it about every English text.
    """
    others = readings(folded)
    view = View(folded)
    views = [View(Folded(reading.text)) for reading in others]
    hits = [*view.hits, *(decoded(reading, inner.hits) for reading, inner in zip(others, views, strict=True) if inner.hits)]
    if model is None:
        return Score(max((hit[3] for hit in hits), default=0), RULES, hits)
    english = lang == "en" if lang else looks_english(folded.text)
    threshold = model.threshold_ppm(role, english)
    cheap = model.judge(view, role)
    best, logit, window = folded.plain, cheap.logit, cheap.window
    for reading, inner in zip(others, views, strict=True):
        hidden = model.judge(inner, role).logit + HIDDEN
        if hidden > logit:
            best, logit, window = reading.text, hidden, (reading.start, reading.end)
            english = looks_english(reading.text.lower())
    ppm = _ppm(logit)
    if encoder is None or not english or not (every_stage or model.grey[0] <= ppm <= model.grey[1]):
        return Score(ppm, NGRAM, hits, window, threshold)
    return Score(_ppm(model.mixed(logit, encoder([best])[0])), ENCODER, hits, window, threshold)


class Cascade:
    """Scores texts with one model and one encoder.

    Args:
        model: weights of the cheap stage; None: rules only.
        encoder: of the last stage; None: there is none.
        data_encoder: of the last stage for what tools and documents say; None: `encoder`.
    """

    def __init__(self, model: InjectionModel | None = None, encoder: Encode | None = None, data_encoder: Encode | None = None) -> None:
        self._model = model
        self._encoder = encoder
        self._data_encoder = data_encoder or encoder

    def score(self, folded: Folded, role: Role, every_stage: bool = False) -> InjectionScore:
        """Score one text, in the guards' vocabulary."""
        encoder = self._data_encoder if role in (Role.TOOL, Role.DOCUMENT) else self._encoder
        made = score(folded, role, None, self._model, encoder, every_stage)
        hits = tuple(Found(start, end, "INJECTION", ppm, rule) for start, end, rule, ppm in made.hits)
        return InjectionScore(made.score_ppm, made.stage, hits)


def looks_english(text: str) -> bool:
    """Whether frequent English words make up a good part of a folded text's beginning."""
    head = text[:_HEAD]
    words = len(_WORD.findall(head))
    return words > 0 and 10 * len(_ENGLISH.findall(head)) >= words


def _ppm(logit: float) -> int:
    return round(FULL / (1 + math.exp(-max(-30.0, min(30.0, logit)))))
