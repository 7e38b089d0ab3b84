"""Secrets: documents found and wrongly flagged per source with Wilson intervals, spans, CPU time, beside peers where installed.

`python -m bench guards-secrets --data DIR [--peer-python PYTHON] [--json FILE]`. DIR holds `secrets/*.jsonl` with
`{"text", "spans", "label", "source"}`. detect-secrets is run by the Python that `--peer-python` names, gitleaks from PATH.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from affiant.guards.detectors.secrets import DETECTORS, TOKENS
from affiant.guards.scan import Scanner

ROOT = Path(__file__).resolve().parents[1]
HOSTILE_SIZE = 100_000
_PEER = """
import json, sys
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import default_settings
with default_settings():
    for line in sys.stdin:
        print(json.dumps(bool(list(scan_file(json.loads(line))))), flush=True)
"""


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % interval of a share."""
    if not total:
        return 0.0, 1.0
    z, share = 1.959964, hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def hostile() -> dict[str, str]:
    """Texts made to cost much: repeated beginnings of names, tokens, addresses and blocks."""
    pieces = {
        "key=": "key=",
        "key quote": 'key="',
        "secret_": "secret_",
        "token with value": "token=" + "aB3xK9zQ" + "7wE5 ",
        "addresses": "http://" + ":" * 80 + "a" * 160,
        "eyJ": "eyJhbGciOiJ9.",
        "one letter": "A",
        "open blocks": "-----BEGIN PRIVATE " + "KEY-----\n",
        "base64": "QUJDRabc123+/",
        "hex": "0123456789abcdef",
        "spaces": " ",
        "quotes": '"',
        "kubernetes": "kind: Secret\n",
        "seed words": "seed word abc def ",
        "services": "stripe ",
        "curl": "curl ",
        "heads": "tok_a" + "B3xK9zQ7wE5rT1yU4 ",
        "heads of heads": "ab_cd.",
    }
    return {name: piece * (HOSTILE_SIZE // len(piece)) for name, piece in pieces.items()}


def cpu_ms_per_kb(find: Callable[[str], object], texts: Iterable[str], repeats: int = 3) -> float:
    """Process time for all texts, minimum of repeats, per 1,024 characters."""
    batch = list(texts)
    best = math.inf
    for _ in range(repeats):
        begin = time.process_time()
        for text in batch:
            find(text)
        best = min(best, time.process_time() - begin)
    return best * 1e3 / max(1e-9, sum(map(len, batch)) / 1024)


def shares(rows: list[dict[str, Any]], flagged: list[bool]) -> dict[str, dict[str, Any]]:
    """Documents flagged, by source and label."""
    counted: dict[str, list[int]] = {}
    for row, flag in zip(rows, flagged, strict=True):
        for source in (row["source"], "all"):
            key = f"{source} · {'secret' if row['label'] else 'none'}"
            one = counted.setdefault(key, [0, 0])
            one[0] += flag
            one[1] += 1
    return {
        key: {"documents": total, "flagged": hits / total, "interval": [round(end, 4) for end in wilson(hits, total)]}
        for key, (hits, total) in sorted(counted.items())
    }


def spans_found(rows: list[dict[str, Any]], scanner: Scanner) -> float:
    """Share of labelled spans that overlap a found one."""
    hit = total = 0
    for row in rows:
        found = scanner.find(row["text"])
        for span in row["spans"]:
            total += 1
            hit += any(one.start < span["end"] and span["start"] < one.end for one in found)
    return hit / max(1, total)


def labelled_both_ways(rows: list[dict[str, Any]], scanner: Scanner) -> int:
    """Texts labelled as without a secret in which a value is found that stands in a text labelled as with one."""
    secret = "\0".join(row["text"] for row in rows if row["label"])
    plain = [row["text"] for row in rows if not row["label"]]
    return sum(any(text[one.start : one.end] in secret for one in scanner.find(text)) for text in plain)


def without_forms(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Documents found when no token's form is known, and when no service's name is either: what stands in for kinds not seen before."""
    unnamed = {"secret_tokens", "secret_of_service"}
    texts = [row["text"] for row in rows if row["label"]]
    result = {}
    for name, left_out in (("no form", {"secret_tokens"}), ("no form, no name alone", unnamed)):
        scanner = Scanner([one for one in DETECTORS if one.name not in left_out])
        result[name] = round(sum(bool(scanner.find(text)) for text in texts) / max(1, len(texts)), 4)
    return result


def plain_texts() -> list[str]:
    """This repository's documents and code: ordinary text without secrets."""
    return [path.read_text(encoding="utf-8") for path in sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.py")])]


def peer_detect_secrets(python: str, rows: list[dict[str, Any]]) -> list[bool] | None:
    """Flags of detect-secrets with its default plugins; None if that Python does not have it."""
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for number, row in enumerate(rows):
            name = Path(folder, f"{number}.txt")
            name.write_text(row["text"], encoding="utf-8", errors="replace")
            names.append(str(name))
        done = subprocess.run(
            [python, "-c", _PEER], input="".join(json.dumps(name) + "\n" for name in names), capture_output=True, text=True, check=False
        )
    return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else None


def peer_gitleaks(program: str, rows: list[dict[str, Any]]) -> list[bool]:
    """Flags of gitleaks with its default rules."""
    with tempfile.TemporaryDirectory() as folder:
        texts, report = Path(folder, "texts"), Path(folder, "report.json")
        texts.mkdir()
        for number, row in enumerate(rows):
            (texts / f"{number}.txt").write_text(row["text"], encoding="utf-8", errors="replace")
        subprocess.run(
            [program, "dir", str(texts), "--no-banner", "--exit-code", "0", "-f", "json", "-r", str(report)],
            check=True,
            capture_output=True,
        )
        hit = {int(Path(one["File"]).stem) for one in json.loads(report.read_text())}
    return [number in hit for number in range(len(rows))]


def measure(data: Path, peer_python: str) -> dict[str, Any]:
    """Every figure."""
    rows = [
        json.loads(line) for path in sorted((data / "secrets").glob("*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()
    ]
    begin = time.process_time()
    scanner = Scanner(DETECTORS)
    compiled = time.process_time() - begin
    plain = plain_texts()
    result: dict[str, Any] = {
        "kinds_with_a_form": len(TOKENS),
        "kinds": len(scanner.types),
        "compile_cpu_s": round(compiled, 3),
        "spans_found": round(spans_found(rows, scanner), 4),
        "documents": {"affiant": shares(rows, [bool(scanner.find(row["text"])) for row in rows])},
        "labelled_both_ways": labelled_both_ways(rows, scanner),
        "found_with_rules_left_out": without_forms(rows),
        "cpu_ms_per_kb": {
            "plain": round(cpu_ms_per_kb(scanner.find, plain), 4),
            "data": round(cpu_ms_per_kb(scanner.find, [row["text"] for row in rows]), 4),
        },
        "plain": {"characters": sum(map(len, plain)), "findings": sum(len(scanner.find(text)) for text in plain)},
    }
    worst = {name: round(cpu_ms_per_kb(scanner.find, [text], 2), 3) for name, text in hostile().items()}
    result["hostile_cpu_ms_per_kb"] = dict(sorted(worst.items(), key=lambda one: -one[1]))
    flags = peer_detect_secrets(peer_python, rows) if peer_python else None
    result["documents"]["detect-secrets"] = shares(rows, flags) if flags else "absent: name a Python that has it by --peer-python"
    program = shutil.which("gitleaks")
    result["documents"]["gitleaks"] = shares(rows, peer_gitleaks(program, rows)) if program else "absent: not on PATH"
    return result


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench guards-secrets", description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("AFFIANT_DATA", "")), help="folder with secrets/*.jsonl (AFFIANT_DATA)"
    )
    parser.add_argument("--peer-python", default="", help="a Python that has detect-secrets")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args(argv)
    if not (given.data / "secrets").is_dir():
        parser.error("give --data DIR or AFFIANT_DATA: a folder that holds secrets/*.jsonl")
    result = measure(given.data, given.peer_python)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    return 0
