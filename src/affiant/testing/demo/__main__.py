"""`python -m affiant.testing.demo`: what `make demo` runs. Leaves out: everything but reading the options."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from affiant.kit.errors import AffiantError
from affiant.testing.demo.run import Options, run


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m affiant.testing.demo", description="An invented company with 90 days of history.")
    parser.add_argument("--dir", type=Path, default=Path(".demo"), help="where it lies (default .demo)")
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--exchanges", type=int, default=3_000, help="over all days, about")
    parser.add_argument("--port", type=int, default=0, help="the gateway's port (default: the last one, else 8080, else any free)")
    parser.add_argument("--no-wait", action="store_true", help="stop when the history is made")
    parser.add_argument("--fresh", action="store_true", help="begin anew")
    given = parser.parse_args()
    if given.days < 1 or given.exchanges < 0:
        parser.error("--days must be at least 1 and --exchanges not negative")
    return Options(given.dir, given.days, given.exchanges, not given.no_wait, given.port, given.fresh)


def main() -> int:
    """Run it; expected errors are one sentence and a next step."""
    try:
        return run(_options())
    except AffiantError as error:
        sys.stderr.write(f"\naffiant demo: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
