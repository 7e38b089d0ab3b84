"""`affiant apply`: bring records to what a file declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from affiant.cli.session import as_option, session
from affiant.cli.shared import home_option, need_home, out, say


@click.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.yaml")
@home_option
@as_option
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_context
def command(ctx: click.Context, file: Path, home: Path | None, person: str, dry_run: bool) -> None:
    """Bring records to what a file declares, as changes with an author, never round approval.

    The first apply after init is the bootstrap: it is in force at once and marked so. Later ones propose; another person approves
    and activates. A record that the file does not mention stays as it is. Prints one JSON line; secrets of new keys are in it and
    nowhere else.
    """
    with session(ctx, need_home(home), person) as api:
        query = f"?name={quote(file.name)}" + ("&dry_run=1" if dry_run else "")
        done = api.send("POST", f"/apply{query}", file.read_bytes(), "application/yaml")
    out(_line(done))
    for item in done["planned"]:
        if item["action"] not in ("unchanged",):
            say(_words(item))
    proposed = [item for item in done["planned"] if item["state"] == "proposed"]
    if proposed:
        say(f"{len(proposed)} changes wait: `affiant change approve ID --as PERSON`, then `affiant change activate ID --as PERSON`.")
    if done["keys"]:
        say(f"{len(done['keys'])} keys were made; keep their secrets, they are not shown again.")
    if not done["planned"] or all(item["action"] == "unchanged" for item in done["planned"]):
        say("Everything is as the file says; nothing was changed.")


def _line(done: dict[str, Any]) -> dict[str, Any]:
    secrets = [{"key_id": key["key_id"], "secret": key["secret"]} for key in done["keys"]]
    return {"bootstrap": done["bootstrap"], "dry_run": done["dry_run"], "planned": done["planned"], "secrets": secrets}


def _words(item: dict[str, Any]) -> str:
    state = f" · {item['state']}" if item["state"] else ""
    awaits = f" · awaits {item['awaits']}" if item["awaits"] else ""
    note = f" · {item['note']}" if item["note"] else ""
    change = f" · {item['change']}" if item["change"] else ""
    return f"{item['action']:<9} {item['kind']} {item['target']}{state}{awaits}{change}{note}"
