"""Nodes in processes of their own whose workers let through as much as limits allow, and say so in a file each."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from affiant.kit.home import Home

_NODE = """
import asyncio, os, sys
from pathlib import Path
from affiant.gateway.contact import Contact
from affiant.gateway.faults import Refusal
from affiant.gateway.limits import Limits
from affiant.kit.clock import open_clock
from affiant.kit.home import open_home
from affiant.kit.keyring import Keyring
from affiant.records import Records, SnapshotServer
from affiant.records.snapshot import KeySnap

async def work(name, clock, path, out, cost, pace_s):
    contact = Contact(path, name, lambda: 0, lambda tables: None, lambda why: print(why, file=sys.stderr))
    limits = Limits(contact)
    task = asyncio.create_task(contact.run())
    while contact.tables is None:
        await asyncio.sleep(0.01)
    key = KeySnap("k1", "", "cy", "acme", ("m1",))
    while True:
        now_us = clock.now_us()
        try:
            if not contact.fresh():
                raise Refusal("snapshot_stale")
            await limits.reserve(contact.tables, key, "m1", cost, now_us)
            said = "passed"
        except Refusal as refusal:
            said = refusal.code
        os.write(out, f"{now_us // 3_600_000_000} {said}\\n".encode())
        await asyncio.sleep(pace_s if said == "passed" else 0.05)

async def main():
    clock = open_clock()
    records = await asyncio.to_thread(Records, open_home(Path(sys.argv[1])), Keyring(bytes(range(32)), bytes(32), "local"), clock)
    server = SnapshotServer(records, records.home.run / "snapshot.sock")
    await server.start()
    out = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    cost, pace_s = int(sys.argv[3]), float(sys.argv[4])
    await asyncio.gather(*(work(f"gateway-{n}", clock, server.path, out, cost, pace_s) for n in range(2)))

asyncio.run(main())
"""


class Spender:
    """One node with two workers; `pace_s` between two exchanges of a worker."""

    WORKERS = 2

    def __init__(self, home: Home, out: Path, cost: int = 1, pace_s: float = 0.0) -> None:
        self._out = out
        self.process = subprocess.Popen([sys.executable, "-c", _NODE, str(home.root), str(out), str(cost), str(pace_s)])

    def said(self) -> Counter[tuple[int, str]]:
        """How often it said what, by hour."""
        lines = self._out.read_text().splitlines() if self._out.exists() else []
        return Counter((int(hour), word) for hour, _, word in (line.partition(" ") for line in lines))

    def passed(self, hour: int) -> int:
        """How many exchanges it let through in an hour, of all that ever ran with this file."""
        return self.said()[hour, "passed"]

    def wait(self, hour: int, word: str, count: int = 1, timeout_s: float = 30.0) -> None:
        """Wait until it said something so often."""
        deadline = time.monotonic() + timeout_s
        while self.said()[hour, word] < count:
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def kill(self) -> None:
        """As if its machine were gone."""
        self.process.kill()  # also if it is stopped
        self.process.wait()
