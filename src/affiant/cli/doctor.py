"""`affiant doctor`: every fault of a home at once, each with what to do. Looks, changes nothing.

Leaves out: the checks themselves (`checks`).
"""

from __future__ import annotations

from pathlib import Path

import click

from affiant.cli.checks import Outcome, State, run_checks
from affiant.cli.shared import home_option, out, say, worst

_SHAPES = {State.GOOD: "✓", State.FAULT: "✗", State.UNSEEN: "?", State.NOTE: "·"}
_CODES = {State.GOOD: 0, State.NOTE: 0, State.FAULT: 1, State.UNSEEN: 3}


@click.command("doctor")
@home_option
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output.")
def command(home: Path | None, as_json: bool) -> int:
    """Name every fault of a home at once, each with what to do.

    Looks at Python, home and permissions, keys, ports, disk, clock, ledger, records, subjects' key halves, outbox, anchors and running
    processes.
    Exit code 0: no fault, 1: at least one, 3: something could not be looked at.
    """
    outcomes = run_checks(home)
    if as_json:
        out({
            "faults": [_row(outcome) for outcome in outcomes if outcome.state in (State.FAULT, State.UNSEEN)],
            "checks": [_row(outcome) for outcome in outcomes],
        })  # fmt: skip
    for outcome in outcomes:
        say(f"{_SHAPES[outcome.state]} {outcome.check:<12} {outcome.what}")
        if outcome.do:
            say(f"  {'':<12} → {outcome.do}")
    faults = sum(outcome.state is State.FAULT for outcome in outcomes)
    unseen = sum(outcome.state is State.UNSEEN for outcome in outcomes)
    say(f"{faults} fault{'' if faults == 1 else 's'}, {unseen} not looked at, {len(outcomes)} checks.")
    return worst(_CODES[outcome.state] for outcome in outcomes)


def _row(outcome: Outcome) -> dict[str, str]:
    return {"check": outcome.check, "state": outcome.state.value, "what": outcome.what, "do": outcome.do}
