"""Plain texts without annotations, read with care: what is surely no name is marked so, what may be one says nothing.

Sources: sentences in `mimesis` (MIT), messages in `django`'s translations (BSD: interface texts, taken as free of names), and benign
prompts of the public injection data whose licence allows it.
"""

from __future__ import annotations

import gettext
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from affiant.guards.names.features import COUNTRY, FIRST, FIRST_COMMON, LAST_COMMON, PLACE_BIG, Lexicon, word_key
from training.names import lists as sources
from training.names.examples import Example, Span
from training.names.lists import LANGUAGES

PROMPTS = {
    "self-instruct": "Apache-2.0", "WritingBench": "MIT", "awesome-chatgpt-prompts": "CC0-1.0", "jamjet": "CC-BY-4.0", "BIPIA": "MIT",
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
_MARKUP = re.compile(r"%\(?\w*\)?[sd]|\{[^{}]*\}|<[^<>]*>|&\w+;|\n\s*")
_DJANGO = {"de": "de", "fr": "fr", "es": "es", "it": "it", "pt": "pt_BR", "nl": "nl", "zh": "zh_Hans", "ja": "ja", "en": "en_GB"}
_LIKELY_NAMES = FIRST | FIRST_COMMON | LAST_COMMON | PLACE_BIG | COUNTRY


def _interface() -> list[Example]:
    found: list[Example] = []
    root = sources._package("django")
    for language, folder in _DJANGO.items():
        messages: set[str] = set()
        for path in sorted(root.glob(f"**/locale/{folder}/LC_MESSAGES/*.mo")):
            with open(path, "rb") as stream:
                catalog = gettext.GNUTranslations(stream)
            messages.update(str(value) for key, value in catalog._catalog.items() if key and isinstance(value, str))  # type: ignore[attr-defined]
        for message in sorted(messages):
            text = _MARKUP.sub(" ", message).strip()
            if len(text) > 12:
                found.append(Example(text, (), "interface", language))
    return found


def _sentences() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for language in LANGUAGES:
        data = json.loads((sources._package("mimesis") / "datasets" / language / "text.json").read_text("utf-8"))
        for key in ("text", "quotes", "questions"):
            found.extend((sentence, language) for sentence in data.get(key, []))
    return found


def _prompts(folder: Path) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in (folder / "injection" / "dev.jsonl").read_text("utf-8").split("\n"):
        if not line:
            continue
        row = json.loads(line)
        if row["label"] == 0 and row["lang"] == "en" and any(row["source"].startswith(name) for name in PROMPTS):
            found.append((row["text"][:600], "en"))
    return found


def _unclear(text: str, lexicon: Lexicon, lower: Counter[str], capital: Counter[str]) -> tuple[Span, ...]:
    """Spans that may be names: capitalized words not known as ordinary ones."""
    spans: list[Span] = []
    for match in _WORD.finditer(text):
        word = match.group()
        if not word[0].isupper():
            continue
        plain = word.lower()
        named = lexicon.flags.get(word_key(word), 0) & _LIKELY_NAMES
        if lower[plain] >= (8 if named else 2) * max(1, capital[plain]):
            continue
        spans.append(Span(match.start(), match.end(), "ANY"))
    return tuple(spans)


def read(folder: Path, lexicon: Lexicon) -> list[Example]:
    """All plain texts as examples; an "ANY" span says nothing."""
    texts: Sequence[tuple[str, str]] = [*_sentences(), *_prompts(folder)]
    lower: dict[str, Counter[str]] = {language: Counter() for language in LANGUAGES}
    capital: dict[str, Counter[str]] = {language: Counter() for language in LANGUAGES}
    for text, language in texts:
        for match in _WORD.finditer(text):
            word = match.group()
            if word.islower():
                lower[language][word] += 1
            elif word[0].isupper() and text[max(0, match.start() - 2) : match.start()].strip(" \"'«(¿¡") not in ("", ".", "!", "?", ":"):
                capital[language][word.lower()] += 1
    found = _interface()
    for text, language in texts:
        if language in ("zh", "ja"):
            continue
        found.append(Example(text, _unclear(text, lexicon, lower[language], capital[language]), "plain", language))
    return found
