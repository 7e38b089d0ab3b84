"""Rows of control runs, kept in `derived/runs/` for pages. Disposable: they are made again from the entries (`app_runs`).

A file holds blocks of rows, blocks of their items (`kit.rowfile`), then as msgpack where each lies, what is counted and what is small,
and in its last eight bytes where that begins. Pages decode the blocks that they show and no other. Leaves out: making rows, so that
control needs no analytic engine to read them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from affiant.kit.blocks import BLOCK, Cells
from affiant.kit.errors import BadInput
from affiant.kit.home import Home
from affiant.kit.rowfile import Descriptor, Place, RowFile

_TAIL = 8


class Contents(msgspec.Struct, frozen=True, array_like=True):
    """What a kept run holds beside its blocks.

    Args:
        format: of the blocks; a file of another one is made again.
        columns: of the population.
        count: its rows.
        rows: places of their blocks; `items` those of the blocks of (item, why).
        tallies: (item, why, count) in each block of items.
        days: (first instant of a UTC day in µs, items met, deviating, that could not be tested).
        unmatched: rows of the reconciliation, with `unmatched_columns`.
        limits: (key, text, value, whole) of what the same entries do not show.
    """

    format: Literal[2]
    control: str
    freeze: str
    columns: tuple[str, ...]
    count: int
    rows: tuple[Place, ...]
    items: tuple[Place, ...]
    tallies: tuple[tuple[tuple[int, str, int], ...], ...]
    days: tuple[tuple[int, int, int, int], ...]
    unmatched_columns: tuple[str, ...]
    unmatched: tuple[tuple[str | int, ...], ...]
    limits: tuple[tuple[str, str, int, int], ...]


@dataclass(frozen=True, slots=True)
class KeptRun:
    """An open kept run. Safe for several threads."""

    contents: Contents
    rows: RowFile
    items: RowFile

    def count(self, item: int | None, why: str) -> int:
        """Rows with an item and a reason; None and "" for any."""
        return sum(self._in_block(number, item, why) for number in range(len(self.contents.tallies)))

    def page(self, item: int | None, why: str, offset: int, limit: int) -> Iterator[tuple[Cells, int, str]]:
        """(row, item, reason) of rows with an item and a reason, from the `offset`-th on; at most `limit`, 0 for all."""
        left = limit or len(self.rows)
        for number in range(len(self.contents.tallies)):
            matching = self._in_block(number, item, why)
            if matching <= offset:
                offset -= matching
                continue
            for row, found, code in self._block(number):
                if (item is None or found == item) and (not why or code == why):
                    if offset:
                        offset -= 1
                        continue
                    yield row, found, code
                    left -= 1
                    if not left:
                        return

    def _in_block(self, number: int, item: int | None, why: str) -> int:
        return sum(n for found, code, n in self.contents.tallies[number] if (item is None or found == item) and (not why or code == why))

    def _block(self, number: int) -> Iterator[tuple[Cells, int, str]]:
        rows = self.rows[number * BLOCK : (number + 1) * BLOCK]
        for row, (found, code) in zip(rows, zip(*self.items.columns(number), strict=True), strict=True):
            yield row, found, code


def kept_path(home: Home, freeze: str) -> Path:
    """Where the rows of a frozen population lie.

    Raises:
        BadInput: no freeze id.
    """
    if not freeze.replace("_", "").isalnum():
        raise BadInput(f"{freeze!r} is no freeze id.", "It is in the `population.frozen` entry.")
    return home.derived / "runs" / f"{freeze}.rows"


def write_contents(file: BinaryIO, contents: Contents) -> None:
    """End a kept run, behind its blocks."""
    begin = file.tell()
    file.write(msgspec.msgpack.encode(contents))
    file.write(begin.to_bytes(_TAIL, "big"))


def open_kept(path: Path) -> KeptRun:
    """Open a kept run.

    Raises:
        OSError: it is not there.
        msgspec.DecodeError: it is damaged.
    """
    descriptor = Descriptor.reading(path)
    size = os.fstat(descriptor.number).st_size
    begin = int.from_bytes(os.pread(descriptor.number, _TAIL, max(0, size - _TAIL)), "big")
    data = os.pread(descriptor.number, size - _TAIL - begin, begin) if begin < size - _TAIL else b""
    contents = msgspec.msgpack.decode(data, type=Contents)
    return KeptRun(contents, RowFile(descriptor, contents.rows, contents.count), RowFile(descriptor, contents.items, contents.count))
