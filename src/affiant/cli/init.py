"""`affiant init`: create a home, once and explicitly."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from affiant.cli.shared import doors_of, home_option, out, say
from affiant.kit.errors import BadInput
from affiant.kit.home import Witness


def parse_witness(text: str) -> Witness:
    """A witness from `VKEY@URL` (the name is in the verifier key) or `NAME=VKEY@URL`.

    Raises:
        BadInput: not of that form.
    """
    vkey, separator, url = text.partition("@")
    name, equals, rest = vkey.partition("=")
    if equals and name and "+" not in name:
        vkey = rest
    parts = vkey.split("+", 2)
    if not separator or len(parts) != 3 or not url.startswith(("http://", "https://")):
        raise BadInput(f"{text!r} names no witness.", "Write --witness 'VKEY@URL', with the verifier key that the witness printed.")
    return Witness(parts[0], vkey, url.rstrip("/"))


@click.command("init")
@home_option
@click.option("--origin", default=None, metavar="NAME", help="Name of the ledger, unique in the world (default: HOST/affiant/RANDOM).")
@click.option("--node", default="n1", show_default=True, metavar="NAME", help="Name of this node.")
@click.option("--witness", "witness", multiple=True, metavar="VKEY@URL", help="An outside cosigner; may be repeated.")
@click.pass_context
def command(ctx: click.Context, home: Path | None, origin: str | None, node: str, witness: tuple[str, ...]) -> None:
    """Create a home: one ledger and its records.

    Refuses a directory that is not empty, and an origin that a given witness already knows: that ledger exists, and
    beginning it again would be a second history under one name. The keys' unlock secret is written outside the home.
    """
    if home is None:
        raise BadInput("No home was named.", "Give --home D, or set AFFIANT_HOME.")
    witnesses = tuple(parse_witness(text) for text in witness)
    made, vkey = doors_of(ctx).init(home, origin or default_origin(), node, witnesses)
    out({"home": str(made.root), "origin": made.origin, "log_vkey": vkey})
    say(f"Created {made.root}. Next: `affiant apply FILE.yaml --home {home}`, then `affiant serve --home {home}`.")
    if not witnesses:
        say("No witness is configured: until one cosigns, nobody outside can tell whether this history was replaced.")


def default_origin() -> str:
    """HOST/affiant/RANDOM."""
    import secrets

    host = "".join(c if c.isalnum() or c in ".-" else "-" for c in socket.gethostname().lower()) or "host"
    return f"{host}/affiant/{secrets.token_hex(4)}"
