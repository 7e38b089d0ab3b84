"""Fails when a test was skipped: what could not be looked at is not good. Reads a JUnit report written by pytest."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def main() -> int:
    """Print each skip with its reason; exit 1 if there was one."""
    tree = ElementTree.fromstring(Path(sys.argv[1]).read_text(encoding="utf-8"))  # noqa: S314 -- our own report, just written
    skipped = [(case, found) for case in tree.iter("testcase") if (found := case.find("skipped")) is not None]
    for case, found in skipped:
        sys.stderr.write(f"skipped: {case.get('classname')}.{case.get('name')}: {found.get('message')}" + "\n")
    return 1 if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
