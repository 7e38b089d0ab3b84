"""What the tagger scores on sources that were left out of training, group by group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from affiant.guards.names.features import Lexicon
from training.names.evaluate import Counts, interval, score, table
from training.names.examples import Example
from training.names.fit import Settings, model_of, train
from training.names.lists import Lists

GROUPS = (
    ("wikigold", "prompt-anonymizer/golden"),
    ("GermEval2014/test",),
    ("WNUT17",),
    ("presidio-research/synth_v2", "SEC-filings/FIN5"),
)
HOW = (
    "sources left out of training group by group: "
    + "; ".join(" + ".join(group) for group in GROUPS)
    + ". Templates, short word lists and the least confidence of a span (.6 for persons, .5 for places) were chosen with them in sight."
    + " Party roles (Borrower, Lender, Bank) that FIN5 marks as names count neither way."
)


def described(counts: dict[str, list[Counts]], strict: dict[str, list[Counts]]) -> dict[str, Any]:
    """Figures by type; a type without annotations is left out."""
    found: dict[str, Any] = {}
    for kind, each in counts.items():
        if not sum(count[2] for count in each):
            continue
        overlap, low_high = score(each), interval(each)
        found[kind] = {
            "precision": round(overlap.precision, 3),
            "recall": round(overlap.recall, 3),
            "f1": round(overlap.f1, 3),
            "interval": [round(value, 3) for value in low_high],
            "strict_f1": round(score(strict[kind]).f1, 3),
            "spans": sum(count[2] for count in each),
        }
    return found


def merged(tables: Sequence[dict[str, list[Counts]]]) -> dict[str, list[Counts]]:
    """Several tables as one."""
    return {kind: [count for each in tables for count in each[kind]] for kind in tables[0]}


def measure(
    examples: Sequence[Example], plain: Sequence[Example], lists: Lists, lexicon: Lexicon, settings: Settings, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Trains once without each group and scores the group; by source and language, by language, and over all."""
    overlap: dict[tuple[str, str], dict[str, list[Counts]]] = {}
    strict: dict[tuple[str, str], dict[str, list[Counts]]] = {}
    for group in GROUPS:
        tell(f"without {', '.join(group)}")
        kept = [example for example in examples if example.source not in group]
        find = model_of(*train(kept, plain, lists, lexicon, settings, tell)).find
        for key in sorted({(example.source, example.lang) for example in examples if example.source in group}):
            rows = [example for example in examples if (example.source, example.lang) == key]
            overlap[key], strict[key] = table(rows, find), table(rows, find, strict=True)
            tell(f"{key}: { {kind: value['f1'] for kind, value in described(overlap[key], strict[key]).items()} }")
    languages = sorted({language for _, language in overlap})
    of = {language: [key for key in overlap if key[1] == language] for language in languages}
    return {
        "how": HOW,
        "by_source": {f"{key[0]} ({key[1]})": described(overlap[key], strict[key]) for key in overlap},
        "by_language": {
            language: described(merged([overlap[key] for key in keys]), merged([strict[key] for key in keys]))
            for language, keys in of.items()
        },
        "all": described(merged(list(overlap.values())), merged(list(strict.values()))),
    }
