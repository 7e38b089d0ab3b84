"""`python -m training.grounded --data DIR --out src/affiant/weights [--vectors DIR]`: features, left-out scores, weights, card.

`--vectors` names the `vocab` folder of spaCy's `en_core_web_md`; without it the word vectors of the weights in `--out` are kept.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from affiant.guards.grounded import Grounded
from affiant.guards.grounded.features import NAMES
from affiant.guards.grounded.line import ARRAYS
from affiant.guards.grounded.trees import LEAF
from training.grounded import data
from training.grounded.figures import figures
from training.grounded.fit import SETTINGS, Table, choose_threshold, flatten, grow
from training.grounded.leave_out import accuracy_beyond, left_out
from training.grounded.line import LINE_SETTINGS, draw_line
from training.grounded.spoil import spoiled
from training.grounded.tables import Arrays, count, read_arrays, reduce_vectors, write_card

NAME = "grounded"
_SEED = 7
_FOLDS = 5
_VECTORS = ("word_keys", "word_rows", "word_table")


def blank() -> Arrays:
    """One leaf of 0 and a sum of nothing: what stands in for them while features are read."""
    centre, spread, slope, offset = ARRAYS
    width = len(NAMES)
    return {
        "feature": np.full((1, 1), LEAF, dtype=np.int16),
        "threshold": np.zeros((1, 1), dtype=np.float32),
        "left": np.zeros((1, 1), dtype=np.int16),
        "right": np.zeros((1, 1), dtype=np.int16),
        "value": np.zeros((1, 1), dtype=np.float32),
        "bias": np.zeros(1, dtype=np.float32),
        "default": np.full(1, 0.5, dtype=np.float32),
        centre: np.zeros(width, dtype=np.float32),
        spread: np.ones(width, dtype=np.float32),
        slope: np.zeros(width, dtype=np.float32),
        offset: np.zeros(1, dtype=np.float32),
    }


def tabulate(model: Grounded, rows: list[data.Row], made: list[data.Row]) -> Table:
    """Features of all rows that have something to compare."""
    kept, vectors = [], []
    for number, row in enumerate([*rows, *made]):
        vector = model.vector(row.claim, row.context, row.question)
        if vector is not None:
            kept.append((row, number >= len(rows)))
            vectors.append(vector)
    return Table(
        np.asarray(vectors, dtype=np.float32),
        np.array([row.unsupported for row, _ in kept]),
        np.array([row.group for row, _ in kept]),
        np.array([row.family for row, _ in kept]),
        np.array([by_us for _, by_us in kept]),
        np.array([zlib.crc32(row.context[:150].lower().encode()) for row, _ in kept], dtype=np.int64),
    )


def main(arguments: list[str]) -> int:
    """Train and write."""
    parser = argparse.ArgumentParser(prog="python -m training.grounded")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vectors", type=Path)
    options = parser.parse_args(arguments)
    target = options.out / f"{NAME}.npz"
    if options.vectors is None and not target.exists():
        sys.stderr.write(f"There are no word vectors in {target}; name the vocab folder of en_core_web_md with --vectors." + "\n")
        return 2
    tables, vocabulary = count(data.texts(options.data))
    if options.vectors is not None:
        tables |= reduce_vectors(options.vectors, vocabulary)
    else:
        kept = read_arrays(target)
        tables |= {name: kept[name] for name in _VECTORS}
    rows = data.rows(options.data)
    table = tabulate(Grounded(tables | blank()), rows, list(spoiled(rows, _SEED)))
    sys.stderr.write(f"{len(table.unsupported)} rows, {int(table.made.sum())} of them made; {len(NAMES)} features" + "\n")
    by_source = left_out(table, table.group)
    threshold = choose_threshold(table, by_source)
    by_context = left_out(table, table.context % _FOLDS)
    every = np.arange(len(table.unsupported))
    arrays: dict[str, Any] = tables | flatten(grow(table, every)) | draw_line(table, every)
    arrays["default"] = np.array([threshold], dtype=np.float32)
    options.out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(target, **arrays)
    write_card(
        options.out / f"{NAME}.json",
        {
            "name": NAME,
            "what": "Gradient-boosted trees and a weighted sum, half each, over features of how an answer agrees with its context: how "
            "little it is supported, 0 to 1.",
            "use": "affiant.guards.grounded.Grounded: a score for an answer and one for each of its sentences",
            "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
            "bytes": target.stat().st_size,
            "threshold": threshold,
            "threshold_chosen": "on scores of rows whose whole source was left out of training",
            "balanced_accuracy_threshold_left_out": accuracy_beyond(table, by_source),
            "training": {
                "rows": int((~table.made).sum()),
                "made_rows": int(table.made.sum()),
                "sources": sorted({row.source for row in rows}),
                "licences": data.LICENCES,
                "settings": {"trees": SETTINGS, "sum": LINE_SETTINGS},
            },
            "word_vectors": "en_core_web_md 3.8 (MIT), whose vectors are CC0 (OSCAR, Wikipedia, OpenSubtitles, news), reduced",
            "word_weights": "counted over unlabelled development texts, those of left-out sources among them",
            "left_out_source": figures(table, by_source, threshold),
            "left_out_context": figures(table, by_context, threshold),
            "limits": [
                "Left-out figures of HaluEval/qa and WiCE leave out their whole family.",
                "Trained on English; other languages are compared by stems, numbers and names with the same trees, unmeasured.",
                "Roles swapped inside of one sentence and facts told in other words are often missed or wrongly flagged.",
            ],
        },
    )
    sys.stderr.write(f"{target}: {target.stat().st_size} bytes, threshold {threshold}" + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
