"""`affiant person …`: who there is, how they sign in to the console for the first time, and how they leave."""

from __future__ import annotations

from pathlib import Path

import click

from affiant.cli import ledger_keep
from affiant.cli.session import as_option, session
from affiant.cli.shared import home_option, need_home, out, say, table
from affiant.kit.errors import Conflict


@click.group("person")
def command() -> None:
    """List people, give out sign-in links, take people out."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output.")
@home_option
@as_option
@click.pass_context
def list_command(ctx: click.Context, as_json: bool, home: Path | None, person: str) -> None:
    """List people and their roles."""
    with session(ctx, need_home(home), person) as api:
        found = api.get("/people")
    if as_json:
        out(found)
        return
    rows = [["person", "roles", "state", "password"]]
    for each in found["people"]:
        rows.append([each["id"], ", ".join(each["roles"]), "active" if each["active"] else "left", "yes" if each["has_password"] else "no"])
    click.echo(table(rows))


@command.command("link")
@click.argument("who", metavar="PERSON")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output.")
@home_option
@as_option
@click.pass_context
def link(ctx: click.Context, who: str, as_json: bool, home: Path | None, person: str) -> None:
    """Print a link with which PERSON signs in to the console once, within a quarter of an hour."""
    with session(ctx, need_home(home), person) as api:
        if not api.served:
            raise Conflict("Nothing serves the console now.", "Start `affiant serve`, then ask for the link.")
        made = api.post(f"/people/{who}/link")
    if as_json:
        out(made)
    else:
        click.echo(made["url"])
    say(f"It opens once, as {who}, within {made['expires_s'] // 60} minutes.")


@command.command("leave")
@click.argument("who", metavar="PERSON")
@home_option
@as_option
@click.pass_context
def leave(ctx: click.Context, who: str, home: Path | None, person: str) -> None:
    """Take PERSON out: roles, sessions and keys are gone in one step."""
    with session(ctx, need_home(home), person) as api:
        out(api.post(f"/people/{who}/leave"))
    say(f"{who} has left.")


command.add_command(ledger_keep.contact)
command.add_command(ledger_keep.forget)
