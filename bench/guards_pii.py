"""Structured personal data on annotated rows: strict precision, recall and F1 by type and language, false alarms, CPU.

`AFFIANT_DATA=DIR python -m bench guards-pii`. A span counts only with the right start, end and type; intervals are of 1,000 resamples
of rows. CPU is process time, the least of the repeats. `--peer-python PATH` names a Python that has `presidio-analyzer`; its pattern
recognizers then run over the same rows in a process of their own. Leaves out: names and addresses (`guards-names`).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from affiant.guards.detectors import pii
from affiant.guards.scan import Scanner

TYPES = ("EMAIL", "PHONE", "CREDIT_CARD", "US_SSN", "IBAN")
RESAMPLES = 1000
HOSTILE = (
    "7", "7 ", "1-", "4111 ", "61 62 ", "(1", "+1 ", "a@", "a@b.c ", "1.1.1.1.", "ff:", "http://a:b@", "12 A", "Rua De ", "DE89 3704 ",
    "born ", "passport 1 ", "123-45-6789 ", "4111111111111111 ", "路1号", "call 12345678 ", "+49 30 901820 ",
)  # fmt: skip
Span = tuple[int, int, str]
Find = Callable[[str], set[Span]]

_PEER = """
import json, sys, time
import tldextract
tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
from presidio_analyzer.predefined_recognizers import CreditCardRecognizer, EmailRecognizer, IbanRecognizer, PhoneRecognizer, UsSsnRecognizer
names = {"EMAIL_ADDRESS": "EMAIL", "PHONE_NUMBER": "PHONE", "CREDIT_CARD": "CREDIT_CARD", "US_SSN": "US_SSN", "IBAN_CODE": "IBAN"}
recognizers = [CreditCardRecognizer(), EmailRecognizer(), IbanRecognizer(), PhoneRecognizer(), UsSsnRecognizer()]
texts = json.load(sys.stdin)
began, answer = time.process_time(), []
for text in texts:
    found = []
    for recognizer in recognizers:
        for one in recognizer.analyze(text, recognizer.supported_entities, None) or []:
            if one.score >= 0.4:
                found.append([one.start, one.end, names[one.entity_type]])
    answer.append(found)
print(json.dumps({"cpu_s": time.process_time() - began, "spans": answer}))
"""


@dataclass(frozen=True)
class Row:
    """One annotated text.

    Args:
        text: as it came.
        gold: spans of `TYPES`.
        source: where it is from.
        language: two letters.
        clean: whether it is a text without personal data, for false alarms.
    """

    text: str
    gold: frozenset[Span]
    source: str
    language: str
    clean: bool


def load(path: Path) -> list[Row]:
    """Rows in which all of `TYPES` are annotated."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        data = json.loads(line)
        labelled = data.get("labelled_types")
        if labelled and not set(TYPES) <= set(labelled):
            continue
        gold = frozenset((span["start"], span["end"], span["type"]) for span in data["spans"] if span["type"] in TYPES)
        rows.append(Row(data["text"], gold, data["source"], data["lang"], bool(labelled) and not gold))
    return rows


def counts(row: Row, found: set[Span]) -> Counter[tuple[str, str]]:
    """(type, hit | false | missed) -> how many."""
    tally: Counter[tuple[str, str]] = Counter()
    for verdict, spans in (("hit", found & row.gold), ("false", found - row.gold), ("missed", row.gold - found)):
        tally.update((span[2], verdict) for span in spans)
    return tally


def measures(tally: Counter[tuple[str, str]], types: Sequence[str]) -> tuple[float, float, float, int]:
    """Precision, recall, F1 and the number of annotated spans."""
    hit, false, missed = (sum(tally[type_, verdict] for type_ in types) for verdict in ("hit", "false", "missed"))
    precision, recall = hit / max(1, hit + false), hit / max(1, hit + missed)
    return precision, recall, 2 * hit / max(1, 2 * hit + false + missed), hit + missed


def interval(tallies: Sequence[Counter[tuple[str, str]]], types: Sequence[str], seed: int = 7) -> tuple[float, float]:
    """95 % of F1 over resampled rows."""
    chance = random.Random(seed)
    flat = [tuple(sum(tally[type_, verdict] for type_ in types) for verdict in ("hit", "false", "missed")) for tally in tallies]
    values = []
    for _ in range(RESAMPLES):
        sample = chance.choices(flat, k=len(flat))
        hit, false, missed = (sum(row[place] for row in sample) for place in range(3))
        values.append(2 * hit / max(1, 2 * hit + false + missed))
    values.sort()
    return values[RESAMPLES // 40], values[-RESAMPLES // 40]


def report(name: str, rows: Sequence[Row], found: Sequence[set[Span]]) -> None:
    """Print the table of one system."""
    annotated = [(row, counts(row, spans)) for row, spans in zip(rows, found, strict=True) if not row.clean]
    groups: dict[str, tuple[list[Counter[tuple[str, str]]], Sequence[str]]] = {}
    by_language = defaultdict(list)
    for row, tally in annotated:
        by_language[row.language].append(tally)
    everything = [tally for _, tally in annotated]
    groups["all"] = (everything, TYPES)
    groups |= {type_: (everything, (type_,)) for type_ in TYPES}
    groups |= {f"language {language}": (tallies, TYPES) for language, tallies in sorted(by_language.items())}
    print(f"\n{name}\n{'':<16}{'precision':>10}{'recall':>10}{'F1':>10}   95 %             spans")
    for label, (tallies, types) in groups.items():
        total: Counter[tuple[str, str]] = sum(tallies, Counter())
        precision, recall, f1, spans = measures(total, types)
        low, high = interval(tallies, types)
        print(f"{label:<16}{precision:>10.4f}{recall:>10.4f}{f1:>10.4f}   {low:.4f}–{high:.4f}{spans:>8}")
    clean = [(row, spans) for row, spans in zip(rows, found, strict=True) if row.clean]
    alarms = sum(len(spans) for _, spans in clean)
    print(f"false alarms on {len(clean)} clean texts ({sum(len(row.text) for row, _ in clean) // 1000} KB): {alarms}")


def cpu_ms_per_kb(scanner: Scanner, texts: Sequence[str], repeats: int) -> float:
    """Process time per 1,000 bytes of UTF-8, the least of the repeats."""
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    best = float("inf")
    for _ in range(repeats):
        began = time.process_time()
        for text in texts:
            scanner.find(text)
        best = min(best, time.process_time() - began)
    return best * 1e6 / size


def _ours(rows: Sequence[Row], repeats: int) -> None:
    began = time.process_time()
    scanner = Scanner(pii.DETECTORS)
    compiling = time.process_time() - began
    database = scanner.database
    began = time.process_time()
    Scanner(pii.DETECTORS, database)
    loading = time.process_time() - began
    report("Affiant", rows, [{(one.start, one.end, one.type) for one in scanner.find(row.text) if one.type in TYPES} for row in rows])
    print(f"CPU: {cpu_ms_per_kb(scanner, [row.text for row in rows], repeats):.3f} ms/KB over all rows, all detectors")
    worst = max((cpu_ms_per_kb(scanner, [(seed * 100_000)[:100_000]], repeats), seed) for seed in HOSTILE)
    print(f"CPU: {worst[0]:.2f} ms/KB at worst of {len(HOSTILE)} hostile texts of 100 KB (made of {worst[1]!r})")
    print(f"automaton: compiled in {compiling:.2f} s, loaded in {loading * 1000:.1f} ms, {len(database) // 1024} KiB")


def _peer(python: str, rows: Sequence[Row]) -> None:
    texts = json.dumps([row.text for row in rows])
    done = subprocess.run([python, "-c", _PEER], input=texts, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    found = [{(start, end, type_) for start, end, type_ in spans} for spans in answer["spans"]]
    report("Presidio's pattern recognizers (score of at least 0.4)", rows, found)
    print(f"CPU: {answer['cpu_s'] * 1e6 / sum(len(row.text.encode()) for row in rows):.3f} ms/KB over all rows, once")


def main(arguments: Sequence[str]) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench guards-pii", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("AFFIANT_DATA", ".")), help="folder that holds pii/dev.jsonl")
    parser.add_argument("--peer-python", default="", help="a Python with presidio-analyzer")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    path = options.data / "pii" / "dev.jsonl"
    if not path.is_file():
        print(f"There is no {path}. Set AFFIANT_DATA, or give --data, to the folder of the public data.")
        return 2
    rows = load(path)
    print(f"{len(rows)} rows of {', '.join(sorted({row.source.partition('/')[0] for row in rows}))}")
    _ours(rows, options.repeats)
    if options.peer_python:
        _peer(options.peer_python, rows)
    return 0
