"""`affiant ledger synth`: a new home with a ledger of any size, in the real formats, made day by day by several processes.

Closed days go straight into the archive, deflated, with their hash tiles; the last day lies in a segment and plain bundles, as a home
that is served has it. The log key follows from the seed, so the ledger is worth nothing as evidence: its origin says *synthetic*.
Leaves out: what the events say (`synthworld`), records (the command makes them).
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affiant import __version__
from affiant.kit.errors import BadInput
from affiant.kit.home import Home, create_home
from affiant.kit.keyring import Keyring
from affiant.ledger.archive import PackWriter
from affiant.ledger.checkpoints import LogKey, Publisher, SignedHead
from affiant.ledger.durable import DurableSize
from affiant.ledger.fileops import FileOps
from affiant.ledger.producers import Producers
from affiant.ledger.recovery import State, save_state, state_key
from affiant.ledger.segment import Place, pack, segment_name
from affiant.ledger.synthworld import HOUR_US, RECORDS, START_US, Plan, entries_of, last_seqs, planted
from affiant.ledger.tiles import TileWriter
from affiant.ledger.tree import Tree
from affiant.proof.hashes import CompactRange, leaf_hash, root_of
from affiant.proof.note import Checkpoint
from affiant.proof.tiles import TILE_WIDTH, pack_bundle, tile_path

MAX_DAYS = 3_660
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: the home, entries, exchanges, events of records, and (exchange number, what it breaks) of those planted."""

    home: Home
    entries: int
    exchanges: int
    records: int
    planted: tuple[tuple[int, str], ...]


@dataclass(slots=True)
class _Day:
    """What a process made of one day: loose entries before the first and behind the last whole bundle, and the bundles between."""

    day: int
    count: int
    head: list[bytes]
    tail: list[bytes]
    first: int
    offsets: list[int]
    roots: bytes
    ats: list[int]
    last_at: int


def synthesize(
    root: Path,
    events: int,
    days: int,
    seed: str,
    adopted: Sequence[tuple[str, Mapping[str, Any]]],
    keyring: Callable[[Home, bytes], Keyring],
    say: Say = lambda text: None,
    processes: int = 0,
) -> Made:
    """Make a home.

    Args:
        root: a new directory.
        events: of exchanges, two each; what a company of that size writes beside them comes on top.
        days: over how many days.
        seed: makes the same entries again.
        adopted: (control id, body of its `control.adopted`).
        keyring: makes the keyring of the home around a given log seed.
        say: told about progress.
        processes: how many; 0: one a core.

    Raises:
        BadInput: the numbers are no sensible ones.
        Conflict: the directory is not empty.
    """
    if not 2 <= events <= 10**9 or not 1 <= days <= MAX_DAYS or events // 2 < days:
        raise BadInput(f"{events} events over {days} days are none.", f"Give at least two events a day, and at most {MAX_DAYS} days.")
    origin = f"synthetic/{seed}/{events}x{days}"
    log_seed = hashlib.sha256(f"affiant synthetic log key/{origin}".encode()).digest()
    home = create_home(root, origin, START_US)
    ring = keyring(home, log_seed)
    key = LogKey(origin, log_seed)
    plan = Plan(events // 2, days, seed, origin, str(key.vkey), __version__, tuple(adopted))
    maker = _Maker(home, key, plan)
    jobs = [(str(home.root), plan, day) for day in range(days - 1)]
    with _days(jobs, processes or os.cpu_count() or 1) as made:
        for day in made:
            maker.take(day)
            if day.day % 30 == 29:
                say(f"{maker.whole} entries, {day.day + 1} of {days} days")
    maker.finish(state_key(ring.master if ring.log_keys else ring.log_seed))
    plants = tuple((number, what) for number in range(plan.exchanges) if (what := planted(number))) if plan.exchanges < 2_000_000 else ()
    return Made(home, maker.size, plan.exchanges, last_seqs(plan).get(RECORDS, -1) + 1, plants)


class _days:  # noqa: N801 - reads as a verb
    """Days in order, made by several processes, a few ahead of who reads them."""

    def __init__(self, jobs: list[tuple[str, Plan, int]], processes: int) -> None:
        self._jobs = jobs
        self._pool = multiprocessing.get_context("spawn").Pool(processes) if processes > 1 and len(jobs) > 3 else None

    def __enter__(self) -> Iterator[_Day]:
        return self._pool.imap(_make_day, self._jobs) if self._pool is not None else map(_make_day, self._jobs)

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool.join()


def _make_day(job: tuple[str, Plan, int]) -> _Day:
    from affiant.ledger.synthworld import start_index

    root, plan, day = Path(job[0]), job[1], job[2]
    entries = entries_of(plan, day)
    start = start_index(plan, day)
    skip = -start % TILE_WIDTH
    first = (start + skip) // TILE_WIDTH
    whole = max(0, len(entries) - skip) // TILE_WIDTH
    made = _Day(day, len(entries), [data for _, data, _ in entries[:skip]], [], first, [0], b"", [], entries[-1][0])
    made.tail = [data for _, data, _ in entries[skip + whole * TILE_WIDTH :]] if len(entries) > skip else []
    roots = []
    pack_writer = PackWriter(root / "archive", first, FileOps()) if whole else None
    for number in range(whole):
        part = entries[skip + number * TILE_WIDTH : skip + (number + 1) * TILE_WIDTH]
        data = [entry for _, entry, _ in part]
        roots.append(_put_tile(root / "ledger", first + number, data))
        if pack_writer is not None:
            pack_writer.add(pack_bundle(data))
        made.ats.append(part[-1][0])
    if pack_writer is not None:
        pack_writer.leave()
        made.offsets = pack_writer.offsets
    made.roots = b"".join(roots)
    return made


def _put_tile(ledger: Path, number: int, entries: list[bytes]) -> bytes:
    """Write a full level-0 tile; gives its root."""
    leaves = [leaf_hash(entry) for entry in entries]
    path = ledger / tile_path(0, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(leaves))
    return root_of(leaves)


class _Maker:
    """Puts days together: the bundles that lie across midnight, tiles above level 0, hourly heads, the last day."""

    def __init__(self, home: Home, key: LogKey, plan: Plan) -> None:
        self.size = 0
        self._home, self._key, self._plan = home, key, plan
        self._ops = FileOps()
        self._loose: list[bytes] = []
        self._levels: list[list[bytes]] = []
        self._edge = CompactRange()
        self._open: PackWriter | None = None
        self._hour = 0
        self._heads: list[bytes] = []
        self._at = START_US

    @property
    def whole(self) -> int:
        """Entries in whole bundles so far."""
        return self._edge.size * TILE_WIDTH

    def take(self, day: _Day) -> None:
        """Take the day that follows."""
        self._lay(day.head, day.last_at if not day.ats else day.ats[0])
        if day.ats:
            self._close_pack()
            self._open = PackWriter.resume(self._home.root / "archive", day.first, day.offsets, self._ops)
            for number, at in enumerate(day.ats):
                self._full(day.roots[number * 32 : number * 32 + 32], at)
        self._lay(day.tail, day.last_at)
        self._at = day.last_at

    def _lay(self, entries: list[bytes], at: int) -> None:
        """Entries that fill no bundle of their own day."""
        for entry in entries:
            self._loose.append(entry)
            if len(self._loose) == TILE_WIDTH:
                number = self._edge.size
                root = _put_tile(self._home.ledger, number, self._loose)
                if self._open is None:
                    self._open = PackWriter(self._home.root / "archive", number, self._ops)
                self._open.add(pack_bundle(self._loose))
                self._loose = []
                self._full(root, at)

    def _full(self, root: bytes, at: int) -> None:
        """Take the root of a full level-0 tile."""
        self._edge.append(root)
        level, value = 1, root
        number = self._edge.size - 1
        while True:
            if len(self._levels) < level:
                self._levels.append([])
            row = self._levels[level - 1]
            row.append(value)
            if len(row) < TILE_WIDTH:
                break
            number //= TILE_WIDTH
            self._write_tile(level, number, row)
            value = root_of(row)
            self._levels[level - 1] = []
            level += 1
        if at // HOUR_US != self._hour:
            self._hour = at // HOUR_US
            self._head(self._edge.size * TILE_WIDTH, self._edge.root(), at)

    def _write_tile(self, level: int, number: int, row: list[bytes]) -> None:
        path = self._home.ledger / tile_path(level, number, len(row))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(row))

    def _head(self, size: int, root: bytes, at: int) -> None:
        note = self._key.sign(Checkpoint(self._home.origin, size, root))
        line = {"at": at, "size": size, "root": root.hex(), "note": note.decode()}
        self._heads.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def _close_pack(self) -> None:
        if self._open is not None:
            self._open.closed(durable=False)
            self._open.name(durable=False)
            self._open = None

    def finish(self, authentic: bytes) -> None:
        """The last day, the signed head, what the writer starts from."""
        self._close_pack()
        first = self.whole
        number = self._edge.size
        for level, row in enumerate(self._levels, 1):
            if row:
                self._write_tile(level, number // TILE_WIDTH, row)
            number //= TILE_WIDTH
        tiles = TileWriter(self._home.ledger, self._ops)
        tree = Tree.resume(self._home.ledger, first, tiles.put)
        day = entries_of(self._plan, self._plan.days - 1)
        entries = [*self._loose, *(data for _, data, _ in day)]
        place = self._segments(first, entries)
        tree.add(entries)
        tree.put_partial()
        tiles.settle()
        self._home.checkpoints_log.write_bytes(b"".join(self._heads))
        self.size = tree.size
        head: SignedHead = Publisher(self._home, self._key, self._ops, None).publish(tree.size, tree.root(), day[-1][0], keep=True)
        producers = Producers()
        for name, last in last_seqs(self._plan).items():
            producers.get(name).last = last
        save_state(self._home, authentic, State(head.size, head.root, place, producers.dump()), self._ops)
        with closing(DurableSize(self._home.run, tree.size)):
            pass
        os.sync()

    def _segments(self, first: int, entries: list[bytes]) -> Place:
        data = b"".join(pack([entry]) for entry in entries)
        (self._home.segments / segment_name(first)).write_bytes(data)
        return Place(first, len(data))
