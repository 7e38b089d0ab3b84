"""`python -m bench [NAME] …`: runs one benchmark, `gateway` unless named."""

from __future__ import annotations

import sys

from bench import gateway, ledger, ledger_scale

BENCHES = {"gateway": gateway.main, "ledger": ledger.main, "scale": ledger_scale.main}


def main() -> int:
    """Run the benchmark that is named first, with the rest as its arguments."""
    arguments = sys.argv[1:]
    name = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "gateway"
    if name not in BENCHES:
        print(f"There is no benchmark {name!r}; one of: {', '.join(BENCHES)}.", file=sys.stderr)
        return 2
    return BENCHES[name](arguments)


if __name__ == "__main__":
    sys.exit(main())
