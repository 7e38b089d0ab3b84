"""An error or a short write at every call that changes the disk: segments, tiles, bundles, checkpoint, checkpoints.log, state."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
from ledger_world import NOW, RING, new_home
from torture_world import FAULTS, FULL, OPTIONS, STEPS, Fault, NthOps, Run, prepared

from affiant.kit.clock import FixedClock
from affiant.kit.errors import AffiantError, Conflict, LedgerFault
from affiant.kit.home import open_home
from affiant.ledger import Writer
from affiant.ledger.segment import SyncError

STRIDE = 1 if FULL else 29
NAMED = (AffiantError, SyncError)


def _calls(root: Path) -> int:
    """Number of calls of a whole run, start and close included; the run itself must be right."""
    run, ops = Run(prepared(root)), NthOps()
    with run.open(ops) as writer:
        run.play(writer)
    run.check()
    assert {"write", "datasync", "sync", "truncate", "allocate"} <= set(ops.calls)
    return len(ops.calls)


def _strike(run: Run, ops: NthOps) -> str:
    """Play with a disk that fails once. Where there was no room, the same writer must be able to go on."""
    try:
        writer = run.open(ops)
    except NAMED as error:
        return str(error)
    said = ""
    try:
        for _ in range(3):
            try:
                run.play(writer)
                break
            except NAMED as error:
                said = str(error)
                if isinstance(error, SyncError):
                    break
    finally:
        try:
            writer.close()
        except NAMED as error:
            said = said or str(error)
    return said


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_one_failing_call_loses_and_doubles_nothing(memory: Path, fault: Fault) -> None:
    """Whichever call fails, the writer stops or goes on by a named error, and the next start finds everything acknowledged, once."""
    template = memory / "template"
    prepared(template)
    calls = _calls(memory / "count")
    assert calls > 60
    for number in range(0, calls, STRIDE):
        root = memory / f"h{number}"
        shutil.copytree(template, root)
        run, ops = Run(open_home(root)), NthOps(number, fault)
        said = _strike(run, ops)
        if ops.struck == "write" or fault.how != "short":
            assert ops.struck, number
        with run.open() as writer:
            run.play(writer)
            writer.checkpoint()
        assert run.position == len(STEPS), (number, said)
        run.check()
        shutil.rmtree(root)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_creation_that_fails_is_no_ledger_or_a_whole_one(memory: Path, fault: Fault) -> None:
    """A ledger whose creation was broken off is refused by name with what to do; one that was finished starts."""
    ops = NthOps()
    Writer.create(new_home(memory / "count"), RING, FixedClock(NOW), OPTIONS, ops).close()
    for number in range(0, len(ops.calls), 1 if FULL else 4):
        home = new_home(memory / f"h{number}")
        with contextlib.suppress(NAMED):
            Writer.create(home, RING, FixedClock(NOW), OPTIONS, NthOps(number, fault)).close()
        if not any(home.segments.iterdir()):
            Writer.create(home, RING, FixedClock(NOW), OPTIONS).close()
        try:
            with Writer.open(home, RING, FixedClock(NOW), OPTIONS) as writer:
                writer.checkpoint()
        except LedgerFault as error:
            assert "creation" in str(error) and error.next_step
            with pytest.raises(Conflict):
                Writer.create(home, RING, FixedClock(NOW), OPTIONS)
            continue
        Run(home).check()
