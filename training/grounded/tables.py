"""Word weights and word vectors that the features need: counted from unlabelled text, and reduced from a published table."""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from affiant.guards.grounded.vectors import word_key
from affiant.guards.grounded.words import Reader, guess_language

BUCKETS = 65_536
DIMENSIONS = 48
Arrays = dict[str, npt.NDArray[Any]]
_MASK = (1 << 64) - 1
_MULTIPLIER = 0xC6A4A7935BD1E995


def count(texts: Iterable[str]) -> tuple[Arrays, set[str]]:
    """Weights of stems by their share of texts, hashed, and the folded words met."""
    frequency: Counter[int] = Counter()
    vocabulary: set[str] = set()
    readers: dict[str, Reader] = {}
    total = 0
    for text in texts:
        total += 1
        language = guess_language(text)
        reader = readers.setdefault(language, Reader(language))
        words = reader.words(text)
        frequency.update({word_key(word.stem) % BUCKETS for word in words})
        vocabulary.update(word.folded for word in words)
    counts = np.zeros(BUCKETS)
    for bucket, seen in frequency.items():
        counts[bucket] = seen
    weights = np.log((total + 1) / (counts + 1)) / math.log(total + 1)
    return {"weights": np.round(weights * 255).astype(np.uint8)}, vocabulary


def reduce_vectors(folder: Path, vocabulary: set[str]) -> Arrays:
    """The vectors of a spaCy vocabulary folder (`vectors`, `key2row`), for the words given and those of its lemma list, by their first
    principal directions as int8."""
    table = np.load(folder / "vectors").astype(np.float64)
    rows: dict[int, int] = msgspec.msgpack.decode((folder / "key2row").read_bytes())
    words = {word for word in vocabulary | _lemmas(folder) if len(word) > 2 and word.isascii() and word.isalpha() and word.islower()}
    found = sorted((word_key(word), rows[key]) for word in words if (key := _string_key(word.encode())) in rows)
    used = sorted({row for _, row in found})
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    _, _, directions = np.linalg.svd(unit, full_matrices=False)
    small = unit[used] @ directions[:DIMENSIONS].T
    small *= 127 / np.maximum(np.abs(small).max(axis=1, keepdims=True), 1e-9)
    place = {row: number for number, row in enumerate(used)}
    return {
        "word_keys": np.array([key for key, _ in found], dtype=np.uint32),
        "word_rows": np.array([place[row] for _, row in found], dtype=np.uint16),
        "word_table": np.round(small).astype(np.int8),
    }


def _lemmas(folder: Path) -> set[str]:
    path = folder.parent / "lemmatizer" / "lookups" / "lookups.bin"
    if not path.exists():
        return set()
    index = msgspec.msgpack.decode(path.read_bytes())["lemma_index"]
    return {word for words in index.values() for word in words}


def _string_key(data: bytes, seed: int = 1) -> int:
    """MurmurHash64A of a string: the key of spaCy's string store."""
    key = (seed ^ (len(data) * _MULTIPLIER)) & _MASK
    whole = len(data) // 8 * 8
    for (block,) in struct.iter_unpack("<Q", data[:whole]):
        mixed = (block * _MULTIPLIER) & _MASK
        mixed ^= mixed >> 47
        key = ((key ^ ((mixed * _MULTIPLIER) & _MASK)) * _MULTIPLIER) & _MASK
    if data[whole:]:
        key = ((key ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER) & _MASK
    key ^= key >> 47
    key = (key * _MULTIPLIER) & _MASK
    return key ^ (key >> 47)


def read_arrays(path: Path) -> Arrays:
    """The arrays of an npz."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def write_card(path: Path, card: dict[str, Any]) -> None:
    """Write a card as readable JSON."""
    path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
