"""Segments: frames, recovery, faults of the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from ledger_world import FULL, FailingOps, check, closed, create, note, open_writer, opened, put

from affiant.kit.errors import LedgerFault, NoRoom
from affiant.ledger import LedgerReader, WriterOptions
from affiant.ledger.segment import SyncError, batches, frames, pack, segment_firsts, segment_name, torn_only


def test_frames_round_trip_whole_batches() -> None:
    """A packed batch reads back as it was, and one that lacks its end is not given."""
    data = pack([b"a", b"bb" * 300, b"c"]) + pack([b"d"])
    assert [[frame.data for frame in batch] for batch in batches(data, 5)] == [[b"a", b"bb" * 300, b"c"], [b"d"]]
    assert [[frame.data for frame in batch] for batch in batches(pack([b"a", b"b"])[:-9], 0)] == []


@pytest.mark.parametrize("cut", range(1, 40))
def test_any_cut_leaves_a_prefix(cut: int) -> None:
    """However many bytes are missing at the end, what is read is a prefix and nothing else."""
    data = pack([b"first"]) + pack([b"second", b"third"])
    found = [frame.data for batch in batches(data[:-cut], 0) for frame in batch]
    assert found in ([], [b"first"])


def test_every_flipped_bit_is_seen() -> None:
    """A frame with one changed bit anywhere is not read as good."""
    data = pack([b"entry"])
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            assert [frame.data for frame in frames(bytes(changed), 0)] != [b"entry"] or at < 4
            assert list(batches(bytes(changed), 0)) == []


def test_damage_before_good_frames_is_no_torn_write() -> None:
    """Bytes that are none before whole frames count as a torn write only where a hole explains them."""
    good = pack([b"x" * 50])
    assert torn_only(b"\x00\x00\x01" + b"junk" * 9, 0)
    assert not torn_only(b"{junk}" * 9 + good, 0)
    assert torn_only(bytes(1024) + good, 0)


def test_torn_tail_is_cut_and_all_else_refused(tmp_path: Path) -> None:
    """What an unfinished write left behind the last batch goes; damage inside names itself and stops the start."""
    home = create(tmp_path / "h")
    with open_writer(home) as writer:
        put(writer, "n1/gateway/a", 0, [note("one"), note("two")])
        writer.checkpoint()
        size = writer.size
    path = home.segments / segment_name(0)
    whole = path.read_bytes()
    path.write_bytes(whole + pack([b"never", b"acknowledged"])[:-5])
    with open_writer(home) as writer:
        assert writer.size == size
    assert path.read_bytes() == whole
    path.write_bytes(whole[:40] + b"?" + whole[41:])
    with pytest.raises(LedgerFault, match=r"damaged|end at entry"):
        open_writer(home)


def test_lost_acknowledged_entries_are_noticed(tmp_path: Path) -> None:
    """Entries cut off behind the signed head, but acknowledged since the machine started, stop the start."""
    home = create(tmp_path / "h")
    path = home.segments / segment_name(0)
    with open_writer(home) as writer:
        before = path.stat().st_size
        put(writer, "n1/gateway/a", 0, [note("one")])
    os.truncate(path, before)
    with pytest.raises(LedgerFault, match="acknowledged"):
        open_writer(home)


def test_rotation_keeps_one_order(tmp_path: Path) -> None:
    """Small segments follow one another without a gap, and a reader crosses them."""
    home = create(tmp_path / "h")
    with open_writer(home, segment_bytes=2_000) as writer:
        for number in range(60):
            put(writer, "n1/gateway/a", number, [note("x" * 100)])
            if number % 20 == 7:
                writer.checkpoint()
                check(home, writer.size)
        assert len(segment_firsts(home.segments)) > 5
        reader = LedgerReader(home)
        assert [event.seq for event in map(reader.event, range(2, 62))] == list(range(60))
    with open_writer(home, segment_bytes=2_000) as writer:
        assert writer.size == 62
        writer.checkpoint()
    check(home, 62)


@pytest.mark.parametrize("partial", [0, 1, 9, 200])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_leaves_nothing_behind(tmp_path: Path, partial: int, code: int) -> None:
    """A short write without room is taken back whole; the next write goes on at the same place."""
    home = create(tmp_path / "h")
    ops = FailingOps()
    with open_writer(home, ops) as writer:
        put(writer, "n1/gateway/a", 0, [note("kept")])
        size = writer.size
        ops.fail, ops.partial = ("write", 0, code), partial
        with pytest.raises(NoRoom):
            put(writer, "n1/gateway/a", 1, [note("lost"), note("lost too")])
        assert writer.size == size
        put(writer, "n1/gateway/a", 1, [note("after")])
        writer.checkpoint()
    reader = check(home, size + 1)
    assert reader.event(size).body["note"] == "after"


@pytest.mark.parametrize("call", ["write", "datasync"])
def test_broken_disk_stops_the_writer(tmp_path: Path, call: str) -> None:
    """An input/output error is fatal, and what was acknowledged before is there after a new start."""
    home = create(tmp_path / "h")
    ops = FailingOps()
    writer = open_writer(home, ops)
    put(writer, "n1/gateway/a", 0, [note("kept")])
    size = writer.size
    ops.fail = (call, 0, errno.EIO)
    with pytest.raises(SyncError):
        put(writer, "n1/gateway/a", 1, [note("unknown")])
    writer.close()
    with open_writer(home) as writer:
        assert writer.size >= size
        first = put(writer, "n1/gateway/a", 1, [note("unknown")])
        assert first == size
        writer.checkpoint()
    assert check(home, size + 1).event(size).body["note"] == "unknown"


def test_sync_error_at_start_is_a_fault(tmp_path: Path) -> None:
    """A start that cannot put the newest segment on disk says so instead of going on."""
    home = create(tmp_path / "h")
    ops = FailingOps()
    ops.fail = ("datasync", 0, errno.EIO)
    with pytest.raises(LedgerFault, match="put on disk"):
        open_writer(home, ops)


def test_rotation_without_room_goes_on_in_the_old_segment(tmp_path: Path) -> None:
    """Where a new segment finds no room, the old one grows beyond its size."""
    home = create(tmp_path / "h")
    ops = FailingOps()
    with open_writer(home, ops, segment_bytes=100) as writer:
        ops.fail = ("sync", 0, FULL)
        put(writer, "n1/gateway/a", 0, [note("one")])
        assert segment_firsts(home.segments) == [0]
        put(writer, "n1/gateway/a", 1, [note("two")])
        assert segment_firsts(home.segments) == [0, 3]
        writer.checkpoint()
    check(home, 4)


def test_no_room_for_openings_leaves_room_for_closings(tmp_path: Path) -> None:
    """Below the reserve no exchange may be opened; the writer itself still takes refusals and closings."""
    home = create(tmp_path / "h")
    ops = FailingOps()
    with open_writer(home, ops) as writer:
        assert writer.has_room()
        put(writer, "n1/gateway/a", 0, [opened("ex_1")])
        ops.free = WriterOptions().reserve_bytes - 1
        assert not writer.has_room()
        put(writer, "n1/gateway/a", 1, [closed("ex_1"), note("refused")])
        writer.checkpoint()
    check(home, 5)


def test_no_blocks_ahead_means_no_room_until_there_are_some(tmp_path: Path) -> None:
    """When blocks can no longer be reserved ahead, what is left is kept for closings; freed space is noticed by itself."""
    home = create(tmp_path / "h")
    ops = FailingOps()
    with open_writer(home, ops) as writer:
        for number in range(0, 4_000, 40):
            ops.fail = ("allocate", 0, FULL)
            put(writer, "n1/gateway/a", number, [note("x" * 2_000) for _ in range(40)])
        ops.fail = ("allocate", 0, FULL)
        assert not writer.has_room()
        assert writer.has_room()
