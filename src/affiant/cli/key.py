"""`affiant key …`: gateway keys. A secret is shown once, when its key is made; only its hash is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from affiant.cli.session import as_option, session
from affiant.cli.shared import home_option, need_home, out, say, table, when


@click.group("key")
def command() -> None:
    """Create, list and revoke gateway keys."""


@command.command("create")
@click.option(
    "--models",
    "models",
    multiple=True,
    required=True,
    metavar="M",
    help="Route or model ids that it may call, or * for every route of its tenant; repeat or separate by commas.",
)
@click.option("--tenant", default="", metavar="T", help="Tenant (default: none).")
@click.option("--owner", default="", metavar="P", help="Person who answers for it (default: the one named with --as).")
@click.option("--expires", default="", metavar="T", help="Date (its end, UTC) or instant after which it stops working.")
@click.option("--id", "key_id", default="", metavar="ID", help="Its id (default: a fresh one).")
@click.option("--probes", is_flag=True, help="Keep its secret, sealed, for probes of this home.")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output (it is always JSON).")
@home_option
@as_option
@click.pass_context
def create(
    ctx: click.Context, models: tuple[str, ...], tenant: str, owner: str, expires: str, key_id: str, probes: bool, as_json: bool,
    home: Path | None, person: str,
) -> None:  # fmt: skip
    """Make a gateway key; prints {"key_id","secret"}, the only time that the secret is shown."""
    body: dict[str, Any] = {"models": [part for text in models for part in text.split(",") if part]}
    body |= {name: value for name, value in (("tenant", tenant), ("owner", owner), ("expires", expires), ("id", key_id)) if value}
    if probes:
        body["probes"] = True
    with session(ctx, need_home(home), person) as api:
        made = api.post("/keys", body)
    out({"key_id": made["key_id"], "secret": made["secret"]})
    say("Keep the secret; it is not shown again.")


@command.command("list")
@click.option("--owner", default="", metavar="P", help="Only this person's.")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output.")
@home_option
@as_option
@click.pass_context
def list_command(ctx: click.Context, owner: str, as_json: bool, home: Path | None, person: str) -> None:
    """List keys, without secrets."""
    with session(ctx, need_home(home), person) as api:
        found = api.get("/keys" + (f"?owner={owner}" if owner else ""))
    if as_json:
        out(found)
        return
    rows = [["key", "state", "owner", "tenant", "models", "expires"]]
    for key in found["keys"]:
        expires = when(key["expires_us"]) if key["expires_us"] else "never"
        rows.append([key["id"], key["state"], key["owner"], key["tenant"], ", ".join(key["models"]), expires])
    click.echo(table(rows))


@command.command("revoke")
@click.argument("key")
@click.option("--why", default="", metavar="TEXT", help="Why.")
@home_option
@as_option
@click.pass_context
def revoke(ctx: click.Context, key: str, why: str, home: Path | None, person: str) -> None:
    """Revoke a key: every worker in contact refuses it within two seconds."""
    with session(ctx, need_home(home), person) as api:
        done = api.post(f"/keys/{key}/revoke", {"why": why} if why else {})
    out(done)
    say(f"{key} is {done['state']}.")


@command.command("rotate")
@click.argument("key")
@home_option
@as_option
@click.pass_context
def rotate(ctx: click.Context, key: str, home: Path | None, person: str) -> None:
    """Make a new key like this one and revoke this one, in one step; prints {"key_id","secret"}."""
    with session(ctx, need_home(home), person) as api:
        made = api.post(f"/keys/{key}/rotate")
    out({"key_id": made["key_id"], "secret": made["secret"]})
    say("Keep the secret; it is not shown again.")
