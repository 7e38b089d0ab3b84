"""SIGKILL of the real writer under load: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest
from ledger_world import WriterProcess, add_outbox, check, closed, create, make_records, note, opened, outbox_left

from affiant.kit.clock import SystemClock
from affiant.kit.errors import LedgerUnavailable
from affiant.kit.home import Home
from affiant.ledger import LedgerClient

KILLS = int(os.environ.get("AFFIANT_KILLS", "3"))


async def _caller(client: LedgerClient, name: str, acked: dict[str, int], stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        ref = f"ex_{name}_{number}"
        try:
            acked[ref] = await client.append([opened(ref)])
            await client.append([note(f"between {ref}", ref=f"n_{ref}")])
            acked[ref + "/closed"] = await client.append([closed(ref)])
        except LedgerUnavailable:
            await asyncio.sleep(0.01)


async def _run(home: Home, rng: random.Random) -> dict[str, int]:
    acked: dict[str, int] = {}
    stop = asyncio.Event()
    process = WriterProcess(home, grace_s=1.5)
    clients = [await LedgerClient.connect(home.run / "writer.sock", "n1", "gateway", SystemClock()) for _ in range(2)]
    callers = [asyncio.create_task(_caller(client, f"{k}_{n}", acked, stop)) for k, client in enumerate(clients) for n in range(6)]
    for _ in range(KILLS):
        await asyncio.sleep(rng.uniform(0.05, 0.5))
        await asyncio.to_thread(add_outbox, home, 3)
        await asyncio.sleep(rng.uniform(0.0, 0.05))
        process.end(signal.SIGKILL)
        process = await asyncio.to_thread(WriterProcess, home, 1.5)
    await asyncio.sleep(0.2)
    stop.set()
    await asyncio.gather(*callers)
    for client in clients:
        await client.close()
    process.end()
    return acked


@pytest.mark.parametrize("seed", [1])
def test_kills_lose_nothing_acknowledged(tmp_path: Path, seed: int) -> None:
    """After each kill the ledger goes on; every acknowledged event is at the index that was answered, exactly once."""
    home = create(tmp_path / "h")
    make_records(home)
    acked = asyncio.run(_run(home, random.Random(seed)))
    reader = check(home)
    assert len(acked) > 100
    where: dict[tuple[str, str], list[int]] = {}
    for index in range(reader.size):
        event = reader.event(index)
        where.setdefault((event.type, event.ref), []).append(index)
    for ref, index in acked.items():
        ref, _, end = ref.partition("/")
        assert where["exchange.closed" if end else "exchange.opened", ref] == [index]
    changes = sorted(ref for kind, ref in where if kind == "job.run" and ref.startswith("ch_"))
    assert changes == sorted(f"ch_{n}" for n in range(3 * KILLS))
    assert all(len(found) == 1 for (kind, ref), found in where.items() if ref)
    assert outbox_left(home) == 0
