"""Sentences made from our own phrase tables: attacks in fifteen languages, their benign twins, look-alikes, planted attacks.

Everything is a function of the tables and the seed. Benign texts are made from the same carriers as the planted attacks, and
from the same words as the direct ones, so that neither the carrier nor a word alone tells the classes apart.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import NamedTuple

from training.injection.data_grammar import Table, expand, read, several

TABLES = Path(__file__).with_name("data_phrases")
LANGUAGES = ("ar", "de", "es", "fr", "hi", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "zh")
_DIRECT = ("override", "extract", "role", "exfil", "tool")
_CARRIERS = {"mail": "document", "table": "document", "code": "tool", "json": "tool", "web": "document"}
_SUPPORT = ("ask", "word", "name", "day", "mail", "url", "acct", "plain_note")


class Made(NamedTuple):
    """A made text before weighting."""

    text: str
    label: int
    source: str
    family: str
    lang: str
    role: str


def made(seed: int = 7) -> list[Made]:
    """All made rows, without repeats, in a fixed order."""
    benign, attack = read(TABLES / "en_benign.txt"), read(TABLES / "en_attack.txt")
    shared = {name: benign[name] for name in ("word", "name", "day", "mail", "url", "acct")}
    english = {**shared, **attack, "tool": attack["tool_name"], "benign_ask": benign["ask"]}
    rows = [
        *_lookalikes({**benign, "name2": benign["name"]}, Random(seed)),
        *_english(attack, english, Random(seed + 1)),
        *_planted({**benign, "name2": benign["name"]}, attack, english, Random(seed + 2)),
    ]
    for number, lang in enumerate(LANGUAGES):
        rows += _language(lang, read(TABLES / f"{lang}.txt"), shared, attack, english, Random(seed + 10 + number))
    return list({row.text: row for row in rows}.values())


def _worn(text: str, rng: Random) -> str:
    """The text as people type it: now and then without capitals, without its last mark, or doubled spaces."""
    dice = rng.random()
    if dice < 0.08:
        return text.lower()
    if dice < 0.14:
        return text.rstrip(".!?。")
    if dice < 0.17:
        return text.upper() if len(text) < 120 else text
    return text


def _ended(sentence: str) -> str:
    return sentence if sentence[-1] in "?？.。!؟" else sentence + "."


def _lookalikes(table: Table, rng: Random) -> list[Made]:
    rows = []
    for section, templates in table.items():
        if section.endswith("_carrier") or (section in _SUPPORT and section != "ask") or section == "name2":
            continue
        for text in several(templates, 30 * len(templates) if section == "ask" else 12 * len(templates), table, rng):
            family = "ordinary" if section == "ask" else "lookalike"
            rows.append(Made(_worn(text, rng), 0, f"made/{family}", family, "en", "user"))
    return rows


def _english(attack: Table, table: Table, rng: Random) -> list[Made]:
    rows = []
    for section in _DIRECT:
        for text in several(attack[section], 18 * len(attack[section]), table, rng):
            rows.append(Made(_worn(text, rng), 1, "made/direct", section, "en", "user"))
    return rows


def _planted(benign: Table, attack: Table, table: Table, rng: Random) -> list[Made]:
    rows = []
    for kind, role in _CARRIERS.items():
        for template in benign[f"{kind}_carrier"]:
            for _ in range(26):
                plant = expand(rng.choice(attack["plant"]), table, rng)
                rows.append(Made(_inside(template, plant, benign, rng, kind), 1, "made/planted", f"planted/{kind}", "en", role))
            for _ in range(26):
                note = "" if rng.random() < 0.3 else expand(rng.choice(benign["plain_note"]), benign, rng)
                rows.append(Made(_inside(template, note, benign, rng, kind), 0, "made/planted", f"carrier/{kind}", "en", role))
    return rows


def _inside(template: str, sentence: str, table: Table, rng: Random, kind: str) -> str:
    """The carrier with the sentence in its place; quotes are escaped where the carrier is JSON."""
    sentence = sentence + "." if sentence and kind in ("mail", "web") and sentence[-1].isalnum() and sentence.isascii() else sentence
    safe = sentence.replace("\n", "\\n").replace('"', '\\"') if kind == "json" else sentence
    return expand(template, table, rng, x="\0").replace("\0", safe)


def _language(lang: str, table: Table, shared: Table, attack: Table, english: Table, rng: Random) -> list[Made]:
    filled = {**shared, **table}
    rows = []
    for section in _DIRECT:
        for text in several(table[section], 32 if section == "override" else 20, filled, rng):
            tail = expand(rng.choice(table["tail"]), filled, rng)
            tail = " " + tail if tail[0].isalnum() else tail
            before = expand(rng.choice(table["benign"]), filled, rng) + " " if rng.random() < 0.15 else ""
            rows.append(Made(_worn(before + text + tail, rng), 1, f"made/{lang}", section, lang, "user"))
    for section, count in (("benign", 60), ("near", 50)):
        family = "ordinary" if section == "benign" else "lookalike"
        for text in several(table[section], count, filled, rng):
            rows.append(Made(_worn(text, rng), 0, f"made/{lang}", family, lang, "user"))
    for _ in range(25):
        text = " ".join(_ended(expand(rng.choice(table["benign"] + table["near"]), filled, rng)) for _ in range(rng.randint(2, 5)))
        rows.append(Made(text, 0, f"made/{lang}", "document", lang, "document"))
    for template in table["letter"]:
        for _ in range(10):
            own = expand(rng.choice(table[rng.choice(_DIRECT)]), filled, rng) + "."
            plant = own if rng.random() < 0.8 else expand(rng.choice(attack["plant"]), english, rng)
            rows.append(Made(_inside(template, plant, filled, rng, "mail"), 1, f"made/{lang}", "planted/mail", lang, "document"))
            note = "" if rng.random() < 0.3 else expand(rng.choice(table["benign"] + table["near"]), filled, rng)
            rows.append(Made(_inside(template, note, filled, rng, "mail"), 0, f"made/{lang}", "carrier/mail", lang, "document"))
    return rows
