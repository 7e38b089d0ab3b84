"""Reading and writing the tlog-tiles files under `HOME/ledger`.

Leaves out: growing the tree (`tree`), and what is to be believed (`recovery`, `verify`).
"""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from affiant.kit.errors import LedgerFault
from affiant.ledger.fileops import FileOps
from affiant.proof.errors import ProofError
from affiant.proof.hashes import HASH_SIZE, node_hash, root_of, tree_root
from affiant.proof.tiles import TILE_WIDTH, bundle_path, tile_path, unpack_bundle

KEEP_GENERATIONS = 8
BATCH_FILES = 64
KEEP_SECONDS = 10.0
_REBUILDS = "Start the ledger: it rebuilds tiles from the segments."


def _wider(path: Path, width: int) -> list[Path]:
    """Partial files beside `path` that hold at least `width` items, narrowest first."""
    try:
        names = [found.name for found in path.with_name(path.name + ".p").iterdir()]
    except OSError:
        return []
    widths = sorted(int(name) for name in names if name.isdigit() and int(name) >= width)
    return [path.with_name(path.name + ".p") / str(found) for found in widths]


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")


def _read_first(paths: list[Path]) -> bytes | None:
    for path in paths:
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
    return None


def read_hashes(root: Path, level: int, number: int, width: int = TILE_WIDTH) -> bytes:
    """The first `width` hashes of a tile, one after another.

    Raises:
        LedgerFault: the tile is missing or too short.
    """
    try:
        with open(f"{root}/{tile_path(level, number)}", "rb", buffering=0) as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        data = b""
    size = width * HASH_SIZE
    if len(data) < size:
        full = root / tile_path(level, number)
        for paths in ([root / tile_path(level, number, width)], _wider(full, width)):
            data = _read_first(paths) or b""
            if len(data) >= size:
                break
        else:
            raise LedgerFault(f"{root / tile_path(level, number, width)} is missing or too short.", _REBUILDS)
    return data[:size]


def read_tile(root: Path, level: int, number: int, width: int) -> list[bytes]:
    """The first `width` hashes of a tile. Raises as `read_hashes`."""
    data = read_hashes(root, level, number, width)
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def read_bundle(root: Path, number: int, width: int) -> list[bytes]:
    """The first `width` entries of a bundle.

    Raises:
        LedgerFault: the bundle is missing, too short or damaged.
    """
    exact, full = root / bundle_path(number, width), root / bundle_path(number)
    for paths in ([full, exact], _wider(full, width)):
        data = _read_first(paths)
        if data is not None:
            try:
                entries = unpack_bundle(data)
            except ProofError:
                continue
            if len(entries) >= width:
                return entries[:width]
    raise LedgerFault(f"{exact} is missing or damaged.", "Start the ledger: it rebuilds bundles from the segments.")


def root_in_tiles(root: Path, size: int) -> bytes:
    """Root over the first `size` entries, out of hash tiles alone.

    Raises:
        LedgerFault: a tile is missing or too short.
    """

    def subtree(level: int, index: int) -> bytes:
        tile_level, above = divmod(level, 8)
        number, at = divmod(index << above, TILE_WIDTH)
        hashes = read_tile(root, tile_level, number, at + (1 << above))[at:]
        while len(hashes) > 1:
            hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
        return hashes[0]

    return tree_root(size, subtree)


def check_tiles_below(tile: Callable[[int, int, int], list[bytes]], begin: int) -> int:
    """Hold the hash tiles over the entries [0, begin) against one another, level by level; gives how many were compared.

    The tree that is grown from `begin` on rests on the uppermost; so the signed root covers them all.

    Args:
        tile: gives the first `width` hashes of a tile (level, number, width).

    Raises:
        LedgerFault: a hash is not that of the tile below it.
    """
    level, count, compared = 1, begin // TILE_WIDTH, 0
    while count:
        above: list[bytes] = []
        for number in range(count):
            place = number % TILE_WIDTH
            if place == 0:
                above = tile(level, number // TILE_WIDTH, min(TILE_WIDTH, count - number))
            if root_of(tile(level - 1, number, TILE_WIDTH)) != above[place]:
                raise LedgerFault(
                    f"Hash tile {number} of level {level - 1} is not that of the tile above it.", "Restore ledger/ from a backup."
                )
            compared += 1
        level, count = level + 1, count // TILE_WIDTH
    return compared


class TileWriter:
    """Puts tiles and bundles in their places. Full ones are on disk when `settle` returns; partial ones only where that is asked.

    `put` only queues, so that a full disk leaves the tree intact: `settle` can be called again when there is room.
    """

    def __init__(self, root: Path, ops: FileOps) -> None:
        self.root = root
        self._ops = ops
        self._made: set[Path] = set()
        self._unsynced: set[Path] = set()
        self._stale: list[tuple[int, float, Path]] = []
        self._generation = 0
        self._partial = False
        self._queue: deque[tuple[str, bytes, bool]] = deque()

    def put(self, relative: str, data: bytes, full: bool) -> None:
        """Queue one file; a full one replaces its partial forms, which go a while later."""
        self._queue.append((relative, data, full))

    def flush(self) -> None:
        """Write what is queued.

        Raises:
            OSError: what was not written stays queued.
        """
        while self._queue:
            batch = list(islice(self._queue, BATCH_FILES))
            self._write({self.root / relative: (data, full) for relative, data, full in batch})
            for _ in batch:
                self._queue.popleft()

    def _write(self, files: dict[Path, tuple[bytes, bool]]) -> None:
        """Write files, put them on disk together (the first sync commits what the others need), then give them their names."""
        durable: list[int] = []
        try:
            for path, (data, full) in files.items():
                self._make(path.parent)
                fd = os.open(_temporary(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
                durable.append(fd)
                written = 0
                while written < len(data):
                    written += self._ops.write(fd, memoryview(data)[written:], written)
                if not (full or self._partial):
                    os.close(durable.pop())
            for fd in durable:
                self._ops.sync(fd)
        finally:
            for fd in durable:
                os.close(fd)
        for path, (_, full) in files.items():
            self._name(path, full)

    def _make(self, directory: Path) -> None:
        if directory in self._made:
            return
        missing = directory
        while not missing.exists():
            self._unsynced.add(missing.parent)
            missing = missing.parent
        directory.mkdir(parents=True, exist_ok=True)
        self._made.add(directory)

    def _name(self, path: Path, full: bool) -> None:
        os.replace(_temporary(path), path)
        if full or self._partial:
            self._unsynced.add(path.parent)
        if full:
            partial = path.with_name(path.name + ".p")
            if partial in self._made or partial.exists():
                self._made.discard(partial)
                self._stale.append((self._generation, time.monotonic(), partial))

    def settle(self, partial: bool = False) -> None:
        """Write what is queued and put the names of full files on disk. Call before publishing a checkpoint that covers them.

        Args:
            partial: put partial files on disk too, as a start from the state file after a power cut needs them.

        Raises:
            OSError: call it again when the cause is gone.
        """
        self._partial = partial
        self.flush()
        self._partial = False
        for directory in self._unsynced:
            self._ops.sync_directory(directory)
        self._unsynced.clear()

    def published(self) -> None:
        """A checkpoint was published: remove partial files that no reader of a recent one can still want."""
        self._generation += 1
        now = time.monotonic()
        while self._stale:
            generation, since, directory = self._stale[0]
            if self._generation - generation < KEEP_GENERATIONS or now - since < KEEP_SECONDS:
                return
            shutil.rmtree(directory, ignore_errors=True)
            self._stale.pop(0)

    def sweep(self, size: int) -> None:
        """Plan the removal of partial files left beside the newest full tiles by an earlier process."""
        level, width = 0, TILE_WIDTH
        while size >= width:
            number = size // width - 1
            for path in (tile_path(level, number), bundle_path(number)) if level == 0 else (tile_path(level, number),):
                full = self.root / path
                partial = full.with_name(full.name + ".p")
                if full.exists() and partial.exists():
                    self._stale.append((self._generation, time.monotonic(), partial))
            level, width = level + 1, width * TILE_WIDTH
