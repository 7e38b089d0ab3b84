"""Annotated texts: read from the public development data, and made from templates."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from training.names.fillers import Filler
from training.names.lists import LANGUAGES

TYPES = ("PERSON", "LOCATION", "ORGANIZATION")
LICENCES = {
    "presidio-research/synth_v2": "MIT",
    "prompt-anonymizer/golden": "MIT",
    "WNUT17": "CC-BY-4.0",
    "wikigold": "CC-BY-4.0",
    "GermEval2014/test": "CC-BY-4.0",
    "SEC-filings/FIN5": "CC-BY-3.0",
}
_PARTY_ROLES = {"borrower", "lender", "bank"}  # role words that some sources mark as names
_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_ORDINARY = re.compile(r"(?<![\w@#.'’])[^\W\d_A-Z]{3,}(?![\w@])")
_SLOT = re.compile(r"\{([A-Z])\}")
_SLOT_TYPES = {
    "P": "PERSON",
    "F": "PERSON",
    "L": "PERSON",
    "C": "LOCATION",
    "K": "LOCATION",
    "G": "LOCATION",
    "A": "LOCATION",
    "O": "ORGANIZATION",
    "S": "ADDRESS",
}


@dataclass(frozen=True, slots=True)
class Span:
    """An annotated span; `type` may be "ADDRESS" (may be called a place) or "ANY" (says nothing)."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class Example:
    """A text and what is annotated in it.

    Args:
        text: of one row.
        spans: in order, without overlap.
        source: corpus, as `LICENCES` names it, or "templates".
        lang: two letters.
        types: those that are annotated; other ones may be there unmarked.
    """

    text: str
    spans: tuple[Span, ...]
    source: str
    lang: str
    types: frozenset[str] = frozenset(TYPES)


def source_of(name: str) -> str | None:
    """The corpus a row's `source` belongs to; None for one that is not trained on."""
    return next((source for source in LICENCES if name.startswith(source)), None)


def read(folder: Path) -> list[Example]:
    """Rows of `pii/dev.jsonl` whose corpus may be trained on.

    Raises:
        SystemExit: the file is not there.
    """
    path = folder / "pii" / "dev.jsonl"
    if not path.is_file():
        raise SystemExit(f"{path} is missing; give --data the folder of the public development data")
    return [example for example in read_file(path) if example.source in LICENCES]


def read_file(path: Path) -> list[Example]:
    """Rows of a file in the form of `pii/dev.jsonl` that annotate any of `TYPES`."""
    found: list[Example] = []
    for line in path.read_text("utf-8").split("\n"):
        if not line:
            continue
        row = json.loads(line)
        source = source_of(row["source"]) or row["source"]
        spans: list[Span] = []
        for item in sorted(row["spans"], key=lambda span: (span["start"], -span["end"])):
            kind = item["type"]
            if kind not in TYPES and kind != "ADDRESS":
                continue
            if row["text"][item["start"] : item["end"]].lower() in _PARTY_ROLES:
                kind = "ANY"
            if not spans or item["start"] >= spans[-1].end:
                spans.append(Span(item["start"], item["end"], kind))
        types = frozenset(row["labelled_types"]) if row.get("labelled_types") else frozenset(TYPES)
        if types & frozenset(TYPES):
            found.append(Example(row["text"], tuple(spans), source, row["lang"], types & frozenset(TYPES)))
    return found


@cache
def _templates(language: str) -> tuple[str, ...]:
    lines = (Path(__file__).parent / "templates" / f"{language}.txt").read_text("utf-8").split("\n")
    return tuple(line.replace("\\n", "\n").replace("{{", "\x03").replace("}}", "\x04") for line in lines if line)


def fill(template: str, language: str, filler: Filler) -> tuple[str, list[Span]]:
    """A template with its choices made and its slots filled."""
    while match := _CHOICE.search(template):
        template = template[: match.start()] + filler.rng.choice(match.group(1).split("|")) + template[match.end() :]
    text, spans, position = "", [], 0
    for match in _SLOT.finditer(template):
        text += template[position : match.start()]
        slot = match.group(1)
        value = filler.draw[slot](language)
        if slot in _SLOT_TYPES:
            spans.append(Span(len(text), len(text) + len(value), _SLOT_TYPES[slot]))
        text += value
        position = match.end()
    text += template[position:]
    return text.replace("\x03", "{").replace("\x04", "}"), spans


def make(count: int, filler: Filler, weights: Sequence[int] = (5, 4, 4, 4, 4, 4, 4, 5, 5)) -> list[Example]:
    """`count` texts of one to four filled templates each, over all languages."""
    rng = filler.rng
    made: list[Example] = []
    for _ in range(count):
        language = rng.choices(LANGUAGES, weights)[0]
        text, spans = "", []
        for _ in range(rng.choices((1, 2, 3, 4), (5, 3, 2, 1))[0]):
            part, found = fill(rng.choice(_templates(language)), language, filler)
            gap = "" if not text else rng.choice(("\n", " " if language not in ("zh", "ja") else "", "\n\n"))
            offset = len(text) + len(gap)
            spans += [Span(span.start + offset, span.end + offset, span.type) for span in found]
            text += gap + part
        made.append(Example(text, tuple(spans), "templates", language))
    return made


def swap(example: Example, filler: Filler, language: str) -> Example:
    """The same text with its names exchanged for drawn ones."""
    rng, text, spans, position = filler.rng, "", [], 0
    for span in example.spans:
        text += example.text[position : span.start]
        value = example.text[span.start : span.end]
        position = span.end
        if span.type == "PERSON":
            several = " " in value
            drawn = filler.person(language) if several else filler.first(language) if rng.random() < 0.5 else filler.last(language)
            value = drawn.lower() if value.islower() else drawn
        elif span.type == "LOCATION" and rng.random() < 0.8:
            drawn = filler.place(language)
            value = drawn.lower() if value.islower() else drawn
        elif span.type == "ORGANIZATION" and rng.random() < 0.35:
            value = filler.organization(language)
        spans.append(Span(len(text), len(text) + len(value), span.type))
        text += value
    return Example(text + example.text[position:], tuple(spans), example.source, example.lang, example.types)


def recase(example: Example, rng: random.Random) -> Example:
    """The same text in lower, upper or title case, where that keeps its length."""
    dice = rng.random()
    text = example.text.lower() if dice < 0.6 else example.text.upper() if dice < 0.85 else example.text.title()
    return Example(text, example.spans, example.source, example.lang, example.types) if len(text) == len(example.text) else example


def capitalize(example: Example, rng: random.Random, nouns: Collection[str] = ()) -> Example:
    """The same text with some ordinary words capitalized, as headings and contracts do, or its `nouns`, as German does."""
    share = rng.choice((0.15, 0.4, 1.0))
    as_german = len(nouns) > 0 and example.lang == "en" and rng.random() < 0.5
    letters, spans = list(example.text), example.spans
    position = 0
    for match in _ORDINARY.finditer(example.text):
        while position < len(spans) and spans[position].end <= match.start():
            position += 1
        inside = position < len(spans) and spans[position].start < match.end()
        if not inside and (match.group() in nouns if as_german else rng.random() < share):
            upper = letters[match.start()].upper()
            letters[match.start()] = upper if len(upper) == 1 else letters[match.start()]
    return Example("".join(letters), spans, example.source, example.lang, example.types)


def join(examples: Sequence[Example], rng: random.Random) -> list[Example]:
    """Some neighbours joined to longer texts."""
    joined: list[Example] = []
    for example in examples:
        before = joined[-1] if joined else None
        alike = before is not None and (before.lang, before.types) == (example.lang, example.types) and len(before.text) < 500
        if before is not None and alike and rng.random() < 0.3:
            gap = rng.choice((" ", "\n", "\n\n"))
            offset = len(before.text) + len(gap)
            moved = tuple(Span(span.start + offset, span.end + offset, span.type) for span in example.spans)
            joined[-1] = Example(before.text + gap + example.text, before.spans + moved, example.source, example.lang, example.types)
        else:
            joined.append(example)
    return joined
