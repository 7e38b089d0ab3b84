"""A node's account of limits: what it may hand to its workers in each window, what it handed out, and what it lacks.

A home with one node hands out all of a limit. A node that shares records hands out slices that PostgreSQL leased to it, and keeps
about one in stock; the first exchanges of a window need not wait for it: they get an advance, once a window, of at most one slice or what
one exchange needs, which is counted as soon as PostgreSQL answers. So nodes together let through no more than the limit and one advance
each. Every grant and lease is noted in a small file before it counts, so that a restart within a window hands nothing out twice. The
file is not synced: when the machine itself dies, so do the workers that held the slices. Leaves out: counting use (workers), asking
(`granting`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from affiant.kit.errors import CouldNotLook
from affiant.records.slices import Ask
from affiant.records.snapshot import SHARE, Lease, LimitSnap

DRY_S = 1.0
"""A limit that was used up is asked about again after this time at the earliest."""
LATE_S = 600
"""For so long after its window a lease is remembered where nodes share it."""
_COMPACT_LINES = 20_000
_Slot = tuple[str, str, int]


def slice_of(limit: LimitSnap) -> int:
    """What a node keeps in stock of a limit, and the most that it advances but for one exchange that needs more."""
    return max(1, limit.value // SHARE)


class LeaseBook:
    """What was leased and granted, by (limit, subject, window); a limit for each (`key:*`) counts every subject by itself.

    Args:
        path: file of `limit subject window granted leased` lines; `leased` is missing where a home has one node.
        shared: whether nodes share the limits.

    Raises:
        CouldNotLook: the file cannot be opened; granting blindly could exceed limits.
    """

    def __init__(self, path: Path, shared: bool = False) -> None:
        self._path, self._shared = path, shared
        self._granted: dict[_Slot, int] = {}
        self._leased: dict[_Slot, int] = {}
        self._limits: dict[str, LimitSnap] = {}
        self._hungry: dict[_Slot, int] = {}
        self._dry: dict[_Slot, float] = {}
        self._lines = 0
        try:
            self._load()
            self._write()  # whole lines only: what is appended next never joins a torn one
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise CouldNotLook(f"{path} cannot be used: {error.strerror}.", "Make the home writable for Affiant.") from error

    def _load(self) -> None:
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines():
            parts = line.split(" ")
            if len(parts) in (4, 5) and all(each.removeprefix("-").isdigit() for each in parts[2:]):  # a torn last line never counted
                slot = (parts[0], parts[1], int(parts[2]))
                self._granted[slot] = self._granted.get(slot, 0) + int(parts[3])
                if len(parts) == 5:
                    self._leased[slot] = self._leased.get(slot, 0) + int(parts[4])

    def set_limits(self, limits: Iterable[LimitSnap]) -> None:
        """Take the limits of a new snapshot."""
        self._limits = {limit.id: limit for limit in limits}

    def grant(self, lease: Lease, now_s: int, advance: bool = False) -> int | None:
        """How much of a limit a worker may use in a window; 0 if it is exhausted, unknown or the window is not now.

        What is left is granted even if it is less than wanted.

        Args:
            advance: whether PostgreSQL is in contact, so that an advance will soon be counted.

        Returns:
            None: this node holds less than is needed, and how much there is will be known when PostgreSQL has answered `asks`.

        Raises:
            CouldNotLook: the grant cannot be noted; nothing was granted.
        """
        limit = self._limits.get(lease.limit)
        if limit is None or lease.want <= 0 or any(char.isspace() for char in lease.subject):
            return 0
        current = now_s // limit.window_s
        if abs(lease.window - current) > 1:
            return 0
        slot = (limit.id, lease.subject if limit.scope.endswith(":*") else "-", lease.window)
        if self._lines >= _COMPACT_LINES:
            self._compact(now_s)
        granted = self._part(slot, limit, lease, advance) if self._shared else min(limit.value - self._granted.get(slot, 0), lease.want)
        if granted is not None and granted > 0:
            self._note(slot, granted, 0)
        if self._shared:
            self._see_to_stock(slot, limit, 0 if granted is not None else _need(lease))
        return max(granted, 0) if granted is not None else None

    def _stock(self, slot: _Slot, limit: LimitSnap) -> int:
        """What was leased and not handed out; below zero: advanced."""
        return min(self._leased.get(slot, 0), limit.value) - self._granted.get(slot, 0)

    def _part(self, slot: _Slot, limit: LimitSnap, lease: Lease, advance: bool) -> int | None:
        """What this node can hand out of a limit that nodes share; half of the stock stays for the next worker."""
        have, need = self._stock(slot, limit), _need(lease)
        if have >= need:
            return max(need, min(lease.want, have // 2))
        if slot in self._dry:
            return min(lease.want, have)
        if advance and slot not in self._leased and need <= limit.value:
            advanced = self._granted.get(slot, 0)
            part = max(need, min(lease.want, slice_of(limit) // 4))
            if not advanced or advanced + part <= slice_of(limit):
                return part
        return None

    def _see_to_stock(self, slot: _Slot, limit: LimitSnap, needed: int) -> None:
        """Have more asked for, if there is less in stock than a slice, or than what somebody waits for."""
        if slot in self._dry and time.monotonic() - self._dry[slot] < DRY_S:
            return
        if needed or self._stock(slot, limit) < slice_of(limit):
            self._hungry[slot] = self._hungry.get(slot, 0) + needed

    def asks(self) -> list[Ask]:
        """What to ask PostgreSQL for now; empty if the stock is full. To be answered by `leased`, or by `not_leased`."""
        hungry, self._hungry = self._hungry, {}
        asks = []
        for slot, needed in hungry.items():
            limit = self._limits.get(slot[0])
            if limit is None:
                continue
            have, debt = self._stock(slot, limit), self._granted.get(slot, 0) - self._leased.get(slot, 0)
            asks.append(self._ask(slot, limit, max(0, debt), max(0, slice_of(limit) + needed - max(0, have))))
        return asks

    @staticmethod
    def _ask(slot: _Slot, limit: LimitSnap, debt: int, want: int) -> Ask:
        return Ask(slot[0], slot[1], slot[2], limit.value, debt, want, (slot[2] + 2) * limit.window_s + LATE_S)

    def leased(self, ask: Ask, given: int) -> None:
        """Take what PostgreSQL leased.

        Raises:
            CouldNotLook: the lease cannot be noted; it stays unused.
        """
        slot = (ask.limit, ask.subject, ask.window)
        if given < ask.debt + ask.want:
            self._dry[slot] = time.monotonic()
        else:
            self._dry.pop(slot, None)
        self._note(slot, 0, given)

    def not_leased(self, asks: Iterable[Ask]) -> None:
        """PostgreSQL did not answer: the same is to be asked again."""
        for ask in asks:
            self._hungry.setdefault((ask.limit, ask.subject, ask.window), 0)

    def give_back(self, now_s: int) -> list[Ask]:
        """What to give back when this node hands nothing out any more.

        Raises:
            CouldNotLook: it cannot be noted that it is given back; what was not noted stays unused.
        """
        asks = []
        for slot in list(self._leased):
            limit = self._limits.get(slot[0])
            left = self._leased[slot] - self._granted.get(slot, 0)
            if limit is not None and left > 0 and slot[2] >= now_s // limit.window_s - 1:
                self._note(slot, 0, -left)
                asks.append(self._ask(slot, limit, -left, 0))
        return asks

    def _note(self, slot: _Slot, granted: int, leased: int) -> None:
        numbers = f"{granted} {leased}" if self._shared else str(granted)
        try:
            os.write(self._file, f"{slot[0]} {slot[1]} {slot[2]} {numbers}\n".encode())
        except OSError as error:
            raise CouldNotLook(f"{self._path} cannot be written: {error.strerror}.", "Free space on that disk.") from error
        self._lines += 1
        self._granted[slot] = self._granted.get(slot, 0) + granted
        if self._shared and (granted == 0 or slot in self._leased):
            self._leased[slot] = self._leased.get(slot, 0) + leased

    def _compact(self, now_s: int) -> None:
        """Drop windows that are over, in memory and on disk."""
        kept: dict[_Slot, int] = {}
        for slot, granted in self._granted.items():
            limit = self._limits.get(slot[0])
            if limit is not None and slot[2] >= now_s // limit.window_s - 1:
                kept[slot] = granted
        self._granted, self._lines = kept, len(kept)
        self._leased = {slot: leased for slot, leased in self._leased.items() if slot in kept}
        self._dry = {slot: at_s for slot, at_s in self._dry.items() if slot in kept}
        self._write()
        os.close(self._file)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)

    def _write(self) -> None:
        """Replace the file by what is in memory."""
        temporary = self._path.with_suffix(".tmp")
        lines = (f"{slot[0]} {slot[1]} {slot[2]} {granted}{self._in_file(slot)}\n" for slot, granted in self._granted.items())
        temporary.write_text("".join(lines), encoding="utf-8")
        os.replace(temporary, self._path)

    def _in_file(self, slot: _Slot) -> str:
        return f" {self._leased[slot]}" if slot in self._leased else ""

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _need(lease: Lease) -> int:
    """What the exchange that asks cannot do without."""
    return max(1, lease.need or lease.want)
