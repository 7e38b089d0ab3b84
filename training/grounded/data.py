"""The development rows: who made them, of which family, and which go together when a source is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LICENCES = {
    "SummaCoz": "labels Apache-2.0; articles of CNN/DM and XSum, research use: no text of them is in the weights",
    "BEGIN": "Wizard of Wikipedia, CC-BY",
    "q2": "Apache-2.0; Wizard of Wikipedia, CC-BY",
    "HaluEval/qa": "MIT; HotpotQA, CC-BY-SA-4.0",
    "WiCE": "ODC-BY; Wikipedia, CC-BY-SA",
}
_FAMILIES = {"SummaCoz": "summary", "BEGIN": "dialogue", "q2": "dialogue", "HaluEval": "qa", "WiCE": "wiki"}


@dataclass(frozen=True, slots=True)
class Row:
    """One claim and its context.

    Args:
        context: what the claim is held against.
        claim: sentence or whole answer.
        question: what was asked, "" where nothing was.
        unsupported: 1 where the context does not support the claim, else 0.
        source: as in the data.
    """

    context: str
    claim: str
    question: str
    unsupported: int
    source: str

    @property
    def group(self) -> str:
        """Sources that are left out together: parts of one collection are one."""
        head = self.source.partition("/")[0]
        return head if head in ("BEGIN", "q2") else self.source

    @property
    def family(self) -> str:
        """`summary`, `dialogue`, `qa` or `wiki`."""
        return _FAMILIES[self.source.partition("/")[0]]


def rows(data: Path) -> list[Row]:
    """All rows of `groundedness/dev.jsonl` under the data directory."""
    found = []
    with (data / "groundedness" / "dev.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            found.append(Row(one["context"], one["claim"], one.get("question") or "", 1 - int(one["label"]), one["source"]))
    return found


def texts(data: Path) -> Iterator[str]:
    """Texts without labels, for word frequencies: contexts, and the other development sets' texts."""
    seen: set[str] = set()
    for row in rows(data):
        if row.context[:200] not in seen:
            seen.add(row.context[:200])
            yield row.context
    for name in ("injection", "pii"):
        path = data / name / "dev.jsonl"
        if path.exists():
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    yield str(json.loads(line).get("text", ""))[:4_000]
