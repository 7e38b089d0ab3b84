"""What a ledger on servers holds of its entries: the `Holdings` that pruning asks (`ledger.retention`).

The minimum index lies in PostgreSQL. Lasting entries are copied as they are into locked storage, one object each, and into PostgreSQL,
which answers for them; their proofs come out of the hash tiles, which stay. Leaves out: taking bundles away (`pruning`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from affiant.kit.errors import Conflict
from affiant.ledger.archive import bundle_number
from affiant.ledger.reader import LedgerReader
from affiant.ledger.retention import Alone
from affiant.ledger.serverhome.objects import Version
from affiant.ledger.serverhome.reader import ServerReader
from affiant.proof.tiles import TILE_WIDTH, bundle_path

BUNDLES = "tile/entries/"


def lasting_key(index: int) -> str:
    """Name of the copy of a lasting entry in storage."""
    return f"lasting/{index:020d}"


def bundle_versions(reader: ServerReader, start: int, stop: int) -> Iterator[Version]:
    """Every version and marker of the bundles whose entries all lie in [start, stop)."""
    numbers = range(start // TILE_WIDTH, stop // TILE_WIDTH)
    if numbers:
        yield from (each for each in reader.objects.versions(BUNDLES) if bundle_number(each.key) in numbers)


def holds_in(reader: LedgerReader) -> list[str]:
    """Ids of legal holds in force by the entries, in the order that all nodes share."""
    released = {event.ref for _, event in reader.of_types("hold.released")}
    return [event.ref for _, event in reader.of_types("hold.placed") if event.ref not in released]


class ServerHoldings:
    """See `Holdings`: of a ledger on servers."""

    def __init__(self, reader: ServerReader) -> None:
        self._reader = reader

    def minimum(self) -> int:
        return self._reader.row().minimum

    def publish(self, minimum: int) -> None:
        if not self._reader.do(lambda store: store.publish_from(minimum)):
            raise Conflict(f"The minimum index is {self.minimum()} already.", "It never goes down.")

    def keep(self, indexes: Iterable[int]) -> None:
        kept = [(index, self._reader.entry(index)) for index in indexes]
        objects = self._reader.objects
        # Order: locked storage first, so that whatever PostgreSQL answers for lies there.
        for done in [objects.threads.submit(objects.put, lasting_key(index), entry) for index, entry in kept]:
            done.result()
        self._reader.do(lambda store: store.keep_lasting(kept))

    def alone(self, start: int, stop: int) -> Alone:
        found = [each for each in bundle_versions(self._reader, start, stop) if not each.marker]
        if not found:
            return Alone(0, 0)
        _, until = self._reader.objects.lock_of(bundle_path(stop // TILE_WIDTH - 1))
        locked = int(until.timestamp() * 1_000_000) if until > datetime.now(UTC) else 0
        return Alone(len(found), sum(each.size for each in found), locked)

    def left(self) -> int:
        return sum(1 for _ in bundle_versions(self._reader, 0, self._reader.row().held))

    def holds(self) -> list[str]:
        return holds_in(self._reader)
