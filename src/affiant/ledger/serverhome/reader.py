"""Reading a ledger that lies on servers, with the API of `LedgerReader`: storage for full bundles, PostgreSQL for the rest.

Where entries were pruned, PostgreSQL says from which on they are held; whoever reads it first on a node forgets what was derived from those
before. Leaves out: checks of the whole (`check`). The index over types and references is local to the node and disposable, as at home.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, TypeVar

from affiant.kit.errors import BadInput, LedgerFault, NotFound
from affiant.kit.home import Home
from affiant.ledger.checkpoints import SignedHead
from affiant.ledger.derived import forget_below
from affiant.ledger.floor import NOTHING_PRUNED, Floor, parse_floor
from affiant.ledger.reader import BUNDLES_KEPT, TILES_KEPT, LedgerReader
from affiant.ledger.serverhome.archive import entries_between, head_key
from affiant.ledger.serverhome.config import ServerConfig, load_config
from affiant.ledger.serverhome.objects import ObjectStore
from affiant.ledger.serverhome.store import LedgerRow, LedgerStore
from affiant.proof.errors import ProofError
from affiant.proof.hashes import HASH_SIZE, leaf_hash, node_hash
from affiant.proof.tiles import TILE_WIDTH, bundle_path, tile_path, unpack_bundle

T = TypeVar("T")
FRESH_S = 1.0


class BlockingStore:
    """A `LedgerStore` for callers that block: it has an event loop of its own in a thread."""

    def __init__(self, config: ServerConfig, name: str = "reader") -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ledger-reader", daemon=True)
        self._thread.start()
        try:
            self.store = self.do(LedgerStore.open(config, name))
        except BaseException:
            self._end()
            raise

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one call to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Disconnect."""
        if not self._loop.is_closed():
            self.do(self.store.close())
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class ServerReader(LedgerReader):
    """Reads a ledger on servers. Use as a context manager, or call `close`. Safe for several threads.

    Raises (any method):
        CouldNotLook: PostgreSQL or the storage cannot be reached.
        LedgerFault: entries or tiles are missing or damaged.
    """

    def __init__(self, home: Home, config: ServerConfig | None = None) -> None:
        super().__init__(home)
        self.config = config or load_config(home)
        self.objects = ObjectStore(self.config)
        self._row: LedgerRow | None = None
        self._asked = 0.0
        self._forgotten = -1
        try:
            self._db = BlockingStore(self.config)
        except BaseException:
            self.objects.close()
            raise

    def close(self) -> None:
        """Disconnect."""
        self._db.close()
        self.objects.close()

    def __enter__(self) -> ServerReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # -- where the entries held begin

    def floor(self) -> Floor:
        """As `LedgerReader.floor`."""
        with self._lock:
            held = self._placed(0).held
            if held != self._floor.begin:
                self._floor = self._read_floor() if held else NOTHING_PRUNED
            return self._floor

    def _read_floor(self) -> Floor:
        restore = "Keep the database as it is and restore its table floor from a backup made after the last pruning."
        held, record = self._db.do(self._db.store.floor_record())
        try:
            floor = parse_floor(record)
        except ValueError as error:
            raise LedgerFault(f"What PostgreSQL says of the pruned entries cannot be used: {error}.", restore) from error
        if floor.begin != held:
            raise LedgerFault(f"PostgreSQL holds entries from {held} on and knows what was before {floor.begin}.", restore)
        return floor

    @property
    def begin(self) -> int:
        """As `LedgerReader.begin`."""
        return self._placed(0).held

    def lasting(self) -> dict[int, bytes]:
        """As `LedgerReader.lasting`; held against the tree by `check`, not here."""
        with self._lock:
            begin = self.begin
            if self._lasting[0] != begin:
                self._lasting = (begin, self._db.do(self._db.store.lasting(begin)) if begin else {})
            return self._lasting[1]

    def _forget(self, held: int) -> None:
        """Remove what this node derived from entries that were pruned since it last looked, in this process or another."""
        mark = self.home.derived / "held"
        try:
            before = int(mark.read_text(encoding="ascii"))
        except (OSError, ValueError):
            before = 0
        if held > before:
            with contextlib.suppress(PermissionError):  # a copy for an auditor: lookups pass over what is below
                forget_below(self.home, held)
                mark.parent.mkdir(exist_ok=True)
                mark.write_text(f"{held}\n", encoding="ascii")
        self._forgotten = held

    # -- heads and size

    def row(self) -> LedgerRow:
        """What PostgreSQL says of the ledger now."""
        with self._lock:
            self._row = row = self._db.do(self._db.store.ledger())
            self._head, self._asked = row.head, time.monotonic()
            if row.held > self._forgotten:
                self._forget(row.held)
            return row

    def do(self, work: Callable[[LedgerStore], Coroutine[Any, Any, T]]) -> T:
        """Run one call on the database to its end."""
        return self._db.do(work(self._db.store))

    def checkpoint(self) -> SignedHead:
        """The signed head in force. Its signature is checked by `check`, not here."""
        return self.row().head

    def checkpoints(self) -> list[SignedHead]:
        """Kept heads, oldest first, and the one in force."""
        kept, head = self._db.do(self._db.store.heads()), self.checkpoint()
        if not kept or kept[-1].size < head.size:
            kept.append(head)
        return kept

    @property
    def size(self) -> int:
        """Number of entries that have their place, those that no head covers yet included."""
        self._size = self.row().placed
        return self._size

    def _placed(self, stop: int) -> LedgerRow:
        """The ledger's row, asked again only if it does not cover `stop` yet (what has its place keeps it), or entries may have gone."""
        row = self._row
        return row if row is not None and stop <= row.placed and time.monotonic() - self._asked < FRESH_S else self.row()

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """As `LedgerReader.entries`."""
        if start >= stop and start >= 0:
            return
        row = self._placed(stop)
        if start < 0 or stop > row.placed:
            raise BadInput(f"There are no entries {start} to {stop - 1}; the ledger has {row.placed}.", "Ask for fewer.")
        if start < row.held:
            raise self.floor().refusal(start, stop)
        full = row.head.size // TILE_WIDTH
        while start < stop:
            number = start // TILE_WIDTH
            if number < full:
                end = min(stop, (number + 1) * TILE_WIDTH)
                yield from self._bundle(number, TILE_WIDTH)[start - number * TILE_WIDTH : end - number * TILE_WIDTH]
            else:
                end = min(stop, start + 4_096)
                yield from self._from_tail(start, end)
            start = end

    def entry(self, index: int) -> bytes:
        """As `LedgerReader.entry`."""
        if index < 0 or index >= self._placed(index + 1).placed:
            raise NotFound(f"There is no entry {index}; the ledger has {self.size}.", "Indexes count from 0.")
        if index < self.begin and index in self.lasting():
            return self.lasting()[index]
        return next(iter(self.entries(index, index + 1)))

    def archived_head(self, size: int) -> bytes:
        """A kept head as storage holds it.

        Raises:
            NotFound: storage does not hold it (yet).
        """
        return self.objects.get(head_key(size))

    # -- where bytes lie

    def bundle_in_storage(self, number: int) -> list[bytes]:
        """Entries of a full bundle, from storage and nowhere else."""
        key = bundle_path(number)
        return _unpacked(self._object(key), self.objects.name(key))

    def entries_in_database(self, start: int, stop: int) -> list[bytes]:
        """Entries [start, stop), from PostgreSQL and nowhere else."""
        return self._db.do(entries_between(self._db.store, start, stop))

    def tile_as_kept(self, path: str) -> bytes | None:
        """A tile's bytes, from PostgreSQL if it is partial or not in storage yet; None if it is nowhere."""
        data = self._db.do(self._db.store.tile(path))
        if data is None and ".p/" not in path:
            try:
                data = self.objects.get(path)
            except NotFound:
                return None
        return data

    def tile(self, level: int, number: int, width: int) -> bytes:
        """The first `width` hashes of a tile that the head in force covers, side by side."""
        return b"".join(self._tile(level, number, width))

    def keys_in_database(self) -> tuple[list[bytes], str]:
        """Statements about the log's key whose entries lie under a signed head, and the key that signs, as PostgreSQL has them."""
        rows = self._db.do(self._db.store.key_rows()) if self._db.do(self._db.store.has_keys()) else []
        return [row.note for row in rows if row.recorded], self.row().log_vkey

    def _in_storage(self, number: int) -> bool:
        row = self._placed(0)
        if number >= row.archived:
            row = self.row()
        return number < row.archived

    def _object(self, key: str) -> bytes:
        try:
            return self.objects.get(key)
        except NotFound as error:
            raise LedgerFault(f"{self.objects.name(key)} is missing.", "Compare the bucket with a copy of it.") from error

    def _bundle(self, number: int, width: int) -> list[bytes]:
        with self._lock:
            found = self._bundles.get((number, width))
            if found is not None:
                self._bundles.move_to_end((number, width))
                return found
        start = number * TILE_WIDTH
        try:
            if self._in_storage(number):
                found = _unpacked(self._object(bundle_path(number)), self.objects.name(bundle_path(number)))[:width]
            else:
                found = self._db.do(entries_between(self._db.store, start, start + width))
        except LedgerFault:
            if start < self.row().held:
                raise self.floor().refusal(start) from None
            raise
        if len(found) != width:
            raise LedgerFault(f"Bundle {number} holds {len(found)} entries.", "Compare the bucket with a copy of it.")
        with self._lock:
            self._bundles[number, width] = found
            while len(self._bundles) > BUNDLES_KEPT:
                self._bundles.popitem(last=False)
        return found

    def _from_tail(self, start: int, stop: int) -> list[bytes]:
        row = self.row()
        edge = row.pruned
        found: list[bytes] = []
        while start < min(stop, edge):
            number = start // TILE_WIDTH
            end = min(stop, edge, (number + 1) * TILE_WIDTH)
            found += self._bundle(number, TILE_WIDTH)[start - number * TILE_WIDTH : end - number * TILE_WIDTH]
            start = end
        if start < stop:
            found += self._db.do(entries_between(self._db.store, start, stop))
        return found

    def leaf_tile(self, number: int) -> bytes:
        """The same, one after another; for whoever goes through many, once."""
        return self._tile_bytes(0, number, TILE_WIDTH)

    def _tile(self, level: int, number: int, width: int) -> list[bytes]:
        with self._lock:
            found = self._tiles.get((level, number, width))
            if found is not None:
                self._tiles.move_to_end((level, number, width))
                return found
        data = self._tile_bytes(level, number, width)
        found = [data[at : at + HASH_SIZE] for at in range(0, width * HASH_SIZE, HASH_SIZE)]
        with self._lock:
            self._tiles[level, number, width] = found
            while len(self._tiles) > TILES_KEPT:
                self._tiles.popitem(last=False)
        return found

    def _tile_bytes(self, level: int, number: int, width: int) -> bytes:
        full = tile_path(level, number)
        for path in (tile_path(level, number, width), full):
            data = self._db.do(self._db.store.tile(path))
            if data is not None and len(data) >= width * HASH_SIZE:
                return data
        try:
            data = self.objects.get(full)
        except NotFound:
            data = b""
        if len(data) == TILE_WIDTH * HASH_SIZE:
            return data
        if level == 0:
            return self._leaves(number, width)
        return b"".join(_top(self._tile(level - 1, number * TILE_WIDTH + at, TILE_WIDTH)) for at in range(width))

    def _leaves(self, number: int, width: int) -> bytes:
        """A partial tile that a newer head has outgrown, made again from its entries."""
        start = number * TILE_WIDTH
        return b"".join(map(leaf_hash, self._from_tail(start, start + width)))


def _top(hashes: list[bytes]) -> bytes:
    """Root of a full tile."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


def _unpacked(data: bytes, name: str) -> list[bytes]:
    try:
        return unpack_bundle(data)
    except ProofError as error:
        raise LedgerFault(f"{name} is damaged: {error.message}", "Compare the bucket with a copy of it.") from error
