"""One term of the sequencer: gives batches their places, grows the tree, signs heads. One owner, one call at a time.

Nothing here decides alone: each step takes effect only if PostgreSQL finds the term, the number of entries and the head in force to
be those that this process believes in (`place`, `publish`). A process that was stopped and wakes in a later term loses at its next
step and must drop its `Term`. Leaves out: when to step (`sequencer`), storage (`archive`).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from affiant import __version__
from affiant.kit.clock import Clock
from affiant.kit.errors import LedgerFault, LedgerUnavailable
from affiant.ledger.checkpoints import MINUTE_US, LogKey, SignedHead, open_head
from affiant.ledger.envelope import Draft, encode
from affiant.ledger.producers import Producers
from affiant.ledger.serverhome.batches import entries_of, marks_of, pack_marks, replay_rows
from affiant.ledger.serverhome.store import LedgerRow, LedgerStore, Own, Row
from affiant.ledger.tree import Tree
from affiant.ledger.wire import MARKS
from affiant.proof.errors import ProofError
from affiant.proof.hashes import HASH_SIZE
from affiant.proof.logkeys import LogKeys
from affiant.proof.note import Checkpoint
from affiant.proof.tiles import bundle_path, pack_bundle, tile_path, unpack_bundle

IN_THREAD = 512
_ACTOR = "system:ledger"
_RESTORE = "Stop; keep database and bucket as they are, and compare with a backup or a package handed over earlier."
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class SupersededError(Exception):
    """Another process holds a later term: what this one believes about the ledger is no longer to be used."""


class KeyAwayError(LedgerUnavailable):
    """Whoever holds the log's key could not sign; nothing was published, and another node may be able to."""


@dataclass(frozen=True, slots=True)
class TermOptions:
    """Limits of a term.

    Args:
        ttl_s: seconds, by PostgreSQL's clock, after the last step from which another node may take over.
        state_every: entries between two saved states of the producers.
    """

    ttl_s: float = 3.0
    state_every: int = 20_000


class Term:
    """See the module text. Make it with `Term.load` after an election."""

    def __init__(self, store: LedgerStore, key: LogKey, node: str, clock: Clock, options: TermOptions, number: int, row: LedgerRow) -> None:
        self.number = number
        self.head = row.head
        self.answered = row.answered
        self.size = 0
        self.producers = Producers()
        self.name = f"{node}/writer/{secrets.token_hex(6)}"
        self._node = node
        self._store = store
        self._key = key
        self._clock = clock
        self._options = options
        self._own_seq = 0
        self._started_ns = time.monotonic_ns()
        self._full: list[tuple[str, bytes]] = []
        self._partial: list[tuple[str, bytes]] = []
        self._tree = Tree(self._put)
        self._kept: SignedHead | None = None
        self.state_size = 0

    def use_key(self, key: LogKey) -> None:
        """Sign with another key from the next head on."""
        self._key = key

    def _put(self, path: str, data: bytes, full: bool) -> None:
        if not full:
            self._partial.append((path, data))
        elif not path.startswith("tile/entries/"):
            self._full.append((path, data))

    # -- taking over

    @classmethod
    async def load(cls, store: LedgerStore, key: LogKey, keys: LogKeys, node: str, clock: Clock, options: TermOptions, number: int) -> Term:
        """Read what the terms before left, and check it against the signed head.

        Args:
            key: signs heads.
            keys: whose signatures count under which head.

        Raises:
            LedgerFault: the database contradicts what was signed.
            SupersededError: another term began meanwhile.
        """
        row = await store.ledger()
        if row.term != number:
            raise SupersededError(f"Term {row.term} began.")
        if row.log_vkey != str(key.vkey):
            raise LedgerFault(f"The ledger in PostgreSQL is signed by {row.log_vkey}.", "This node has another keyring; join it again.")
        term = cls(store, key, node, clock, options, number, row)
        head = open_head(row.head.note, keys, "The checkpoint in PostgreSQL")
        if (head.size, head.root) != (row.head.size, row.head.root):
            raise LedgerFault("The checkpoint in PostgreSQL contradicts its own note.", _RESTORE)
        heads = await store.heads()
        if heads:
            term._kept = heads[-1]
            if heads[-1].size > head.size:
                raise LedgerFault(f"A head of {heads[-1].size} entries was kept; the checkpoint covers {head.size}: rolled back.", _RESTORE)
        try:
            await term._resume(row.placed)
        except LedgerFault:
            await term.must_hold()
            raise
        return term

    async def must_hold(self) -> None:
        """Ask whether this term is still the current one: what contradicts an old belief is no fault of the database.

        Raises:
            SupersededError: it is not.
        """
        row = await self._store.ledger()
        if row.term != self.number:
            raise SupersededError(f"Term {self.number} is over.")

    async def _resume(self, placed: int) -> None:
        partials = await self._store.partials()
        self._tree = Tree.resume_from(
            self.head.size,
            self._put,
            lambda level, number, width: _hashes(partials, tile_path(level, number, width)),
            lambda number, width: _unpack(partials, bundle_path(number, width)),
        )
        if self._tree.root() != self.head.root:
            raise LedgerFault(f"The tiles in PostgreSQL give another root for {self.head.size} entries than the signed one.", _RESTORE)
        self.state_size, state = await self._store.state()
        self.producers = Producers.load(_decode(state)) if state else Producers()
        self.size = self.state_size
        while self.size < placed:
            rows = await self._store.placed_rows(self.size, placed, 32)
            if not rows:
                raise LedgerFault(f"PostgreSQL lacks the entries from {self.size} to {placed - 1}.", _RESTORE)
            for row in rows:
                await self._replay(row)

    async def _replay(self, row: Row) -> None:
        """One batch that a term before placed."""
        if row.first_index > self.size:
            raise LedgerFault(f"PostgreSQL lacks the entries from {self.size} to {row.first_index - 1}.", _RESTORE)
        entries = _entries(row)
        if row.first_index == self.size:
            try:
                self.producers.replay(row.first_index, replay_rows(entries))
            except (msgspec.DecodeError, msgspec.ValidationError) as error:
                raise LedgerFault(f"Batch {row.id} holds what is no envelope: {error}.", _RESTORE) from error
        self.size = row.first_index + row.count
        await self._grow(entries[max(0, self._tree.size - row.first_index) :])

    async def _grow(self, entries: Sequence[bytes]) -> None:
        if len(entries) >= IN_THREAD:
            await asyncio.to_thread(self._tree.add, entries)
        elif entries:
            self._tree.add(entries)

    # -- placing

    async def place(self, endings: bool = True, last_words: bool = False, extra: Sequence[Draft] = ()) -> int:
        """Give all waiting batches their places, and write the endings that are due; holds on to the term.

        Args:
            endings: look for endings that are due.
            last_words: end this process's own producer, too.
            extra: entries of this process, behind all others.

        Returns:
            Number of entries that got a place.

        Raises:
            SupersededError: nothing was placed.
            LedgerFault: the database holds what it cannot hold.
        """
        rows = await self._store.waiting()
        index, fresh = self.size, list[bytes]()
        for row in rows:
            known = self.producers.live.get(row.producer)
            due = known.last + 1 if known is not None else 0
            if row.first_seq != due or row.producer in self.producers.ended:
                await self.must_hold()
                raise LedgerFault(f"Batch {row.id} of {row.producer} begins with {row.first_seq}; {due} is due.", _RESTORE)
            fresh += _entries(row)
            self.producers.wrote(row.producer, row.first_seq, index, marks_of(row))
            index += row.count
        drafts, ends = await self._endings() if endings or self._own_seq == 0 else ([], [])
        drafts += extra
        if last_words:
            drafts += self._ending(self.name, "stopped", self._own_seq + len(drafts))
            ends.append(self.name)
        own = self._own(drafts, index, fresh) if drafts or self._own_seq == 0 else None
        if not await self._store.place(self.number, self.size, rows, own, ends, self._options.ttl_s):
            raise SupersededError(f"Term {self.number} is over.")
        for name in ends:
            self.producers.end(name)
        self.size += len(fresh)
        await self._grow(fresh)
        return len(fresh)

    async def _endings(self) -> tuple[list[Draft], list[str]]:
        """Drafts that end the producers whose every batch has its place, and their names."""
        drafts: list[Draft] = []
        ends: list[str] = []
        for name, why, last in await self._store.endings():
            known = self.producers.live.get(name)
            if last != (known.last if known is not None else -1):
                continue
            ends.append(name)
            if known is not None:
                drafts += self._ending(name, why, last)
        if self._own_seq == 0:
            for producer in list(self.producers.live.values()):
                if producer.name.split("/")[1] == "writer" and producer.name not in ends:
                    ends.append(producer.name)
                    drafts += self._ending(producer.name, "restarted", producer.last)
        return drafts, ends

    def _ending(self, name: str, why: str, last: int) -> list[Draft]:
        known = self.producers.live.get(name)
        opened = known.open if known is not None else {}
        interrupted = [
            Draft("exchange.interrupted", {"producer": name, "opened": index}, ref=ref, actor=_ACTOR) for ref, index in opened.items()
        ]
        body = {"producer": name, "last_seq": last, "interrupted": len(interrupted), "why": why}
        return [*interrupted, Draft("producer.ended", body, actor=_ACTOR)]

    def _own(self, drafts: list[Draft], index: int, fresh: list[bytes]) -> Own:
        """This process's own entries, stamped and added to `fresh`; `producer.started` goes first."""
        if self._own_seq == 0:
            body = {"role": "writer", "node": self._node, "software": __version__}
            drafts = [Draft("producer.started", body, actor=_ACTOR), *drafts]
            if drafts[-1].type == "producer.ended" and drafts[-1].body["producer"] == self.name:
                drafts[-1].body["last_seq"] += 1
        at, mono = self._clock.now_us(), time.monotonic_ns() - self._started_ns
        datas = [encode(draft, self.name, self._own_seq + n, at, mono) for n, draft in enumerate(drafts)]
        marks = [(n, MARKS[draft.type], draft.ref) for n, draft in enumerate(drafts) if draft.type in MARKS]
        own = Own(self.name, self._own_seq, len(datas), pack_bundle(datas), pack_marks(marks), index)
        self.producers.wrote(self.name, self._own_seq, index, [(0, "")] * len(datas))
        self._own_seq += len(datas)
        fresh += datas
        return own

    # -- heads

    async def publish(self, keep: bool = False, answered: int = 0) -> SignedHead:
        """Sign a head over everything placed and put it in force over the one before.

        Args:
            keep: keep the head even if this wall minute has one.
            answered: number of the newest request that it answers.

        Raises:
            SupersededError: another head is in force, or the term is over; this one was not published.
            KeyAwayError: Vault cannot be reached.
        """
        try:
            new = await asyncio.to_thread(self.sign)
        except LedgerUnavailable as error:
            raise KeyAwayError(error.message, error.next_step) from error
        kept = self._kept
        keeping = kept is None or (kept.size != new.size and (keep or new.at_us // MINUTE_US != kept.at_us // MINUTE_US))
        state = _encode(self.producers.dump()) if self._state_due() else None
        self._partial.clear()
        self._tree.put_partial()
        if not await self._store.publish(self.number, self.head, new, keeping, answered, self._partial, self._full, state):
            raise SupersededError(f"Another head than {self.head.size} is in force.")
        self.head, self.answered = new, max(answered, self.answered)
        self._full.clear()
        if keeping:
            self._kept = new
        if state is not None:
            self.state_size = new.size
        return new

    def _state_due(self) -> bool:
        return self.size - self.state_size >= self._options.state_every or self.state_size == 0

    def sign(self) -> SignedHead:
        """A signed head over everything placed; the one in force if nothing was added. Not published yet."""
        if self._tree.size == self.head.size:
            return self.head
        root = self._tree.root()
        at_us = self._clock.now_us()
        note = self._key.sign(Checkpoint(self._key.vkey.name, self._tree.size, root), at_us)
        return SignedHead(at_us, self._tree.size, root, note)


def _entries(row: Row) -> list[bytes]:
    try:
        return entries_of(row)
    except (ProofError, ValueError) as error:
        raise LedgerFault(f"Batch {row.id} of {row.producer} is damaged: {error}", _RESTORE) from error


def _hashes(partials: dict[str, bytes], path: str) -> list[bytes]:
    data = partials.get(path, b"")
    if not data or len(data) % HASH_SIZE:
        raise LedgerFault(f"PostgreSQL lacks {path}.", _RESTORE)
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def _unpack(partials: dict[str, Any], path: str) -> list[bytes]:
    try:
        return unpack_bundle(partials.get(path, b""))
    except ProofError as error:
        raise LedgerFault(f"{path} in PostgreSQL is damaged: {error}", _RESTORE) from error
