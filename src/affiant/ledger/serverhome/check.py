"""Everything of a ledger on servers against everything else, as a numbered argument, with nothing of the writers' state.

Reads every bundle from storage. Over entries that were pruned it rests on the hash tiles, which the signed root covers, and on what the
ledger recorded when they went. It may run while nodes serve: it looks at what was in force when it began. Leaves out: outside parties
(cosignatures are checked as the home kept them).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from affiant.kit.errors import AffiantError, CouldNotLook, LedgerFault, NotFound
from affiant.kit.home import Home
from affiant.ledger.anchorstore import AnchorStore
from affiant.ledger.checkpoints import SignedHead, open_head, parse_vkey
from affiant.ledger.floor import NOTHING_PRUNED
from affiant.ledger.serverhome.archive import head_key
from affiant.ledger.serverhome.config import ServerConfig
from affiant.ledger.serverhome.holdings import ServerHoldings, lasting_key
from affiant.ledger.serverhome.reader import ServerReader
from affiant.ledger.serverhome.store import LedgerRow
from affiant.ledger.tiles import check_tiles_below
from affiant.ledger.tree import Tree
from affiant.ledger.verify import Report, Step
from affiant.proof.canonical import loads
from affiant.proof.errors import ProofError
from affiant.proof.hashes import HASH_SIZE, leaf_hash
from affiant.proof.logkeys import KEY_EVENTS, LogKeys, parse_statement
from affiant.proof.note import Note, VerifierKey
from affiant.proof.tiles import TILE_WIDTH, bundle_path, pack_bundle, tile_path

LOCKS_LOOKED_AT = 32
_NEXT = "Keep database and bucket as they are and compare with a copy or a package handed over earlier."


class _Check:
    def __init__(self, home: Home, reader: ServerReader, vkey: VerifierKey | None) -> None:
        self.home = home
        self.reader = reader
        self.vkey = vkey
        self.report = Report()
        self.keys: LogKeys | None = None
        self.row: LedgerRow = reader.row()
        self.head: SignedHead | None = None
        self.heads: list[SignedHead] = []
        self.roots: dict[int, bytes] = {}
        self.tiles: list[tuple[str, bytes]] = []
        self.partial: dict[str, bytes] = {}
        self.faults: list[str] = []
        self.objects: list[str] = []
        self.begin = self.row.held
        self.floor = NOTHING_PRUNED

    def step(self, what: str, work: Callable[[], str]) -> None:
        try:
            detail, ok = work(), 1
        except CouldNotLook as error:
            detail, ok = str(error), -1
        except (AffiantError, ProofError) as error:
            detail, ok = str(error), 0
            with contextlib.suppress(AffiantError):
                if self.reader.row().held != self.begin:
                    detail, ok = "Entries were pruned while this looked. Look again.", -1
        self.report.steps.append(Step(len(self.report.steps) + 1, what, ok, detail))

    def run(self) -> Report:
        with contextlib.suppress(LedgerFault):  # the last step says so
            self.floor = self.reader.floor()
        self.step("The signed head opens with the log's key", self._head)
        self.step("Kept heads are signed and grow, and storage holds the same", self._kept)
        self.step("Bundles and batches hold canonical entries, and each producer's numbers have no gap", self._entries)
        self.step("The root over the entries is the signed one", self._root)
        self.step("Hash tiles are those of the entries", self._tiles)
        self.step("PostgreSQL and storage hold the same entries where both have them", self._both)
        self.step("Kept and cosigned heads lie on the same history", self._history)
        self.step("Keys of the log follow one another as the entries say", self._key_history)
        self.step("Objects are locked in COMPLIANCE mode", self._locks)
        if self.begin:
            self.step("What was pruned is recorded, and lasting entries are kept", self._pruned)
        return self.report

    def _head(self) -> str:
        self.keys = keys = self.reader.log_keys()
        if self.vkey is not None and self.vkey not in keys.keys:
            raise LedgerFault(f"The key given, {self.vkey.id.hex()}, was never a key of this log.", "Compare it with its source.")
        source = "named by entry 0" if self.vkey is None else "given"
        head = open_head(self.row.head.note, keys, "The checkpoint in PostgreSQL")
        if (head.size, head.root) != (self.row.head.size, self.row.head.root):
            raise LedgerFault("PostgreSQL contradicts its own checkpoint.", _NEXT)
        self.head = head
        self.report.signed = head.size
        self.heads.append(head)
        return f"{head.size} entries, key {keys.at(head.size).id.hex()} ({source})"

    def _need_head(self) -> SignedHead:
        if self.head is None:
            raise CouldNotLook("The signed head did not open.", "See step 1.")
        return self.head

    def _kept(self) -> str:
        newest, before, stored = self._need_head(), 0, 0
        for each in self.reader.checkpoints():
            if each.size > newest.size:
                continue
            head = open_head(each.note, self.keys or self.reader.log_keys(), f"The head kept at {each.size} entries")
            if (head.size, head.root) != (each.size, each.root) or not before < head.size:
                raise LedgerFault(f"The head kept at {each.size} entries contradicts its note or its neighbours.", _NEXT)
            before = head.size
            self.heads.append(head)
            try:
                copy = self.reader.archived_head(head.size)
            except NotFound:
                continue
            if copy != head.note:
                raise LedgerFault(f"{head_key(head.size)} in storage is another head.", _NEXT)
            stored += 1
            self.objects.append(head_key(head.size))
        return f"{len(self.heads) - 1} kept, {stored} in storage"

    def _all(self) -> Iterator[bytes]:
        """Every entry that is held: from storage as far as that goes, then from PostgreSQL."""
        for number in range(self.begin // TILE_WIDTH, self.row.archived):
            yield from self.reader.bundle_in_storage(number)
        start, stop = self.row.archived * TILE_WIDTH, self.row.placed
        while start < stop:
            end = min(stop, start + 4_096)
            yield from self.reader.entries_in_database(start, end)
            start = end

    def _entries(self) -> str:
        wanted = {head.size for head in self.heads} | {anchor.size for anchor in AnchorStore(self.home.anchors_db).all()}
        tree = self._below(wanted)
        live = self.floor.producers.get("live", ())
        last: dict[str, int] = {name: seq for name, seq, _, _ in live}
        opened: set[str] = {ref for _, _, refs, _ in live for ref in refs}
        signed = self.report.signed
        for index, entry in enumerate(self._all(), self.begin):
            try:
                raw = loads(entry)
                self._see(index, raw["producer"], raw["seq"], last)
                self._pair(index, raw["type"], raw.get("ref", ""), opened)
            except (ProofError, KeyError, TypeError, AttributeError) as error:
                raise LedgerFault(f"Entry {index} is no canonical envelope: {error}", _NEXT) from error
            if index < signed:
                tree.add([entry])
                if tree.size in wanted:
                    self.roots[tree.size] = tree.root()
                if tree.size == signed:
                    tree.put_partial()
            self.report.size = index + 1
        if self.report.size < signed:
            raise LedgerFault(f"There are {self.report.size} entries; {signed} are signed.", _NEXT)
        pruned = f"{self.begin} pruned, " if self.begin else ""
        return f"{pruned}{self.report.size - self.begin} entries by {len(last)} producers, {len(opened)} exchanges open"

    def _below(self, wanted: set[int]) -> Tree:
        """The tree over entries that were pruned, out of hash tiles held against one another; empty where none were."""
        if not self.begin:
            return Tree(self._made)
        check_tiles_below(self._tile_below, self.begin)
        for size in wanted:
            if 0 < size <= self.begin:
                self.roots[size] = self.reader.root(size)
        level, count = 0, self.begin // TILE_WIDTH
        while count:
            self.objects += [tile_path(level, number) for number in range(count)]
            level, count = level + 1, count // TILE_WIDTH
        self.report.size = self.begin
        return Tree.resume_from(self.begin, self._made, self._tile_below, lambda number, width: [])

    def _tile_below(self, level: int, number: int, width: int) -> list[bytes]:
        """The first hashes of a tile as it is kept: the full one, or the partial one of the head in force."""
        beyond = (self.reader.row().head.size >> 8 * level) - number * TILE_WIDTH
        paths = [tile_path(level, number)] + ([tile_path(level, number, beyond)] if 0 < beyond < TILE_WIDTH else [])
        data = next((found for found in map(self.reader.tile_as_kept, paths) if found is not None), b"")
        if len(data) < width * HASH_SIZE:
            raise LedgerFault(f"{paths[0]} is missing or too short; nothing can give it again.", _NEXT)
        return [data[at : at + HASH_SIZE] for at in range(0, width * HASH_SIZE, HASH_SIZE)]

    @staticmethod
    def _see(index: int, producer: str, seq: int, last: dict[str, int]) -> None:
        due = last.get(producer, -1) + 1
        if seq != due:
            raise LedgerFault(f"Entry {index}: {producer} has number {seq}; {due} was due.", _NEXT)
        last[producer] = seq

    @staticmethod
    def _pair(index: int, kind: str, ref: str, opened: set[str]) -> None:
        if kind == "exchange.opened":
            if ref in opened:
                raise LedgerFault(f"Entry {index} opens exchange {ref} again.", _NEXT)
            opened.add(ref)
        elif kind in ("exchange.closed", "exchange.interrupted"):
            if ref not in opened:
                raise LedgerFault(f"Entry {index} ends exchange {ref}, which is not open.", _NEXT)
            opened.discard(ref)

    def _made(self, path: str, data: bytes, full: bool) -> None:
        """Compare one file that the entries give with the one that is there."""
        if path.startswith("tile/entries/"):
            return
        there = self.reader.tile_as_kept(path)
        if there is None and not full and self.reader.row().head.size != self.report.signed:
            return
        if there != data:
            self.faults.append(path)
        elif full:
            self.objects.append(path)
        self.tiles.append((path, b""))

    def _root(self) -> str:
        newest = self._need_head()
        got = self.roots.get(newest.size)
        if got is None:
            raise CouldNotLook("The entries could not be read up to the signed size.", "See step 3.")
        if got != newest.root:
            raise LedgerFault(f"The entries give {got.hex()}, the head says {newest.root.hex()}.", _NEXT)
        return got.hex()

    def _tiles(self) -> str:
        if self.report.size < self.report.signed:
            raise CouldNotLook("The entries could not be read.", "See step 3.")
        if self.faults:
            raise LedgerFault(f"{len(self.faults)} differ or are missing, first {self.faults[0]}.", _NEXT)
        return f"{len(self.tiles)} tiles compared"

    def _both(self) -> str:
        compared = 0
        for number in range(self.row.pruned // TILE_WIDTH, self.row.archived):
            start = number * TILE_WIDTH
            try:
                here = self.reader.entries_in_database(start, start + TILE_WIDTH)
            except LedgerFault:
                if self.reader.row().pruned > start:
                    continue
                raise
            if pack_bundle(here) != pack_bundle(self.reader.bundle_in_storage(number)):
                raise LedgerFault(f"{bundle_path(number)} differs between PostgreSQL and storage.", _NEXT)
            compared += 1
        for number in range(self.row.archived, self.row.head.size // TILE_WIDTH):
            data = self.reader.tile_as_kept(bundle_path(number))
            start = number * TILE_WIDTH
            if data is not None and data != pack_bundle(self.reader.entries_in_database(start, start + TILE_WIDTH)):
                raise LedgerFault(f"{bundle_path(number)} lies in storage with other bytes than PostgreSQL has.", _NEXT)
        return f"{compared} bundles in both, {self.row.archived - self.begin // TILE_WIDTH} in storage"

    def _history(self) -> str:
        newest = self._need_head()
        for head in self.heads:
            if self.roots.get(head.size) != head.root:
                raise LedgerFault(f"A head signed over {head.size} entries has another root than the entries.", _NEXT)
        cosigned = AnchorStore(self.home.anchors_db).all()
        keys = {witness.name: parse_vkey(witness.vkey) for witness in self.home.witnesses}
        for anchor in cosigned:
            if anchor.size > newest.size or self.roots.get(anchor.size) != anchor.root:
                raise LedgerFault(f"{anchor.witness} cosigned another history at {anchor.size} entries.", _NEXT)
            key = keys.get(anchor.witness)
            if key is not None and not Note.parse(anchor.note).verify([key]):
                raise LedgerFault(f"The cosignature of {anchor.witness} at {anchor.size} entries is missing.", _NEXT)
        words = "no outside anchor: a roll-back of everything could not be told" if not cosigned else f"{len(cosigned)} cosigned"
        return f"{len(self.heads)} signed; {words}"

    def _key_history(self) -> str:
        """Statements stand in the entries where they say, no head contradicts them, and PostgreSQL holds the same."""
        if self.keys is None or self.report.size < self.report.signed:
            raise CouldNotLook("The keys or the entries could not be read.", "See steps 1 and 3.")
        said = [(index, str(event.body["statement"]).encode()) for index, event in self.reader.of_types(*KEY_EVENTS, stop=self.report.size)]
        for index, note in said:
            after = parse_statement(note).after
            if index < after or any(after < head.size <= index for head in self.heads):
                raise LedgerFault(f"Entry {index} speaks of a key for heads over more than {after} entries: it stands elsewhere.", _NEXT)
        kept, current = self.reader.keys_in_database()
        if [note for _, note in said][: len(kept)] != kept[: len(said)] or current not in {str(key) for key in self.keys.keys}:
            raise LedgerFault("PostgreSQL names other keys of the log than the entries do.", _NEXT)
        return f"{len(self.keys.keys)} keys, {len(self.keys.hand_overs)} hand-overs, {len(self.keys.revoked)} revoked"

    def _locks(self) -> str:
        """Nothing lies there unlocked or under a weaker lock; what has outlived its lock is counted."""
        bundles = [bundle_path(number) for number in range(self.begin // TILE_WIDTH, self.row.archived)]
        names = self.objects + bundles
        step = max(1, len(names) // LOCKS_LOOKED_AT)
        looked = over = 0
        for name in names[::step]:
            mode, until = self.reader.objects.lock_of(name)
            if mode is None:
                continue
            if mode != "COMPLIANCE":
                raise LedgerFault(f"{name} is not locked in COMPLIANCE mode ({mode or 'no lock'}).", "Find out who wrote it.")
            over += until <= datetime.now(UTC)
            looked += 1
        ended = f"; the lock of {over} has ended by its time: extend it where more is asked of you" if over else ""
        return f"{looked} of {len(names)} looked at{ended}"

    def _pruned(self) -> str:
        """The floor is what an entry says of it, nothing below is in PostgreSQL, and every lasting entry below is kept and in the tree."""
        floor = self.reader.floor()
        if self.report.size < self.report.signed or not self._need_head().size:
            raise CouldNotLook("The entries could not be read.", "See step 3.")
        if self.reader.root(floor.begin).hex() != floor.root:
            raise LedgerFault(f"PostgreSQL names another root over the {floor.begin} pruned entries than the hash tiles give.", _NEXT)
        said = [event.body for _, event in self.reader.of_types("ledger.removed") if event.body.get("below") == floor.begin]
        recorded = next((body for body in said if (body.get("root"), body.get("state")) == (floor.root, floor.digest)), None)
        if recorded is None:
            raise LedgerFault(f"No entry says that the entries below {floor.begin} were pruned as PostgreSQL has it.", _NEXT)
        if self.reader.do(lambda store: store.placed_rows(0, floor.begin, 1)):
            raise LedgerFault(f"PostgreSQL still holds entries below {floor.begin}.", _NEXT)
        kept = self.reader.lasting()
        for index, entry in kept.items():
            if leaf_hash(entry) != self.reader.leaf_hash(index) or self.reader.objects.get(lasting_key(index)) != entry:
                raise LedgerFault(f"The copy of entry {index} is not that of the tree.", _NEXT)
        if len(kept) < recorded.get("lasting", 0):
            raise LedgerFault(f"{recorded['lasting']} lasting entries were kept when entries were pruned; {len(kept)} are here.", _NEXT)
        where = ", ".join(f"{part.start} to {part.stop - 1} {part.archived or 'for good'}" for part in floor.parts)
        left = ServerHoldings(self.reader).left()
        return f"{where}; {len(kept)} lasting entries kept; {left} versions of bundles below are still in storage"


def check_server(home: Home, config: ServerConfig | None = None, vkey: str | None = None) -> Report:
    """Check a whole ledger on servers.

    Args:
        config: of the home, if it is not saved there yet.
        vkey: the log's verifier key obtained elsewhere; without it the key that entry 0 names is used, which shows only that
            the ledger agrees with itself.

    Raises:
        BadInput: `vkey` is none.
        CouldNotLook: PostgreSQL cannot be reached at all.
    """
    with ServerReader(home, config) as reader:
        return _Check(home, reader, parse_vkey(vkey) if vkey else None).run()
