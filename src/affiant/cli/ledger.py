"""`affiant ledger …`: verify, show, prove, export, follow and serve the ledger. Reads files only; needs nothing that runs.

Leaves out: the affidavit's verifier (`affiant affidavit verify`), outside cosigners (`affiant witness`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from affiant.cli import ledger_keep, ledger_key, ledger_servers, ledger_space
from affiant.cli.shared import home_option, moment_us, need_home, out, say, when
from affiant.kit.errors import BadInput, NotFound
from affiant.ledger import Event
from affiant.ledger.opening import reading, verify_any


@click.group("ledger")
def command() -> None:
    """Verify, show, prove, export, follow and serve the ledger."""


@command.command("verify")
@home_option
@click.option(
    "--vkey", default=None, metavar="KEY", help="The log's verifier key obtained elsewhere (default: the one that entry 0 names)."
)
def verify(home: Path | None, vkey: str | None) -> int:
    """Check everything in the home against everything else, as a numbered argument.

    Rebuilds the tree from the stored entries, opens every signature, compares every tile, bundle, kept and cosigned head. May run
    while the home is served. Exit code 1 when a step is contradicted, 3 where something could not be looked at.
    """
    report = verify_any(need_home(home), vkey)
    words = {1: "shown", 0: "contradicted", -1: "could not look"}
    steps = [{"number": step.number, "what": step.what, "outcome": words[step.ok], "detail": step.detail} for step in report.steps]
    out({"good": report.good, "size": report.size, "signed": report.signed, "steps": steps})
    for line in report.lines():
        say(line)
    return report.exit_code


@command.command("show")
@home_option
@click.option("--index", type=click.IntRange(min=0), default=None, metavar="N", help="The entry with this index.")
@click.option("--exchange", "ref", default=None, metavar="ID", help="Every entry about this exchange (or any other record id).")
def show(home: Path | None, index: int | None, ref: str | None) -> None:
    """Show one entry, or all about an exchange, one JSON object a line, with leaf hash and proof size."""
    if (index is None) == (ref is None):
        raise BadInput("Nothing or too much was asked for.", "Give either --index N or --exchange ID.")
    with reading(need_home(home)) as reader:
        indexes = [index] if index is not None else reader.find(ref or "")
        if not indexes:
            pruned = f" Entries below {reader.begin:,} were pruned and cannot be looked through." if reader.begin else ""
            raise NotFound(f"The ledger has no entry about {ref}.{pruned}", "The id is in the header x-affiant-exchange of the answer.")
        covered = reader.checkpoint().size
        for number in indexes:
            event = reader.event(number)
            out(_shown(number, event, reader.leaf_hash(number).hex(), covered))
            say(f"{number}  {when(event.at_us)}  {event.type}  by {event.actor or event.producer}")


def _shown(index: int, event: Event, leaf: str, covered: int) -> dict[str, Any]:
    value: dict[str, Any] = {
        "index": index, "leaf": leaf, "signed": int(index < covered), "type": event.type, "version": event.version, "at": event.at_us,
        "producer": event.producer, "seq": event.seq, "actor": event.actor, "tenant": event.tenant, "policy": event.policy,
        "ref": event.ref, "body": event.body,
    }  # fmt: skip
    return value


@command.command("prove")
@click.argument("index", type=click.IntRange(min=0), metavar="N")
@home_option
def prove(index: int, home: Path | None) -> None:
    """Print a C2SP tlog-proof of entry N: its inclusion path and the signed checkpoint that it leads to."""
    with reading(need_home(home)) as reader:
        sys.stdout.write(reader.prove(index))


@command.command("export")
@home_option
@click.option("--from", "begin", required=True, metavar="T", help="First instant or UTC date (inclusive).")
@click.option("--to", "end", required=True, metavar="T", help="Last UTC date (inclusive) or end instant (exclusive).")
def export(home: Path | None, begin: str, end: str) -> None:
    """Print the entries of a time, one JSON object a line: index, leaf hash and the entry exactly as stored."""
    until = moment_us(end) + (86_400_000_000 if len(end) == 10 else 0)
    stream = sys.stdout.buffer
    count = 0
    with reading(need_home(home)) as reader:
        for line in reader.export(moment_us(begin), until):
            stream.write(line)
            count += 1
    stream.flush()
    say(f"{count} entries.")


@command.command("tail")
@home_option
@click.option("--from", "start", type=click.IntRange(min=0), default=None, metavar="N", help="Start at this index (default: the last ten).")
@click.option("--follow", "-f", is_flag=True, help="Go on as entries come, until Ctrl-C.")
def tail(home: Path | None, start: int | None, follow: bool) -> None:
    """Print the newest entries, one JSON object a line."""
    with reading(need_home(home)) as reader:
        for index in reader.tail(start, follow):
            sys.stdout.buffer.write(reader.line(index))
            sys.stdout.buffer.flush()


@command.command("serve")
@home_option
@click.option("--port", type=click.IntRange(0, 65_535), default=8082, show_default=True, metavar="P", help="Port; 0: any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on.")
def serve(home: Path | None, port: int, host: str) -> None:
    """Serve the ledger for any tlog-tiles client: checkpoint, tiles and entry bundles, read only.

    HOME/ledger as it lies; of a ledger on servers the same, read from storage and PostgreSQL.
    """
    from affiant.cli.tileserver import serve_tiles

    serve_tiles(need_home(home), host, port)


for _part in (
    ledger_key.command, ledger_keep.hold, ledger_keep.prune, ledger_keep.erasures, ledger_space.archive, ledger_space.rebuild,
    ledger_space.synth, ledger_servers.found, ledger_servers.migrate, ledger_servers.join,
):  # fmt: skip
    command.add_command(_part)
