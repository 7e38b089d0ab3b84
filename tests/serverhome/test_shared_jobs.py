"""Scheduled work of nodes that share records: what a node took and did not do is done by another, and what was done twice says so."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

from server_world import RING, ServerWorld
from test_shared_records import HOUR_US, NOW, Nodes

from affiant.kit.clock import SystemClock
from affiant.kit.home import Home
from affiant.records import Records

pytestmark = pytest.mark.server
LEASE_S = 3.0
START = NOW - NOW % HOUR_US
DUE = START + HOUR_US + 5 * 60_000_000
LATER = DUE + 60_000_000

# A node that runs the clockwork of control once a tenth of a second; its job says when it begins and takes as long as it is told.
_NODE = """
import asyncio, sys
from pathlib import Path
from affiant.kit.clock import FixedClock
from affiant.kit.home import open_home
from affiant.kit.keyring import Keyring
from affiant.operations import Context, Every, Job, Operations, Schedule
from affiant.records import Records, jobs

root, start_us, now_us, takes_s, lease_s, out = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), *sys.argv[5:]
jobs.LEASE_S = float(lease_s)

def say(*words):
    with open(out, "a") as file:
        print(*words, file=file)

async def run(due_us):
    say("began", due_us)
    await asyncio.sleep(takes_s)
    return "done"

class OneJob(Operations):
    def _jobs(self):
        return [Job("work", Schedule(Every.HOUR, 5), run)]
    async def _prepare_probe_key(self):
        pass

async def append(drafts):
    for draft in drafts:
        say("wrote", draft.body["due"], draft.body["ok"], draft.body["note"])

async def main():
    home, clock = open_home(root), FixedClock(start_us)
    records = Records(home, Keyring(bytes(range(32)), bytes(32), "local"), clock)
    context = Context(home, None, clock, "", append, lambda: None, lambda: True, None, None, None, jobs=records.jobs)
    operations = OneJob(context)
    say("ready")
    clock.value_us = now_us
    while True:
        await operations.tick()
        await asyncio.sleep(0.1)

asyncio.run(main())
"""


class Node:
    """One such node."""

    def __init__(self, home: Home, out: Path, takes_s: float, now_us: int = LATER) -> None:
        self._out = out
        self.process = subprocess.Popen([sys.executable, "-c", _NODE, *map(str, (home.root, START, now_us, takes_s, LEASE_S, out))])

    def said(self) -> list[str]:
        """What it did so far."""
        return self._out.read_text().splitlines() if self._out.exists() else []

    def wait(self, words: str, timeout_s: float = 30.0) -> None:
        """Wait until it says something."""
        deadline = time.monotonic() + timeout_s
        while words not in self.said():
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def running() -> Iterator[list[Node]]:
    made: list[Node] = []
    yield made
    for node in made:
        node.end()


@pytest.fixture
def homes(servers: ServerWorld) -> list[Home]:
    """Two nodes' homes, with records that know the job."""
    made = Nodes(servers)
    made.a.jobs.last({"work": START - HOUR_US})  # type: ignore[union-attr]
    made.a.close()
    made.b.close()
    return [servers.home, made.second]


BEGAN, DONE = f"began {DUE}", f"wrote {DUE} 1 done"
AGAIN = f"wrote {DUE} 1 Begun 2 times, not finished before. done"


def test_another_node_does_what_a_killed_one_had_taken(homes: list[Home], tmp_path: Path, running: list[Node]) -> None:
    """kill -9 after taking: the other does it once the lease is over, says that it was begun before, and it is done."""
    one = Node(homes[0], tmp_path / "one", 60.0)
    running.append(one)
    one.wait(BEGAN)
    two = Node(homes[1], tmp_path / "two", 0.0)
    running.append(two)
    two.wait("ready")
    time.sleep(1.5 * LEASE_S)
    assert two.said() == ["ready"]  # the first works longer than a lease, and renews it
    one.end()
    two.wait(AGAIN)
    three = Node(homes[0], tmp_path / "three", 0.0)
    running.append(three)
    three.wait("ready")
    time.sleep(LEASE_S)
    assert three.said() == ["ready"] and two.said() == ["ready", BEGAN, AGAIN]


def test_the_same_node_does_at_once_what_it_had_taken(homes: list[Home], tmp_path: Path, running: list[Node]) -> None:
    """Control that was killed and started again need not wait for its own lease; work that kills three times is given up."""
    for number in (1, 2, 3):
        node = Node(homes[0], tmp_path / f"try-{number}", 60.0)
        running.append(node)
        node.wait(BEGAN)
        node.end()
    last = Node(homes[0], tmp_path / "last", 0.0)
    running.append(last)
    last.wait("ready")
    time.sleep(1.5 * LEASE_S)
    assert last.said() == ["ready"]


def test_a_node_that_was_stopped_and_woken_does_it_too_and_both_show(homes: list[Home], tmp_path: Path, running: list[Node]) -> None:
    """Paused for longer than its lease, it finds out when it is done: two events for one due time, one says that it was begun before."""
    one = Node(homes[0], tmp_path / "one", 4.0)
    running.append(one)
    one.wait(BEGAN)
    one.process.send_signal(signal.SIGSTOP)
    two = Node(homes[1], tmp_path / "two", 0.0)
    running.append(two)
    two.wait(AGAIN)
    one.process.send_signal(signal.SIGCONT)
    one.wait(DONE)
    time.sleep(LEASE_S)
    assert one.said() == ["ready", BEGAN, DONE] and two.said() == ["ready", BEGAN, AGAIN]


def test_what_was_not_finished_in_its_window_is_missed(homes: list[Home], tmp_path: Path, running: list[Node]) -> None:
    """In the next hour nobody makes up for it; that hour's own run is a first try."""
    one = Node(homes[0], tmp_path / "one", 60.0)
    running.append(one)
    one.wait(BEGAN)
    one.end()
    two = Node(homes[1], tmp_path / "two", 0.0, LATER + HOUR_US)
    running.append(two)
    two.wait(f"wrote {DUE + HOUR_US} 1 done")
    assert two.said()[1:] == [f"began {DUE + HOUR_US}", f"wrote {DUE + HOUR_US} 1 done"]


def test_a_table_from_before_says_nothing_about_what_was_not_finished(servers: ServerWorld) -> None:
    """Records of nodes that did not know of leases: what they took counts as done."""
    made = Nodes(servers)
    try:
        made.servers.sql("ALTER TABLE @.jobs DROP COLUMN done_us, DROP COLUMN holder, DROP COLUMN until, DROP COLUMN tries")
        made.servers.sql("INSERT INTO @.jobs (name, due_us) VALUES ('work', 7)")
        made.servers.sql("UPDATE @.records_version SET version = version - 1")
        again = Records(servers.home, RING, SystemClock())
        try:
            book = again.jobs
            assert book is not None and book.last({"work": 3}) == {"work": 7}
            assert book.take({"work": 7}).over == {"work"} and book.take({"work": 8}).mine == {"work": 1}
        finally:
            again.close()
    finally:
        made.a.close()
        made.b.close()
