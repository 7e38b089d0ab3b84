"""`affiant catalog …`: what is in a folder of criteria, risks and controls, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import click

from affiant.catalog import check
from affiant.cli.shared import out, say


@click.group("catalog")
def command() -> None:
    """Check criteria, risks and controls."""


@command.command("check")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path), metavar="[DIR]")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output.")
def check_command(folder: Path | None, as_json: bool) -> int:
    """Check a catalog folder (default: the one shipped): every file, every reference, every query against the grammar.

    Exit code 1 where there is a fault; each is named with its file and what to do.
    """
    found = check(folder)
    faults = found["faults"]
    if as_json:
        out(found)
    for fault in faults:
        say(f"{fault['file']}: {fault['fault']} {fault['next']}")
    say(f"{found['criteria']} criteria, {found['risks']} risks, {found['controls']} controls, {len(faults)} faults.")
    if found["uncovered"]:
        say(f"{len(found['uncovered'])} criteria have no control of this catalog yet.")
    return 1 if faults else 0
