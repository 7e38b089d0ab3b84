"""The candidate for sequencer that runs beside each node's writer: elected by a lease in PostgreSQL, fenced by what `term` does.

Leaves out: what a term does (`term`), sockets (`node`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from affiant.kit.clock import Clock
from affiant.kit.errors import AffiantError, Conflict, CouldNotLook, LedgerFault, LedgerUnavailable, NoRoom
from affiant.kit.home import Home
from affiant.kit.keyring import Keyring
from affiant.ledger.logkeys import Wish
from affiant.ledger.serverhome.archive import KEEP_ENTRIES, Archive
from affiant.ledger.serverhome.floor import Removal, move_floor
from affiant.ledger.serverhome.keychange import ChangedKey, NodeKeys
from affiant.ledger.serverhome.objects import ObjectStore
from affiant.ledger.serverhome.reserve import Reserve
from affiant.ledger.serverhome.store import LedgerStore, new_incarnation
from affiant.ledger.serverhome.term import KeyAwayError, SupersededError, Term, TermOptions

_log = logging.getLogger("affiant.ledger")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SequencerOptions:
    """Times of a sequencer, in real seconds.

    Args:
        term: limits of a term.
        round_s: pause between two rounds while batches arrive; what arrives meanwhile forms the next round.
        idle_s: pause while none do; a caller that waits for a place wakes the sequencer at once.
        checkpoint_s: from an entry placed to a signed head that covers it.
        archive_s: between two looks at what storage lacks.
        retry_s: before trying again what could not be reached.
        keep_entries: newest entries that stay in PostgreSQL though storage holds them.
    """

    term: TermOptions = field(default_factory=TermOptions)
    round_s: float = 0.02
    idle_s: float = 0.1
    checkpoint_s: float = 0.7
    archive_s: float = 1.0
    retry_s: float = 0.5
    keep_entries: int = KEEP_ENTRIES


class Sequencer:
    """Stands for election until `stop`, and holds a term whenever it is elected."""

    def __init__(
        self, store: LedgerStore, objects: ObjectStore, home: Home, keyring: Keyring, clock: Clock, options: SequencerOptions | None = None,
        reserve_mb: int = 0,
    ) -> None:  # fmt: skip
        self.options = options or SequencerOptions()
        self.term: Term | None = None
        self.fault = ""
        self.reserve = Reserve(store, reserve_mb)
        self._store = store
        self._archive = Archive(store, objects, self.options.keep_entries)
        self._keys = NodeKeys(home, keyring)
        self._wishes: list[tuple[Callable[[Term], Awaitable[Any]], asyncio.Future[Any]]] = []
        self._node = home.node
        self._clock = clock
        self._holder = f"{home.node}/{new_incarnation()}"
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Somebody waits for a place or a head."""
        self._wake.set()

    async def change(self, asked: Any) -> ChangedKey:
        """Rotate or revoke the log's key (see `logkeys.change`): lead, by force if need be, and do it.

        Raises:
            BadInput, Conflict, NotFound, LedgerUnavailable: as `logkeys.rotate` and `revoke`.
        """
        wish = Wish.read(asked)

        async def change(term: Term) -> ChangedKey:
            return await self._keys.change(term, self._store, wish, self._clock.now_us())

        return await self._led(change)

    async def move_floor(self, asked: Any) -> int:
        """Let entries go (see `floor.move_floor`): lead, by force if need be, and do it.

        Raises:
            BadInput, Conflict, LedgerUnavailable: as `floor.move_floor`.
        """
        removal = Removal.read(asked)
        return await self._led(lambda term: move_floor(term, self._store, removal))

    async def _led(self, work: Callable[[Term], Awaitable[T]]) -> T:
        """Have something done as the holder of a term; done again under the next one if the term is over before it took force."""
        if self._stopping.is_set():
            raise Conflict("This node is stopping.", "Ask again when it serves.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._wishes.append((work, future))
        self.wake()
        return await future

    def stop(self) -> None:
        """Place and sign what is there, resign, and return from `run`."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Stand for election, lead, again and again.

        Raises:
            LedgerFault: database or storage contradict what was signed; nobody should go on before a person has looked.
        """
        try:
            while not self._stopping.is_set():
                await self._stand()
        finally:
            for _, future in self._wishes:
                if not future.done():
                    future.set_exception(Conflict("This node stopped before it was done.", "Ask again when it serves."))

    async def _stand(self) -> None:
        """One turn: stand for election, and lead if elected."""
        number: int | None = None
        try:
            await self._keys.learn(self._store, self._clock.now_us())
            if self._keys.key is None:
                self._cannot_lead()
                await self._pause(self.options.term.ttl_s / 4, self._stopping)
                return
            stand = self._store.take_over if self._wishes else self._store.elect
            number = await stand(self._holder, self.options.term.ttl_s)
            if number is None:
                await self._pause(self.options.term.ttl_s / 4, self._stopping)
                return
            await self._lead(number)
        except SupersededError as over:
            _log.warning("sequencer: %s", over)
        except LedgerUnavailable as error:
            self.fault = str(error)
            _log.warning("sequencer: %s", error)
            if isinstance(error, NoRoom):
                await self.reserve.spend()
            if isinstance(error, KeyAwayError) and number is not None:
                # Another node may reach whoever holds the key: let it come first.
                with contextlib.suppress(LedgerUnavailable):
                    await self._store.resign(number)
                await self._pause(self.options.term.ttl_s, self._stopping)
            await self._pause(self.options.retry_s, self._stopping)
        finally:
            self.term = None

    def _cannot_lead(self) -> None:
        if self.fault != self._keys.lacking:
            _log.warning("sequencer: %s", self._keys.lacking)
        self.fault = self._keys.lacking
        for _, future in self._wishes:
            if not future.done():
                future.set_exception(Conflict(self._keys.lacking, ""))
        self._wishes.clear()

    async def _do_wishes(self, term: Term) -> None:
        """Do what was asked of the holder of the term."""
        while self._wishes:
            work, future = self._wishes[0]
            try:
                made = await work(term)
            except AffiantError as error:
                self._wishes.pop(0)
                if not future.done():
                    future.set_exception(error)
                if isinstance(error, LedgerUnavailable | LedgerFault):
                    raise
            else:
                self._wishes.pop(0)
                if not future.done():
                    future.set_result(made)

    @staticmethod
    async def _pause(seconds: float, event: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)

    async def _lead(self, number: int) -> None:
        key = self._keys.key
        assert key is not None
        term = await Term.load(self._store, key, self._keys.keys, self._node, self._clock, self.options.term, number)
        due = await self._keys.due(term, self._store)
        await term.place(extra=due)
        if due:
            await term.publish(keep=True)
            await self._store.keys_recorded()
        self.term, self.fault = term, ""
        archiving = asyncio.create_task(self._archiving(term))
        keeping = asyncio.create_task(self._keeping_reserve())
        try:
            await self._rounds(term, archiving)
            await term.place(last_words=True)
            await term.publish()
            await self._store.resign(term.number)
        finally:
            archiving.cancel()
            keeping.cancel()
            await asyncio.gather(archiving, keeping, return_exceptions=True)

    async def _rounds(self, term: Term, archiving: asyncio.Task[None]) -> None:
        """Place what arrives and sign on time until `stop`."""
        signed = stepped = time.monotonic()
        lost_looked = 0.0
        while not self._stopping.is_set():
            self._wake.clear()
            if archiving.done():
                archiving.result()
            if self._wishes:
                await self._do_wishes(term)
            now = time.monotonic()
            if now - lost_looked > 1.0:
                await self._store.lost_nodes()
                lost_looked = now
            look = await self._store.look()
            placed = 0
            if look.batches or look.endings or now - stepped > self.options.term.ttl_s / 3:
                placed = await term.place(endings=look.endings)
                stepped = time.monotonic()
            answered = await self._store.asks_placed(term.answered) if look.ask > term.answered else 0
            if answered or (term.size > term.head.size and time.monotonic() - signed >= self.options.checkpoint_s):
                await term.publish(keep=bool(answered), answered=answered)
                signed = time.monotonic()
            await self._pause(self.options.round_s if placed else self.options.idle_s, self._stopping if placed else self._wake)

    async def _keeping_reserve(self) -> None:
        """Whoever leads makes the reserve whole again."""
        while True:
            with contextlib.suppress(LedgerUnavailable):  # the next step of the term says so
                await self.reserve.keep()
            await asyncio.sleep(1.0)

    async def _archiving(self, term: Term) -> None:
        """Move what is full into storage; storage that is away delays this and nothing else."""
        while True:
            more = False
            try:
                more = await self._archive.step(term)
                await self._archive.prune(term)
                self.fault = ""
            except LedgerFault:
                await term.must_hold()
                raise
            except CouldNotLook as error:
                if str(error) != self.fault:
                    _log.warning("archive: %s", error)
                self.fault = str(error)
            if not more:
                await asyncio.sleep(self.options.archive_s)

    async def listen(self, also: Callable[[str], None]) -> Any:
        """Hear what nodes and sequencers tell; the connection is to be given to `LedgerStore.deaf`."""

        def heard(word: str) -> None:
            if word == "wake":
                self.wake()
            also(word)

        return await self._store.listen(heard)
