"""Command line that makes the verifier: `python -m affiant.affidavit.pyz OUT`. Prints its SHA-256, to be published apart from packages."""

from __future__ import annotations

import sys
from pathlib import Path

from affiant.affidavit.verifier import build_verifier


def main(arguments: list[str]) -> int:
    """Command line: one argument, the file to write."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m affiant.affidavit.pyz OUT\n")
        return 2
    out = Path(arguments[0])
    sys.stdout.write(f"{build_verifier(out)}  {out.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
