"""Command line of the verifier: `python verify.pyz FILE [--trust FILE] [--anchor FILE]… [--prior FILE] [--jobs N] [--json]`.

Exit status: 0 good and anchored · 1 a lie · 2 bad input or usage · 3 consistent in itself, not anchored.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import List, Optional

from .beside import MOST
from .check import verify_file
from .receipt import NOT_SHOWN as RECEIPT_NOT_SHOWN
from .sampled import NOT_SHOWN
from .verify import BAD_INPUT, Report, SourceOf

_MARKS = {"good": "ok", "open": "--", "failed": "XX"}


def _safe(text: str) -> str:
    """Text from a package without characters that could drive a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def print_report(report: Report) -> None:
    """The argument for people, on standard output."""
    facts = report.facts
    mode = str(facts.get("mode", "")) if not facts.get("in_place") else "full"
    hidden = {"sample": NOT_SHOWN, "receipt": RECEIPT_NOT_SHOWN}.get(mode, ())
    if mode == "sample":
        print("SAMPLE MODE: drawn rows and their proofs travel, not the entries; what that does not show is said below.")
    if mode == "receipt":
        print("RECEIPT: one tenant's own entries with their proofs; what that does not show is said below.")
    if facts:
        if facts["demo"]:
            print("DEMONSTRATION: made-up traffic of a demo home; evidence of nothing.")
        print(_safe(f"Affidavit {facts['id']} of {facts['origin']}, {facts['mode']} mode"))
        print()
    for step in report.steps:
        print(_safe(f"{step.number:3}. [{_MARKS[step.state]}] {step.claim}"))
        print(_safe(f"          {step.found}"))
    for stamp in facts.get("stamps", ()):
        print(
            _safe(
                f"     [--] Time-stamp by {stamp['authority']} over {stamp['size']:,} entries: travels, is not checked here. To check it:"
            )
        )
        print(_safe(f"          {stamp['command']}"))
    print()
    print(_safe(report.verdict))
    for text in hidden if report.exit_code in (0, 3) else ():
        print(f"Not shown: {text}.")
    if mode == "sample" and report.exit_code in (0, 3):
        print("To see these shown: `affiant affidavit verify FILE --ledger URL`, where the company publishes its ledger.")
    if report.steps and report.exit_code in (0, 3):
        print("Not shown: that entries were true when written, and that nothing went round the gateway. This is no attestation report.")


def main(arguments: Optional[List[str]] = None, source_of: Optional[SourceOf] = None) -> int:
    """Run the command line; gives the exit status.

    Args:
        arguments: of the command line.
        source_of: where other programs let entries come from, see `check`.
    """
    parser = argparse.ArgumentParser(prog="verify.pyz", description="Checks an affidavit offline, with nothing but Python.")
    parser.add_argument("file", help="the package (.affidavit)")
    parser.add_argument("--trust", metavar="FILE", help="trust file: keys of log and witnesses, obtained elsewhere (C2SP tlog-policy)")
    parser.add_argument("--anchor", metavar="FILE", action="append", default=[], help="a cosigned checkpoint that you got from a witness")
    parser.add_argument("--prior", metavar="FILE", help="the full package of the period before, for opening balances")
    parser.add_argument("--jobs", metavar="N", type=_jobs, default=0, help="processes to use (1 to 61); without it one a core, up to 8")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(arguments)
    try:
        trust = _read(options.trust).decode("utf-8") if options.trust else None
        anchors = [_read(path) for path in options.anchor]
    except (OSError, UnicodeDecodeError) as error:
        print(f"A file given cannot be read: {error}", file=sys.stderr)
        return BAD_INPUT
    report = verify_file(options.file, trust, anchors, source_of, options.prior, options.jobs)
    if options.json:
        steps = [{"number": step.number, "claim": step.claim, "found": step.found, "state": step.state} for step in report.steps]
        out = {"verdict": report.verdict, "exit": report.exit_code, "facts": report.facts, "controls": report.controls, "steps": steps}
        print(json.dumps(out, indent=1))
    else:
        print_report(report)
    return report.exit_code


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"give a number from 1 to {MOST}, not {text}")
    return int(text)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(16 << 20)


if __name__ == "__main__":
    sys.exit(main())
