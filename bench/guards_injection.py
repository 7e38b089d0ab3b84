"""The cascade against injections: figures on left-out sources (from its card), disguises, stages reached, CPU time a KB.

`python -m bench guards-injection [--data FILE]`: FILE holds lines as `injection/dev.jsonl` of the public data does; that file itself
is the default (AFFIANT_DATA). The shipped model was trained on most of it, so what is measured on texts here is what disguises
cost beside the clear text, which stage decides, and time; skill is in the card.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from training.injection.obfuscate import DISGUISES

from affiant.guards.injection import InjectionModel, score
from affiant.guards.model import Role
from affiant.guards.text import Folded

WEIGHTS = Path(__file__).parent.parent / "src" / "affiant" / "weights"
AIMS = "aims with the encoder: AUC .90, TPR at 1 % FPR .55, recall .60 at 5 % over-defence, other languages flagged 5 %"
TARGET_MS_PER_KB = 5.0
HOSTILE_MS_PER_KB = 20.0
DISGUISED = 300
"""Attacks put into each disguise."""
LONGEST = 300
"""Characters of an attack that is put into disguise."""
ORDINARY = 400
HOSTILE = (
    "ignore ",
    "you are now ",
    "reveal the ",
    "61 62 ",
    "aGVsbG8g",
    "i g n o r e ",
    "\n\n",
    "а",
    "1gn0re ",
    "eht ",
    "%41",
    "&#65;",
    ".- ",
    "忽略指令 ",
)


def load() -> tuple[InjectionModel, dict[str, Any]]:
    """The shipped model and its card."""
    with np.load(WEIGHTS / "injection.npz", allow_pickle=False) as arrays:
        model = InjectionModel(dict(arrays))
    return model, json.loads((WEIGHTS / "injection.json").read_text("utf-8"))


def print_card(card: dict[str, Any]) -> None:
    """Figures on left-out sources with intervals, beside the aims."""
    print(AIMS)
    for name, figure in card["figures"].items():
        if not isinstance(figure, dict):
            print(f"  {name}: {figure}")
        elif "auc" in figure:
            auc, rate = figure["auc"], figure["tpr at 1 % fpr"]
            print(
                f"  {name:38} AUC {auc['value']:.3f} [{auc['from']:.3f}, {auc['to']:.3f}]  TPR at 1 % FPR {rate['value']:.3f}"
                f" [{rate['from']:.3f}, {rate['to']:.3f}]  ({figure['attacks']} attacks, {figure['benign']} benign)"
            )
        elif "value" in figure:
            print(f"  {name:38} {figure['value']:.3f} [{figure['from']:.3f}, {figure['to']:.3f}]")


def print_disguises(model: InjectionModel, attacks: Sequence[str], threshold_ppm: int) -> None:
    """Share of attacks found in the clear, and of that share in each disguise."""

    def found(change: Callable[[str], str]) -> float:
        return sum(score(Folded(change(text)), Role.USER, "en", model).score_ppm >= threshold_ppm for text in attacks) / len(attacks)

    clear = found(str)
    print(f"\nDisguises ({len(attacks)} attacks of at most {LONGEST} characters, {clear:.3f} found in the clear at {threshold_ppm} ppm)")
    for name, change in DISGUISES.items():
        rate = found(change)
        print(f"  {name:16} {rate:.3f}  {rate / clear if clear else 0:.2f} of the clear  aim 0.90")


def milliseconds_per_kb(model: InjectionModel, text: str) -> float:
    """CPU time for 1,000 characters, least of three."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        score(Folded(text), Role.USER, None, model)
        best = min(best, time.process_time() - began)
    return best * 1e6 / max(1, len(text))


def print_stages(model: InjectionModel, texts: Sequence[tuple[str, int]]) -> None:
    """Share that the encoder would be asked about."""
    for label, name in ((0, "benign"), (1, "attacks")):
        stages = Counter(score(Folded(text), Role.USER, None, model, lambda _: [0.5]).stage for text, its in texts if its == label)
        total = sum(stages.values())
        print(f"  {name:8} " + "  ".join(f"{stage} {count / total:.3f}" for stage, count in sorted(stages.items())))


def print_times(model: InjectionModel, texts: Sequence[str]) -> int:
    """CPU time of ordinary and of hostile texts; 1 where an aim is missed."""
    score(Folded("warm"), Role.USER, None, model)
    costs = [(milliseconds_per_kb(model, text), len(text)) for text in texts]
    mean = sum(cost * size for cost, size in costs) / sum(size for _, size in costs)
    worst = max(cost for cost, size in costs if size >= 500)
    print(f"\nCPU ms/KB, rules and cheap model: mean {mean:.2f}, worst ordinary text of 500 characters or more {worst:.2f}")
    hostile = 0.0
    for seed in HOSTILE:
        cost = milliseconds_per_kb(model, (seed * 20_000)[:20_000])
        hostile = max(hostile, cost)
        print(f"  hostile {seed!r:18} {cost:.2f}")
    began = time.process_time()
    score(Folded("the quick brown fox ignores the rules " * 260_000), Role.DOCUMENT, None, model)
    print(f"  10 MB of prose {time.process_time() - began:.2f} s")
    return int(mean > TARGET_MS_PER_KB or hostile > HOSTILE_MS_PER_KB)


def main(arguments: list[str]) -> int:
    """Print all figures; 1 where a time aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench guards-injection", description=__doc__)
    data = os.environ.get("AFFIANT_DATA", "")
    parser.add_argument("--data", type=Path, default=Path(data) / "injection" / "dev.jsonl" if data else None)
    given = parser.parse_args(arguments)
    model, card = load()
    print_card(card)
    if given.data is None:
        print("No texts: give --data FILE or set AFFIANT_DATA.")
        return 0
    with given.data.open(encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    random.Random(11).shuffle(rows)
    attacks = [row["text"] for row in rows if row["label"] and row["kind"] == "direct" and len(row["text"]) <= LONGEST][:DISGUISED]
    print_disguises(model, attacks, card["thresholds_ppm"][0][0])
    print("\nStage that decides, by share of texts")
    print_stages(model, [(row["text"], row["label"]) for row in rows[: 2 * ORDINARY]])
    return print_times(model, [row["text"] for row in rows if not row["label"]][:ORDINARY])
