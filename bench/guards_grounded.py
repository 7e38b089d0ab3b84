"""Groundedness: how well it tells supported claims from unsupported ones on sources left out of training, and what it costs.

`python -m bench guards-grounded [--data DIR] [--left-out]`. Accuracy comes from the weights' card, which holds the figures of
models that saw nothing of the source they are measured on; `--left-out` trains those again (needs the extra `train`, takes
minutes). CPU is measured here: milliseconds a KB of answer and context together, least of some repeats. Leaves out: peers.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affiant.guards.grounded import Grounded

_WEIGHTS = Path(__file__).parents[1] / "src" / "affiant" / "weights"
_REPEATS = 3
_ROWS = 400
TARGETS = {"auc": 0.87, "balanced_accuracy": 0.80, "summary balanced_accuracy": 0.72, "ms_kb": 5.0}
_PROSE = "The committee said on Monday that the new bridge in Springfield would cost 1.2 million dollars and open in {}. "
_HOSTILE = {
    "10,000 words of context, one sentence": (_PROSE.format(1999), "".join(_PROSE.format(number) for number in range(500))),
    "100 sentences against 10,000 words": tuple("".join(_PROSE.format(number) for number in range(count)) for count in (100, 500)),
    "one word, 60 KB": ("a " * 30_000, "a " * 30_000),
    "numbers, 60 KB": ("17 " * 20_000, "18 " * 20_000),
    "no spaces, 60 KB": ("x" * 60_000, "x" * 60_000),
    "full stops, 60 KB": ("a. " * 20_000, "a. " * 20_000),
    "Chinese, 30 K characters": ("这座桥于一九五〇年在上海开通。" * 1_000, "它长四百米，由工人建造。" * 1_250),
    "a dialogue turn": (
        "it was formed in 1985 by john",
        "dream theater is an american progressive metal band formed in 1985 by john petrucci.",
    ),
}


def load() -> Grounded:
    """The shipped model."""
    with np.load(_WEIGHTS / "grounded.npz", allow_pickle=False) as archive:
        return Grounded({name: archive[name] for name in archive.files})


def cost(model: Grounded, answer: str, context: str, question: str = "") -> float:
    """CPU milliseconds of one judgement, least of some repeats."""
    least = float("inf")
    for _ in range(_REPEATS):
        start = time.process_time()
        model.judge(answer, context, question)
        least = min(least, time.process_time() - start)
    return least * 1e3


def _kilobytes(*texts: str) -> float:
    return sum(len(text.encode("utf-8", "replace")) for text in texts) / 1e3


def _rows(data: Path) -> list[dict[str, Any]]:
    with (data / "groundedness" / "dev.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return rows[:: max(1, len(rows) // _ROWS)]


def _costs(model: Grounded, data: Path | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if data is not None:
        costs, sizes = [], []
        for row in _rows(data):
            costs.append(cost(model, row["claim"], row["context"], row.get("question") or ""))
            sizes.append(_kilobytes(row["claim"], row["context"], row.get("question") or ""))
        each = np.array(costs) / np.array(sizes)
        found["rows"] = {
            "n": len(costs), "ms_kb_mean": round(sum(costs) / sum(sizes), 2), "ms_kb_p99": round(float(np.percentile(each, 99)), 2),
            "ms_mean": round(float(np.mean(costs)), 2), "ms_worst": round(max(costs), 2),
        }  # fmt: skip
    found["hostile_ms_kb"] = {
        name: round(cost(model, answer, context) / _kilobytes(answer, context), 2) for name, (answer, context) in _HOSTILE.items()
    }
    return found


def _left_out(data: Path, threshold: float) -> dict[str, Any]:
    """Figures of models trained anew, each on all sources but the one it is measured on."""
    from training.grounded import data as reading
    from training.grounded.__main__ import tabulate
    from training.grounded.figures import figures
    from training.grounded.leave_out import left_out
    from training.grounded.spoil import spoiled

    rows = reading.rows(data)
    table = tabulate(load(), rows, list(spoiled(rows, 7)))
    return figures(table, left_out(table, table.group), threshold)


def main(arguments: Sequence[str]) -> int:
    """Measure, print JSON to standard output and a summary for people to standard error."""
    parser = argparse.ArgumentParser(prog="python -m bench guards-grounded")
    parser.add_argument("--data", type=Path, default=os.environ.get("AFFIANT_DATA"), help="development data; AFFIANT_DATA unless named")
    parser.add_argument("--left-out", action="store_true", help="train the left-out models again instead of reading the card")
    options = parser.parse_args(arguments)
    data = Path(options.data) if options.data else None
    if options.left_out and data is None:
        print("The left-out models need the development data; name it with --data or AFFIANT_DATA.", file=sys.stderr)
        return 2
    card = json.loads((_WEIGHTS / "grounded.json").read_text(encoding="utf-8"))
    quality = _left_out(data, card["threshold"]) if options.left_out and data is not None else card["left_out_source"]
    report = {"targets": TARGETS, "threshold": card["threshold"], "left_out_source": quality, "cost": _costs(load(), data)}
    for name, one in quality.items():
        print(f"{name:22} AUC {one['auc']:.3f} {one['auc_95']}  balanced accuracy {one['balanced_accuracy']:.3f}", file=sys.stderr)
    print(json.dumps(report, indent=1))
    return 0
