"""`python -m training.injection --data DIR --out DIR`: trains the cheap stage of the injection guard; writes weights and card.

Every group of sources is left out in turn; the last model is fitted to what the others then say of it, thresholds are set there,
and the card's figures are of such texts only. `--scores FILE` also keeps these scores, one JSON line a text.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from affiant.guards.injection.model import STACKED
from training.injection import fit, report
from training.injection.data import LICENCES, NO_LICENCE, Row, load
from training.injection.texts import GROUPS, NEVER, Text, group_of, whole

NAME = "injection"
CAVEAT = (
    "Weights of n-grams and concepts, the last model and thresholds never saw the sources they are measured on. The rules are the "
    "same throughout and were written with a look at public attacks, some of these sources among them, and at our own look-alikes: "
    "where rules decide, expect less on data of other people. Without the encoder."
)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Trains, stores, and says what was stored."""
    parser = argparse.ArgumentParser(prog="python -m training.injection", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public development data (AFFIANT_DATA)")
    parser.add_argument("--out", type=Path, required=True, help="folder for injection.npz and injection.json")
    parser.add_argument("--scores", type=Path, help="file for the scores of left-out texts")
    arguments = parser.parse_args()
    rows = [row for row in load(arguments.data) if not _mislabelled(row)]
    texts = whole(arguments.data, rows)
    _tell(f"{len(rows)} windows to learn from, {len(texts)} texts to measure on")
    trained = _Training(rows, texts)
    data = trained.packed()
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / f"{NAME}.npz").write_bytes(data)
    card = _card(trained, data)
    (arguments.out / f"{NAME}.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if arguments.scores:
        arguments.scores.write_text("".join(trained.lines()), "utf-8")
    _tell(json.dumps(card["figures"], indent=1))
    return 0


def _mislabelled(row: Row) -> bool:
    """Windows of this source called benign begin with the template of its attacks."""
    return row.label == 0 and row.source.startswith("ASB/")


class _Training:
    """One training: models, scores of left-out texts, and what is made of them."""

    def __init__(self, rows: list[Row], texts: list[Text]) -> None:
        self.rows, self.texts = rows, texts
        windows = [fit.entire(row.text) for row in rows]
        labels = np.array([row.label for row in rows])
        weights = np.array([row.weight for row in rows])
        groups = np.array([group_of(row.source) for row in rows])
        names = sorted({_origin(row) for row in rows})
        sources = np.array([names.index(_origin(row)) for row in rows])
        read = [fit.read(text.text, text.role) for text in texts]
        self.groups = np.array([group_of(text.source) for text in texts])
        self.labels = np.array([text.label for text in texts])
        _tell("texts read")

        def learnt(kept: Any) -> fit.Linear:
            chosen = np.flatnonzero(kept)
            return fit.linear([windows[row] for row in chosen], labels[kept], weights[kept], sources[kept])

        features = np.zeros((len(texts), len(STACKED)))
        self.model = learnt(groups != NEVER)
        for group in range(NEVER + 1):
            model = learnt(groups != group) if group != NEVER else self.model
            for number in np.flatnonzero(self.groups == group):
                features[number] = model.features(read[number])
            _tell(f"left out {group}")
        self._stack(features)

    def _stack(self, features: Any) -> None:
        weights = report.weights(self.texts)
        self.logits = np.zeros(len(self.texts))
        usable = self.groups != NEVER
        for group in range(NEVER + 1):
            kept = usable & (self.groups != group)
            stack = fit.last(features[kept], self.labels[kept], weights[kept])
            out = self.groups == group
            self.logits[out] = features[out] @ stack[:-1] + stack[-1]
        self.stack = fit.last(features[usable], self.labels[usable], weights[usable])
        self.scores = 1 / (1 + np.exp(-self.logits))
        self.thresholds = report.thresholds(self.texts, self.scores)
        self.grey = report.grey(self.texts, self.scores)

    def packed(self) -> bytes:
        """The weights as the bytes of one file."""
        stream = BytesIO()
        np.savez_compressed(stream, allow_pickle=False, **fit.arrays(self.model, self.stack, self.thresholds, self.grey))
        return stream.getvalue()

    def lines(self) -> list[str]:
        """Left-out scores as JSON lines."""
        return [
            json.dumps({"source": text.source, "label": text.label, "family": text.family, "lang": text.lang, "role": text.role,
                        "group": int(group), "score": round(float(score), 6)}) + "\n"
            for text, group, score in zip(self.texts, self.groups, self.scores, strict=True)
        ]  # fmt: skip


def _origin(row: Row) -> str:
    """Who made a row: public sources by their first two names, our own by family and whether English."""
    if row.source.startswith("made/"):
        return f"made/{row.family.split('/')[0]}/{'en' if row.lang == 'en' else 'other'}"
    return "/".join(row.source.split("/")[: 2 if row.source.startswith("prompt-armor") else 1])


def _card(trained: _Training, data: bytes) -> dict[str, Any]:
    return {
        "name": NAME,
        "what": "linear models over hashed n-grams and over concepts in windows of 480 characters, and one over their maxima and the rules",
        "training": "python -m training.injection",
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "licences": LICENCES,
        "left out of training": [*NO_LICENCE, "sources under doubtful licences"],
        "rows": dict(sorted(Counter(_origin(row) for row in trained.rows).items())),
        "groups left out together": [list(group) for group in GROUPS],
        "stack": {name: round(float(value), 4) for name, value in zip((*STACKED, "bias"), trained.stack, strict=True)},
        "thresholds_ppm": trained.thresholds.tolist(),
        "grey_ppm": list(trained.grey),
        "how to read the figures": CAVEAT,
        "figures": report.figures(trained.texts, trained.scores),
    }


if __name__ == "__main__":
    sys.exit(main())
