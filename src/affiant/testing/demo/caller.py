"""Plays calls through the gateway over a few kept-alive connections, and tallies what came back. Leaves out: what to call (`traffic`)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from affiant.kit.clock import ClockFile
from affiant.kit.errors import CouldNotLook
from affiant.operations.wire import Wire
from affiant.testing.demo.traffic import Call

_NOT_SERVING = (b"evidence_unavailable", b"evidence_no_room", b"snapshot_stale", b"limits_unavailable")


class Callers:
    """A pool of connections to the gateway.

    Args:
        url: the gateway's base URL.
        secrets: key id -> secret; a key that was revoked stays here, as it does in somebody's configuration.
        clock: moved to each call's time before it is sent.
        connections: most calls in flight.
    """

    def __init__(self, url: str, secrets: Mapping[str, str], clock: ClockFile, connections: int = 8) -> None:
        self._secrets = secrets
        self._clock = clock
        self._all = tuple(Wire(url, timeout_s=20) for _ in range(connections))
        self._idle: asyncio.LifoQueue[Wire] = asyncio.LifoQueue()
        for wire in self._all:
            self._idle.put_nowait(wire)
        self.tally: Counter[str] = Counter()

    async def play(self, calls: Sequence[Call]) -> None:
        """Make the calls of one burst; those of one burst overlap.

        Raises:
            CouldNotLook: the gateway stopped answering.
        """
        tasks = []
        for call in calls:
            self._clock.fix(call.at_us)
            tasks.append(asyncio.create_task(self._call(call)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    async def close(self) -> None:
        """Close the connections."""
        for wire in self._all:
            await wire.close()

    async def _call(self, call: Call) -> None:
        wire = await self._idle.get()
        headers = {"content-type": "application/json", "user-agent": "northwind/3.2"}
        if call.key:
            headers["authorization"] = f"Bearer {self._secrets[call.key]}"
        try:
            reply = await wire.request("POST", "/v1/chat/completions", headers, call.body)
        finally:
            self._idle.put_nowait(wire)
        if reply.status == 503 and any(code in reply.body for code in _NOT_SERVING):
            raise CouldNotLook(f"The gateway refuses: {reply.body[:300].decode('utf-8', 'replace')}", "See its messages above.")
        self.tally["cut" if not reply.complete else "answered" if reply.status < 400 else f"refused {reply.status}"] += 1
