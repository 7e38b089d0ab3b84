"""`affiant guard protect|appeal|appeals|decide`: what guards look for beyond patterns, and what people say of their decisions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from affiant.cli.session import as_option, session
from affiant.cli.shared import home_option, need_home, out, say, table, when
from affiant.guards.leakage import GRAM, MAX_PRINTS, canary_print, fingerprints
from affiant.kit.errors import BadInput

KINDS = ("document", "canary", "marker")
LABELS = ("public", "internal", "confidential", "restricted")
MAX_BYTES = 8 * 1024 * 1024


@click.command("protect")
@click.argument("file", metavar="FILE|-")
@click.option("--id", "record", required=True, metavar="ID", help="Id of the record.")
@click.option("--what", type=click.Choice(KINDS), default="document", show_default=True, help="A document, a canary, or a tenant's marker.")
@click.option(
    "--label", type=click.Choice(LABELS), default="confidential", show_default=True, help="Routes from this label on may hold it."
)
@click.option("--tenant", default="", metavar="TENANT", help="Whose it is: no other tenant's exchange may hold it.")
@home_option
@as_option
@click.pass_context
def protect(ctx: click.Context, file: str, record: str, what: str, label: str, tenant: str, home: Path | None, person: str) -> None:
    """Propose that a text is looked for in requests and answers. Fingerprints of it are kept, never the text.

    A document is found by passages of about 20 words, whatever their case, spacing or look-alike letters. A canary is a string that
    stands nowhere else; a marker is one that stands in everything of a tenant. Another person approves: affiant change approve.
    """
    text = _text(file)
    if what == "document":
        words, prints = GRAM, fingerprints(text)
        if not prints or len(prints) > MAX_PRINTS:
            raise BadInput(
                f"The document has {len(prints):,} fingerprints.", f"Give 1 to {MAX_PRINTS:,}: from {GRAM} words to about 50,000."
            )  # fmt: skip
    else:
        try:
            words, one = canary_print(text.strip())
        except ValueError as error:
            raise BadInput(f"This cannot be told from ordinary text: {error}.", "Make up a longer one.") from None
        prints = frozenset([one])
    joined = "".join(f"{value:016x}" for value in sorted(prints))
    content: dict[str, Any] = {"what": what, "label": label, "tenant": tenant, "words": words, "prints": joined}
    with session(ctx, need_home(home), person) as api:
        change = api.post("/changes", {"kind": "protected", "target": record, "content": content})
    out({"change": change["id"], "id": record, "what": what, "prints": len(prints)})
    say(f"{change['id']} proposes to look for {record} ({len(prints):,} fingerprints); another person approves it: affiant change approve.")


def _text(file: str) -> str:
    """Text of a file or of standard input.

    Raises:
        BadInput: not there, too large, or no UTF-8.
    """
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1) if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.", "Name a text file, or - for standard input.") from None
    if len(data) > MAX_BYTES:
        raise BadInput(f"{file} is larger than {MAX_BYTES:,} bytes.", "Protect its parts one by one.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"{file} is no UTF-8 text.", "Turn it into plain text first, such as with pdftotext.") from None


@click.command("appeal")
@click.argument("exchange", metavar="EXCHANGE")
@click.option("--why", required=True, metavar="TEXT", help="Why the guard was wrong; kept in the records, not in the ledger.")
@home_option
@as_option
@click.pass_context
def appeal(ctx: click.Context, exchange: str, why: str, home: Path | None, person: str) -> None:
    """Say that a guard was wrong about EXCHANGE (the x-affiant-exchange header of its answer)."""
    with session(ctx, need_home(home), person) as api:
        made = api.post(f"/exchanges/{quote(exchange)}/appeal", {"why": why})
    out(made)
    say(f"{made['id']} is open; somebody else decides it: affiant guard decide.")


@click.command("appeals")
@click.option("--exchange", default="", metavar="ID", help="Only those about this exchange.")
@home_option
@as_option
@click.pass_context
def appeals(ctx: click.Context, exchange: str, home: Path | None, person: str) -> None:
    """List appeals, one JSON object; a table for people."""
    with session(ctx, need_home(home), person) as api:
        found = api.get("/appeals" + (f"?exchange={quote(exchange)}" if exchange else ""))
    out(found)
    rows = [[each["id"], each["state"], each["exchange"], each["by"], when(each["at_us"]), each["why"][:60]] for each in found["appeals"]]
    say(table([["appeal", "state", "exchange", "by", "at", "why"], *rows]) if rows else "Nobody has appealed.")


@click.command("decide")
@click.argument("appeal_id", metavar="APPEAL")
@click.argument("outcome", type=click.Choice(["upheld", "rejected"]))
@click.option("--why", required=True, metavar="TEXT", help="Why.")
@home_option
@as_option
@click.pass_context
def decide(ctx: click.Context, appeal_id: str, outcome: str, why: str, home: Path | None, person: str) -> None:
    """Decide APPEAL of somebody else: upheld, the guard was wrong; rejected, it was right. No policy changes by that."""
    with session(ctx, need_home(home), person) as api:
        made = api.post(f"/appeals/{quote(appeal_id)}/decide", {"outcome": outcome, "why": why})
    out(made)
    say(f"{made['id']} is {made['state']}." + (" Propose a change of the policy: affiant change propose." if outcome == "upheld" else ""))
