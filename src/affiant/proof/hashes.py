"""The Merkle tree of RFC 9162 section 2.1 (the same as RFC 6962) over SHA-256.

A leaf is SHA-256(0x00 || entry), a node SHA-256(0x01 || left || right). `get_hash(level, index)` in the proof builders
gives the hash of the complete subtree over the leaves [index * 2^level, (index + 1) * 2^level). Nothing is provable from
size 0: every tree extends the empty one, so a "proof" of that would bind nothing, and it is refused.
Leaves out: where hashes are kept (`tiles` gives their C2SP paths).
"""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import Callable, Iterable, List, Optional, Sequence

from .errors import Lie, Malformed

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
GetHash = Callable[[int, int], bytes]
_sha256 = hashlib.sha256
_BLOCK = 256


def leaf_hash(data: bytes) -> bytes:
    """Hash of one entry."""
    return _sha256(b"\x00" + data).digest()


def leaf_hashes(entries: Iterable[bytes]) -> List[bytes]:
    """Hashes of many entries."""
    return [_sha256(b"\x00" + data).digest() for data in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return _sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The right edge of a tree over [0, size): enough to append to it and to know its root.

    Args:
        size: number of leaves so far.
        peaks: hashes of the complete subtrees, left to right; one for each 1 bit of `size`, largest first.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if size < 0 or bin(size).count("1") != len(peaks) or any(len(peak) != HASH_SIZE for peak in peaks):
            raise Malformed("A compact range has the wrong number of peaks for its size.")
        self.size = size
        self._peaks = list(peaks)

    @property
    def peaks(self) -> "tuple[bytes, ...]":
        """Hashes of the complete subtrees, left to right; with `size` all that has to be kept."""
        return tuple(self._peaks)

    def copy(self) -> "CompactRange":
        """An independent copy."""
        return CompactRange(self.size, self._peaks)

    def append(self, leaf: bytes, visit: Optional[Callable[[int, int, bytes], None]] = None) -> None:
        """Add one leaf hash; `visit(level, index, hash)` sees each complete subtree that it finishes, the leaf first."""
        index = self.size
        peaks = self._peaks
        level = 0
        if visit is not None:
            visit(0, index, leaf)
        while (index >> level) & 1:
            leaf = _sha256(b"\x01" + peaks.pop() + leaf).digest()
            level += 1
            if visit is not None:
                visit(level, index >> level, leaf)
        peaks.append(leaf)
        self.size = index + 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order; whole aligned blocks level by level, which gives the same peaks in half the time."""
        waiting = iter(leaves)
        while True:
            block = list(islice(waiting, _BLOCK - self.size % _BLOCK))
            if len(block) < _BLOCK:
                for leaf in block:
                    self.append(leaf)
                if not block:
                    return
                continue
            while len(block) > 1:
                pairs = iter(block)
                block = [_sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs)]  # noqa: B905 - Python 3.9
            self._append_subtree(block[0])

    def _append_subtree(self, hash_: bytes) -> None:
        """Add the hash of a complete subtree over `_BLOCK` leaves; `size` is a multiple of that."""
        number = self.size // _BLOCK
        while number & 1:
            hash_ = _sha256(b"\x01" + self._peaks.pop() + hash_).digest()
            number >>= 1
        self._peaks.append(hash_)
        self.size += _BLOCK

    def root(self) -> bytes:
        """Root hash of the tree over everything appended."""
        if not self._peaks:
            return EMPTY_ROOT
        result = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            result = _sha256(b"\x01" + peak + result).digest()
        return result


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """Root over leaf hashes."""
    tree = CompactRange()
    tree.extend(leaf_hashes)
    return tree.root()


def levels_of(leaf_hashes: Sequence[bytes]) -> GetHash:
    """A `get_hash` over leaf hashes held in memory."""
    levels: List[List[bytes]] = [list(leaf_hashes)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
    return lambda level, index: levels[level][index]


def peaks_of(size: int, get_hash: GetHash) -> "tuple[bytes, ...]":
    """Peaks of the tree of `size` leaves, left to right: what `CompactRange(size, peaks)` starts from."""
    peaks, begin = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if (size >> level) & 1:
            peaks.append(get_hash(level, begin >> level))
            begin += 1 << level
    return tuple(peaks)


def _subtree(begin: int, end: int, get_hash: GetHash) -> bytes:
    """Root over the leaves [begin, end), where `begin` is a multiple of the next power of two at or above its length."""
    parts = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        parts.append(get_hash(level, begin >> level))
        begin += 1 << level
    result = parts.pop()
    while parts:
        result = node_hash(parts.pop(), result)
    return result


def _split(length: int) -> int:
    """Largest power of two below `length` (at least 2)."""
    return 1 << ((length - 1).bit_length() - 1)


def tree_root(size: int, get_hash: GetHash) -> bytes:
    """Root of the tree of `size` leaves."""
    return _subtree(0, size, get_hash) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, get_hash: GetHash) -> List[bytes]:
    """Audit path of leaf `index` in the tree of `size`, leaf to root (RFC 9162 2.1.3.1).

    Raises:
        Malformed: there is no such leaf in that tree.
    """
    if not 0 <= index < size:
        raise Malformed(f"There is no entry {index} in a tree of {size}.")
    path: List[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_subtree(middle, end, get_hash))
            end = middle
        else:
            path.append(_subtree(begin, middle, get_hash))
            begin = middle
    return path[::-1]


def consistency_proof(size1: int, size2: int, get_hash: GetHash) -> List[bytes]:
    """Proof that the tree of `size1` is a prefix of the tree of `size2` (RFC 9162 2.1.4.1).

    Raises:
        Malformed: not 0 < size1 <= size2.
    """
    if not 0 < size1 <= size2:
        raise Malformed(f"No consistency can be proved from {size1} to {size2}.")
    path: List[bytes] = []
    begin, end, known = 0, size2, True
    while size1 < end:
        middle = begin + _split(end - begin)
        if size1 <= middle:
            path.append(_subtree(middle, end, get_hash))
            end = middle
        else:
            path.append(_subtree(begin, middle, get_hash))
            begin, known = middle, False
    if not known:
        path.append(_subtree(begin, end, get_hash))
    return path[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check an audit path (RFC 9162 2.1.3.2).

    Raises:
        Lie: the leaf is not shown to be entry `index` of the tree with this root.
    """
    if not 0 <= index < size:
        raise Lie(f"Entry {index} cannot be in a tree of {size}.")
    _check_sizes(leaf, root, *proof)
    fn, sn, result = index, size - 1, leaf
    for hash_ in proof:
        if sn == 0:
            raise Lie("An inclusion proof is too long.")
        if fn & 1 or fn == sn:
            result = node_hash(hash_, result)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            result = node_hash(result, hash_)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Lie("An inclusion proof is too short.")
    if result != root:
        raise Lie("An inclusion proof leads to another root.")


def verify_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """Check that tree 2 extends tree 1 (RFC 9162 2.1.4.2).

    Raises:
        Lie: it is not shown to, the sizes are in the wrong order, or `size1` is 0, from which nothing is provable.
    """
    if not 0 < size1 <= size2:
        raise Lie(f"Nothing can be shown to be consistent from size {size1} to {size2}.")
    _check_sizes(root1, root2, *proof)
    if size1 == size2:
        if proof or root1 != root2:
            raise Lie("Two trees of one size differ.")
        return
    path = list(proof)
    if size1 & (size1 - 1) == 0:
        path.insert(0, root1)
    if not path:
        raise Lie("A consistency proof is empty.")
    fn, sn = size1 - 1, size2 - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = path[0]
    for hash_ in path[1:]:
        if sn == 0:
            raise Lie("A consistency proof is too long.")
        if fn & 1 or fn == sn:
            old, new = node_hash(hash_, old), node_hash(hash_, new)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, hash_)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Lie("A consistency proof is too short.")
    if old != root1 or new != root2:
        raise Lie("A consistency proof leads to another root.")


def _check_sizes(*hashes: bytes) -> None:
    if any(len(hash_) != HASH_SIZE for hash_ in hashes):
        raise Lie("A hash in a proof does not have 32 bytes.")
