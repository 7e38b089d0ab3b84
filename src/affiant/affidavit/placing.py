"""Where drawn rows stand in a population, with audit paths to the population's root and to the root over its items.

Two passes over rows that may be millions; only hashes of blocks of 256, and the blocks of the drawn rows, are held. Leaves out:
drawing (`proof.draw`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from affiant.proof.hashes import inclusion_proof, leaf_hash, levels_of, node_hash, root_of
from affiant.proof.passes import Sampled
from affiant.proof.population import parse_row, row_bytes
from affiant.proof.views import SqliteEvidence

BLOCK = 256


@dataclass(frozen=True, slots=True)
class Placed:
    """A drawn row's place.

    Args:
        position: among all rows, from 0.
        row_path: audit path of the row to the population's root.
        item_path: audit path of its item line to the root over items.
    """

    position: int
    row_path: tuple[bytes, ...]
    item_path: tuple[bytes, ...]


def place_rows(drawn: Sequence[Sampled], evidence: SqliteEvidence, leaf_of: Callable[[int], bytes], items: Path) -> tuple[Placed, ...]:
    """Places of drawn rows, in their order.

    Args:
        drawn: the sample.
        evidence: holds the population as `pop`.
        leaf_of: gives an entry's leaf hash.
        items: the file `items.csv` of the population.
    """
    if not drawn:
        return ()
    wanted = {(parsed[0], parsed[2]) for parsed in (parse_row(one.row) for one in drawn)}

    def keys() -> Iterator[tuple[int, int]]:
        yield from evidence.connection.execute("SELECT idx, ord FROM main.pop ORDER BY idx, ord")

    at = {key: number for number, key in enumerate(keys()) if key in wanted}
    positions = [at[parsed[0], parsed[2]] for parsed in (parse_row(one.row) for one in drawn)]
    rows = audit_paths((leaf_hash(row_bytes(idx, leaf_of(idx), ord_)) for idx, ord_ in keys()), positions)
    with open(items, "rb") as file:
        next(file)
        lines = audit_paths(map(leaf_hash, file), positions)
    return tuple(Placed(position, rows[position], lines[position]) for position in positions)


def audit_paths(leaves: Iterable[bytes], positions: Iterable[int]) -> dict[int, tuple[bytes, ...]]:
    """Audit path of each position in the tree over a stream of leaf hashes."""
    waiting, wanted = iter(leaves), set(positions)
    blocks = {position // BLOCK for position in wanted}
    kept: dict[int, list[bytes]] = {}
    tops: list[bytes] = []
    size = 0
    while block := list(islice(waiting, BLOCK)):
        number = size // BLOCK
        if number in blocks or len(block) < BLOCK:
            kept[number] = block
        if len(block) == BLOCK:
            tops.append(root_of(block))
        size += len(block)
    above = levels_of(tops) if tops else None

    def get_hash(level: int, index: int) -> bytes:
        if level >= 8 and above is not None:
            return above(level - 8, index)
        first = index << level
        hashes = kept[first // BLOCK][first % BLOCK : first % BLOCK + (1 << level)]
        while len(hashes) > 1:
            hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
        return hashes[0]

    return {position: tuple(inclusion_proof(position, size, get_hash)) for position in wanted}
