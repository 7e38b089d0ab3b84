"""One pass over the entries of a range: file hash, leaf hash, canonical form, producers' numbers, rows of views.

The range is cut into pieces of `PIECE` bundles, which processes read side by side; each gives its findings and leaves a small SQLite
file with its rows. What does not hold is noted where it was found and raised by the step of the argument that it belongs to.
Leaves out: joining the pieces (`rebuild`).
"""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from . import canonical
from .beside import how_many, no_circles, side_by_side
from .errors import Lie, Malformed, ProofError
from .hashes import leaf_hashes
from .logkeys import KEY_EVENTS
from .producers import Producers
from .shapes import Shape, Shapes
from .tiles import TILE_WIDTH
from .views import SqliteEvidence, Views, carried_envelope

PIECE = 256
MANY_PIECES = 4
_TEXT_FIELDS = ("tenant", "actor", "policy", "ref")
KEPT = frozenset({"control.adopted", "population.frozen", "sample.drawn", "procedure.run", "period.opened", "state.carried", *KEY_EVENTS})
_PROBES = frozenset({"probe.pledged", "probe.opened"})
_OPENINGS = frozenset({"exchange.opened", "exchange.refused"})
Envelope = Mapping[str, Any]


class Bundles:
    """An open source."""

    def bundle(self, number: int) -> List[bytes]:
        """Entries of the bundle that begins `number` * 256 after the range's start.

        Raises:
            ProofError: it cannot be had, or is not what it must be.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let go of files."""
        raise NotImplementedError


class Source:
    """Where entries come from; goes to other processes as it is, so it holds no open file."""

    def open(self) -> Bundles:
        """Open it, in the process that reads."""
        raise NotImplementedError


@dataclass(frozen=True)
class Job:
    """What to scan.

    Args:
        source: gives bundles.
        start: first entry of the range; `end` is behind its last.
        view_from: first entry that queries read.
        views: bytes of a views file; of it the tables and columns named in `wanted` are filled.
        every: whether all columns are wanted of those tables.
        folder: where the pieces' files go; "" for none.
        pledges: whether commitments are wanted, for the table `pledge`.
    """

    source: Source
    start: int
    end: int
    view_from: int
    views: bytes = b'{"format":"affiant-views/1","views":[]}'
    wanted: Tuple[str, ...] = ()
    every: bool = True
    folder: str = ""
    pledges: bool = False

    def tables(self) -> Views:
        """The views that are filled."""
        return Views.parse(self.views).only(self.wanted, None if self.every else self.wanted)

    def pieces(self) -> List[Tuple[int, int]]:
        """(first entry, entry behind the last) of each piece."""
        step = PIECE * TILE_WIDTH
        return [(at, min(at + step, self.end)) for at in range(self.start, self.end, step)]

    def file(self, start: int) -> str:
        """The SQLite file of the piece that begins at `start`."""
        return os.path.join(self.folder, f"{start}.rows")


@dataclass
class Piece:
    """What one piece of the range gave. `file_fault` and `entry_fault` say what did not hold, '' where all did."""

    start: int
    end: int
    leaves: bytearray = field(default_factory=bytearray)
    kept: "List[Tuple[int, Dict[str, Any]]]" = field(default_factory=list)
    probes: "List[Tuple[int, Dict[str, Any]]]" = field(default_factory=list)
    counts: Dict[str, int] = field(default_factory=dict)
    producers: Producers = field(default_factory=lambda: Producers(piece=True))
    last_at: int = 0
    file_fault: "Optional[ProofError]" = None
    entry_fault: "Optional[Lie]" = None


def check_envelope(envelope: Any) -> None:
    """Refuse what is not an envelope of version 1.

    Raises:
        Malformed: says what is wrong.
    """
    if type(envelope) is not dict or envelope.get("v") != 1:
        raise Malformed("It is no envelope of version 1.")
    for name in ("type", "producer"):
        if type(envelope.get(name)) is not str or not envelope[name]:
            raise Malformed(f"Its {name} is missing.")
    for name in ("tv", "seq", "at"):
        if type(envelope.get(name)) is not int:
            raise Malformed(f"Its {name} is missing.")
    for name in _TEXT_FIELDS:
        if type(envelope.get(name, "")) is not str:
            raise Malformed(f"Its {name} is no text.")
    if type(envelope.get("body", {})) is not dict:
        raise Malformed("Its body is no object.")


class _Reader:
    """Reads the entries of one piece."""

    def __init__(self, job: Job, views: Views, piece: Piece, shapes: Shapes) -> None:
        self._job, self._views, self._piece, self._shapes = job, views, piece, shapes
        self.rows: Dict[str, List[Sequence[Any]]] = {name: [] for name in views.by_name}
        self.commitments: List[Tuple[Any, str, str]] = []

    def take(self, first: int, entries: Sequence[bytes]) -> None:
        """Hash entries and, unless one was refused before, read them."""
        self._piece.leaves += b"".join(leaf_hashes(entries))
        if self._piece.entry_fault is not None:
            return
        idx = first
        try:
            for idx, entry in enumerate(entries, first):
                key = self._shapes.key(entry)
                met = self._shapes.match(key, entry)
                if met is None or not self._quickly(idx, *met):
                    self._strictly(idx, entry, key)
        except Lie as error:
            self._piece.entry_fault = error
        except Malformed as error:
            self._piece.entry_fault = Lie(f"Entry {idx} is no event of the form that this ledger writes: {error.message}", error.next_step)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
            self._piece.entry_fault = Lie(f"Entry {idx} has a field of another form than it must: {error!r}.")

    def _quickly(self, idx: int, shape: Shape, values: Tuple[str, ...]) -> bool:
        piece = self._piece
        producer = values[shape.producer]
        if not producer:
            return False
        piece.producers.add_plain(idx, producer, int(values[shape.seq]))
        piece.counts[shape.type] += 1
        piece.last_at = int(values[shape.at])
        if idx >= self._job.view_from:
            cells = (idx, *values, *shape.constants)
            for name, choose in shape.rows:
                self.rows[name].append(choose(cells))
            if shape.commitment >= 0 and shape.ref >= 0 and self._job.pledges and shape.type in _OPENINGS:
                self.commitments.append((idx, values[shape.ref], values[shape.commitment]))
        return True

    def _strictly(self, idx: int, entry: bytes, key: Tuple[bytes, int]) -> None:
        piece = self._piece
        envelope = canonical.loads(entry)
        check_envelope(envelope)
        piece.producers.add(idx, envelope)
        kind = envelope["type"]
        piece.counts[kind] = piece.counts.get(kind, 0) + 1
        piece.last_at = envelope["at"]
        if idx >= self._job.view_from:
            for name, row in self._views.rows(idx, envelope):
                self.rows[name].append(row)
            commitment = envelope.get("body", {}).get("commit_received", "") if kind in _OPENINGS else ""
            if commitment and self._job.pledges:
                self.commitments.append((idx, envelope.get("ref", ""), str(commitment)))
        if kind in KEPT:
            if kind == "state.carried":
                carried_envelope(envelope)
            piece.kept.append((idx, envelope))
        elif kind in _PROBES:
            piece.probes.append((idx, envelope))
        elif kind != "producer.ended" and idx >= self._job.view_from:
            self._shapes.learn(key, envelope)


# One set of shapes a process, whatever pieces it reads.
_shapes: Dict[Tuple[bytes, Tuple[str, ...], bool], Tuple[Views, Shapes]] = {}


def scan_piece(job: Job, start: int, end: int) -> Piece:
    """Read one piece."""
    known = _shapes.get((job.views, job.wanted, job.every))
    if known is None:
        views = job.tables()
        known = (views, Shapes(views.of_type))
        _shapes.clear()
        _shapes[job.views, job.wanted, job.every] = known
    views, shapes = known
    piece = Piece(start, end)
    piece.counts.update(dict.fromkeys(shapes.types(), 0))
    reader = _Reader(job, views, piece, shapes)
    with no_circles(), closing(_Rows(job, start, views)) as rows:
        _read(job, piece, reader, rows)
    piece.counts = {kind: count for kind, count in piece.counts.items() if count}
    return piece


def _read(job: Job, piece: Piece, reader: _Reader, rows: "_Rows") -> None:
    with closing(job.source.open()) as bundles:
        for at in range(piece.start, piece.end, TILE_WIDTH):
            number, width = (at - job.start) // TILE_WIDTH, min(TILE_WIDTH, job.end - at)
            try:
                entries = bundles.bundle(number)
                if len(entries) != width:
                    raise Lie(f"Bundle {number} has {len(entries)} entries; {width} belong there.")
            except ProofError as error:
                piece.file_fault = error
                return
            reader.take(at, entries)
            if number % 16 == 15:
                rows.write(reader)
    rows.write(reader)


class _Rows:
    """The SQLite file of one piece."""

    def __init__(self, job: Job, start: int, views: Views) -> None:
        self._evidence = SqliteEvidence(views, job.file(start), plain=True) if job.folder else None
        if self._evidence is not None:
            self._evidence.connection.execute("CREATE TABLE views.commitment (idx BIGINT, ref TEXT, value TEXT)")

    def write(self, reader: _Reader) -> None:
        if self._evidence is not None:
            self._evidence.connection.execute("BEGIN")
            for name, rows in reader.rows.items():
                self._evidence.insert(name, rows)
            self._evidence.insert("views.commitment", reader.commitments)
            self._evidence.connection.execute("COMMIT")
        for rows in reader.rows.values():
            rows.clear()
        reader.commitments.clear()

    def close(self) -> None:
        if self._evidence is not None:
            self._evidence.close()


_job: "List[Job]" = []


def _begin(job: Job) -> None:
    """In each process once: the job, so that a piece is named by two numbers."""
    _job[:] = [job]


def scan_there(start: int, end: int) -> Piece:
    """Read one piece of the job that this process began with."""
    return scan_piece(_job[0], start, end)


@contextmanager
def scan(job: Job, processes: int = 0) -> "Iterator[Iterator[Piece]]":
    """Read the whole range; gives its pieces in order. Other processes read while this one does something else.

    Args:
        job: what to scan.
        processes: how many to use; 0: as many as are good where the range is long, else none besides this one.
    """
    pieces = job.pieces()
    count = min(len(pieces), how_many(processes) if processes or len(pieces) >= MANY_PIECES else 1)
    if count <= 1:
        yield (scan_piece(job, start, end) for start, end in pieces)
        return
    with side_by_side(count, scan_there, pieces, _begin, job) as results:
        yield (result() for result in results)
