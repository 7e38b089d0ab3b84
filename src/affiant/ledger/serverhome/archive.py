"""Full bundles, tiles and kept heads on their way into locked storage, and batches out of PostgreSQL once they are there.

Storage that is away stops nothing: heads go on, PostgreSQL keeps what storage lacks. A batch goes only after the bundles that hold
its entries were read back and found to be the same bytes. Leaves out: requests and locks (`objects`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from affiant.kit.errors import CouldNotLook, LedgerFault, NotFound
from affiant.ledger.serverhome.batches import entries_of
from affiant.ledger.serverhome.objects import ObjectStore
from affiant.ledger.serverhome.store import LedgerRow, LedgerStore
from affiant.ledger.serverhome.term import SupersededError, Term
from affiant.proof.tiles import TILE_WIDTH, bundle_path, pack_bundle

BUNDLES_AT_ONCE = 48
KEEP_ENTRIES = 10_000
T = TypeVar("T")


def head_key(size: int) -> str:
    """Name of a kept head in storage."""
    return f"checkpoints/{size:020d}"


async def entries_between(store: LedgerStore, start: int, stop: int) -> list[bytes]:
    """Entries [start, stop) from PostgreSQL.

    Raises:
        LedgerFault: it does not hold them all.
    """
    found: list[bytes] = []
    at = start
    while at < stop:
        rows = await store.placed_rows(at, stop)
        if not rows:
            break
        for row in rows:
            if row.first_index > at:
                break
            found += entries_of(row)[at - row.first_index : stop - row.first_index]
            at = min(stop, row.first_index + row.count)
        else:
            continue
        break
    if len(found) != stop - start:
        raise LedgerFault(f"PostgreSQL lacks entries from {start + len(found)} on.", "Compare with the bundles in storage.")
    return found


class Archive:
    """Moves what is full and published. Used by the holder of a term, one step at a time."""

    def __init__(self, store: LedgerStore, objects: ObjectStore, keep_entries: int = KEEP_ENTRIES) -> None:
        self._store = store
        self._objects = objects
        self._keep = keep_entries

    async def _in_thread(self, work: Callable[..., T], *values: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._objects.threads, work, *values)

    async def step(self, term: Term) -> bool:
        """Put some of what storage lacks.

        Returns:
            Whether more is due.

        Raises:
            CouldNotLook: storage or PostgreSQL cannot be used now; repeating is safe.
            LedgerFault: storage holds another history under these names.
            SupersededError: the term is over.
        """
        row = await self._store.ledger()
        start, due = row.archived, row.head.size // TILE_WIDTH
        stop = min(due, start + BUNDLES_AT_ONCE)
        tiles = await self._store.staged()
        heads = await self._store.heads(archived=False)
        entries = await entries_between(self._store, start * TILE_WIDTH, stop * TILE_WIDTH)
        puts = [(path, data) for path, data in tiles.items()]
        for number in range(start, stop):
            at = (number - start) * TILE_WIDTH
            puts.append((bundle_path(number), pack_bundle(entries[at : at + TILE_WIDTH])))
        puts += [(head_key(head.size), head.note) for head in heads]
        if not puts:
            return False
        await asyncio.gather(*(self._in_thread(self._objects.put, key, data) for key, data in puts))
        if not await self._store.archived(term.number, start, stop, list(tiles), [head.size for head in heads]):
            raise SupersededError(f"Term {term.number} is over.")
        return stop < due

    async def prune(self, term: Term) -> int:
        """Remove batches from PostgreSQL whose bundles storage holds, read back and compared.

        Returns:
            Entries that went.

        Raises:
            LedgerFault: storage holds other bytes than PostgreSQL; nothing was removed.
            CouldNotLook: storage cannot be used, or does not show a bundle that it took; nothing was removed.
        """
        row = await self._store.ledger()
        try:
            return await self._prune(term, row)
        except (LedgerFault, NotFound) as error:
            if (await self._store.ledger()).held > row.held:
                return 0  # the floor moved over what was being compared
            if isinstance(error, NotFound):
                raise CouldNotLook(error.message, "Nothing was removed; see docs/operations-server.md, Backup.") from error
            raise

    async def _prune(self, term: Term, row: LedgerRow) -> int:
        limit = min(row.archived * TILE_WIDTH, term.state_size, row.placed - self._keep, row.pruned + BUNDLES_AT_ONCE * TILE_WIDTH)
        stop = limit // TILE_WIDTH
        start = row.pruned // TILE_WIDTH
        if stop <= start:
            return 0
        entries = await entries_between(self._store, start * TILE_WIDTH, stop * TILE_WIDTH)
        numbers = range(start, stop)
        found = await asyncio.gather(*(self._in_thread(self._objects.get, bundle_path(number)) for number in numbers))
        for number, data in zip(numbers, found, strict=True):
            at = (number - start) * TILE_WIDTH
            if data != pack_bundle(entries[at : at + TILE_WIDTH]):
                raise LedgerFault(f"{self._objects.name(bundle_path(number))} differs from PostgreSQL.", "Keep both; nothing was removed.")
        if not await self._store.prune(term.number, stop * TILE_WIDTH):
            raise SupersededError(f"Term {term.number} is over.")
        return (stop - start) * TILE_WIDTH
