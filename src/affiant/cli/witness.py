"""`affiant witness …`: be an outside cosigner. Needs no home: a witness knows logs by name and key, and remembers what it signed."""

from __future__ import annotations

from pathlib import Path

import click

from affiant.cli.shared import out, say
from affiant.ledger import run_witness


@click.group("witness")
def command() -> None:
    """Be an outside cosigner of a ledger."""


@command.command("serve")
@click.option("--dir", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where its key and its memory lie; made if missing.")
@click.option("--name", required=True, metavar="NAME", help="Its name, unique in the world, such as witness.example/w1.")
@click.option("--log", "logs", multiple=True, required=True, metavar="VKEY", help="Verifier key of a log that it cosigns; may be repeated.")
@click.option("--listen", default="127.0.0.1:8470", show_default=True, metavar="HOST:PORT", help="Where it listens; port 0: any free one.")
def serve(folder: Path, name: str, logs: tuple[str, ...], listen: str) -> None:
    """Cosign heads of logs, refusing forks, stale sizes and rewritten history.

    Prints one JSON line when ready, with its URL and verifier key. Keep DIR: a witness that lost its memory needs a new key. One
    that the audited company does not run is what makes a period trustworthy.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def ready(url: str, vkey: str) -> None:
        out({"ready": True, "url": url, "vkey": vkey})
        say(f"Cosigning {len(logs)} logs on {url} · name this witness with --witness '{vkey}@{url}' · Ctrl-C stops")

    run_witness(folder / "witness.db", folder / "key", listen, list(logs), name, ready=ready)


@command.command("key")
@click.option("--dir", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where its key and its memory lie; made if missing.")
@click.option("--name", required=True, metavar="NAME", help="Its name, unique in the world, such as witness.example/w1.")
def key(folder: Path, name: str) -> None:
    """Print the verifier key of a witness as JSON, making the key if there is none: a home needs it before the witness knows the log."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    out({"name": name, "vkey": witness_vkey(folder / "key", name)})
