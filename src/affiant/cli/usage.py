"""`affiant usage …`: a provider's own count, the independent side of the reconciliation."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click

from affiant.cli.session import as_option, session
from affiant.cli.shared import home_option, need_home, out, say


@click.group("usage")
def command() -> None:
    """Import a provider's own count."""


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@home_option
@as_option
@click.pass_context
def import_command(ctx: click.Context, file: Path, home: Path | None, person: str) -> None:
    """Import a provider's own count per key and day: CSV or JSON with provider, account, day, requests, tokens, held.

    A bad row stops the whole file. The same rows again change nothing. `held` is 0 for a key that the gateway does not hold.
    """
    kind = "application/json" if file.suffix.lower() == ".json" else "text/csv"
    with session(ctx, need_home(home), person) as api:
        done = api.send("POST", f"/usage?name={quote(file.name)}", file.read_bytes(), kind)
    out(done)
    say(f"{done['recorded']} rows recorded, {done['known']} known before.")
