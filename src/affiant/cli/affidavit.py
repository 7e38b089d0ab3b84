"""`affiant affidavit …`: build the package handed to an auditor, and verify one.

Verifying uses the same code as `verify.pyz` and nothing of a home. Leaves out: what a package holds (docs/affidavit.md).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from affiant.cli.session import as_option, session
from affiant.cli.shared import GOOD, UNSEEN, home_option, need_home, out, period_us, say, worst
from affiant.kit.errors import BadInput


@click.group("affidavit")
def command() -> None:
    """Build and verify the package handed to an auditor."""


@command.command("build")
@click.option("--period", required=True, metavar="A..B", help="UTC dates, both inclusive, or instants, half-open.")
@click.option(
    "--out",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The package; it must not exist.",
)
@click.option(
    "--mode",
    type=click.Choice(["auto", "full", "sample"]),
    default="auto",
    show_default=True,
    help="full: every entry travels; sample: drawn rows with their proofs; auto: sample above 5,000,000 entries.",
)
@home_option
@as_option
@click.pass_context
def build(ctx: click.Context, period: str, target: Path, mode: str, home: Path | None, person: str) -> None:
    """Build the affidavit of a period for which every control was run.

    Each control is computed again from the entries that travel before anything is written. Prints one JSON line.
    """
    import hashlib

    period_us(period)
    if target.exists():
        raise BadInput(f"{target} exists.", "Choose another name; a package is never replaced.")
    if not target.parent.is_dir():
        raise BadInput(f"There is no folder {target.parent}.", "Make it first.")
    temporary = target.with_name(target.name + ".part")
    try:
        with session(ctx, need_home(home), person) as api, open(temporary, "wb+") as file:
            api.fetch("/affidavits", {"period": period, "mode": mode}, file)
            file.seek(0)
            sha256, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
        os.link(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    out({"file": str(target), "bytes": size, "sha256": sha256})
    say(f"Wrote {target}. Hand it over with verify.pyz obtained apart from it; see docs/affidavit.md.")


@command.command("receipt")
@click.option("--tenant", required=True, metavar="T", help="Whose entries; no other tenant's are in it.")
@click.option("--period", required=True, metavar="A..B", help="UTC dates, both inclusive, or instants, half-open.")
@click.option(
    "--out",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The receipt; it must not exist.",
)
@home_option
def receipt(tenant: str, period: str, target: Path, home: Path | None) -> None:
    """Write one tenant's own entries with their proofs, to hand to that customer; verify.pyz checks it.

    Reads files only; needs nothing that runs. Prints one JSON line.
    """
    from affiant.affidavit.receipt import build_receipt
    from affiant.kit.clock import open_clock
    from affiant.ledger.opening import reading

    from_us, to_us = period_us(period)
    found = need_home(home)
    with reading(found) as reader:
        made = build_receipt(found, reader, tenant, from_us, to_us, target, open_clock().now_us())
    out({"file": str(target), "id": made.id, "entries": made.entries, "exchanges": made.exchanges, "sha256": made.sha256})
    say(f"Wrote {target}: {made.exchanges:,} exchanges of {tenant}, and nothing of anybody else.")


@command.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option(
    "--trust",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    metavar="F",
    help="Trust file: keys of log and witnesses, obtained elsewhere.",
)
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="F",
    help="A cosigned checkpoint that you got from a witness; may be repeated.",
)
@click.option("--ledger", "ledger", default=None, metavar="URL", help="Check against the log that is published at this URL.")
@click.option(
    "--prior",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    metavar="F",
    help="The full package of the period before: opening balances are compared with its entries.",
)
@click.option("--jobs", type=click.IntRange(1, 61), default=None, metavar="N", help="Processes to use; without it one a core, up to 8.")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output.")
def verify(
    file: Path, trust: Path | None, anchors: tuple[Path, ...], ledger: str | None, prior: Path | None, jobs: int | None, as_json: bool
) -> int:  # fmt: skip
    """Check a package as an outsider would: rebuild the tree, re-run every query, redraw every sample, stop at the first lie.

    With --ledger, a sample-mode package is checked against every entry of the published log, in place; of a full one it is said whether
    that log still begins with the same entries. Exit code 0: good and anchored by the trust file's quorum; 1: a lie; 2: no package;
    3: consistent in itself, not anchored.
    """
    from affiant.affidavit.inplace import published
    from affiant.proof.__main__ import main
    from affiant.proof.errors import ProofError
    from affiant.proof.package import MANIFEST, Manifest, Package

    source = None
    if ledger is not None:
        try:
            with Package(str(file)) as package:
                if Manifest.parse(package.read(MANIFEST)).raw["mode"] == "sample":
                    source = published(ledger)
        except ProofError as error:
            raise BadInput(error.message, error.next_step or "Is this an affidavit?") from error
    arguments = [str(file), *(["--trust", str(trust)] if trust else []), *(["--json"] if as_json else [])]
    for anchor in anchors:
        arguments += ["--anchor", str(anchor)]
    if prior is not None:
        arguments += ["--prior", str(prior)]
    if jobs is not None:
        arguments += ["--jobs", str(jobs)]
    code = main(arguments, source)
    sys.stdout.flush()
    if ledger is not None and source is None and code in (GOOD, UNSEEN):
        from affiant.cli.published import compare

        code = worst((code, compare(file, ledger)))
    return code
