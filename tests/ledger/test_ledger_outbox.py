"""Record changes reach the ledger exactly once, whatever dies between the steps."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledger_world import add_outbox, check, create, make_records, open_writer, outbox_left

from affiant.kit.errors import LedgerFault
from affiant.kit.home import Home
from affiant.ledger import Writer

NAME = "n1/records/0"


def steps(writer: Writer, stop_after: int) -> None:
    """The pump, step by step, dying after one of them."""
    rows, _ = writer.outbox_rows()
    if stop_after == 0:
        return
    batch = writer.outbox_batch(rows)
    writer.write([batch])
    if stop_after == 1:
        return
    writer.applied([batch])
    if stop_after == 2:
        return
    writer.outbox_delete(rows)


@pytest.mark.parametrize("stop_after", range(4))
def test_exactly_once_between_each_step(tmp_path: Path, stop_after: int) -> None:
    """A writer that dies between any two steps of the pump neither loses nor doubles an event."""
    home = create(tmp_path / "h")
    make_records(home)
    total = 0
    for turn in range(3):
        add_outbox(home, 5)
        total += 5
        writer = open_writer(home)
        steps(writer, stop_after)
        writer.close()
        with open_writer(home) as writer:
            writer.pump_outbox()
            writer.checkpoint()
        reader = check(home, 2 + total)
        events = [event for _, event in reader.of_types("job.run")]
        assert [event.seq for event in events] == list(range(total))
        assert reader.find(f"ch_{turn}") != []
        assert outbox_left(home) == 0


def test_no_records_yet(tmp_path: Path) -> None:
    """Without records.db there is nothing to pump."""
    with open_writer(create(tmp_path / "h")) as writer:
        assert writer.pump_outbox() == 0


def test_many_rows_in_pieces(tmp_path: Path) -> None:
    """More rows than fit one batch arrive in order."""
    home = create(tmp_path / "h")
    make_records(home)
    add_outbox(home, 2_300)
    with open_writer(home) as writer:
        assert writer.pump_outbox() == 2_300
        assert writer.pump_outbox() == 0
        writer.checkpoint()
    check(home, 2_302)


def _set_next(home: Home, value: int) -> None:
    with closing(sqlite3.connect(home.records_db)) as db, db:
        db.execute("UPDATE outbox_seq SET next = ?", (value,))


def test_older_records_are_refused(tmp_path: Path) -> None:
    """A records.db from before the ledger's last record event is named, as is one that went missing."""
    home = create(tmp_path / "h")
    make_records(home)
    add_outbox(home, 4)
    with open_writer(home) as writer:
        writer.pump_outbox()
        writer.checkpoint()
    _set_next(home, 2)
    with open_writer(home) as writer, pytest.raises(LedgerFault, match="older than the ledger"):
        writer.pump_outbox()
    home.records_db.unlink()
    with open_writer(home) as writer, pytest.raises(LedgerFault, match="missing"):
        writer.pump_outbox()


def test_gap_in_the_outbox_is_refused(tmp_path: Path) -> None:
    """An outbox that begins behind the number that is due is named."""
    home = create(tmp_path / "h")
    make_records(home)
    add_outbox(home, 3)
    with closing(sqlite3.connect(home.records_db)) as db, db:
        db.execute("DELETE FROM outbox WHERE seq = 0")
    with open_writer(home) as writer, pytest.raises(LedgerFault, match="waits for 0"):
        writer.pump_outbox()
