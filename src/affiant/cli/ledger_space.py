"""`affiant ledger archive|rebuild|synth`: older days deflated, the Parquet copy, and a ledger of any size to try things on."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import click

from affiant.cli.shared import FINDING, home_option, need_home, out, say
from affiant.kit.errors import BadInput
from affiant.ledger.opening import reading
from affiant.ledger.where import need_own_ledger


@click.command("archive")
@click.option(
    "--keep-days", type=click.IntRange(min=0), default=7, show_default=True, metavar="N",
    help="Days before the newest entry's that stay readable in place.",
)  # fmt: skip
@home_option
def archive(keep_days: int, home: Path | None) -> None:
    """Deflate closed days into HOME/archive and take their plain bundles and segments away.

    Each pack is read back and held against the hash tiles before anything goes. `affiant ledger serve` gives archived bundles as
    before; every other command reads through. May run while the home is served. Refused where the ledger lies on servers: there
    storage is the archive.
    """
    from affiant.ledger.archiving import archive_days

    opened = need_home(home)
    need_own_ledger(opened, "Archiving", "Storage is its archive: full bundles lie there, locked, and leave the database by themselves.")
    done = archive_days(opened, keep_days, say=say)
    out({
        "packs": done.packs, "entries": done.entries, "bytes": done.bytes, "bundle_bytes_removed": done.bundles_removed,
        "segment_bytes_removed": done.segments_removed,
    })  # fmt: skip


@click.command("rebuild")
@click.option("--check", is_flag=True, help="Only derive everything again beside, and name what differs.")
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, metavar="N", help="Processes (default: one a core).")
@home_option
def rebuild(check: bool, jobs: int, home: Path | None) -> int:
    """Make the Parquet copy of closed days (HOME/derived/parquet) again from the entries, each held against the tree.

    Exit code 1 when --check finds a file that is not what its entries give.
    """
    from affiant.catalog import LIBRARY
    from affiant.ledger.columnar.store import ColumnStore

    with reading(need_home(home)) as reader:
        store = ColumnStore(reader, (LIBRARY / "views.json").read_bytes())
        if check:
            faults = store.check(say)
            out({"partitions": len(store.partitions), "entries": store.stop, "faults": faults})
            return FINDING if faults else 0
        made = store.rebuild(jobs, say)
        out({"partitions": made, "entries": store.stop, "bytes": sum(each.bytes for each in store.partitions)})
        return 0


@click.command("synth")
@click.option("--events", type=click.IntRange(min=2), required=True, metavar="N", help="Exchange events: one opened and one closed each.")
@click.option("--days", type=click.IntRange(min=1), required=True, metavar="D", help="Days that they are spread over, from 2025-01-01 UTC.")
@click.option("--seed", default="1", show_default=True, metavar="S", help="The same seed gives the same entries.")
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, metavar="N", help="Processes (default: one a core).")
@home_option
def synth(events: int, days: int, seed: str, jobs: int, home: Path | None) -> None:
    """Make a new home with a synthetic ledger of a year's size or any other, in the real formats.

    Its origin begins with synthetic/, and its log key follows from the seed: it proves nothing. Records in the ledger (providers, models,
    routes, keys, hours served, probes) let every control of the catalog run; a few exchanges break one on purpose and are listed.
    """
    from affiant.catalog import load
    from affiant.kit.clock import open_clock
    from affiant.kit.keyring import create_keyring, open_keyring
    from affiant.ledger.synth import synthesize
    from affiant.records import Records

    if home is None:
        raise BadInput("No home was named.", "Give --home D.")
    adopted = [(control.id, control.adopted_body) for control in load().controls.values()]
    made = synthesize(home, events, days, seed, adopted, create_keyring, say, jobs)
    with closing(Records(made.home, open_keyring(made.home), open_clock(), create=True)) as records:
        records.number_from(made.records)
    out({
        "home": str(made.home.root), "origin": made.home.origin, "entries": made.entries, "exchanges": made.exchanges,
        "planted": [{"exchange": number, "breaks": what} for number, what in made.planted],
    })  # fmt: skip
