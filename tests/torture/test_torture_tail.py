"""A tail torn at every byte, a full disk, and a clock that jumps."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_world import NOW, check, closed, create, note, open_writer, opened, put
from torture_world import FULL, OPTIONS, STEPS, Run, prepared

from affiant.kit.clock import FixedClock
from affiant.kit.errors import AffiantError, BadInput, NoRoom
from affiant.kit.home import open_home
from affiant.ledger import Writer, verify_home
from affiant.ledger.segment import segment_firsts, segment_name
from affiant.ledger.spare import SPARE

MIB = 1024 * 1024


@pytest.mark.parametrize("rest", ["gone", "zeros", "junk", "zeros ahead", "junk and zeros ahead"])
def test_tail_torn_at_every_byte_of_the_last_batch(memory: Path, rest: str) -> None:
    """However much of the last batch arrived before the power went, it is there whole or not at all, and can be sent again."""
    home = create(memory / "template")
    path = home.segments / segment_name(0)
    batch = [opened("ex_torn"), note("between"), closed("ex_torn")]
    with open_writer(home) as writer:
        put(writer, "n1/gateway/a", 0, [note("kept"), note("kept too")])
        writer.checkpoint()
        size, begin = writer.size, writer._segment.offset
        put(writer, "n1/gateway/a", 2, batch)
    whole = path.read_bytes()
    for cut in range(begin, len(whole), 1 if FULL else 41):
        root = memory / f"h{cut}"
        shutil.copytree(home.root, root)
        (root / "run" / "durable").unlink()
        left = b"" if rest == "gone" else (b"\xa5" if rest.startswith("junk") else b"\0") * (len(whole) - cut)
        if rest.endswith("ahead"):
            left += bytes(70_000)
        (root / "segments" / path.name).write_bytes(whole[:cut] + left)
        with open_writer(open_home(root)) as writer:
            assert writer.size == size
            assert put(writer, "n1/gateway/a", 2, batch) == size
            writer.checkpoint()
        check(open_home(root), size + 3)
        shutil.rmtree(root)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB, where this machine lets us mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"could not look: no small file system can be mounted here ({done.stderr.strip()})")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(place: Path, leave: int) -> Path:
    free = os.statvfs(place)
    path = place / "filler"
    with open(path, "wb") as file:
        size = free.f_bavail * free.f_frsize - leave
        if size > 0:
            os.posix_fallocate(file.fileno(), 0, size)
    return path


def _through(run: Run, writer: Writer) -> AffiantError | None:
    try:
        run.play(writer)
    except AffiantError as error:
        return error
    except sqlite3.OperationalError as error:
        assert "full" in str(error) or "disk I/O" in str(error)
        return NoRoom(str(error), "Free space.")
    return None


@pytest.mark.parametrize("when", ["before the start", "while it runs"])
def test_a_full_disk_at_many_fills(small_disk: Path, when: str) -> None:
    """With so little room left, whatever is refused is refused by name; with room again the same writer or the next goes on."""
    refused = 0
    for leave in (0, 4096, 16_384, 65_536, 150_000, 300_000, MIB, 5 * MIB):
        root = small_disk / f"h{leave}"
        run = Run(prepared(root))
        filler = _fill(small_disk, leave) if when == "before the start" else None
        try:
            writer = run.open()
        except AffiantError as error:
            assert "full" in str(error) or "room" in str(error)
            assert filler is not None
            filler.unlink()
            writer = run.open()
            refused += 1
        with writer:
            filler = filler or _fill(small_disk, leave)
            for _ in range(3):
                refused += _through(run, writer) is not None
            filler.unlink(missing_ok=True)
            assert _through(run, writer) is None
        run.check()
        shutil.rmtree(root)
    assert refused > 3


@pytest.mark.parametrize("jump", [-(10**15), -1, 1, 90_000_000, 7_000_000_000_000_000], ids=str)
def test_a_clock_that_jumps(memory: Path, jump: int) -> None:
    """Wall time may go back before 2000 or on to 2248, at any step: order, numbers and proofs do not follow it."""
    for step in range(len(STEPS)) if FULL else (2, 9, 14):
        run = Run(prepared(memory / f"h{step}"))

        def told(run: Run, step: int = step) -> None:
            if run.position == step + 1:
                run.clock.value_us += jump

        run.told = told
        with run.open() as writer:
            run.play(writer)
        with run.open() as writer:
            put(writer, "n1/gateway/b", 0, [note("after the jump")])
            writer.checkpoint()
        run.check()


def test_a_clock_beyond_what_an_entry_can_say(memory: Path) -> None:
    """A clock past the year 2255 is refused by name; nothing is written, and the right time goes on."""
    home = create(memory / "h")
    clock = FixedClock(NOW)
    with open_writer(home, clock=clock) as writer:
        size = writer.size
        clock.value_us = 2**53
        with pytest.raises(BadInput, match="clock") as raised:
            writer.append([note("too late")])
        assert raised.value.next_step and writer.size == size
        clock.value_us = NOW
        writer.append([note("in time")])
        writer.checkpoint()
    check(home)


def test_options_make_the_run_cross_segments(memory: Path) -> None:
    """The run that faults are put into begins new segments, also over zeros, fills tiles, writes state files and keeps heads."""
    run, zeros, spares = Run(prepared(memory / "h")), [], []

    def told(run: Run) -> None:
        newest = run.home.segments / segment_name(segment_firsts(run.home.segments)[-1])
        zeros.append(newest.read_bytes().endswith(bytes(100)))
        spares.append((run.home.segments / SPARE).exists())

    run.told = told
    with run.open() as writer:
        run.play(writer)
    home = run.home
    assert zeros.count(True) > 4 and zeros.count(False) > 4
    assert spares.count(True) > 4 and spares[-1] and not (home.segments / SPARE).exists()
    assert len(list(home.segments.iterdir())) > 2
    assert (home.derived / "writer.state").exists()
    assert (home.ledger / "tile" / "entries" / "001").exists()
    assert len(home.checkpoints_log.read_bytes().splitlines()) > 3
    assert OPTIONS.segment_bytes < 10**5


def test_any_sectors_of_the_last_batch_may_be_missing(memory: Path) -> None:
    """Which sectors of an unfinished write arrived is up to the disk, the one in which the batch begins included."""
    home = create(memory / "template")
    path = home.segments / segment_name(0)
    batch = [note(f"entry {number} " + "x" * 150) for number in range(9)]
    with open_writer(home) as writer:
        put(writer, "n1/gateway/a", 0, [note("kept")])
        writer.checkpoint()
        size, begin = writer.size, writer._segment.offset
        put(writer, "n1/gateway/a", 1, batch)
    whole = path.read_bytes()
    sectors = range(begin // 512, (len(whole) - 1) // 512 + 1)
    assert begin % 512 and len(sectors) > 4
    for number, lost in enumerate(range(1, 1 << len(sectors), 1 if FULL else 7)):
        data = bytearray(whole)
        for bit, sector in enumerate(sectors):
            if lost >> bit & 1:
                start, end = max(begin, sector * 512), min(len(data), sector * 512 + 512)
                data[start:end] = bytes(end - start)
        if number % 2:
            data += bytes(9_000)  # of a segment that was made ahead
        root = memory / f"h{number}"
        shutil.copytree(home.root, root)
        (root / "run" / "durable").unlink()
        (root / "segments" / path.name).write_bytes(data)
        assert verify_home(open_home(root)).good
        with open_writer(open_home(root)) as writer:
            assert writer.size == size
            assert put(writer, "n1/gateway/a", 1, batch) == size
        shutil.rmtree(root)
