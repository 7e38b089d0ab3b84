"""`python -m bench guards`: runs the benchmarks of all guards, one after the other, and writes what they print to docs/guards.md."""

from __future__ import annotations

import contextlib
import io
import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import guards_grounded, guards_injection, guards_names, guards_pii, guards_secrets

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guards.md"
HEAD = """# Guards: what they find, what they miss, what they cost

Written by `make bench BENCH=guards` from public development data (`AFFIANT_DATA`); each section is what one benchmark printed.
Detectors with fixed rules are measured on that data as it is; it was looked at while they were written, so expect less on other
texts. Trained models are measured on whole sources that were left out of training, with 95 % intervals; what a section says of
texts seen in training shows fit only. CPU time is that of one process, the least of several repeats. How guards work together:
docs/decisions/0017-guards.md.
"""
SECTIONS: tuple[tuple[str, str, Callable[[list[str]], int]], ...] = (
    ("Structured personal data", "guards-pii", guards_pii.main),
    ("Persons, locations, organizations", "guards-names", guards_names.main),
    ("Injection and jailbreak", "guards-injection", guards_injection.main),
    ("Secrets", "guards-secrets", guards_secrets.main),
    ("Groundedness", "guards-grounded", guards_grounded.main),
)


def main(arguments: Sequence[str]) -> int:
    """Run all over AFFIANT_DATA; the worst exit code."""
    if not Path(os.environ.get("AFFIANT_DATA", "-")).is_dir():
        print("Where is the public development data? Set AFFIANT_DATA to its folder.", file=sys.stderr)
        return 2
    worst, page = 0, [HEAD, f"Measured {datetime.now(UTC):%Y-%m-%d} on {platform.machine()}, Python {platform.python_version()}.\n"]
    for title, name, run in SECTIONS:
        printed = io.StringIO()
        print(f"{name} …", file=sys.stderr)
        with contextlib.redirect_stdout(printed):
            worst = max(worst, run(list(arguments)))
        page.append(f"## {title}\n\n`python -m bench {name}`\n\n```text\n{printed.getvalue().rstrip()}\n```\n")
    PAGE.write_text("\n".join(page), encoding="utf-8")
    print(f"{PAGE} is written.", file=sys.stderr)
    return worst
