"""`python -m training.secrets`: writes `letters.py` from the words of this repository's own documents and code.

Each different word of three letters or more counts once. A pair's digit is `log2(26 · P(second | first))` with add-one
smoothing, moved by 4.5 and cut to 0..9. Leaves out: any foreign text, so that no licence but our own is involved.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = "src/affiant/guards/detectors/secrets/letters.py"
SKIPPED = ("guards/detectors/secrets", "/library/", "/static/", "/fonts/")
_WORD = re.compile(r"[A-Z]?[a-z]{2,}")


def words(root: Path) -> Iterator[str]:
    """Lower-case words of the documents and the code, camel case split, each once."""
    seen: set[str] = set()
    files = sorted([*root.glob("docs/**/*.md"), root / "README.md", *root.glob("src/**/*.py")])
    for path in files:
        if any(part in path.as_posix() for part in SKIPPED):
            continue
        for match in _WORD.finditer(path.read_text(encoding="utf-8")):
            word = match.group().lower()
            if len(word) >= 3 and word not in seen:
                seen.add(word)
                yield word


def table(found: Iterator[str]) -> str:
    """The 676 digits, row by first letter."""
    counts = [[1.0] * 26 for _ in range(26)]
    for word in found:
        for first, second in pairwise(word):
            counts[ord(first) - 97][ord(second) - 97] += 1
    digits = []
    for row in counts:
        total = sum(row)
        digits += [str(min(9, max(0, round(math.log2(26 * count / total) + 4.5)))) for count in row]
    return "".join(digits)


def main(argv: list[str]) -> int:
    """Write the module."""
    parser = argparse.ArgumentParser(prog="python -m training.secrets", description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    parser.add_argument("--data", type=Path, help="not used: the table is trained from this repository's own words")
    parser.add_argument("--out", type=Path, help="not used: the table is a module, not a file of weights")
    root = parser.parse_args(argv).root
    digits = table(words(root))
    lines = [f'    "{digits[start : start + 26]}"' for start in range(0, 676, 26)]
    text = '"""How usual each pair of letters is in words, a digit a pair; written by `python -m training.secrets`, do not edit."""\n\n'
    text += "PAIRS = (\n" + "\n".join(lines) + "\n)\n"
    (root / TARGET).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
