"""The tagger of persons, places and organizations: F1 on sources left out of training (from its card), F1 on a file, CPU time a KB.

`python -m bench guards-names [--data FILE]`: FILE holds lines as `pii/dev.jsonl` of the public data does; that file itself is the default
(AFFIANT_DATA), most of which the shipped model was trained on, so its figures show fit, not skill.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from training.names.evaluate import interval, score, table
from training.names.examples import Example, read_file

from affiant.guards.names import NamesModel

WEIGHTS = Path(__file__).parent.parent / "src" / "affiant" / "weights"
TARGETS = {"PERSON": 0.80, "LOCATION": 0.70}
TARGETS_ENGLISH = {"PERSON": 0.72, "LOCATION": 0.68}
TARGET_MS_PER_KB = 5.0
SHORTEST = 400  # characters; below, the fixed cost of a call hides the cost a KB


def load() -> tuple[NamesModel, dict[str, Any]]:
    """The shipped model and its card."""
    with np.load(WEIGHTS / "names.npz", allow_pickle=False) as arrays:
        model = NamesModel(dict(arrays))
    return model, json.loads((WEIGHTS / "names.json").read_text("utf-8"))


def print_card(card: dict[str, Any]) -> None:
    """Figures on left-out sources, beside the aims."""
    figures = card["left_out"]
    print(figures["how"])
    groups = {"source": figures.get("by_source", {}), "language": figures.get("by_language", {}), "": {"all": figures.get("all", {})}}
    for title, rows in groups.items():
        for name, kinds in rows.items():
            aims = TARGETS if name == "all" else TARGETS_ENGLISH if name == "en" else {}
            for kind, row in kinds.items():
                low, high = row["interval"]
                aim = f"  aim {aims[kind]:.2f}" if kind in aims else ""
                print(
                    f"  {title:8} {name:34} {kind:12} P {row['precision']:.3f} R {row['recall']:.3f} F1 {row['f1']:.3f}"
                    f" [{low:.3f}, {high:.3f}] strict {row['strict_f1']:.3f} ({row['spans']}){aim}"
                )


def print_scores(examples: Sequence[Example], model: NamesModel) -> None:
    """F1 by language and type on the given texts."""
    for language in sorted({example.lang for example in examples}):
        rows = [example for example in examples if example.lang == language]
        overlap, strict = table(rows, model.find), table(rows, model.find, strict=True)
        for kind, counts in overlap.items():
            if sum(each[2] for each in counts):
                both, (low, high) = score(counts), interval(counts)
                print(
                    f"  {language:3} {kind:12} P {both.precision:.3f} R {both.recall:.3f} F1 {both.f1:.3f} [{low:.3f}, {high:.3f}]"
                    f" strict {score(strict[kind]).f1:.3f}"
                )


def milliseconds_per_kb(texts: Sequence[str]) -> dict[str, float]:
    """CPU time a KB (1,000 characters): with words not met before, and again; mean and worst text."""
    cold_model, _ = load()
    began = time.process_time()
    for text in texts:
        cold_model.find(text)
    cold = time.process_time() - began
    each: list[float] = []
    warm = 0.0
    for text in texts:
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            cold_model.find(text)
            best = min(best, time.process_time() - began)
        warm += best
        each.append(best * 1e6 / len(text))
    size = sum(map(len, texts))
    return {"new words": cold * 1e6 / size, "again": warm * 1e6 / size, "median text": statistics.median(each), "worst text": max(each)}


def main(arguments: list[str]) -> int:
    """Print all figures; 1 where the CPU aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench guards-names", description=__doc__)
    data = os.environ.get("AFFIANT_DATA", "")
    parser.add_argument("--data", type=Path, default=Path(data) / "pii" / "dev.jsonl" if data else None)
    given = parser.parse_args(arguments)
    model, card = load()
    print_card(card)
    if given.data is None:
        print("No texts: give --data FILE or set AFFIANT_DATA.")
        return 0
    examples = read_file(given.data)
    print(f"\n{given.data.name} ({len(examples)} texts; figures on texts seen in training show fit only)")
    print_scores(examples, model)
    long = [example.text for example in examples if len(example.text) >= SHORTEST]
    print("\nCPU ms/KB")
    costs = milliseconds_per_kb(long or [example.text for example in examples])
    for name, cost in costs.items():
        print(f"  {name:12} {cost:.2f}")
    return int(costs["new words"] > TARGET_MS_PER_KB)
