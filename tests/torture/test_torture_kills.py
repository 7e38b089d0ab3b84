"""SIGKILL of the real writer under load, over and over: after each the files as they lie verify, and so does what the next start makes."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

import pytest
from ledger_world import WriterProcess, add_outbox, check, closed, note, opened, outbox_left
from torture_world import FULL, prepared

from affiant.kit.clock import SystemClock
from affiant.kit.errors import LedgerUnavailable
from affiant.kit.home import Home
from affiant.ledger import LedgerClient, verify_home

HOMES, KILLS = (10, 20) if FULL else (1, 2)


async def _caller(client: LedgerClient, name: str, acked: dict[str, int], stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        ref = f"ex_{name}_{number}"
        try:
            acked["opened " + ref] = await client.append([opened(ref), note("x" * 400, ref=f"n_{ref}")])
            acked["closed " + ref] = await client.append([closed(ref)])
        except LedgerUnavailable:
            await asyncio.sleep(0.01)


async def _loops(home: Home, rng: random.Random) -> dict[str, int]:
    acked: dict[str, int] = {}
    stop = asyncio.Event()
    process = await asyncio.to_thread(WriterProcess, home, 3.0)
    clients = [await LedgerClient.connect(home.run / "writer.sock", "n1", "gateway", SystemClock()) for _ in range(2)]
    callers = [asyncio.create_task(_caller(client, f"{k}_{n}", acked, stop)) for k, client in enumerate(clients) for n in range(8)]
    try:
        for _ in range(KILLS):
            await asyncio.sleep(rng.uniform(0.02, 0.3))
            await asyncio.to_thread(add_outbox, home, 2)
            await asyncio.sleep(rng.uniform(0.0, 0.03))
            process.end(signal.SIGKILL)
            report = await asyncio.to_thread(verify_home, home)
            assert report.good, report.lines()
            process = await asyncio.to_thread(WriterProcess, home, 3.0)
        await asyncio.sleep(0.2)
        stop.set()
        await asyncio.gather(*callers)
        for client in clients:
            await client.close()
    finally:
        stop.set()
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        for client in clients:
            await client.close()
        code = process.end()
    assert code == 0
    return acked


@pytest.mark.parametrize("seed", range(HOMES))
def test_many_kills_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    """Every acknowledged event is at the index that was answered, exactly once; every committed record change too."""
    home = prepared(tmp_path / "h")
    acked = asyncio.run(_loops(home, random.Random(seed)))
    reader = check(home)
    assert len(acked) > 20
    where: dict[str, list[int]] = {}
    for index in range(reader.size):
        event = reader.event(index)
        if event.ref:
            where.setdefault(f"{event.type.removeprefix('exchange.')} {event.ref}", []).append(index)
    for what, index in acked.items():
        assert where[what] == [index]
    assert all(len(found) == 1 for found in where.values())
    assert sum(what.startswith("job.run ch_") for what in where) == 2 * KILLS
    assert outbox_left(home) == 0
