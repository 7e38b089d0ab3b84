"""A ledger on servers under load from two nodes, against plain COPY into the same PostgreSQL, in one run: ratios.

Rounds alternate between the two, and medians over rounds are given. Events count when they are committed (*acknowledged*) and again
when a signed head covers them (*signed*): the second rate is what can be kept up. Storage with Object Lock takes the bundles meanwhile.
`python -m bench.ledger_server --seconds 6 --rounds 3`. Needs the packages of locks/server.txt. Leaves out: a network between nodes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "serverhome"))

import server_world

from affiant.kit.clock import SystemClock
from affiant.kit.home import Home
from affiant.ledger import Draft, LedgerClient, LedgerClientSync, encode
from bench import proc

CALLERS = 64
COPY_ROWS = 128
TARGET_PER_S = 6_000
PAD = "x" * 330
_LOAD = "import sys; from bench.ledger_server import load_main; load_main(sys.argv[1], sys.argv[2], float(sys.argv[3]))"


def event(number: int) -> Draft:
    """An event of about 700 bytes, a hundred of them incompressible; every second one closes the exchange that the one before opened."""
    kind = "exchange.closed" if number % 2 else "exchange.opened"
    body = {"surface": "chat.completions", "route": "support", "key": "key_1", "commit_received": secrets.token_hex(50), "note": PAD}
    return Draft(kind, body, ref=f"ex_{number // 2}_{secrets.token_hex(4)}" if not number % 2 else "", tenant="t", actor="key:key_1")


async def _load(socket: Path, node: str, seconds: float) -> tuple[int, float]:
    """Callers that each append one event after another through a node's socket; gives how many were acknowledged, and seconds."""
    link = await LedgerClient.connect(socket, node, "gateway", SystemClock(), 30.0)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began = time.monotonic()
    until = began + seconds
    count = 0

    async def caller() -> None:
        nonlocal count
        while time.monotonic() < until:
            draft = event(0)
            await link.append([draft])
            await link.append([Draft("exchange.closed", draft.body, draft.ref, "t", "key:key_1")])
            count += 2

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    took = time.monotonic() - began
    await link.close()
    return count, took


def load_main(socket: str, node: str, seconds: float) -> None:
    """One loading process: says when it is ready, begins when told, prints what was acknowledged in how many seconds and at what CPU."""
    import uvloop

    count, took = uvloop.run(_load(Path(socket), node, seconds))
    print(json.dumps([count, took]), flush=True)


@dataclass
class Rates:
    """Events a second of each round."""

    acknowledged: list[float] = field(default_factory=list)
    signed: list[float] = field(default_factory=list)
    copied: list[float] = field(default_factory=list)
    cpu_us: dict[str, list[float]] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """Medians, and ratios to plain COPY."""
        acknowledged, signed, copied = (statistics.median(each) for each in (self.acknowledged, self.signed, self.copied))
        return {
            "acknowledged_per_s": round(acknowledged), "signed_per_s": round(signed), "copy_per_s": round(copied),
            "acknowledged_to_copy": round(acknowledged / copied, 2), "signed_to_copy": round(signed / copied, 2),
            "cpu_us_per_event": {name: round(statistics.median(each), 1) for name, each in self.cpu_us.items()},
            "target_per_s": TARGET_PER_S, "reached": int(acknowledged >= TARGET_PER_S), "rounds": len(self.signed),
        }  # fmt: skip


async def _copy(dsn: str, table: str, seconds: float, connections: int) -> float:
    """Events a second by COPY, in groups, each group a commit, over as many connections as there are nodes."""
    import asyncpg

    rows = [(number, encode(event(0), "n1/gateway/copy", number, 1, 0)) for number in range(COPY_ROWS)]
    until = time.monotonic() + seconds

    async def one() -> int:
        connection = await asyncpg.connect(dsn)
        count = 0
        try:
            while time.monotonic() < until:
                await connection.copy_records_to_table(table, records=rows, columns=("seq", "data"))
                count += len(rows)
        finally:
            await connection.close()
        return count

    began = time.monotonic()
    counts = await asyncio.gather(*(one() for _ in range(connections)))
    return sum(counts) / (time.monotonic() - began)


def _nodes_round(world: server_world.ServerWorld, homes: Sequence[Home], trees: dict[str, int], seconds: float, rates: Rates) -> None:
    before = int(str(world.sql("SELECT size FROM @.ledger")[0][0]))
    loads = [
        subprocess.Popen(
            [sys.executable, "-c", _LOAD, str(home.run / "writer.sock"), home.node, str(seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for home in homes
    ]  # fmt: skip
    for load in loads:
        assert load.stdout is not None and load.stdout.readline() == "ready\n"
    cpu = {name: proc.cpu_s(proc.tree(pid)) for name, pid in trees.items()}
    began = time.monotonic()
    for load in loads:
        assert load.stdin is not None
        load.stdin.write("go\n")
        load.stdin.flush()
    counts = [json.loads(load.communicate()[0]) for load in loads]
    with LedgerClientSync(homes[0].run / "writer.sock", homes[0].node, "control", SystemClock(), 60.0) as link:
        link.checkpoint()
    took = time.monotonic() - began
    signed = int(str(world.sql("SELECT size FROM @.ledger")[0][0])) - before
    rates.acknowledged.append(sum(count / spent for count, spent in counts))
    rates.signed.append(signed / took)
    for name, pid in trees.items():
        rates.cpu_us.setdefault(name, []).append((proc.cpu_s(proc.tree(pid)) - cpu[name]) * 1e6 / max(1, signed))


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; the result goes to standard output as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.ledger_server", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    if why := server_world.missing_package():
        print(f"could not look: {why}", file=sys.stderr)
        return 3
    rates = Rates()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="affiant-bench-")))
        postgres = server_world.Postgres()
        stack.callback(postgres.stop)
        storage = server_world.Storage()
        stack.callback(storage.stop)
        world = server_world.ServerWorld(folder, postgres, storage, "bench")
        homes = [world.home, world.node("n2")]
        world.sql("CREATE TABLE copied(seq bigint, data bytea)")
        limits: dict[str, Any] = {"term_ttl_s": 3.0, "state_every": 20_000, "keep_entries": 10_000, "archive_s": 1.0}
        processes = [stack.enter_context(world.writer(home=home, **limits)) for home in homes]
        trees = {f"node {n + 1}": process.process.pid for n, process in enumerate(processes)}
        trees |= {"postgres": postgres.process.pid, "storage": storage.process.pid}
        for number in range(options.rounds + 1):
            copied = asyncio.run(_copy(postgres.dsn, "copied", options.seconds, len(homes)))
            if number:
                rates.copied.append(copied)
            _nodes_round(world, homes, trees, options.seconds, rates if number else Rates())
            print(f"round {number}{' (to warm up)' if not number else ''}", file=sys.stderr)
        for process in processes:
            process.end()
        report = world.check()
        print("\n".join(report.lines()), file=sys.stderr)
    print(json.dumps({**rates.report(), "entries": report.size, "verified": int(report.good)}))
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
