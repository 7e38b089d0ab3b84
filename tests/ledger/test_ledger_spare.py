"""The next segment, made ahead as zeros: where data ends in it, what is left when it breaks off, and who wants one."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
from pathlib import Path

import pytest
from ledger_world import FULL, RING, FailingOps, check, copy_home, create, note, open_writer, put

from affiant.kit.clock import SystemClock
from affiant.kit.errors import LedgerFault, NoRoom
from affiant.kit.home import Home
from affiant.ledger import LedgerClient, LedgerReader, Writer, WriterOptions, verify_home
from affiant.ledger.fileops import FileOps
from affiant.ledger.segment import SyncError, pack, place_of, segment_firsts, segment_name, torn_only
from affiant.ledger.server import WriterServer
from affiant.ledger.spare import SPARE, Spare

SIZE = 40_960
PRODUCER = "n1/gateway/a"


def _over_zeros(home: Home, ops: FileOps | None = None) -> Writer:
    """A writer whose newest segment was made ahead and holds two batches."""
    writer = open_writer(home, ops, segment_bytes=40_000, spare_after=0)
    put(writer, PRODUCER, 0, [note("before")])
    assert writer.make_spare()
    put(writer, PRODUCER, 1, [note("over zeros"), note("and more")])
    put(writer, PRODUCER, 3, [note("last")])
    assert segment_firsts(home.segments) == [0, 3]
    return writer


def _newest(home: Home) -> Path:
    return home.segments / segment_name(segment_firsts(home.segments)[-1])


def _crashed(home: Home, root: Path) -> Home:
    """The files as a power cut leaves them: everything synced is there, nothing was closed."""
    copy = copy_home(home, root)
    (copy.run / "durable").unlink()
    return copy


def test_data_ends_where_zeros_begin(tmp_path: Path) -> None:
    """A running home verifies and reads although its newest segment ends in zeros; a stop cuts them, and a start goes on."""
    home = create(tmp_path / "h")
    with _over_zeros(home) as writer:
        writer.checkpoint()
        size = writer.size
        assert _newest(home).stat().st_size == SIZE
        reader = check(home, size)
        assert [reader.event(index).body["note"] for index in range(3, size)] == ["over zeros", "and more", "last"]
        copy = _crashed(home, tmp_path / "copy")
        assert LedgerReader(copy).size == size and verify_home(copy).good
    assert _newest(home).stat().st_size < 1_000
    with open_writer(home) as writer:
        assert writer.size == size
        put(writer, PRODUCER, 4, [note("after")])
        writer.checkpoint()
    check(home, size + 1)


def test_a_crash_leaves_zeros_that_the_next_start_cuts(tmp_path: Path) -> None:
    """After a cut each entry is where it was; what was zeros is appended to as any segment is."""
    home = create(tmp_path / "h")
    with _over_zeros(home) as writer:
        size = writer.size
        copy = _crashed(home, tmp_path / "copy")
    before = (copy.segments / segment_name(0)).read_bytes()
    with open_writer(copy) as writer:
        assert writer.size == size and _newest(copy).stat().st_size < 1_000
        assert put(writer, PRODUCER, 4, [note("after")]) == size
        writer.checkpoint()
    check(copy, size + 1)
    assert (copy.segments / segment_name(0)).read_bytes() == before


@pytest.mark.parametrize("what", ["begun", "made", "named"])
def test_a_crash_between_making_and_use(tmp_path: Path, what: str) -> None:
    """A spare that was being made, was made, or has its name and no entry yet, is no part of the ledger."""
    home = create(tmp_path / "h")
    with open_writer(home, segment_bytes=40_000) as writer:
        put(writer, PRODUCER, 0, [note("kept")])
        writer.make_spare()
        size = writer.size
        copy = _crashed(home, tmp_path / "copy")
    if what == "begun":
        os.truncate(copy.segments / SPARE, 5_000)
    elif what == "named":
        (copy.segments / SPARE).rename(copy.segments / segment_name(size))
    with open_writer(copy) as writer:
        assert writer.size == size and not (copy.segments / SPARE).exists()
        assert put(writer, PRODUCER, 1, [note("after")]) == size
        writer.checkpoint()
    check(copy, size + 1)


@pytest.mark.parametrize("behind", [b"{torn", bytes(700) + b"{torn", pack([b'{"a":1}' * 300])[:900], bytes(40) + b"x"])
def test_what_a_torn_write_left_among_zeros_is_cut(tmp_path: Path, behind: bytes) -> None:
    """Bytes of a write that was never answered go, wherever zeros stand around them."""
    home = create(tmp_path / "h")
    with _over_zeros(home) as writer:
        writer.checkpoint()
        size, end = writer.size, writer._segment.offset
        copy = _crashed(home, tmp_path / "copy")
    with open(_newest(copy), "r+b") as file:
        file.seek(end)
        file.write(behind)
    assert verify_home(copy).good and LedgerReader(copy).size == size
    with open_writer(copy) as writer:
        assert writer.size == size and _newest(copy).stat().st_size == end
    check(copy, size)


def test_entries_behind_garbage_are_damage(tmp_path: Path) -> None:
    """A whole entry behind bytes that are none is not taken for the end of the data, zeros at the file's end or not."""
    home = create(tmp_path / "h")
    with _over_zeros(home) as writer:
        end = writer._segment.offset
        copy = _crashed(home, tmp_path / "copy")
    with open(_newest(copy), "r+b") as file:
        file.seek(end)
        file.write(b"garbage" + pack([b'{"a":1}']))
    before = _newest(copy).read_bytes()
    with pytest.raises(LedgerFault, match="damaged"):
        open_writer(copy)
    assert _newest(copy).read_bytes() == before and not verify_home(copy).good


def test_zeros_where_signed_entries_were_are_truncation(tmp_path: Path) -> None:
    """Zeros over entries that a head covers are refused at the start: they are no room that was made ahead."""
    home = create(tmp_path / "h")
    with _over_zeros(home) as writer:
        writer.checkpoint()
        copy = _crashed(home, tmp_path / "copy")
    shutil.rmtree(copy.derived)
    copy.derived.mkdir()
    _newest(copy).write_bytes(bytes(SIZE))
    with pytest.raises(LedgerFault, match="truncated"):
        open_writer(copy)
    assert not verify_home(copy).good


def test_only_the_newest_segment_may_end_in_zeros(tmp_path: Path) -> None:
    """The segment before is cut, on disk, before there is a newer one; zeros behind it are damage."""
    home = create(tmp_path / "h")
    with _over_zeros(home) as writer:
        put(writer, PRODUCER, 4, [note("x" * 3_000) for _ in range(20)])
        assert segment_firsts(home.segments) == [0, 3, 6]
        assert (home.segments / segment_name(3)).stat().st_size < 1_000
        writer.checkpoint()
        size = writer.size
    check(home, size)
    with open(home.segments / segment_name(3), "ab") as file:
        file.write(bytes(100))
    assert not verify_home(home).good


def test_a_reader_beside_the_writer_reads_pieces(tmp_path: Path) -> None:
    """A batch longer than what a reader takes at once is read whole, among zeros and behind them."""
    home = create(tmp_path / "h")
    with open_writer(home, segment_bytes=1_000_000) as writer:
        put(writer, PRODUCER, 0, [note("short")])
        writer.make_spare()
        reader = LedgerReader(home)
        for first in range(1, 400, 100):
            index = put(writer, PRODUCER, first, [note(f"{first + n} " + "x" * 3_000) for n in range(100)])
            assert [reader.event(index + n).seq for n in range(100)] == list(range(first, first + 100))
        writer.checkpoint()
        assert len(segment_firsts(home.segments)) == 3
    check(home)


def test_a_group_longer_than_the_zeros(tmp_path: Path) -> None:
    """A group that no spare holds goes behind its end, and is there whole."""
    home = create(tmp_path / "h")
    with open_writer(home, segment_bytes=40_000) as writer:
        put(writer, PRODUCER, 0, [note("short")])
        writer.make_spare()
        put(writer, PRODUCER, 1, [note("x" * 3_000) for _ in range(30)])
        size = writer.size
        assert _newest(home).stat().st_size > SIZE
        copy = _crashed(home, tmp_path / "copy")
        put(writer, PRODUCER, 31, [note("next")])
        writer.checkpoint()
    check(home, size + 1)
    with open_writer(copy) as writer:
        assert writer.size == size


@pytest.mark.parametrize("call", ["allocate", "write", "datasync", "sync"])
def test_no_room_for_a_spare_is_no_failure(tmp_path: Path, call: str) -> None:
    """Whatever fails for want of room while it is made, nothing is left of it, and entries go on without."""
    home, ops = create(tmp_path / "h"), FailingOps()
    with open_writer(home, ops, segment_bytes=40_000, spare_after=0) as writer:
        put(writer, PRODUCER, 0, [note("one")])
        assert writer.spare_due()
        ops.fail = (call, 0, FULL)
        assert not writer.make_spare() and not (home.segments / SPARE).exists()
        assert not writer.spare_due()
        put(writer, PRODUCER, 1, [note("two")])
        assert segment_firsts(home.segments) == [0]
        writer.checkpoint()
    check(home, 4)


@pytest.mark.parametrize("call", ["write", "datasync", "sync"])
def test_a_disk_that_fails_while_a_spare_is_made_stops_the_writer(tmp_path: Path, call: str) -> None:
    """An input/output error is one, whatever was being written; nothing of it is left."""
    home, ops = create(tmp_path / "h"), FailingOps()
    with open_writer(home, ops, segment_bytes=40_000) as writer:
        ops.fail = (call, 0, errno.EIO)
        with pytest.raises(SyncError, match="ahead"):
            writer.make_spare()
    assert not (home.segments / SPARE).exists()


def test_no_room_to_name_a_spare(tmp_path: Path) -> None:
    """Where the spare cannot get its name, the segment before goes on, also beyond its size."""
    home, ops = create(tmp_path / "h"), FailingOps()
    with open_writer(home, ops, segment_bytes=40_000) as writer:
        put(writer, PRODUCER, 0, [note("one")])
        writer.make_spare()
        ops.fail = ("sync", 0, FULL)
        put(writer, PRODUCER, 1, [note("two")])
        assert segment_firsts(home.segments) == [0]
        writer.make_spare()
        put(writer, PRODUCER, 2, [note("three")])
        assert segment_firsts(home.segments) == [0, 4]
        writer.checkpoint()
    check(home, 5)


def test_a_full_disk_over_zeros_leaves_nothing_behind(tmp_path: Path) -> None:
    """Where even overwriting needs room, a short write is cut back, zeros and all, and the next goes on at the same place."""
    home, ops = create(tmp_path / "h"), FailingOps()
    with _over_zeros(home, ops) as writer:
        size = writer.size
        ops.fail, ops.partial = ("write", 0, FULL), 100
        with pytest.raises(NoRoom):
            put(writer, PRODUCER, 4, [note("lost")])
        assert _newest(home).stat().st_size == writer._segment.offset
        put(writer, PRODUCER, 4, [note("after")])
        writer.checkpoint()
    assert check(home, size + 1).event(size).body["note"] == "after"


def test_a_spare_counts_as_room_for_closings_and_needs_room_itself(tmp_path: Path) -> None:
    """It is due only where there is room beyond the reserve; one that is there is room ahead."""
    home, ops = create(tmp_path / "h"), FailingOps()
    with open_writer(home, ops, spare_after=0) as writer:
        assert writer.spare_due()
        ops.free = WriterOptions().reserve_bytes + 100_000_000
        assert not writer.spare_due() and writer.has_room()
        ops.free = None
        assert writer.make_spare()
        assert writer._segment.ahead >= 64 << 20 and not writer.spare_due()
    assert not (home.segments / SPARE).exists()


def test_a_close_breaks_off_one_that_is_being_made(tmp_path: Path) -> None:
    """Whoever closes waits for one piece, not for the whole file; nothing is left."""

    class Slow(FileOps):
        def datasync(self, fd: int) -> None:
            began.set()
            assert go.wait(10)

    began, go = threading.Event(), threading.Event()
    spare = Spare(tmp_path, Slow(), 64 << 20)
    made: list[bool] = []
    thread = threading.Thread(target=lambda: made.append(spare.make()))
    thread.start()
    assert began.wait(10)
    closing = threading.Thread(target=spare.close)
    closing.start()
    while not spare._ended:
        pass
    go.set()
    closing.join(10)
    thread.join(10)
    assert made == [False] and not spare.ready and not list(tmp_path.iterdir())
    assert not spare.make()


def test_the_server_makes_spares_under_load(tmp_path: Path) -> None:
    """Under load segments are made ahead, beside the groups; a reader beside the writer sees every entry."""
    home = create(tmp_path / "h")

    async def work() -> int:
        options = WriterOptions(segment_bytes=40_000, spare_after=1_000)
        with Writer.open(home, RING, SystemClock(), options) as writer:
            server = WriterServer(writer)
            task = asyncio.create_task(server.run(home.run / "writer.sock"))
            client = await LedgerClient.connect(home.run / "writer.sock", "n1", "gateway", SystemClock(), timeout_s=10)
            reader, zeros = LedgerReader(home), 0
            for number in range(300):
                index = await client.append([note(f"event {number} " + "x" * 1_000)])
                assert reader.event(index).body["note"].startswith(f"event {number} ")
                zeros += _newest(home).stat().st_size == SIZE
            await client.close()
            server.stop()
            await task
        return zeros

    assert asyncio.run(work()) > 50
    assert len(segment_firsts(home.segments)) > 5 and not (home.segments / SPARE).exists()
    check(home)


def test_a_segment_that_cannot_be_written_is_refused_as_before(tmp_path: Path) -> None:
    """A place that takes no new files makes no spare, and says so by the error that the system gave."""
    spare = Spare(tmp_path / "gone", FileOps(), SIZE)
    with pytest.raises(FileNotFoundError):
        spare.make()
    assert not spare.ready


def test_hops_and_rests_stop_at_zeros() -> None:
    """Neither a search by hops nor a look for a torn write takes zeros for frames, nor takes long over many."""
    data = pack([b"one"]) + pack([b"two"])
    assert place_of(data + bytes(64), 0, 9) == len(data)
    assert torn_only(data + bytes(64 << 20), len(data))
    assert not torn_only(data + b"bad" + pack([b"x"]) + bytes(64), len(data))
