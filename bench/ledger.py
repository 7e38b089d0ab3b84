"""The ledger's hot path in one run: durable events a second through the writer's socket, callers' waits against a bare write and
sync of that run's own mean group, CPU an event of worker and writer together, and what encode, hash and tree cost.

64 callers that never pause wait 64 / throughput on average (`least_mean_ms`, Little's law), whatever the disk: where a sync takes
a tenth of that, their ratio to the bare disk says more of the processor than of the ledger. So callers also come at the aim's pace.

Rounds of 64 callers, of 16 callers and of the bare disk alternate, and medians over rounds are given, so that a busy machine
disturbs all alike. `python -m bench ledger --seconds 2 --rounds 3`. Leaves out: the gateway in front, and servers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from affiant.kit.clock import SystemClock
from affiant.kit.home import Home, create_home
from affiant.kit.keyring import Keyring
from affiant.ledger import Draft, LedgerClient, LedgerReader, Writer, encode, ready, verify_home
from affiant.ledger.segment import pack
from affiant.ledger.tree import Tree
from bench import proc

_RING = Keyring(bytes(range(32)), bytes(32), "local")
_WRITER = """
import sys
from pathlib import Path
from affiant.kit.clock import SystemClock
from affiant.kit.home import open_home
from affiant.kit.keyring import Keyring
from affiant.ledger import run_writer
run_writer(open_home(Path(sys.argv[1])), Keyring(bytes(range(32)), bytes(32), "local"), SystemClock(),
           ready=lambda: print("ready", flush=True))
"""
TARGETS = {
    "events_per_s": 25_000,
    "p99_ratio": 3.0,
    "cpu_us_64": 25.0,
    "cpu_us_16": 45.0,
    "encode_hash_tree_us": 6.0,
    "in_place_bytes": 900.0,
}


@dataclass
class Round:
    """One stretch of load: events, seconds, groups synced meanwhile, callers' waits (s) and CPU seconds of both processes."""

    events: int
    wall_s: float
    groups: int
    waits: list[float]
    cpu_s: tuple[float, float]

    @property
    def cpu_us(self) -> float:
        return sum(self.cpu_s) / self.events * 1e6


@dataclass
class Findings:
    """All rounds, by number of callers, those at a given pace, and the bare disk's p99 beside each round of 64 callers."""

    rounds: dict[int, list[Round]] = field(default_factory=dict)
    paced: list[Round] = field(default_factory=list)
    bare_p99: list[float] = field(default_factory=list)
    bare_paced_p99: list[float] = field(default_factory=list)
    entry_bytes: int = 0


_DECISIONS = ready([{"guard": "sanitize", "control": "AI-IN-01", "action": "allow", "how": "rules", "enforced": 1}])
_LINKS = ready([{"provider": "sim", "model": "scribe-1", "version": "2026-01", "cap": 2}])  # both made once, as the gateway makes them


def event(ref: str) -> Draft:
    """Fields and lists of an `exchange.opened` as the gateway writes it; its envelope has about 700 bytes."""
    body = {
        "surface": "chat.completions", "route": "help", "key": "k_01", "label": "internal", "mode": "enforce", "stream": 0,
        "links": _LINKS, "decisions": _DECISIONS, "parts": 1, "uninspected": 0,
        "commit_received": "8f" * 32, "commit_sent": "1c" * 32, "epoch": 12, "est_tokens": 812,
    }  # fmt: skip
    return Draft("job.run", body, ref=ref, tenant="acme", actor="key:k_01")


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def load(client: LedgerClient, callers: int, seconds: float, writer_pid: int) -> Round:
    """Callers that each wait for their own event to be on disk before they write the next, each as fast as it can."""
    waits: list[float] = []
    clock = time.perf_counter

    async def caller(number: int, end: float) -> None:
        draft = [event(f"ex_{number:06d}")]
        append, note = client.append, waits.append
        while (began := clock()) < end:
            await append(draft)
            note(clock() - began)

    async def work() -> None:
        end = clock() + seconds
        await asyncio.gather(*(caller(number, end) for number in range(callers)))

    return await _round(client, writer_pid, waits, work)


async def arrive(client: LedgerClient, pace: int, seconds: float, writer_pid: int) -> Round:
    """Callers that come at random instants, `pace` a second, whether or not others still wait: a stall keeps everybody waiting who
    comes meanwhile. The loop's clock ticks in milliseconds; a wait counts from the tick that brought its caller.
    """
    waits: list[float] = []
    clock = time.perf_counter
    rng = random.Random(pace)
    drafts = [[event(f"ex_{number:06d}")] for number in range(64)]

    async def caller(draft: list[Draft], began: float) -> None:
        await client.append(draft)
        waits.append(clock() - began)

    async def arrivals() -> None:
        due, count = clock(), 0
        end = due + seconds
        async with asyncio.TaskGroup() as under_way:
            while (now := clock()) < end:
                while due <= now:
                    due += rng.expovariate(pace)
                    count += 1
                    under_way.create_task(caller(drafts[count % 64], now))
                await asyncio.sleep(0.001)

    return await _round(client, writer_pid, waits, arrivals)


async def _round(client: LedgerClient, writer_pid: int, waits: list[float], work: Callable[[], Awaitable[object]]) -> Round:
    groups = (await client.status())["groups"]
    before = (time.process_time(), proc.cpu_s([writer_pid]))
    began = time.perf_counter()
    await work()
    wall = time.perf_counter() - began
    cpu = (time.process_time() - before[0], proc.cpu_s([writer_pid]) - before[1])
    return Round(len(waits), wall, int((await client.status())["groups"]) - groups, waits, cpu)


def bare_waits(folder: Path, size: int, count: int = 600) -> list[float]:
    """Seconds of a plain write and fdatasync of `size` bytes behind the last, in a file that grows."""
    waits = []
    data = os.urandom(size)
    path = folder / "bare"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        for number in range(count):
            began = time.perf_counter()
            os.pwrite(fd, data, number * size)
            os.fdatasync(fd)
            waits.append(time.perf_counter() - began)
    finally:
        os.close(fd)
        path.unlink()
    return waits


def encode_hash_tree(count: int = 30_000) -> tuple[float, float, float]:
    """µs an event: (encode, hash and tree with its tiles and bundles made, frames and their check sums)."""
    drafts = [event(f"ex_{number:06d}") for number in range(64)]
    began = time.process_time()
    entries = [
        encode(drafts[number % 64], "n1/gateway/0123456789ab", number, 1_790_000_000_000_000 + number, number) for number in range(count)
    ]
    encoded = time.process_time()
    tree = Tree(lambda path, data, full: None)
    for start in range(0, count, 1_000):
        tree.add(entries[start : start + 1_000])
    tree.root()
    grown = time.process_time()
    for start in range(0, count, 64):
        pack(entries[start : start + 64])
    framed = time.process_time()
    return (encoded - began) / count * 1e6, (grown - encoded) / count * 1e6, (framed - grown) / count * 1e6


@contextlib.contextmanager
def writer_process(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    """The real writer, alone in its process as `affiant serve` runs it."""
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(home.root)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the writer did not start")
        yield process
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


async def measure(home: Home, pid: int, seconds: float, rounds: int) -> Findings:
    """Alternate 64 callers, the bare disk, callers at the pace of the aim, the bare disk, 16 callers."""
    found = Findings(entry_bytes=len(encode(event("ex_000001"), "n1/gateway/0123456789ab", 100_000, 1_790_000_000_000_000, 10**9)))
    client = await LedgerClient.connect(home.run / "writer.sock", "n1", "gateway", SystemClock(), timeout_s=10)
    try:
        await load(client, 64, 0.3, pid)
        for _ in range(rounds):
            gc.collect()
            wide = await load(client, 64, seconds, pid)
            found.rounds.setdefault(64, []).append(wide)
            found.bare_p99.append(_bare_p99(home, wide, found.entry_bytes))
            paced = await arrive(client, int(TARGETS["events_per_s"]), seconds, pid)
            found.paced.append(paced)
            found.bare_paced_p99.append(_bare_p99(home, paced, found.entry_bytes))
            found.rounds.setdefault(16, []).append(await load(client, 16, seconds / 2, pid))
    finally:
        await client.close()
    return found


def _bare_p99(home: Home, round_: Round, entry_bytes: int) -> float:
    """Seconds, p99, of the bare disk with as many bytes as a mean group of that round."""
    return percentile(bare_waits(home.root, int(round_.events / max(1, round_.groups) * (entry_bytes + 8))), 0.99)


def summary(found: Findings) -> dict[str, float]:
    """The figures that have targets, and those that explain them; medians over rounds."""
    wide, narrow, paced = found.rounds[64], found.rounds[16], found.paced
    middle = statistics.median
    encoding, growing, framing = encode_hash_tree()
    return {
        "entry_bytes": found.entry_bytes,
        "events_per_s": middle(r.events / r.wall_s for r in wide),
        "group": middle(r.events / max(1, r.groups) for r in wide),
        "p50_ms": middle(percentile(r.waits, 0.5) for r in wide) * 1e3,
        "p99_ms": middle(percentile(r.waits, 0.99) for r in wide) * 1e3,
        "least_mean_ms": 64 / middle(r.events / r.wall_s for r in wide) * 1e3,
        "bare_p99_ms": middle(found.bare_p99) * 1e3,
        "p99_ratio": middle(percentile(r.waits, 0.99) / bare for r, bare in zip(wide, found.bare_p99, strict=True)),
        "paced_events_per_s": middle(r.events / r.wall_s for r in paced),
        "paced_group": middle(r.events / max(1, r.groups) for r in paced),
        "paced_p50_ms": middle(percentile(r.waits, 0.5) for r in paced) * 1e3,
        "paced_p99_ms": middle(percentile(r.waits, 0.99) for r in paced) * 1e3,
        "paced_bare_p99_ms": middle(found.bare_paced_p99) * 1e3,
        "paced_p99_ratio": middle(percentile(r.waits, 0.99) / bare for r, bare in zip(paced, found.bare_paced_p99, strict=True)),
        "cpu_us_64": middle(r.cpu_us for r in wide),
        "cpu_us_64_worker": middle(r.cpu_s[0] / r.events for r in wide) * 1e6,
        "cpu_us_64_writer": middle(r.cpu_s[1] / r.events for r in wide) * 1e6,
        "cpu_us_16": middle(r.cpu_us for r in narrow),
        "cpu_us_16_worker": middle(r.cpu_s[0] / r.events for r in narrow) * 1e6,
        "cpu_us_16_writer": middle(r.cpu_s[1] / r.events for r in narrow) * 1e6,
        "encode_us": encoding,
        "hash_tree_us": growing,
        "frames_us": framing,
        "encode_hash_tree_us": encoding + growing,
    }


def _bytes(folder: Path) -> int:
    """Bytes of all files; segments are the same entries once more, until their bundles are full."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def report(figures: dict[str, float]) -> str:
    """A table with targets beside the figures that have one."""
    lines = []
    for name, value in figures.items():
        target = TARGETS.get(name)
        met = target is not None and (value >= target if name == "events_per_s" else value <= target)
        words = (
            "" if target is None else f"   {'at least' if name == 'events_per_s' else 'at most'} {target:g}: {'met' if met else 'NOT met'}"
        )
        lines.append(f"{name:22}{value:12,.2f}{words}")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run, verify the whole home, print. Exit code 1 if `--strict` and a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench ledger", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the home is made; a disk, not memory")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="affiant-bench-", dir=options.folder) as folder:
        home = create_home(Path(folder) / "home", "bench.example/log", 1_790_000_000_000_000)
        Writer.create(home, _RING, SystemClock()).close()
        with writer_process(home) as process, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            found = runner.run(measure(home, process.pid, options.seconds, options.rounds))
        checked = verify_home(home)
        places = {"in_place_bytes": _bytes(home.ledger) / LedgerReader(home).size, "segments_mib": _bytes(home.segments) / 2**20}
        figures = summary(found) | places
        print(json.dumps(figures, indent=1) if options.json else report(figures))
        if not checked.good:
            print("\n".join(checked.lines()), file=sys.stderr)
            return 1
    missed = [name for name, target in TARGETS.items() if (figures[name] < target) == (name == "events_per_s")]
    return 1 if options.strict and missed else 0
