"""SIGKILL between each pair of steps on an event's way from a record change into the ledger: exactly once, whatever dies."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from ledger_world import NOW, add_outbox, check, note, outbox_left
from torture_world import FULL, Run, prepared

from affiant.kit.home import Home
from affiant.ledger import encode

ROUNDS = 20 if FULL else 2
STEPS = ("inside the change", "change committed", "rows read", "staged", "on disk", "noted", "deleted", "signed")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _in_child(work: Callable[[], None]) -> None:
    """Run in a process that must die of SIGKILL."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _change_half(home: Home) -> None:
    """A record change that dies before its COMMIT, its rows written."""
    db = sqlite3.connect(home.records_db, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    seq = db.execute("SELECT next FROM outbox_seq").fetchone()[0]
    db.execute("INSERT INTO outbox(seq, data) VALUES (?, ?)", (seq, encode(note("never"), "n1/records/0", seq, NOW, 0)))
    db.execute("UPDATE outbox_seq SET next = next + 1")
    _die()


def _walk(run: Run, stop: str) -> None:
    """Change, read, stage, write, note, delete, sign; dies after the step that is named."""
    if stop == "inside the change":
        _change_half(run.home)

    def after(step: str) -> None:
        if step == stop:
            _die()

    add_outbox(run.home, 3)
    after("change committed")
    writer = run.open()
    rows, _ = writer.outbox_rows()
    after("rows read")
    batch = writer.outbox_batch(rows)
    after("staged")
    writer.write([batch])
    after("on disk")
    writer.applied([batch])
    after("noted")
    writer.outbox_delete(rows)
    after("deleted")
    writer.checkpoint()
    after("signed")


@pytest.mark.parametrize("stop", STEPS)
def test_killed_after_each_step(memory: Path, stop: str) -> None:
    """Committed changes are in the ledger once and in order, one that was not committed never, and the outbox ends empty."""
    run = Run(prepared(memory / "h"))
    committed = 0
    for _ in range(ROUNDS):
        _in_child(lambda: _walk(run, stop))
        committed += 0 if stop == "inside the change" else 3
        with closing(sqlite3.connect(run.home.records_db)) as db:
            assert db.execute("SELECT next FROM outbox_seq").fetchone()[0] == committed
        with run.open() as writer:
            writer.pump_outbox()
            writer.checkpoint()
        reader = check(run.home)
        events = [event for _, event in reader.of_types("job.run")]
        assert [event.seq for event in events] == list(range(committed))
        assert outbox_left(run.home) == 0
