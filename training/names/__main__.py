"""`python -m training.names --data DIR --out DIR`: trains the tagger and writes its weights and card.

With `--leave-out` the sources are first left out in turn and the figures kept in `training/names/left_out.json`, which every card repeats
as long as the settings are the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.names import leave_out, plain, store
from training.names.examples import read
from training.names.fit import Settings, train
from training.names.lexicon import build
from training.names.lists import gather

FIGURES = Path(__file__).parent / "left_out.json"
BIAS = {"PERSON": 1.0, "LOCATION": 1.0, "ORGANIZATION": 1.0}


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _figures(settings: dict[str, Any]) -> dict[str, Any]:
    if FIGURES.is_file():
        kept: dict[str, Any] = json.loads(FIGURES.read_text("utf-8"))
        if kept["settings"] == settings:
            return dict(kept["figures"])
    return {"how": "not measured with these settings; run with --leave-out"}


def main() -> int:
    """Trains, stores, and says what was stored."""
    parser = argparse.ArgumentParser(prog="python -m training.names", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public development data (AFFIANT_DATA)")
    parser.add_argument("--out", type=Path, required=True, help="folder for names.npz and names.json")
    parser.add_argument("--leave-out", action="store_true", help="measure on left-out sources first (four more trainings)")
    arguments = parser.parse_args()
    settings = Settings()
    examples = read(arguments.data)
    lists = gather()
    lexicon = build(lists)
    texts = plain.read(arguments.data, lexicon)
    if arguments.leave_out:
        figures = leave_out.measure(examples, texts, lists, lexicon, settings, _tell)
        FIGURES.write_text(json.dumps({"settings": asdict(settings), "figures": figures}, indent=1, ensure_ascii=False) + "\n", "utf-8")
    featurize, learner = train(examples, texts, lists, lexicon, settings, _tell)
    data = store.packed(store.arrays_of(featurize, learner.network(), BIAS))
    rows = Counter(example.source for example in examples)
    store.save(arguments.out, data, store.card(data, asdict(settings), _figures(asdict(settings)), rows))
    _tell(f"names.npz: {len(data)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
