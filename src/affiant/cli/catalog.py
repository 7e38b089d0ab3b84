"""`affiant catalog …`: what is in a folder of criteria, risks and controls, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import click

from affiant.catalog import check, load
from affiant.cli.shared import out, say
from affiant.kit.errors import BadInput


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
    faults = check(folder)
    counts = {"criteria": 0, "risks": 0, "controls": 0}
    try:
        catalog = load(folder)
        counts = {"criteria": len(catalog.criteria), "risks": len(catalog.risks), "controls": len(catalog.controls)}
    except BadInput:
        if not faults:
            raise
    if as_json:
        out(counts | {"faults": [{"file": fault.file, "text": fault.text, "next_step": fault.next_step} for fault in faults]})
    for fault in faults:
        say(str(fault))
    say(f"{counts['criteria']} criteria, {counts['risks']} risks, {counts['controls']} controls, {len(faults)} faults.")
    return 1 if faults else 0
