"""The growing Merkle tree: takes entries, fills tiles and bundles, knows the root. One owner, one call at a time.

Leaves out: signing (`checkpoints`), file handling (`tiles`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from affiant.kit.errors import LedgerFault
from affiant.ledger.tiles import read_bundle, read_tile
from affiant.proof.hashes import EMPTY_ROOT, CompactRange, leaf_hash, node_hash, root_of
from affiant.proof.tiles import TILE_WIDTH, bundle_path, pack_bundle, tile_path

Put = Callable[[str, bytes, bool], None]
ReadTile = Callable[[int, int, int], list[bytes]]
ReadBundle = Callable[[int, int], list[bytes]]
_sha256 = hashlib.sha256


class Tree:
    """Right edge of the tree over everything added.

    Args:
        put: called with (path below the log's prefix, bytes, whether full) for each file that is due.
    """

    def __init__(self, put: Put) -> None:
        self.size = 0
        self.put = put
        self._levels: list[list[bytes]] = [[]]
        self._bundle: list[bytes] = []

    @classmethod
    def resume(cls, root: Path, size: int, put: Put) -> Tree:
        """The tree of `size` entries as its tiles describe it; compare its root with a signed one.

        Raises:
            LedgerFault: a tile that it needs is missing or damaged.
        """
        return cls.resume_from(
            size, put, lambda level, number, width: read_tile(root, level, number, width), lambda n, width: read_bundle(root, n, width)
        )

    @classmethod
    def resume_from(cls, size: int, put: Put, tile: ReadTile, bundle: ReadBundle) -> Tree:
        """As `resume`, from tiles and bundles that lie elsewhere.

        Raises:
            LedgerFault: the partial bundle does not match its tile; and what `tile` and `bundle` raise.
        """
        tree = cls(put)
        tree.size = size
        level, rest = 0, size
        while rest:
            width = rest % TILE_WIDTH
            hashes = tile(level, rest // TILE_WIDTH, width) if width else []
            if level:
                tree._levels.append([])
            tree._levels[level] = hashes
            level, rest = level + 1, rest // TILE_WIDTH
        width = size % TILE_WIDTH
        if width:
            tree._bundle = bundle(size // TILE_WIDTH, width)
            if [leaf_hash(entry) for entry in tree._bundle] != tree._levels[0]:
                raise LedgerFault(f"{bundle_path(size // TILE_WIDTH, width)} does not match its tile.", "Start the ledger again.")
        return tree

    def add(self, entries: Sequence[bytes]) -> None:
        """Append entries; files of tiles and bundles that they fill are put. Inner nodes are hashed a tile at a time."""
        position, end = 0, len(entries)
        while position < end:
            piece = entries[position : position + TILE_WIDTH - len(self._bundle)]
            self._bundle += piece
            self._levels[0] += [_sha256(b"\0" + entry).digest() for entry in piece]
            position += len(piece)
            self.size += len(piece)
            if len(self._bundle) == TILE_WIDTH:
                self._full()

    def _full(self) -> None:
        number = self.size // TILE_WIDTH - 1
        self.put(bundle_path(number), pack_bundle(self._bundle), True)
        self._bundle = []
        level = 0
        while len(self._levels[level]) == TILE_WIDTH:
            hashes = self._levels[level]
            self.put(tile_path(level, number), b"".join(hashes), True)
            self._levels[level] = []
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(root_of(hashes))
            number //= TILE_WIDTH

    def put_partial(self) -> None:
        """Put the partial tiles and bundle that a checkpoint of this size needs."""
        rest = self.size
        for level, hashes in enumerate(self._levels):
            if hashes:
                self.put(tile_path(level, rest // TILE_WIDTH, len(hashes)), b"".join(hashes), False)
            rest //= TILE_WIDTH
        if self._bundle:
            path = bundle_path(self.size // TILE_WIDTH, len(self._bundle))
            self.put(path, pack_bundle(self._bundle), False)

    def root(self) -> bytes:
        """Root hash over everything added."""
        result: bytes | None = None
        for hashes in self._levels:
            if hashes:
                edge = CompactRange()
                edge.extend(hashes)
                for peak in reversed(edge.peaks):
                    result = peak if result is None else node_hash(peak, result)
        return EMPTY_ROOT if result is None else result

    @property
    def last_leaves(self) -> list[bytes]:
        """Leaf hashes of the tile that is not full yet."""
        return list(self._levels[0])
