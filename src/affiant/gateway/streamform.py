"""The form of a streamed answer: each call is checked when it ends, the answer's own text with the end of the stream.

A call is not carried out before its end is there: where a policy blocks, the event that ends it stays here. Text was read while it came,
so that what is decided about it is told and takes nothing back. Leaves out: what a form is (`guards.structured`), and mending, since what
is to be mended has left already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from affiant.gateway.guardpool import GuardPool
from affiant.gateway.unguarded import BUSY, PASS
from affiant.guards import Action, Decision, Mode, Policy
from affiant.guards.quality.schema import Expected
from affiant.guards.structured import GUARD, Output, decided, fault_of
from affiant.guards.structured_stream import Arriving

_STOPS = (Action.BLOCK, Action.HOLD)


class StreamForm:
    """Decides about the form of one streamed answer.

    Args:
        policy: that the exchange follows.
        mode: of its route.
        asked: what the request asks; None: nothing.
        pool: where checking runs.

    Attributes:
        withheld: whether nothing more may be released.
    """

    def __init__(self, policy: Policy, mode: Mode, asked: Expected | None, pool: GuardPool) -> None:
        self._rule, self._asked = policy.guards.get(GUARD), asked
        self._arriving = Arriving(asked) if self._rule is not None and asked is not None and asked.asks else None
        self._pool = pool
        self._enforce, self._lets_pass = mode is Mode.ENFORCE, policy.on_busy == PASS
        self._faults: list[tuple[int, str]] = []
        self._number, self._unlooked = 0, False
        self.withheld = False

    @property
    def waiting(self) -> bool:
        """Whether a call ended that was not looked at."""
        return self._arriving is not None and self._arriving.waiting

    def note(self, events: Sequence[dict[str, Any]]) -> None:
        """Take events as they are released."""
        if self._arriving is not None:
            for event in events:
                self._arriving.note(event)

    async def settle(self) -> None:
        """Look at the calls that ended; see `withheld` afterwards.

        Raises:
            Refusal: guards are busy.
        """
        for output in self._arriving.take() if self._arriving is not None else ():
            fault = await self._look(output)
            if fault:
                self._faults.append((self._number, fault))
                self.withheld = self.withheld or self._stops(output)
            self._number += 1

    async def finish(self) -> None:
        """The stream is at its end: look at what is left.

        Raises:
            Refusal: guards are busy.
        """
        if self._arriving is not None:
            self._arriving.finish()
            await self.settle()

    def decisions(self, whole: bool = False) -> tuple[Decision, ...]:
        """What was decided.

        Args:
            whole: whether the stream came to its end; before it, nothing is decided where nothing was found.
        """
        busy = (BUSY,) if self._unlooked else ()
        if self._rule is None or self._arriving is None or not (self._faults or (whole and not self._unlooked)):
            return busy
        return (*busy, *decided(self._rule, tuple(self._faults), 0, self._enforce))

    def _stops(self, output: Output) -> bool:
        return bool(output.tool) and self._enforce and self._rule is not None and self._rule.action in _STOPS

    async def _look(self, output: Output) -> str:
        asked = self._asked
        assert asked is not None
        effort = asked.effort(len(output.text or ""))
        return await self._pool.run(effort, lambda: fault_of(output, asked), self._unseen if self._lets_pass else None)

    def _unseen(self) -> str:
        self._unlooked = True
        return ""
