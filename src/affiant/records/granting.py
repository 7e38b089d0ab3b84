"""Answers workers that ask for slices of limits, and keeps the node's stock full where nodes share them.

Lives in control's event loop; what waits for PostgreSQL runs in a thread of its own, so that no request waits for it while the node has
stock. A worker whose exchange needs more than there is waits for the one round trip under way; once PostgreSQL cannot be reached it is
told at once that nobody can tell, until an answer comes. Leaves out: what is handed out (`leases`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from affiant.kit.clock import Clock
from affiant.kit.errors import AffiantError, CouldNotLook
from affiant.records.frames import pack
from affiant.records.leases import LeaseBook
from affiant.records.slices import Ask, Slices
from affiant.records.snapshot import Grant, Lease

WAIT_S = 0.8
"""A worker waits for a slice a little longer than this; what comes later would be lost with it."""
AGAIN_S = 0.25
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class _Waiting:
    send: Callable[[bytes], None]
    lease: Lease
    since_s: float


class Granting:
    """Limits of one node.

    Args:
        book: its account.
        clock: wall time, which windows follow.
        slices: where nodes lease them; None where there is one node.
        contact: whether PostgreSQL answered a moment ago, so that an advance is soon counted.
    """

    def __init__(self, book: LeaseBook, clock: Clock, slices: Slices | None, contact: Callable[[], bool]) -> None:
        self.book, self._clock, self._slices, self._contact = book, clock, slices, contact
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "limits")
        self._shared_fault: AffiantError | None = None
        self._book_fault: AffiantError | None = None

    @property
    def fault(self) -> AffiantError | None:
        """Why limits cannot be leased. None while all is well."""
        return self._book_fault or self._shared_fault

    def take(self, lease: Lease, send: Callable[[bytes], None]) -> None:
        """Answer a worker, now or when PostgreSQL has answered."""
        self._answer(_Waiting(send, lease, time.monotonic()))
        if self._slices is not None:
            self._wake.set()

    def _answer(self, asked: _Waiting) -> None:
        try:
            advance = self._shared_fault is None and self._contact()
            granted = self.book.grant(asked.lease, self._clock.now_us() // 1_000_000, advance)
        except CouldNotLook as error:
            self._book_fault = error  # the worker refuses with `limits_unavailable`, which is not `used up`
            asked.send(pack(Grant(asked.lease.number, _UNKNOWN)))
            return
        self._book_fault = None
        if granted is not None:
            asked.send(pack(Grant(asked.lease.number, granted)))
        elif self._shared_fault is not None:
            asked.send(pack(Grant(asked.lease.number, _UNKNOWN)))
        else:
            self._waiting.append(asked)

    async def run(self) -> None:
        """Keep the stock full until cancelled."""
        while self._slices is not None:
            await self._wake.wait()
            self._wake.clear()
            await self._refill(self._slices)
            if self._shared_fault is not None:
                await asyncio.sleep(AGAIN_S)
                self._wake.set()

    async def _refill(self, slices: Slices) -> None:
        asks = self.book.asks()
        if asks:
            await self._lease(slices, asks)
        waiting, self._waiting = self._waiting, []
        for asked in waiting:
            if time.monotonic() - asked.since_s < WAIT_S:
                self._answer(asked)
        if self._waiting:
            self._wake.set()  # more was needed meanwhile

    async def _lease(self, slices: Slices, asks: list[Ask]) -> None:
        loop, now_s = asyncio.get_running_loop(), self._clock.now_us() // 1_000_000
        try:
            given = await loop.run_in_executor(self._thread, slices.lease, asks, now_s)
        except AffiantError as error:
            self._shared_fault = error
            self.book.not_leased(asks)
            return
        self._shared_fault = None
        try:
            for ask, amount in zip(asks, given, strict=True):
                self.book.leased(ask, amount)
        except CouldNotLook as error:
            self._book_fault = error

    async def close(self) -> None:
        """Give back what is in stock, and close the account.

        Raises:
            CouldNotLook: it could not be given back; it stays unused until its window is over.
        """
        try:
            if self._slices is not None and self._shared_fault is None:
                now_s = self._clock.now_us() // 1_000_000
                back = self.book.give_back(now_s)
                if back:
                    await asyncio.get_running_loop().run_in_executor(self._thread, self._slices.lease, back, now_s)
        finally:
            self._thread.shutdown()
            self.book.close()
