"""`python -m bench [NAME] …`: runs one benchmark, `gateway` unless named."""

from __future__ import annotations

import sys

from bench import gateway, guards_grounded, guards_injection, guards_names, guards_page, guards_pii, guards_secrets, ledger, ledger_scale

BENCHES = {
    "gateway": gateway.main,
    "ledger": ledger.main,
    "scale": ledger_scale.main,
    "guards": guards_page.main,
    "guards-secrets": guards_secrets.main,
    "guards-names": guards_names.main,
    "guards-grounded": guards_grounded.main,
    "guards-injection": guards_injection.main,
    "guards-pii": guards_pii.main,
}


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
