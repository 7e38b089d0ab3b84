"""Taking a pruned prefix out of PostgreSQL and storage, as `ledger.pruning` takes it off a disk: same rules, same entries.

Order: lasting entries into locked storage and PostgreSQL; packs in a folder, unless the entries are to go for good; the floor, moved by the
holder of a term (`floor`), with which rows go and all nodes know; what this node derived; then bundles in storage, version by version, each
when its own lock is over. Hash tiles and heads stay. Killed anywhere, asking again goes on; what was locked goes the next time. Leaves out:
whether a prefix may go (`ledger.retention`), who may ask.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from affiant.kit.clock import Clock
from affiant.kit.errors import Conflict, CouldNotLook, LedgerUnavailable
from affiant.kit.home import Home, home_lock
from affiant.kit.keyring import open_keyring
from affiant.ledger.archiving import alone_with
from affiant.ledger.asking import ask_writer
from affiant.ledger.days import time_of
from affiant.ledger.fileops import FileOps
from affiant.ledger.floor import Floor, Part, floor_bytes
from affiant.ledger.pruning import ROLE, Taken, Told, check_recorded, find_removal, producers_before, put_packs, removal_body
from affiant.ledger.retention import lasting_below
from affiant.ledger.serverhome.holdings import ServerHoldings, bundle_versions, holds_in
from affiant.ledger.serverhome.reader import ServerReader
from affiant.ledger.syncclient import LedgerClientSync

VERSIONS_AT_ONCE = 256
Lead = Callable[[dict[str, Any]], int]
Holds = Callable[[], Sequence[str]]


def take_away(
    reader: ServerReader, lead: Lead, archive_to: Path | None, by: str, holds: Holds = tuple, told: Told = lambda step: None
) -> Taken:
    """Take every entry below the minimum index off the servers.

    Args:
        lead: asks a node to move the floor; gives the index of the entry (`leading`).
        archive_to: folder outside the home that copies are put into; None: they go for good.
        by: who does it, such as `person:ana`.
        holds: ids of legal holds in force by the records; the entries are asked, too, since their order decides.
        told: hears the name of each step that was done.

    Raises:
        Conflict: a hold is in force, the pruning is not recorded or not signed yet, or another command prunes.
        BadInput: the folder cannot be used.
        LedgerFault: entries are not those of the tree; nothing of theirs was removed.
        CouldNotLook: servers cannot be reached or refuse; asking again goes on.
    """
    with alone_with(reader.home.run / "prune"):
        return _take(reader, lead, archive_to, by, holds, told)


def _take(reader: ServerReader, lead: Lead, archive_to: Path | None, by: str, holds: Holds, told: Told) -> Taken:
    row, holdings = reader.row(), ServerHoldings(reader)
    _refuse_held((*holds(), *holds_in(reader)))
    if row.minimum <= row.held:
        return _clear(reader, row.held, 0, -1, holds, told)
    check_recorded(reader, row.minimum)
    lasting = lasting_below(reader, row.minimum)
    holdings.keep(index for index in lasting if index >= row.held)
    told("copies kept")
    packs = put_packs(reader.home, reader, row.held, row.minimum, archive_to, FileOps()) if archive_to is not None else []
    told("packs made")
    floor = _floor(reader, row.minimum, str(archive_to.resolve()) if archive_to else "")
    body = removal_body(floor, row.held, len(lasting), packs, by)
    found = find_removal(reader, body)
    # Order: the size first, so that a hold is either among the entries looked through or behind them, where the node looks.
    seen = reader.row().placed
    _refuse_held((*holds(), *holds_in(reader)))
    index = lead({"start": row.held, "record": floor_bytes(floor), "body": body, "actor": by, "index": found, "seen": seen})
    told("floor moved")
    return _clear(reader, row.held, len(packs), index, holds, told)


def _floor(reader: ServerReader, begin: int, archived: str) -> Floor:
    before = reader.floor()
    parts = (*before.parts, Part(before.begin, begin, archived))
    dumped = producers_before(reader, before, begin)
    return Floor(begin, reader.root(begin).hex(), time_of(reader.entry(begin)), -1, 0, dumped, parts)


def _refuse_held(held: Sequence[str]) -> None:
    if held:
        raise Conflict(f"The legal hold {held[0]} is in force.", "Nothing is taken off the servers until it is released.")


def _clear(reader: ServerReader, start: int, packs: int, index: int, holds: Holds, told: Told) -> Taken:
    """Remove the bundles below the floor in force; whatever an attempt before left goes, too."""
    held = reader.row().held
    if not held:
        raise Conflict("There is nothing to take off the servers.", "Prune the ledger first: `affiant ledger prune`.")
    told("derived removed")
    versions, freed = bundle_versions(reader, 0, held), 0
    locked: list[dict[str, Any]] = []
    while some := list(islice(versions, VERSIONS_AT_ONCE)):
        _refuse_held((*holds(), *holds_in(reader)))
        pending = [(each, reader.objects.threads.submit(reader.objects.remove, each)) for each in some]
        for version, answer in pending:
            stays = answer.result()
            freed += version.size if stays is None else 0
            locked += [] if stays is None else [asdict(stays)]
        told("objects removed")
    return Taken(start, held, freed, 0, 0, packs, index, tuple(locked))


@contextmanager
def leading(home: Home, clock: Clock) -> Iterator[Lead]:
    """Move the floor through the node that serves the home, or lead for a moment.

    Raises:
        Conflict: another process holds the home and no writer answers.
    """
    path = home.run / "writer.sock"
    client: LedgerClientSync | None = None
    if path.exists():
        with contextlib.suppress(LedgerUnavailable):
            client = LedgerClientSync(path, home.node, ROLE, clock)
    if client is None:
        with home_lock(home):
            yield lambda asked: _alone(home, clock, asked)
        return
    with client as connected:
        connected.outbox()
        connected.checkpoint()

        def through(asked: dict[str, Any]) -> int:
            answer = ask_writer(path, "prune", asked, "Ask again: what was done is found.")
            if answer is None:
                raise CouldNotLook("The node does not answer.", "Ask again when it serves.")
            return int(answer["index"])

        yield through


def _alone(home: Home, clock: Clock, asked: dict[str, Any]) -> int:
    from affiant.ledger.serverhome.run import lead_to_prune

    return lead_to_prune(home, open_keyring(home), clock, asked)


def prune_servers(home: Home, clock: Clock, archive_to: Path | None, by: str, holds: Holds) -> Taken:
    """`take_away` for a home whose ledger lies on servers."""
    with leading(home, clock) as lead, ServerReader(home) as reader:
        return take_away(reader, lead, archive_to, by, holds)
