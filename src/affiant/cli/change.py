"""`affiant change …`: propose, approve by another person, activate; or reject."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from affiant.cli.session import as_option, session
from affiant.cli.shared import home_option, need_home, out, say, table, when


@click.group("change")
def command() -> None:
    """Propose, approve, activate, reject and list changes to governed records."""


@command.command("propose")
@click.argument("kind")
@click.argument("target", required=False, default="")
@click.option(
    "--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="YAML with the record's fields, without id."
)
@click.option("--remove", is_flag=True, help="Remove the record.")
@click.option("--approver", default="", metavar="PERSON", help="Who is asked to confirm.")
@click.option("--reason", default="", metavar="TEXT", help="Why.")
@click.option("--emergency", is_flag=True, help="Its author may approve it; that shows as a deviation. Needs --reason.")
@home_option
@as_option
@click.pass_context
def propose(
    ctx: click.Context, kind: str, target: str, file: Path | None, remove: bool, approver: str, reason: str, emergency: bool,
    home: Path | None, person: str,
) -> None:  # fmt: skip
    """Propose a change to the record KIND TARGET, such as `model scribe` (a limit has no target)."""
    body: dict[str, Any] = {"kind": kind, "target": target, "emergency": emergency, "reason": reason, "approved_by": approver}
    if file is not None:
        body["yaml"] = file.read_text(encoding="utf-8")
    if remove:
        body["remove"] = True
    with session(ctx, need_home(home), person) as api:
        _show(api.post("/changes", body))


@command.command("approve")
@click.argument("change")
@click.option("--digest", default="", metavar="HEX", help="Digest of the content that was looked at; another content is refused.")
@home_option
@as_option
@click.pass_context
def approve(ctx: click.Context, change: str, digest: str, home: Path | None, person: str) -> None:
    """Approve a change of somebody else."""
    with session(ctx, need_home(home), person) as api:
        _show(api.post(f"/changes/{change}/approve", {"digest": digest} if digest else {}))


@command.command("activate")
@click.argument("change")
@home_option
@as_option
@click.pass_context
def activate(ctx: click.Context, change: str, home: Path | None, person: str) -> None:
    """Put an approved change into force; every worker in contact decides from it within two seconds."""
    with session(ctx, need_home(home), person) as api:
        _show(api.post(f"/changes/{change}/activate"))


@command.command("reject")
@click.argument("change")
@click.option("--why", default="", metavar="TEXT", help="Why.")
@home_option
@as_option
@click.pass_context
def reject(ctx: click.Context, change: str, why: str, home: Path | None, person: str) -> None:
    """Reject a change, or withdraw one's own."""
    with session(ctx, need_home(home), person) as api:
        _show(api.post(f"/changes/{change}/reject", {"why": why} if why else {}))


@command.command("list")
@click.option("--state", type=click.Choice(["proposed", "approved", "activated", "rejected"]), default=None, help="Only these.")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output.")
@home_option
@as_option
@click.pass_context
def list_command(ctx: click.Context, state: str | None, as_json: bool, home: Path | None, person: str) -> None:
    """List changes, newest first."""
    with session(ctx, need_home(home), person) as api:
        found = api.get("/changes" + (f"?state={state}" if state else ""))
    if as_json:
        out(found)
        return
    rows = [["change", "state", "record", "author", "approved by", "proposed"]]
    for change in found["changes"]:
        marks = "".join(mark for mark, on in ((" emergency", change["emergency"]), (" bootstrap", change["bootstrap"])) if on)
        approvers = ", ".join(each["by"] for each in change["approvals"]) or (f"awaits {change['awaits']}" if change["awaits"] else "")
        record = f"{change['kind']} {change['target']}"
        rows.append([change["id"], change["state"] + marks, record, change["author"], approvers, when(change["proposed_us"])])
    click.echo(table(rows))


def _show(change: dict[str, Any]) -> None:
    out(change)
    say(f"{change['id']}: {change['kind']} {change['target']} is {change['state']}.")
