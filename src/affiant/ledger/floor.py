"""Where the entries held on this disk begin: `HOME/pruned.json`, written when bytes of a pruned prefix are taken off it.

Where the ledger lies on servers, the same record lies in PostgreSQL. It is truth, not derived: a start has no other source for what
producers had written and left open at that place. Its digest stands in the entry `ledger.removed`. Absent means that entry 0 is held.
Leaves out: deciding (`retention`), the steps (`pruning`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from affiant.kit.errors import CouldNotLook, LedgerFault
from affiant.kit.home import Home
from affiant.ledger.fileops import FileOps
from affiant.proof.tiles import TILE_WIDTH

NAME = "pruned.json"
FORMAT = 1
_RESTORE = "Restore pruned.json from a backup of this home made after its last pruning."


class PrunedError(CouldNotLook):
    """Entries were pruned: they are not held here any more."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one pruning took away: entries [start, stop), and where copies went (a folder; "" where they are gone for good)."""

    start: int
    stop: int
    archived: str


@dataclass(frozen=True, slots=True)
class Floor:
    """What is known of the entries that are no longer held.

    Args:
        begin: lowest index that is held; a multiple of 256.
        root: hex root over the entries below.
        at_us: wall time of the first entry held, µs.
        segment: first entry of the segment that held entries on both sides; -1 if there was none.
        offset: where in it entry `begin` lies; bytes before it are zeros.
        producers: what each producer had written and left open (`Producers.dump`).
        parts: the prunings so far, in order.
    """

    begin: int = 0
    root: str = ""
    at_us: int = 0
    segment: int = -1
    offset: int = 0
    producers: dict[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()

    @property
    def digest(self) -> str:
        """Hex SHA-256 over begin, root and producers, as `ledger.removed` records it."""
        core = json.dumps([self.begin, self.root, self.producers], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(core.encode()).hexdigest()

    def refusal(self, index: int, stop: int | None = None) -> PrunedError:
        """What is answered to whoever asks for entries that were pruned."""
        part = next((each for each in self.parts if index < each.stop), None)
        where = "not archived" if part is None or not part.archived else f"archived at {part.archived}"
        what = f"Entry {index} was" if stop is None or stop <= index + 1 else f"Entries {index} to {min(stop, self.begin) - 1} were"
        return PrunedError(f"{what} pruned, {where}.", f"This home holds entries from {self.begin} on; proofs of older ones still hold.")


NOTHING_PRUNED = Floor()


def floor_path(home: Home) -> Path:
    """Where the record lies."""
    return home.root / NAME


def read_floor(home: Home) -> Floor:
    """The record; `NOTHING_PRUNED` where there is none.

    Raises:
        LedgerFault: it is damaged.
    """
    try:
        return parse_floor(floor_path(home).read_bytes())
    except FileNotFoundError:
        return NOTHING_PRUNED
    except (OSError, ValueError) as error:
        raise LedgerFault(f"{floor_path(home)} cannot be used: {error}.", _RESTORE) from error


def parse_floor(data: bytes) -> Floor:
    """The record out of its bytes.

    Raises:
        ValueError: they are none.
    """
    try:
        raw = json.loads(data)
        if raw.pop("format") != FORMAT:
            raise ValueError("another format")
        digest = raw.pop("digest")
        raw["parts"] = tuple(Part(**part) for part in raw["parts"])
        floor = Floor(**raw)
        if floor.digest != digest or floor.begin <= 0 or floor.begin % TILE_WIDTH or len(bytes.fromhex(floor.root)) != 32:
            raise ValueError("its fields contradict one another")
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it lacks what a floor has: {error}") from error
    return floor


def floor_bytes(floor: Floor) -> bytes:
    """The record as it is stored."""
    return json.dumps({"format": FORMAT, "digest": floor.digest, **asdict(floor)}, separators=(",", ":")).encode() + b"\n"


def save_floor(home: Home, floor: Floor, ops: FileOps) -> None:
    """Write the record; on disk with its name when this returns."""
    ops.replace(floor_path(home), floor_bytes(floor), durable=True)


def floor_stamp(home: Home) -> tuple[int, int]:
    """Changes when the record does."""
    try:
        stat = floor_path(home).stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_ino)
