"""One transaction of a verb: rows and the finished bytes of its events are committed together, or neither is.

The producer is `NODE/records/0` for ever: its sequence lives beside the records, so it has no gaps across processes. From `records.db`
the writer moves outbox rows into the ledger exactly once; where nodes share records, the commit itself appends to the ledger. Leaves
out: what verbs do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING

from affiant.kit.clock import Clock
from affiant.kit.db import Database
from affiant.kit.errors import Forbidden, NotFound
from affiant.kit.home import Home
from affiant.kit.ids import new_id
from affiant.kit.sql import Connection, Transactions
from affiant.ledger import Draft, encode
from affiant.ledger.sealed import check_draft
from affiant.ledger.where import is_server_home
from affiant.records import roles
from affiant.records.model import LOCAL
from affiant.records.nodes import Nodes, OneNode, SharedNodes
from affiant.records.outbox import Events, Outbox
from affiant.records.schema import MIGRATIONS
from affiant.records.store import Store

if TYPE_CHECKING:
    from affiant.kit.postgres import PostgresDatabase

VIA: ContextVar[str] = ContextVar("via", default="")
"""How whoever acts came in, where that is not by their own sign-in: `local` = the home's local credential under their name."""


def actor_of(by: str) -> str:
    """The ledger's actor for whoever acts: a person, or the home's local credential."""
    return f"system:{LOCAL}" if by == LOCAL else f"person:{by}"


class Unit:
    """What a verb works with inside its transaction.

    Args:
        store: statements over the open transaction.
        events: where its events go.
        now_us: wall time of the transaction.
        producer: name of the records producer.
        mono_ns: ns since this process opened the records.
        master: key that seals tenant-month keys.
    """

    def __init__(self, store: Store, events: Events, now_us: int, producer: str, mono_ns: int, master: bytes) -> None:
        self.store, self.now_us, self.master = store, now_us, master
        self._events = events
        self._producer, self._mono_ns = producer, mono_ns
        self.emitted = 0
        self._epoch = 0

    def emit(self, draft: Draft) -> None:
        """Put one finished event on its way; what a person did through the local credential says so (`via`)."""
        check_draft(draft)
        via = VIA.get()
        if via and draft.actor.startswith("person:"):
            draft = replace(draft, body=draft.body | {"via": via})
        seq = self._events.next_seq()
        self._events.put(seq, encode(draft, self._producer, seq, self.now_us, self._mono_ns), draft.ref)
        self.emitted += 1

    def new_epoch(self) -> int:
        """The snapshot epoch that carries what this transaction changes; the same one however often it is asked for."""
        if not self._epoch:
            self._epoch = self.store.counter("epoch") + 1
            self.store.set_counter("epoch", self._epoch)
        return self._epoch

    def new_id(self, prefix: str) -> str:
        """A fresh id."""
        return new_id(prefix, self.now_us)


class Units:
    """Opens transactions over the records of a home: its own, or those that it shares with other nodes.

    Args:
        home: the home; its node's name is the first part of the producer's.
        master: key that seals tenant-month keys.
        clock: wall time.
        on_commit: called after each commit that put events on their way, in the committing thread; it must not raise or block.
        create: whether missing records may be made.
    """

    def __init__(self, home: Home, master: bytes, clock: Clock, on_commit: Callable[[], None] | None, create: bool) -> None:
        self.shared: PostgresDatabase | None = None
        """Where nodes share the records; None for a home with its own."""
        self.database: Transactions
        self.nodes: Nodes
        if is_server_home(home):
            from affiant.records.shared import open_shared

            self.database = self.shared = open_shared(home, create)
            self.nodes = SharedNodes(self.shared, home.node)
        else:
            self.database = Database(home.records_db, MIGRATIONS, create)
            self.nodes = OneNode(self.database)
        self.clock, self.on_commit, self._master = clock, on_commit, master
        self.producer = f"{home.node}/records/0"
        self._started_ns = time.monotonic_ns()

    def _events(self, connection: Connection) -> Events:
        if self.shared is None:
            return Outbox(connection)
        from affiant.records.shared import LedgerEvents

        return LedgerEvents(connection, self.shared.schema, self.producer)

    @contextmanager
    def write(self) -> Iterator[Unit]:
        """A transaction: durable when the block ends, undone if it raises."""
        with self.database.transaction() as connection:
            events = self._events(connection)
            mono_ns = time.monotonic_ns() - self._started_ns
            unit = Unit(Store(connection), events, self.clock.now_us(), self.producer, mono_ns, self._master)
            yield unit
            events.finish()
        if unit.emitted and self.on_commit is not None:
            self.on_commit()

    def waiting(self) -> int:
        """Events of committed changes that the ledger's writer still has to do something about."""
        with self.database.reading() as connection:
            if self.shared is None:
                return Outbox(connection).size()
            from affiant.records.shared import unsigned_events

            return unsigned_events(connection)

    @contextmanager
    def read(self) -> Iterator[Store]:
        """Statements that see the last commit."""
        with self.database.reading() as connection:
            yield Store(connection)

    def roles_of(self, by: str) -> tuple[str, ...]:
        """Roles of an active person.

        Raises:
            NotFound: there is no such active person.
        """
        with self.read() as store:
            person = store.person(by)
        if person is None or not person.active:
            raise NotFound(f"There is no active person `{by}`.", "See `people`, or name another person.")
        return person.roles

    def may(self, by: str, action: str) -> bool:
        """Whether `by` (a person, or the local credential) may do the action."""
        return roles.local_may(action) if by == LOCAL else roles.may(self.roles_of(by), action)

    def require(self, by: str, action: str) -> None:
        """Let it pass, or record the refusal.

        Raises:
            Forbidden: `by` may not do the action; an `access.denied` event says so.
            NotFound: there is no such active person.
        """
        if self.may(by, action):
            return
        if by == LOCAL:
            self.deny("", action, "a person must be named")
            raise Forbidden(f"The local credential alone may not do `{action}`.", "Name the person for whom it acts: --as PERSON.")
        self.deny(by, action, "role")
        allowed = ", ".join(roles.who_may(action)) or "nobody"
        raise Forbidden(f"`{by}` may not do `{action}`.", f"Roles that may: {allowed}.")

    def deny(self, person: str, action: str, why: str) -> None:
        """Write an `access.denied` event."""
        body = {"action": action, "why": why} | ({"person": person} if person else {})
        with self.write() as unit:
            unit.emit(Draft("access.denied", body, ref=action, actor=actor_of(person) if person else "anonymous"))
