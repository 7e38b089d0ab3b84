"""Power cuts that lose every write that was not synced: ours keeps what it acknowledged, SQLite in `synchronous=NORMAL` does not."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from ledger_world import RING, WriterProcess, check, closed, create, note, open_writer, opened
from torture_world import FULL, STEPS, Run, prepared

from affiant.kit.clock import SystemClock
from affiant.kit.errors import AffiantError, LedgerFault, LedgerUnavailable
from affiant.kit.home import Home, open_home
from affiant.ledger import LedgerClient, Writer
from affiant.ledger.segment import SyncError

CUTS = 8 if FULL else 1


class Machine:
    """A directory of the mount: what a computer's disk shows, until its power is cut."""

    def __init__(self, cutfs: Path, name: str) -> None:
        self.place = cutfs / name
        self.place.mkdir()

    def home(self, scratch: Path) -> Home:
        """A settled home whose `run` lies elsewhere: nothing in it outlives a start."""
        home = prepared(self.place / "home")
        shutil.rmtree(home.run)
        scratch.mkdir(parents=True)
        home.run.symlink_to(scratch)
        self.settle()
        return home

    def settle(self) -> None:
        os.setxattr(self.place, "user.settle", b"")

    def arm(self, at: int, mode: str = "drop", seed: int = 0) -> None:
        """Cut at the `at`-th change from now, 0 at once."""
        os.setxattr(self.place, "user.arm", f"{at} {mode} {seed}".encode())

    def changes(self) -> int:
        return int(os.getxattr(self.place, "user.changes").split()[0])

    def cut_off(self) -> bool:
        return os.getxattr(self.place, "user.changes").endswith(b" 1")

    def disk(self, to: Path) -> Path:
        """What the disk holds after the cut, in a directory of its own."""
        if not self.cut_off():
            self.arm(0)
        os.setxattr(self.place, "user.dump", str(to).encode())
        os.setxattr(self.place, "user.forget", b"")
        return to


def _play_in_child(run: Run) -> dict[str, object]:
    """Play in a process of its own, which may die; gives what it had been told by then."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(ours)

            def told(run: Run) -> None:
                state = {"position": run.position, "seq": run.seq, "committed": run.committed, "moved": run.moved, "acked": run.acked}
                os.write(theirs, json.dumps(state).encode() + b"\n")

            run.told = told
            with run.open() as writer:
                run.play(writer)
            code = 0
        except BaseException:  # the power is gone: any error is right here, and its text is of no use
            code = 3
        finally:
            os._exit(code)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        lines = pipe.read().splitlines()
    os.waitpid(pid, 0)
    return dict(json.loads(lines[-1])) if lines else {}


def _after(run: Run, state: dict[str, object], disk: Path) -> None:
    """Take up the run from a disk: what had been told must be there."""
    run.home = open_home(disk / "home")
    run.home.run.mkdir(exist_ok=True)
    for name, value in state.items():
        setattr(run, name, {int(seq): index for seq, index in value.items()} if isinstance(value, dict) else value)
    with closing(sqlite3.connect(run.home.records_db)) as db:
        committed = int(db.execute("SELECT next FROM outbox_seq").fetchone()[0])
    assert committed in (run.committed, run.due_rows())
    run.committed = committed


def _cut_and_go_on(cutfs: Path, memory: Path, at: int, mode: str) -> bool:
    machine = Machine(cutfs, f"{mode}{at}")
    run = Run(machine.home(memory / "run"))
    machine.arm(at, mode, at)
    state = _play_in_child(run)
    cut = machine.cut_off()
    disk = machine.disk(memory / "disk")
    _after(run, state, disk)
    with run.open() as writer:
        run.play(writer)
        writer.pump_outbox()  # the outbox's deletes are not synced: one that the cut took is repeated here
        writer.checkpoint()
    assert run.position == len(STEPS)
    run.check()
    shutil.rmtree(disk)
    shutil.rmtree(memory / "run")
    return cut


@pytest.mark.parametrize("mode", ["drop", "some"])
def test_a_cut_at_every_change(cutfs: Path, memory: Path, mode: str) -> None:
    """Whichever write, sync or change of a name is the last that happens, the next start has everything acknowledged, once."""
    whole = Machine(cutfs, f"{mode}-whole")
    run = Run(whole.home(memory / "run"))
    assert _play_in_child(run)["position"] == len(STEPS)
    changes = whole.changes()
    whole.disk(memory / "disk")
    shutil.rmtree(memory / "disk")
    shutil.rmtree(memory / "run")
    assert changes > 100
    for at in range(1, changes) if FULL else (changes // 4, changes // 2):
        # The kernel writes back when it likes, so that a run may have a few changes less than the last.
        assert _cut_and_go_on(cutfs, memory, at, mode) or at > changes * 0.9, f"no cut at change {at} of {changes}"


def test_a_cut_while_a_ledger_is_created(cutfs: Path, memory: Path) -> None:
    """When creation returns, the ledger survives; cut earlier, there is none, or one that is refused by name, or a whole one."""
    machine = Machine(cutfs, "created")
    create(machine.place / "home")
    changes = machine.changes()
    machine.arm(0)
    home = open_home(machine.disk(memory / "whole") / "home")
    home.run.mkdir(exist_ok=True)
    with open_writer(home) as writer:
        writer.checkpoint()
    check(home)
    for at in range(1, changes + 1, 1 if FULL else 9):
        machine = Machine(cutfs, f"created{at}")
        machine.arm(at)
        created = True
        try:
            create(machine.place / "home")
        except (OSError, AffiantError, SyncError):
            created = False
        disk = machine.disk(memory / f"disk{at}")
        if not (disk / "home" / "affiant.json").exists():
            assert not created
            continue
        home = open_home(disk / "home")
        for name in ("run", "derived", "segments", "ledger"):
            (home.root / name).mkdir(exist_ok=True)
        try:
            with open_writer(home) as writer:
                writer.checkpoint()
        except LedgerFault as error:
            assert error.next_step and not created
        else:
            check(home)


_COMMITS = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA synchronous = " + sys.argv[2])
db.execute("PRAGMA wal_autocheckpoint = 0")  # a checkpoint syncs the WAL: nothing is lost where one happens to end just before a cut
number = 0
while True:
    number += 1
    db.execute("INSERT INTO t VALUES (?, ?)", (number, "x" * 600))
    os.write(1, b"%d\\n" % number)
"""


def _sqlite_lost(machine: Machine, memory: Path, synchronous: str, seconds: float) -> int:
    """Rows that SQLite had acknowledged and that are gone after a cut."""
    path = machine.place / "rows.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE t(n INTEGER PRIMARY KEY, text TEXT)")
    machine.settle()
    with subprocess.Popen(
        [sys.executable, "-c", _COMMITS, str(path), synchronous], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout is not None
        for _ in range(50):
            child.stdout.readline()
        time.sleep(seconds)
        machine.arm(0)
        child.kill()
        lines = child.stdout.read().split(b"\n")
    acked = int(lines[-2]) if len(lines) > 1 else 50
    disk = machine.disk(memory / machine.place.name)
    with closing(sqlite3.connect(disk / "rows.db")) as db:
        there = int(db.execute("SELECT count(*) FROM t").fetchone()[0])
    return max(0, acked - there)


async def _under_load(home: Home, machine: Machine, seconds: float) -> dict[str, int]:
    """Callers of the real writer until the power goes."""
    acked: dict[str, int] = {}
    gone = asyncio.Event()

    async def caller(client: LedgerClient, name: int) -> None:
        number = 0
        while not gone.is_set():
            number += 1
            ref = f"ex_{name}_{number}"
            try:
                acked["opened " + ref] = await client.append([opened(ref), note("x" * 300)], timeout_s=1)
                acked["closed " + ref] = await client.append([closed(ref)], timeout_s=1)
            except LedgerUnavailable:
                await asyncio.sleep(0.01)

    process = await asyncio.to_thread(WriterProcess, home)
    client = await LedgerClient.connect(home.run / "writer.sock", "n1", "gateway", SystemClock(), timeout_s=5)
    callers = [asyncio.create_task(caller(client, name)) for name in range(8)]
    await asyncio.sleep(seconds)
    await asyncio.to_thread(machine.arm, 0)
    await asyncio.sleep(0.1)
    process.end(signal.SIGKILL)
    gone.set()
    await asyncio.gather(*callers)
    await client.close()
    return acked


def _ours_lost(machine: Machine, memory: Path, seconds: float) -> int:
    """Events that our writer had acknowledged and that are not where it said after a cut; the whole home is checked too."""
    home = machine.home(memory / f"run-{machine.place.name}")
    acked = asyncio.run(_under_load(home, machine, seconds))
    assert len(acked) > 10
    home = open_home(machine.disk(memory / machine.place.name) / "home")
    home.run.mkdir(exist_ok=True)
    with Writer.open(home, RING, SystemClock()) as writer:
        writer.end_all()
        writer.checkpoint()
    reader = check(home)
    found: dict[str, list[int]] = {}
    for index in range(reader.size):
        event = reader.event(index)
        if event.type in ("exchange.opened", "exchange.closed"):
            found.setdefault(f"{event.type.removeprefix('exchange.')} {event.ref}", []).append(index)
    assert all(len(indexes) == 1 for indexes in found.values())
    return sum(found.get(what) != [index] for what, index in acked.items())


def test_same_cuts_sqlite_normal_and_ours(cutfs: Path, memory: Path) -> None:
    """In each of the same cuts NORMAL loses rows that it acknowledged; FULL, which records.db uses, and the ledger lose none."""
    rng = random.Random(7)
    normal, full, ours = [], [], []
    for number in range(CUTS):
        seconds = rng.uniform(0.2, 0.6)
        normal.append(_sqlite_lost(Machine(cutfs, f"normal{number}"), memory, "NORMAL", seconds))
        full.append(_sqlite_lost(Machine(cutfs, f"full{number}"), memory, "FULL", seconds))
        ours.append(_ours_lost(Machine(cutfs, f"ours{number}"), memory, seconds))
    print(f"acknowledged and lost, a cut each: SQLite NORMAL {normal}, SQLite FULL {full}, ledger {ours}")
    assert all(normal)
    assert not any(full)
    assert not any(ours)
