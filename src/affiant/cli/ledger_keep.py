"""`affiant ledger hold|prune|erasures|minimum` and `affiant person contact|forget`: what is kept, for how long, and what is destroyed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from affiant.cli.session import Session, as_option, session
from affiant.cli.shared import FINDING, home_option, moment_us, need_home, out, say, when
from affiant.kit.clock import open_clock
from affiant.kit.errors import BadInput
from affiant.kit.home import Home
from affiant.ledger.pruning import Taken, appending, take_away
from affiant.ledger.where import is_server_home

SAID = 10


@click.group("hold")
def hold() -> None:
    """Place, list and release legal holds: nothing under one is pruned or destroyed."""


@hold.command("list")
@home_option
@as_option
@click.pass_context
def list_holds(ctx: click.Context, home: Path | None, person: str) -> None:
    """List legal holds in force, one JSON object."""
    with session(ctx, need_home(home), person) as api:
        out(api.get("/holds"))


@hold.command("place")
@click.option("--scope", default="all", show_default=True, metavar="SCOPE", help="all, or a subject such as person/ann.")
@click.option("--why", required=True, metavar="TEXT", help="Why.")
@home_option
@as_option
@click.pass_context
def place(ctx: click.Context, scope: str, why: str, home: Path | None, person: str) -> None:
    """Place a legal hold."""
    with session(ctx, need_home(home), person) as api:
        made = api.post("/holds", {"scope": scope, "why": why})
    out(made)
    say(f"{made['id']} holds {made['scope']}.")


@hold.command("release")
@click.argument("hold_id", metavar="ID")
@click.option("--why", required=True, metavar="TEXT", help="Why.")
@home_option
@as_option
@click.pass_context
def release(ctx: click.Context, hold_id: str, why: str, home: Path | None, person: str) -> None:
    """Release a legal hold that somebody else placed."""
    with session(ctx, need_home(home), person) as api:
        out(api.post(f"/holds/{quote(hold_id)}/release", {"why": why}))
    say(f"{hold_id} is released.")


@click.command("prune")
@click.option("--before", required=True, metavar="T", help="Instant or UTC date: entries from then on stay.")
@click.option(
    "--archive-to",
    "folder",
    default=None,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Put copies there, on another disk: deflated bundles, each read back and held against the tree.",
)
@click.option("--for-good", is_flag=True, help="Keep no copies: the entries cannot be had again.")
@click.option("--dry-run", is_flag=True, help="Only say what would go, and why it may not.")
@home_option
@as_option
@click.pass_context
def prune(ctx: click.Context, before: str, folder: Path | None, for_good: bool, dry_run: bool, home: Path | None, person: str) -> int:
    """Take old entries out of what is published (C2SP minimum index), and off this disk. Tree, hash tiles and proofs stay as they are.

    Refused before 18 months are over, inside the open period and under a legal hold. Either --archive-to or --for-good says what becomes of
    the entries; both are recorded. Copies of entries about keys, erasures and prunings stay in the home, each with its proof. Killed
    anywhere, it is asked for again. May run while the home is served.

    A ledger on servers is pruned for all its nodes. Of its bundles in storage those go whose lock is over; the rest is named with the end
    of its lock (`locked`), and goes when the command is given again after it.
    """
    opened = need_home(home)
    if not dry_run and (folder is None) == (not for_good):
        raise BadInput("Say what becomes of the entries.", "Give either --archive-to DIR or --for-good; --dry-run shows what would go.")
    with session(ctx, opened, person) as api:
        plan: dict[str, Any] = api.post("/ledger/prune", {"before": moment_us(before), "dry_run": True})
        open_now = api.served
        if not dry_run and (plan["entries"] or plan["refused"] or (plan["held"] >= plan["minimum"] and not plan["left"])):
            plan = api.post("/ledger/prune", {"before": moment_us(before), "dry_run": False})
        if not dry_run and open_now:
            taken = _take(opened, folder, person, lambda: _holds(api))
    words = f"{plan['entries']:,} entries below {plan['minimum']:,} ({plan['files']:,} files, {plan['bytes']:,} bytes)"
    if dry_run:
        out(plan)
        say(f"Would go: {words}; before {when(plan['before_us'])}.")
        if plan["locked_until_us"]:
            say(f"Locked in storage until {when(plan['locked_until_us'])}.")
        if plan["left"]:
            say(f"Still there, though taken away before: {plan['left']:,}.")
        for why in plan["refused"]:
            say(f"Refused: {why}.")
        return FINDING if plan["refused"] else 0
    if not open_now:
        taken = _take(opened, folder, person, tuple)
    where = f"copies in {folder}" if folder is not None else "for good"
    out(plan | {
        "done": True, "removed_bytes": taken.bytes, "packs": taken.packs, "held": taken.stop, "recorded": taken.index,
        "locked": list(taken.locked),
    })  # fmt: skip
    place = "the servers" if is_server_home(opened) else "this disk"
    gone = f"Entries {taken.start:,} to {taken.stop - 1:,} are off {place}, {where}"
    say(f"{gone if taken.start < taken.stop else 'What was left of an earlier pruning was gone through'}: {taken.bytes:,} bytes freed.")
    _say_locked(taken)
    return 0


def _say_locked(taken: Taken) -> None:
    for each in taken.locked[:SAID]:
        until = f"until {when(each['until_us'])}" if each["until_us"] else "by a legal hold of the storage"
        say(f"Left in storage: {each['key']} (version {each['version']}) is locked {until}.")
    if len(taken.locked) > SAID:
        say(f"{len(taken.locked) - SAID:,} more are listed above (`locked`).")
    if taken.locked:
        last = max(each["until_us"] for each in taken.locked)
        say(f"No node reads them any more. Give this command again after {when(last)}." if last else "Give this command again later.")


def _holds(api: Session) -> list[str]:
    return [str(hold["id"]) for hold in api.get("/holds")["holds"]]


def _take(home: Home, folder: Path | None, person: str, holds: Callable[[], Sequence[str]]) -> Taken:
    by = f"person:{person}" if person else "system:local"
    if is_server_home(home):
        from affiant.ledger.serverhome.pruning import prune_servers

        return prune_servers(home, open_clock(), folder, by, holds)
    with appending(home, open_clock()) as append:
        return take_away(home, append, folder, by, holds)


@click.command("erasures")
@home_option
@as_option
@click.pass_context
def erasures(ctx: click.Context, home: Path | None, person: str) -> None:
    """After an older copy of the home was restored: destroy again every subject's key that was destroyed since."""
    with session(ctx, need_home(home), person) as api:
        done = api.post("/erasures/reapply")
    out(done)
    say(f"{len(done['subjects'])} destroyed again." if done["subjects"] else "Nothing was destroyed since this copy was made.")


@click.command("contact")
@click.argument("who", metavar="PERSON")
@click.option("--set", "address", default="", metavar="ADDRESS", help="Keep this e-mail address, sealed (default: show the one kept).")
@home_option
@as_option
@click.pass_context
def contact(ctx: click.Context, who: str, address: str, home: Path | None, person: str) -> None:
    """Show or set PERSON's contact address. The ledger holds a commitment only; looking at one is an entry.

    Shown with its salt, by which anybody who is given both can check the entry (docs/decisions/0016-erasure.md).
    """
    with session(ctx, need_home(home), person) as api:
        out(api.post(f"/people/{quote(who)}/contact", {"contact": address}) if address else api.get(f"/people/{quote(who)}/contact"))


@click.command("forget")
@click.argument("who", metavar="PERSON")
@click.option("--why", required=True, metavar="TEXT", help="Why, such as the number of a request.")
@home_option
@as_option
@click.pass_context
def forget(ctx: click.Context, who: str, why: str, home: Path | None, person: str) -> None:
    """Destroy the key of PERSON's sealed values: they cannot be had again, here or from any copy of the home."""
    with session(ctx, need_home(home), person) as api:
        done = api.post(f"/subjects/person/{quote(who)}/forget", {"why": why})
    out(done)
    say(f"{done['values']} sealed values are gone; the ledger and its proofs are as they were.")
