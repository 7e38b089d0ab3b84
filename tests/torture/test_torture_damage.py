"""A ledger that is missing, truncated, rolled back or forked: each is named at the start, with what to do, and nothing is changed."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from ledger_world import copy_home, flip, note, open_writer, put
from torture_world import OPTIONS, Run, prepared

from affiant.kit.errors import LedgerFault
from affiant.kit.home import Home
from affiant.ledger.segment import segment_firsts, segment_name

Damage = Callable[[Home, Home, Home], None]


def _segment(home: Home, number: int) -> Path:
    return home.segments / segment_name(segment_firsts(home.segments)[number])


def _replace(home: Home, other: Home, *names: str) -> None:
    for name in names:
        target, source = home.root / name, other.root / name
        if target.is_dir():
            shutil.rmtree(target)
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)


def _reboot(home: Home) -> None:
    (home.run / "durable").unlink(missing_ok=True)


def _forget_state(home: Home) -> None:
    """Without the state file a start reads every segment; with it, those before its place are left to `affiant ledger verify`."""
    shutil.rmtree(home.derived)
    home.derived.mkdir()


def _truncate_newest(home: Home, older: Home, other: Home) -> None:
    _reboot(home)
    path = _segment(home, -1)
    os.truncate(path, path.stat().st_size // 2)


def _restore_everything_but_records(home: Home, older: Home, other: Home) -> None:
    _reboot(home)
    _forget_state(home)
    _replace(home, older, "segments", "ledger", "checkpoints.log")


def _older_records(home: Home, older: Home, other: Home) -> None:
    for suffix in ("-wal", "-shm"):
        home.records_db.with_name(home.records_db.name + suffix).unlink(missing_ok=True)
    _replace(home, older, "records.db")


def _forget_and(work: Damage) -> Damage:
    def damage(home: Home, older: Home, other: Home) -> None:
        _reboot(home)
        _forget_state(home)
        work(home, older, other)

    return damage


def _no_segments(home: Home, older: Home, other: Home) -> None:
    shutil.rmtree(home.segments)
    home.segments.mkdir()


def _older(*names: str) -> Damage:
    return lambda home, older, other: _replace(home, older, *names)


def _fork(*names: str) -> Damage:
    return lambda home, older, other: _replace(home, other, *names)


def _remove(number: int) -> Damage:
    return lambda home, older, other: _segment(home, number).unlink()


def _no_checkpoint(home: Home, older: Home, other: Home) -> None:
    (home.ledger / "checkpoint").unlink()


def _alter(home: Home, older: Home, other: Home) -> None:
    flip(_segment(home, 0), 60)


def _acknowledged_gone(home: Home, older: Home, other: Home) -> None:
    _forget_state(home)
    _replace(home, older, "segments", "ledger", "checkpoints.log")


_BACK = "truncated or rolled back"
CASES: dict[str, tuple[Damage, str, str]] = {
    "the checkpoint is missing": (_no_checkpoint, "checkpoint cannot be read", "backup"),
    "the first segment is missing": (_remove(0), r"lacks 0{20}\.seg", "Restore"),
    "a segment between is missing": (_forget_and(_remove(1)), "damaged|follows entry|another root", "Restore"),
    "all segments are missing": (_no_segments, r"lacks 0{20}\.seg", "Restore"),
    "the newest segment is truncated": (_truncate_newest, _BACK, "Restore"),
    "the newest segment is truncated, no state file": (_forget_and(_truncate_newest), _BACK, "Restore"),
    "segments are of an older backup": (_older("segments"), _BACK + "|lacks", "Restore"),
    "the checkpoint is of an older backup": (_older("ledger"), "rolled back", "Restore"),
    "all but the state file is of an older backup": (_older("ledger", "checkpoints.log", "segments"), "rolled back", "Restore"),
    "all but run/durable is of an older backup": (_acknowledged_gone, "acknowledged since the machine started", "Restore"),
    "an entry was altered": (_forget_and(_alter), "damaged", "Restore|backup"),
    "segments are of a fork": (_forget_and(_fork("segments")), "altered or the log forked", "evidence"),
    "the checkpoint is of a fork": (_fork("ledger"), "altered or the log forked", "Restore"),
    "kept heads are of a fork": (_fork("checkpoints.log"), "forked", "Restore"),
}


def _three(root: Path) -> tuple[Home, Home, Home]:
    """A home that ran, as it was half-way, and as it would be had something else been written from there on."""
    run = Run(prepared(root / "now"))
    with run.open() as writer:
        run.play(writer)
        put(writer, "n1/gateway/a", 0, [note(f"first half {n}") for n in range(150)])
        writer.checkpoint()
    older = copy_home(run.home, root / "older")
    other = copy_home(run.home, root / "other")
    for home, text in ((run.home, "ours"), (other, "fork")):
        with open_writer(home, segment_bytes=OPTIONS.segment_bytes, state_every=OPTIONS.state_every) as writer:
            for first in range(150, 300, 50):
                put(writer, "n1/gateway/a", first, [note(f"{text} {first + n}") for n in range(50)])
                writer.checkpoint()
    return run.home, older, other


def _bytes(home: Home) -> dict[str, bytes]:
    return {
        str(path.relative_to(home.root)): path.read_bytes()
        for name in ("segments", "ledger", "checkpoints.log")
        for path in [home.root / name, *(home.root / name).rglob("*")]
        if path.is_file()
    }


@pytest.mark.parametrize("case", CASES)
def test_what_contradicts_a_signature_is_named_and_left_alone(memory: Path, case: str) -> None:
    """The start is refused with what is wrong and what to do; the files are evidence and stay as they were."""
    damage, says, to_do = CASES[case]
    home, older, other = _three(memory)
    damage(home, older, other)
    before = _bytes(home)
    with pytest.raises(LedgerFault, match=says) as raised:
        open_writer(home)
    assert re.search(to_do, raised.value.next_step)
    assert _bytes(home) == before


def test_a_whole_older_home_cannot_be_told_without_an_anchor(memory: Path) -> None:
    """Everything put back to an earlier moment starts, as the documents say: only what was anchored outside shows it."""
    home, older, other = _three(memory)
    _restore_everything_but_records(home, older, other)
    with open_writer(home) as writer:
        writer.checkpoint()


def test_records_of_another_moment_are_named(memory: Path) -> None:
    """A ledger older than records.db takes the rows up again; a records.db older than the ledger is refused."""
    run = Run(prepared(memory / "now"))
    older = copy_home(run.home, memory / "older")
    with run.open() as writer:
        run.play(writer)
    _older_records(run.home, older, older)
    with run.open() as writer, pytest.raises(LedgerFault, match="older than the ledger") as raised:
        writer.pump_outbox()
    assert "same moment" in raised.value.next_step
    with closing(sqlite3.connect(run.home.records_db)) as db:
        assert db.execute("SELECT count(*) FROM outbox").fetchone()[0] == 0
