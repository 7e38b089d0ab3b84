"""Refusals counted in mapped memory become one event, each exactly once."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from affiant.app_unrecorded import SLOTS, UnrecordedFile

SLOT = struct.Struct("<Qqq")


class Worker:
    """The other side: what a worker does to its slot."""

    def __init__(self, path: Path, slot: int) -> None:
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._at = slot * SLOT.size

    def refuse(self, at_us: int) -> None:
        count, first, _ = SLOT.unpack_from(self._map, self._at)
        SLOT.pack_into(self._map, self._at, count + 1, first or at_us, at_us)


def test_counts_of_all_workers_become_one_event(tmp_path: Path) -> None:
    """Two workers' refusals are one count, from the first to the last of them."""
    path = tmp_path / "unrecorded"
    file = UnrecordedFile(path)
    assert file.pending(1) is None
    one, two = Worker(path, 0), Worker(path, SLOTS - 1)
    one.refuse(100)
    two.refuse(90)
    two.refuse(130)
    found = file.pending(200)
    assert found is not None and (found.from_us, found.to_us, found.count) == (90, 130, 3)
    file.close()


def test_what_was_told_is_not_told_again(tmp_path: Path) -> None:
    """After the event is durable only later refusals count, dated from the last quiet look."""
    path = tmp_path / "unrecorded"
    file = UnrecordedFile(path)
    worker = Worker(path, 3)
    worker.refuse(100)
    found = file.pending(110)
    assert found is not None
    worker.refuse(120)
    file.told(found)
    later = file.pending(130)
    assert later is not None and (later.count, later.to_us) == (1, 120)
    file.told(later)
    assert file.pending(500) is None
    worker.refuse(510)
    third = file.pending(520)
    assert third is not None and (third.from_us, third.to_us, third.count) == (500, 510, 1)
    file.close()


def test_counts_survive_a_restart_of_the_supervisor(tmp_path: Path) -> None:
    """A new supervisor finds what an earlier one had not told, and not what it had."""
    path = tmp_path / "unrecorded"
    first = UnrecordedFile(path)
    worker = Worker(path, 0)
    worker.refuse(100)
    found = first.pending(101)
    assert found is not None
    first.told(found)
    worker.refuse(200)
    first.close()
    second = UnrecordedFile(path)
    found = second.pending(300)
    assert found is not None and found.count == 1
    second.close()
