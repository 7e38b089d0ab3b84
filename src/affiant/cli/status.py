"""`affiant status`: what runs, how long the ledger is, what anchors it and what is due."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from affiant.cli.session import session
from affiant.cli.shared import home_option, need_home, out, when


@click.command("status")
@home_option
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output.")
@click.pass_context
def command(ctx: click.Context, home: Path | None, as_json: bool) -> None:
    """Show processes (current ids, after restarts too), ledger size, anchors and what is due."""
    with session(ctx, need_home(home)) as api:
        status: dict[str, Any] = api.get("/status")
        status["serving"] = api.served
    processes = status.pop("processes", {}) or {}
    status["pids"] = processes.get("pids", {})
    status["supervisor"] = processes.get("supervisor", 0)
    status["restarts"] = processes.get("restarts", {})
    if as_json:
        out(status)
        return
    for line in _lines(status):
        click.echo(line)


def _lines(status: dict[str, Any]) -> list[str]:
    ledger, pids = status["ledger"], status["pids"]
    lines = [f"{status['origin']} · node {status['node']} · {when(status['now_us'])}"]
    if status["serving"]:
        lines.append(f"serving    gateway {status.get('gateway', '')} · console {status.get('console', '')}")
        lines.append(f"processes  writer {pids.get('writer')} · control {pids.get('control')} · workers {pids.get('workers')}")
        lines.append(f"workers    {status.get('workers_ready', 0)} of {status.get('workers_in_contact', 0)} in contact would serve now")
    else:
        lines.append("serving    nothing serves this home now")
    lines.append(
        f"ledger     {ledger['size']} entries, {ledger['checkpoint_size']} signed · outbox {status['outbox']} · epoch {status['epoch']}"
    )
    anchors = status.get("anchors") or {}
    if anchors.get("size"):
        lines.append(f"anchors    {anchors['count']} cosigned, the newest of {anchors['size']} entries by {anchors['witness']}")
    elif status["serving"]:
        lines.append("anchors    none: a roll-back of everything could not be told from outside")
    for item in status["due"]:
        lines.append(f"due        {item['what']} since {when(item['due_us'])}")
    if status.get("fault"):
        lines.append(f"fault      {status['fault']}")
    return lines
