"""`affiant ledger found|migrate|join`: a ledger on PostgreSQL and S3-compatible storage, for several nodes. Needs `affiant[server]`.

Leaves out: everything else; other commands work on such a home as on any other (docs/operations-server.md).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from affiant.cli.init import default_origin, parse_witness
from affiant.cli.shared import doors_of, home_option, need_home, out, say
from affiant.kit.errors import BadInput

F = TypeVar("F", bound=Callable[..., Any])


def _servers_option(function: F) -> F:
    return click.option(
        "--servers", "servers", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
        help="Where the ledger lies: JSON as in docs/operations-server.md, secrets by reference only.",
    )(function)  # fmt: skip


@click.command("found")
@home_option
@_servers_option
@click.option("--origin", default=None, metavar="NAME", help="Name of the ledger, unique in the world (default: HOST/affiant/RANDOM).")
@click.option("--node", default="n1", show_default=True, metavar="NAME", help="Name of this node.")
@click.option("--witness", "witness", multiple=True, metavar="VKEY@URL", help="An outside cosigner; may be repeated.")
@click.pass_context
def found(ctx: click.Context, home: Path | None, servers: Path, origin: str | None, node: str, witness: tuple[str, ...]) -> None:
    """Create a home whose ledger and records begin on servers.

    Tries to break a lock of the storage first, and refuses storage that lets it, or a PostgreSQL that does not sync.
    """
    if home is None:
        raise BadInput("No home was named.", "Give --home D, or set AFFIANT_HOME.")
    witnesses = tuple(parse_witness(text) for text in witness)
    made, vkey = doors_of(ctx).init(home, origin or default_origin(), node, witnesses, servers)
    out({"home": str(made.root), "origin": made.origin, "log_vkey": vkey})
    say(f"Created {made.root}; its ledger lies on servers. Next: `affiant apply FILE.yaml --home {home}`.")


@click.command("migrate")
@home_option
@_servers_option
@click.pass_context
def migrate(ctx: click.Context, home: Path | None, servers: Path) -> int:
    """Move ledger and records of a home that nothing serves to servers.

    Indexes, bytes, signed heads, proofs and every record stay what they were; both sides are checked, before and after. If it breaks
    off, repeat it: the home keeps its own until the end. What lay in the home goes to HOME/moved. A home whose ledger moved earlier moves
    its records.
    """
    opened = need_home(home)
    report = doors_of(ctx).migrate(opened, servers)
    out({"home": str(opened.root), "good": report.good, "size": report.size, "signed": report.signed})
    for line in report.lines():
        say(line)
    say(f"Ledger and records of {opened.root} lie on servers; {opened.root / 'moved'} holds what was here.")
    return report.exit_code


@click.command("join")
@home_option
@_servers_option
@click.pass_context
def join(ctx: click.Context, home: Path | None, servers: Path) -> None:
    """Make a directory another node of a ledger on servers.

    Put a copy of another node's affiant.json, with a `node` of its own, and of its keys/ and files/ there first. Records are shared: there
    is nothing to apply.
    """
    if home is None:
        raise BadInput("No home was named.", "Give --home D, or set AFFIANT_HOME.")
    made = doors_of(ctx).join(home, servers)
    out({"home": str(made.root), "origin": made.origin, "node": made.node})
    say(f"{made.root} is the node {made.node}. Next: `affiant apply FILE.yaml --home {home}`, then `affiant serve --home {home}`.")
