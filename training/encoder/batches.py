"""Rows to batches: whole sources left out, draws by weight, batches of like length.

A draw is a stream: each block of rows is drawn by weight, sorted by length with some jitter, cut into batches, and shuffled, so
that padding stays small. Roles are blurred on purpose (`_type`): a detector must not lean on a role that a caller may not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from training.encoder.net import LONGEST
from training.injection.data import Row

HELD_OUT = (
    "prompt-armor/lakera/gandalf",
    "prompt-armor/deepset/prompt-injections",
    "ASB/AIOS",
    "HaluEval/general-queries",
    "pii-golden/es",
    "pii-golden/fr",
)
"""Whole sources never trained on: two of direct attacks, one of indirect ones, ordinary requests, benign Spanish and French."""
_MORE = {"ordinary": 2.5, "technical": 2.0, "role play": 1.5}
"""Families drawn more often than their weight says: most traffic is ordinary requests, and role play looks most like an attack."""
_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Coded:
    """A row as word pieces, the marks at both ends included."""

    ids: tuple[int, ...]
    row: Row


def coded(rows: list[Row], encode: Callable[[str], list[int]]) -> list[Coded]:
    """Rows cut to `LONGEST` pieces. `encode` gives ids with [CLS] first and [SEP] last."""
    found = []
    for row in rows:
        ids = encode(row.text)
        found.append(Coded(tuple(ids if len(ids) <= LONGEST else [*ids[: LONGEST - 1], ids[-1]]), row))
    return found


def stream(items: list[Coded], samples: int, size: int, seed: int) -> Iterator[list[tuple[Coded, int]]]:
    """Batches of (row, token type) until `samples` rows were given."""
    rng = Random(seed)
    weights = [item.row.weight * (1.0 if item.row.label else _MORE.get(item.row.family, 1.0)) for item in items]
    left = samples
    while left > 0:
        block = rng.choices(items, weights, k=min(_BLOCK, left))
        left -= len(block)
        block.sort(key=lambda item: len(item.ids) + rng.random() * 8)
        batches = [block[at : at + size] for at in range(0, len(block), size)]
        rng.shuffle(batches)
        for batch in batches:
            yield [(item, _type(item.row, rng)) for item in batch]


def kind(row: Row) -> int:
    """Token type of a row as it is scored: 1 for text from a tool or document."""
    return int(row.role != "user")


def _type(row: Row, rng: Random) -> int:
    dice = rng.random()
    if row.role != "user":
        return int(dice > 0.2)
    return int(dice < 0.25) if row.label or row.family != "ordinary" else 0
