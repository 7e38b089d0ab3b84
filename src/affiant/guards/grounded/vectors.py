"""What words mean, roughly: a small table of vectors, so that `film` supports `movie` though no letter is shared.

Neighbours in such a table are related words, opposites too; it softens a missing word and proves nothing. Leaves out: words of
the context itself; those are compared by stem first.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
MAX_WORDS = 4_000


def word_key(folded: str) -> int:
    """The number under which a folded word stands in the table."""
    return zlib.crc32(folded.encode("utf-8", "surrogatepass"))


class WordVectors:
    """Vectors of words.

    Args:
        keys: `word_key` of each word, uint32 of shape (words,).
        rows: which row of `table` is the word's, uint16 of shape (words,).
        table: int8 of shape (rows, dimensions); a row's direction is what counts.
    """

    def __init__(self, keys: npt.NDArray[np.uint32], rows: npt.NDArray[np.uint16], table: npt.NDArray[np.int8]) -> None:
        if keys.shape != rows.shape or table.ndim != 2 or (len(rows) and int(rows.max()) >= len(table)):
            raise ValueError("the word vectors do not fit together; take the weights that came with this version")
        self._rows = dict(zip(keys.tolist(), rows.tolist(), strict=True))
        real = table.astype(np.float32)
        norms = np.linalg.norm(real, axis=1, keepdims=True)
        self._unit: Floats = real / np.maximum(norms, 1e-6)

    def matrix(self, folded: Iterable[str]) -> Floats:
        """The vectors of those words that have one, each row once: float32 of shape (found, dimensions); at most `MAX_WORDS`."""
        rows = {self._rows.get(word_key(word), -1) for word in folded}
        rows.discard(-1)
        return self._unit[sorted(rows)[:MAX_WORDS]]

    def nearest(self, folded: Sequence[str], among: Floats) -> list[float]:
        """Each word's largest cosine with the vectors of `matrix`; 0 for a word without a vector."""
        found = [self._rows.get(word_key(word), -1) for word in folded]
        result = [0.0] * len(folded)
        have = [number for number, row in enumerate(found) if row >= 0]
        if have and len(among):
            cosines = (self._unit[[found[number] for number in have]] @ among.T).max(axis=1)
            for number, cosine in zip(have, cosines.tolist(), strict=True):
                result[number] = max(0.0, cosine)
        return result
