"""From tag probabilities to spans: runs of name tokens, cut where a name begins, typed by the whole run.

A name met before in the text needs less evidence to be found again (a surname after its first mention in full). Marks at
the ends and possessive endings stay outside. Leaves out: the network (`network`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from affiant.guards.names.tokens import GLUED, NEW_LINE, PIECE_MARK, Tokens
from affiant.guards.scan import FULL, Found

TYPES = ("PERSON", "LOCATION", "ORGANIZATION")
_KNOWN_BOOST = 6.0
_SURE = 0.8
_LEAST = (0.6, 0.5, 0.0)  # confidence of a span, by type
_MOST_KNOWN = 5_000

Floats = NDArray[np.float32]


class Decoder:
    """Turns one text's probabilities into spans; remembers the names met in it.

    Args:
        bias: per type, what its probability is multiplied by.
    """

    def __init__(self, bias: Mapping[str, float]) -> None:
        self._bias = np.asarray([bias.get(kind, 1.0) for kind in TYPES], np.float32)
        self._known: dict[str, int] = {}

    def spans(self, probabilities: Floats, tokens: Tokens) -> list[Found]:
        """Spans in order. `probabilities` is [T, tags] with the tags of `network.TAGS`."""
        begin, inside = probabilities[:, 1::2] * self._bias, probabilities[:, 2::2] * self._bias
        mass = begin + inside
        outside = probabilities[:, 0]
        candidates = np.flatnonzero(mass.sum(axis=1) * _KNOWN_BOOST > outside)
        found: list[Found] = []
        run: list[int] = []
        for index in candidates.tolist():
            if run and index != run[-1] + 1:
                self._close(run, mass, outside, tokens, found)
                run = []
            if not self._is_name(tokens.keys[index], mass[index], float(outside[index])):
                continue
            if run and self._begins(index, begin, inside, tokens):
                self._close(run, mass, outside, tokens, found)
                run = []
            run.append(index)
        if run:
            self._close(run, mass, outside, tokens, found)
        return found

    def _is_name(self, key: str, mass: Floats, outside: float) -> bool:
        known = self._known.get(key)
        if known is not None:
            mass[known] *= _KNOWN_BOOST
        return float(mass.sum()) > outside

    def _begins(self, index: int, begin: Floats, inside: Floats, tokens: Tokens) -> bool:
        if tokens.glue[index] >= NEW_LINE:
            return True
        return bool(begin[index].sum() > inside[index].sum())

    def _close(self, run: list[int], mass: Floats, outside: Floats, tokens: Tokens, found: list[Found]) -> None:
        keys = tokens.keys
        while run and not keys[run[-1]][0].isalnum():
            if keys[run[-1]] == "." and len(run) > 1 and len(keys[run[-2]]) == 1:
                break
            run = run[:-1]
        while run and not keys[run[0]][0].isalnum():
            run = run[1:]
        if len(run) > 2 and keys[run[-1]] == "s" and keys[run[-2]] in ("'", "’") and tokens.glue[run[-1]] == GLUED:
            run = run[:-2]
        if not run:
            return
        totals = mass[run].sum(axis=0)
        kind = int(totals.argmax())
        sure = float((mass[run].sum(axis=1) / (mass[run].sum(axis=1) + outside[run])).mean() * totals[kind] / totals.sum())
        if sure < _LEAST[kind]:
            return
        found.append(Found(tokens.starts[run[0]], tokens.ends[run[-1]], TYPES[kind], min(FULL, int(sure * FULL)), "names/tagger"))
        if sure >= _SURE and len(self._known) < _MOST_KNOWN:
            for index in run:
                key = keys[index]
                if len(key) > 2 and key[0].isupper() and PIECE_MARK not in key:
                    self._known.setdefault(key, kind)
