"""A stand-in witness, `python -m affiant.testing.witness --dir D --port P [--log VKEY]`: the real code, run by whom it should watch.

Unlike `affiant witness serve` it may start before any log is known, so that a home can be created against it. Prints one JSON line
when ready. Leaves out: everything about cosigning (the ledger room).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from affiant.kit.errors import AffiantError
from affiant.ledger import run_witness

NOTICE = (
    "Affiant stand-in witness: run beside the ledger that it cosigns, so its cosignatures show the format and prove nothing to an outsider."
)


def main() -> int:
    """Run it until SIGTERM or Ctrl-C; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m affiant.testing.witness", description="A stand-in for an outside witness.")
    parser.add_argument("--dir", type=Path, required=True, help="where its key and its memory lie")
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one")
    parser.add_argument("--name", default="stand-in-witness")
    parser.add_argument("--log", action="append", default=[], metavar="VKEY", help="verifier key of a log; may be repeated")
    options = parser.parse_args()
    sys.stderr.write(NOTICE + "\n")
    options.dir.mkdir(parents=True, exist_ok=True, mode=0o700)

    def ready(url: str, vkey: str) -> None:
        sys.stdout.write(json.dumps({"ready": True, "url": url, "vkey": vkey}) + "\n")
        sys.stdout.flush()

    try:
        run_witness(options.dir / "witness.db", options.dir / "key", f"127.0.0.1:{options.port}", options.log, options.name, ready=ready)
    except AffiantError as error:
        sys.stderr.write(f"affiant witness: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
