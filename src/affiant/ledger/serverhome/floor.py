"""The floor of a ledger on servers moves: the step of pruning that only the holder of a term takes, in the order that all nodes share.

The command that prunes has made its copies and says what the entry `ledger.removed` shall hold. The holder of the term writes it, signs,
and moves the floor in one statement that names the term and the floor before (`schema`): a node that was stopped past its takeover loses
there. A legal hold that any node put into the ledger before that entry stops it. Leaves out: copies and objects (`pruning`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from affiant.kit.errors import BadInput, Conflict
from affiant.ledger.envelope import Draft, Event, decode
from affiant.ledger.floor import Floor, parse_floor
from affiant.ledger.pruning import REMOVED
from affiant.ledger.serverhome.archive import entries_between
from affiant.ledger.serverhome.batches import entries_of, marks_of, pack_marks
from affiant.ledger.serverhome.store import LedgerStore, Row
from affiant.ledger.serverhome.term import Term
from affiant.proof.tiles import TILE_WIDTH, pack_bundle

_AGAIN = "Nothing was removed; ask again."
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Removal:
    """What a command asks for.

    Args:
        start: lowest index held, as it believes.
        record: bytes of the floor to be.
        body: of the entry `ledger.removed`, by `actor`.
        index: of that entry, where an attempt before wrote it; else -1.
        seen: entries that were looked through for legal holds.
    """

    start: int
    record: bytes
    body: dict[str, Any]
    actor: str
    index: int
    seen: int

    @classmethod
    def read(cls, asked: Any) -> Removal:
        """From the message of a command.

        Raises:
            BadInput: it is none.
        """
        try:
            numbers = int(asked["start"]), int(asked["index"]), int(asked["seen"])
            return cls(numbers[0], bytes(asked["record"]), dict(asked["body"]), str(asked["actor"]), numbers[1], numbers[2])
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"That asks for no removal: {error}.", "Use `affiant ledger prune`.") from error


async def move_floor(term: Term, store: LedgerStore, asked: Removal) -> int:
    """Record that entries go, and move the floor over them.

    Returns:
        Index of the entry that says so.

    Raises:
        SupersededError: the term is over; the floor is where it was.
        Conflict: another command moved the floor, storage lacks a bundle, or a legal hold was placed meanwhile.
        BadInput: the record is none.
    """
    try:
        floor = parse_floor(asked.record)
    except ValueError as error:
        raise BadInput(f"The floor to be is none: {error}.", "Use `affiant ledger prune`.") from error
    await term.place()
    await _check(store, asked, floor)
    found = await _since(store, asked.seen, term.size)
    _refuse_held(found)
    index = asked.index if asked.index >= 0 else next((at for at, event in found if event.body == asked.body), -1)
    if index < 0:
        await term.place(extra=[Draft(REMOVED, asked.body, ref=str(floor.begin), actor=asked.actor)])
        index = term.size - 1
        _refuse_held(await _since(store, asked.seen, index))
    if index >= term.head.size:
        await term.publish(keep=True)
    cut = await _cut(store, floor.begin)
    if not await store.take_away(term.number, asked.start, floor.begin, asked.record, _encode(floor.producers), cut):
        await term.must_hold()
        raise Conflict("Another command pruned this ledger meanwhile.", _AGAIN)
    term.state_size = max(term.state_size, floor.begin)
    return index


async def _check(store: LedgerStore, asked: Removal, floor: Floor) -> None:
    row = await store.ledger()
    if row.held != asked.start:
        raise Conflict(f"The ledger is held from entry {row.held} on, not from {asked.start}.", _AGAIN)
    if row.minimum < floor.begin:
        raise Conflict(f"The ledger is published from entry {row.minimum} on.", "Prune it first: `affiant ledger prune`.")
    if row.archived * TILE_WIDTH < floor.begin:
        raise Conflict(f"Storage lacks bundle {row.archived}.", "Ask again when storage has caught up (`archived` in the writer's status).")


async def _since(store: LedgerStore, start: int, stop: int) -> list[tuple[int, Event]]:
    """(index, event) of the newest entries about holds and removals.

    Raises:
        Conflict: so many were written since `start` that PostgreSQL does not hold them all.
    """
    if start < (await store.ledger()).pruned:
        raise Conflict(f"Too much was written since entry {start} was looked at.", _AGAIN)
    events = ((index, decode(entry)) for index, entry in enumerate(await entries_between(store, start, stop), start))
    return [(index, event) for index, event in events if event.type in (REMOVED, "hold.placed", "hold.released")]


def _refuse_held(found: list[tuple[int, Event]]) -> None:
    released = {event.ref for _, event in found if event.type == "hold.released"}
    held = next((event.ref for _, event in found if event.type == "hold.placed" and event.ref not in released), None)
    if held is not None:
        raise Conflict(f"The legal hold {held} was placed meanwhile.", "Nothing was removed; release it and ask again.")


async def _cut(store: LedgerStore, begin: int) -> Row | None:
    """What stays of the batch that holds entries on both sides of `begin`; None where there is none."""
    rows = await store.placed_rows(begin - 1, begin, 1)
    if not rows or rows[0].first_index + rows[0].count <= begin:
        return None
    row, gone = rows[0], begin - rows[0].first_index
    marks = [(place - gone, mark, ref) for place, (mark, ref) in enumerate(marks_of(row)) if mark and place >= gone]
    rest = entries_of(row)[gone:]
    return Row(row.id, row.producer, row.first_seq + gone, len(rest), pack_bundle(rest), pack_marks(marks), begin)
