"""The log's keys where several nodes share a log: whoever changes them leads; the others learn it from the database.

A statement takes force in one step in PostgreSQL (`hand_over`): under the term of its maker, over the head that it names. Order: a head
over everything placed, by the present key (N entries); the node's keyring takes new key and statement; the step; the entry; a head over it
by the new key. Until the entry has its place nobody publishes a larger head. A statement in a keyring that never made the step did not
take force, and is dropped. What others learn is public; a new private half they get from Vault, or with `affiant ledger key take`. Leaves
out: statements themselves (`ledger.logkeys`), elections (`sequencer`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from affiant.kit.errors import AffiantError, LedgerFault
from affiant.kit.home import Home
from affiant.kit.keyring import HeldKey, Keyring, open_keyring, save_keyring
from affiant.kit.signer import TransitSigner
from affiant.kit.vault import TransitPath
from affiant.ledger.checkpoints import LogKey
from affiant.ledger.envelope import Draft, decode
from affiant.ledger.logkeys import Wish, chain, check_rotation, event_of, hand_over, new_key, revocable, revocation, signing_key, tidied
from affiant.ledger.serverhome.archive import entries_between
from affiant.ledger.serverhome.store import KeyRow, LedgerStore
from affiant.ledger.serverhome.term import SupersededError, Term
from affiant.proof.errors import ProofError
from affiant.proof.logkeys import KEY_EVENTS, HandOver, LogKeys, Statement, parse_statement


@dataclass(frozen=True, slots=True)
class ChangedKey:
    """Index of the event, and the verifier key concerned."""

    index: int
    vkey: str


class NodeKeys:
    """The keys of the log as one node has them. For one event loop.

    Attributes:
        key: signs heads; None while this node does not hold the key in force.
        keys: whose signatures count under which head.
        lacking: why `key` is None, and what to do.
    """

    def __init__(self, home: Home, ring: Keyring) -> None:
        self.key: LogKey | None = None
        self.lacking = ""
        self._home = home
        self._stamp = _stamp(home)
        self._looked = False
        self._use(ring)

    def _use(self, ring: Keyring) -> None:
        self.ring = ring
        self.keys: LogKeys = chain(self._home, ring)
        try:
            self.key, self.lacking = signing_key(self._home, ring), ""
        except AffiantError as error:
            self.key, self.lacking = None, f"This node cannot lead: {error}"

    async def learn(self, store: LedgerStore, now_us: int) -> None:
        """Bring the keyring up to what the database says, and to what somebody put into its file.

        Raises:
            LedgerFault: they belong to different histories.
        """
        rows = await store.key_rows()
        stamp = _stamp(self._home)
        known = stamp == self._stamp and [row.note for row in rows] == list(self.ring.statements)
        if known and self._looked and self.key is not None:
            return
        ring = self.ring
        if stamp != self._stamp and self._home.keyring.exists():
            ring = await asyncio.to_thread(open_keyring, self._home)
        followed = await asyncio.to_thread(follow, self._home, ring, rows)
        if followed != ring:
            await self._save(followed)
        if self._home.keyring.exists():
            followed = await asyncio.to_thread(tidied, self._home, followed, now_us)
        self._stamp, self._looked = _stamp(self._home), True
        self._use(followed)
        await self._look_into_vault()

    async def _look_into_vault(self) -> None:
        """Whether Vault has the key in force for this node: whoever cannot sign must not lead."""
        held = self.ring.held[-1]
        if self.key is None or not held.transit:
            return
        try:
            signer = await asyncio.to_thread(TransitSigner.open, TransitPath.parse(held.transit))
        except AffiantError as error:
            self.key, self.lacking = None, f"This node cannot lead: {error}"
            return
        if signer.public != held.public:
            self.key, self.lacking = None, f"This node cannot lead: {held.transit} is another key than the one in force."

    async def _save(self, ring: Keyring) -> None:
        if self._home.keyring.exists():
            await asyncio.to_thread(save_keyring, self._home, ring)

    async def change(self, term: Term, store: LedgerStore, wish: Wish, now_us: int) -> ChangedKey:
        """Rotate or revoke, as the holder of a term.

        Raises:
            SupersededError: the term is over; nothing took force.
            BadInput, Conflict, NotFound, LedgerUnavailable: as `logkeys.rotate` and `revoke`.
        """
        before = self.ring
        new = await asyncio.to_thread(new_key, wish.to) if wish.do == "rotate" else None
        found = None if new is not None else revocable(self._home, before, wish.key)
        if new is not None:
            check_rotation(before, new, wish.overlap_s)
        await term.place()
        head = await term.publish(keep=True)
        if new is not None:
            made = await asyncio.to_thread(hand_over, self._home, before, new, wish.overlap_s, head.size, now_us)
        else:
            assert found is not None
            made = await asyncio.to_thread(revocation, self._home, before, found, head.size, now_us)
        held = new.transit if new is not None else ""
        await self._save(made.ring)
        vkey = str(made.vkey) if new is not None else ""
        if not await store.hand_over(term.number, head, len(before.statements), made.note, held, vkey):
            await self._save(before)
            raise SupersededError(f"Term {term.number} is over.")
        ring = made.settled(give_up=new is not None and wish.overlap_s == 0)
        await self._save(ring)
        self._stamp = _stamp(self._home)
        self._use(ring)
        if self.key is None:
            raise LedgerFault(self.lacking, "The statement holds; another node that has the key goes on.")
        term.use_key(self.key)
        await term.place(extra=[event_of(made.note, wish.actor, wish.why, held)])
        index = term.size - 1
        await term.publish(keep=True)
        await store.keys_recorded()
        return ChangedKey(index, str(made.vkey))

    async def due(self, term: Term, store: LedgerStore) -> list[Draft]:
        """Events of statements that hold and have no entry yet: those of a change that was cut short."""
        rows = [row for row in await store.key_rows() if not row.recorded and row.after >= term.head.size]
        if not rows:
            await store.keys_recorded()
            return []
        entries = await entries_between(store, term.head.size, term.size)
        seen = {str(event.body.get("statement", "")) for event in map(decode, entries) if event.type in KEY_EVENTS}
        return [event_of(row.note, "system:ledger", "finished at start", row.held) for row in rows if row.note.decode() not in seen]


def follow(home: Home, ring: Keyring, rows: Sequence[KeyRow]) -> Keyring:
    """A node's keyring with the statements that hold: without those that never took force, with those that others made.

    Raises:
        LedgerFault: it is of another history.
    """
    notes = tuple(row.note for row in rows)
    common = min(len(notes), len(ring.statements))
    if notes[:common] != ring.statements[:common]:
        raise LedgerFault(
            "This node's keyring and the database name different keys of the log.",
            "Bring keys/keyring of a node that serves, or join again.",
        )
    held = list(ring.held)
    for note in reversed(ring.statements[len(notes) :]):
        if isinstance(_read(note), HandOver):
            held.pop()
    for row in rows[common:]:
        statement = _read(row.note)
        if isinstance(statement, HandOver):
            if not statement.overlap_until_us:
                held[-1] = held[-1].given_up()
            held.append(HeldKey(statement.new.public, transit=row.held))
        else:
            revoked = statement.key.public
            held = [each.given_up() if each.public == revoked else each for each in held]
    changed = replace(ring, log_seed=held[-1].seed, log_keys=tuple(held), statements=notes)
    return ring if (changed.statements, changed.held) == (ring.statements, ring.held) else changed


def _read(note: bytes) -> Statement:
    try:
        return parse_statement(note)
    except ProofError as error:
        raise LedgerFault(
            f"A statement about the log's key in PostgreSQL does not hold: {error.message}", "Keep it, and restore it."
        ) from error


def _stamp(home: Home) -> tuple[int, int]:
    """Changes when somebody puts another keyring in place."""
    try:
        stat = home.keyring.stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_ino)
