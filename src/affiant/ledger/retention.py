"""How long entries are kept, and pruning: from which index on the ledger is published (C2SP tlog-tiles, minimum index).

Pruning takes a prefix out of what is published and changes neither tree nor proofs: any entry from the minimum index on, any root and any
proof between sizes from there on can still be had. It is refused before a class's time is over, inside the open period (whose opening
balances must stay, with all that its control runs and its package read) and under any legal hold. Entries of a *lasting* type are copied
before, each with its proof, to `HOME/files/lasting/`. `HOME/ledger/minimum-index` holds the index as decimal text. A ledger on servers
keeps both there (`serverhome.pruning`); the rules are the same. Leaves out: taking bytes off the disk (`pruning`).
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from affiant.kit.errors import BadInput, Conflict, CouldNotLook, LedgerFault
from affiant.kit.home import Home
from affiant.ledger.archive import ARCHIVE, Archive
from affiant.ledger.fileops import FileOps
from affiant.ledger.reader import LedgerReader
from affiant.ledger.registry import REGISTRY
from affiant.ledger.segment import segment_firsts, segment_name
from affiant.proof.tiles import TILE_WIDTH, bundle_path

MINIMUM = "minimum-index"
KEPT_NEWEST = 256
_TILE = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(\.p/[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """How long entries of a class are published. `lasting`: a copy with its proof is kept for ever when they go."""

    name: str
    months: int
    lasting: bool = False


CLASSES = {each.name: each for each in (RetentionClass("audit", 18), RetentionClass("lasting", 18, lasting=True))}


def cutoff_us(now_us: int, months: int) -> int:
    """The instant `months` calendar months before now: entries older than that have been kept long enough."""
    now = datetime.datetime.fromtimestamp(now_us / 1_000_000, datetime.UTC)
    count = now.year * 12 + now.month - 1 - months
    year, month = divmod(count, 12)
    last = [31, 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month]
    then = now.replace(year=year, month=month + 1, day=min(now.day, last))
    return int(then.timestamp()) * 1_000_000 + now_us % 1_000_000


@dataclass(frozen=True, slots=True)
class Alone:
    """Files or objects that hold nothing else than certain entries: how many, their bytes, when the newest lock on them ends (0: none)."""

    files: int
    bytes: int
    locked_until_us: int = 0


class Holdings(Protocol):
    """What is held of a ledger's entries, wherever it lies (`opening.holdings_of`)."""

    def minimum(self) -> int:
        """Lowest index that is published."""
        ...

    def publish(self, minimum: int) -> None:
        """Publish a minimum index; `Conflict` if a higher one is."""
        ...

    def keep(self, indexes: Iterable[int]) -> None:
        """Keep copies of entries for good."""
        ...

    def alone(self, start: int, stop: int) -> Alone:
        """What holds entries of [start, stop) alone."""
        ...

    def left(self) -> int:
        """How many files or versions of objects are there though everything in them was taken away."""
        ...

    def holds(self) -> list[str]:
        """Ids of legal holds in force that records of this home may not know."""
        ...


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What pruning would do.

    Args:
        before_us: entries from then on stay.
        minimum: lowest index that would be published; a multiple of 256.
        present: the minimum index now.
        held: the lowest index that is held on this disk; below the minimum, bytes can be taken off it.
        entries: how many would no longer be published.
        files: how many bundles, packs of the archive and segments hold nothing else than entries that would no longer be published.
        bytes: their size. Hash tiles stay.
        left: bundles, packs and segments (on servers: versions of objects) below `held` that are still there.
        locked_until_us: when the newest lock on what would go ends; 0 where nothing is locked.
        lasting: indexes of entries whose copies stay for ever.
        root: hex root over the entries below `minimum`.
        refused: why it may not be done; empty if it may.
    """

    before_us: int
    minimum: int
    present: int
    held: int
    entries: int
    files: int
    bytes: int
    left: int
    locked_until_us: int
    lasting: tuple[int, ...]
    root: str
    refused: tuple[str, ...]


def minimum_index(home: Home) -> int:
    """Lowest index that the ledger publishes; 0 where nothing was pruned.

    Raises:
        LedgerFault: the file holds something else.
    """
    try:
        text = (home.ledger / MINIMUM).read_text(encoding="ascii")
    except FileNotFoundError:
        return 0
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerFault(f"{home.ledger / MINIMUM} cannot be read: {error}.", "Write the newest ledger.pruned's minimum there.") from error
    if not re.fullmatch(r"(0|[1-9][0-9]{0,15})\n", text):
        raise LedgerFault(f"{home.ledger / MINIMUM} holds no index.", "Write the newest ledger.pruned's minimum there.")
    return int(text)


def plan_prune(reader: LedgerReader, holdings: Holdings, before_us: int, now_us: int, holds: Sequence[str]) -> PrunePlan:
    """Work out what would go, and whether it may.

    Args:
        holdings: of the reader's ledger (`opening.holdings_of`).
        before_us: entries from then on stay.
        now_us: wall time.
        holds: ids of legal holds in force.

    Raises:
        BadInput: `before_us` lies in the future.
        CouldNotLook: nothing is signed yet.
    """
    if before_us > now_us:
        raise BadInput("That time lies in the future.", "Give an earlier --before.")
    head = reader.checkpoint()
    if not head.size:
        raise CouldNotLook("Nothing is signed yet.", "Try again in a second.")
    present, held = holdings.minimum(), reader.begin
    stay = reader.first_since(before_us)
    opening, needed = _open_period(reader)
    asked = min(head.size if stay is None else stay, head.size - KEPT_NEWEST)
    minimum = max(present, min(asked, needed) // TILE_WIDTH * TILE_WIDTH)
    refused = [f"the legal hold {hold} is in force" for hold in dict.fromkeys((*holds, *holdings.holds()))]
    months = max(each.months for each in CLASSES.values())
    if before_us > cutoff_us(now_us, months):
        refused.append(f"entries are kept for {months} months: nothing after {_day(cutoff_us(now_us, months))} may go")
    if opening < 0:
        refused.append("no period was ever opened: all entries belong to the open one")
    elif stay is None or stay > opening:
        refused.append(f"the open period begins with entry {opening}: nothing from there on may go")
    elif minimum <= present and asked // TILE_WIDTH * TILE_WIDTH > present:
        refused.append(f"the open period's control runs and package read from entry {needed} on")
    lasting = tuple(index for index, _ in reader.of_types(*_lasting_types(), start=held, stop=minimum))
    gone = holdings.alone(held, minimum)
    root = reader.root(minimum).hex() if minimum else ""
    return PrunePlan(
        before_us, minimum, present, held, max(0, minimum - present), gone.files, gone.bytes, holdings.left(), gone.locked_until_us,
        lasting, root, tuple(refused),
    )  # fmt: skip


def _open_period(reader: LedgerReader) -> tuple[int, int]:
    """Index of the newest `period.opened` (-1: none), and the first entry that runs over that period and its package read.

    Runs read from the last opening written at or before the period's first instant, else from entry 0; a package begins with the
    signed head before that.
    """
    openings = [(index, event.at_us, int(event.body.get("from", 0))) for index, event in reader.of_types("period.opened")]
    if not openings:
        return -1, 0
    opening, _, begin_us = openings[-1]
    view_from = max((index for index, at_us, from_us in openings if at_us <= begin_us and from_us <= begin_us), default=0)
    return opening, max((head.size for head in reader.checkpoints() if head.size <= view_from), default=0)


def _lasting_types() -> tuple[str, ...]:
    return ("ledger.created", *(each.name for each in REGISTRY.values() if CLASSES[each.retention].lasting))


def _day(at_us: int) -> str:
    return datetime.datetime.fromtimestamp(at_us / 1_000_000, datetime.UTC).date().isoformat()


class OwnHoldings:
    """See `Holdings`: of a home that keeps its own ledger."""

    def __init__(self, reader: LedgerReader) -> None:
        self._reader, self._home = reader, reader.home

    def minimum(self) -> int:
        return minimum_index(self._home)

    def publish(self, minimum: int) -> None:
        publish_minimum(self._home, minimum)

    def keep(self, indexes: Iterable[int]) -> None:
        keep_copies(self._home, self._reader, indexes)

    def alone(self, start: int, stop: int) -> Alone:
        sizes = [path.stat().st_size for path in self._paths(start, stop) if path.exists()]
        return Alone(len(sizes), sum(sizes))

    def left(self) -> int:
        return sum(path.exists() for path in self._paths(0, self._reader.begin))

    def holds(self) -> list[str]:
        return []

    def _paths(self, start: int, stop: int) -> list[Path]:
        """Bundles, packs and segments that hold entries of [start, stop) alone."""
        home = self._home
        paths = [home.ledger / bundle_path(number) for number in range(start // TILE_WIDTH, stop // TILE_WIDTH)]
        paths += [pack.path for pack in Archive(home.root / ARCHIVE).packs() if pack.stop * TILE_WIDTH <= stop]
        firsts = segment_firsts(home.segments)
        return paths + [home.segments / segment_name(first) for first, following in pairwise(firsts) if following <= stop]


def end_index(path: str) -> int | None:
    """End index of the full tile or bundle at a path such as `tile/0/x001/234`; None for anything else, partial ones included."""
    match = _TILE.fullmatch(path)
    if match is None or match[3]:
        return None
    number = int(match[2].replace("x", "").replace("/", ""))
    level = 0 if match[1] == "entries" else int(match[1])
    return (number + 1) * (TILE_WIDTH << 8 * level)


def published(path: str, minimum: int) -> bool:
    """Whether a resource is still published: a full tile or bundle whose end lies above the minimum index, or anything else.

    A partial one goes with the full one that replaced it.
    """
    end = end_index(path.partition(".p/")[0])
    return end is None or end > minimum


def check_plan(plan: PrunePlan) -> None:
    """Let a plan pass.

    Raises:
        Conflict: it is refused, or there is nothing to do.
    """
    if plan.refused:
        raise Conflict(f"Nothing is pruned: {'; '.join(plan.refused)}.", "See --dry-run for what would go.")
    if not plan.entries:
        raise Conflict("There is nothing to prune: no full bundle lies before that time.", "Give a later --before.")


def lasting_below(reader: LedgerReader, minimum: int) -> list[int]:
    """Indexes of the entries of lasting types below an index, those of which copies are kept included."""
    return [index for index, _ in reader.of_types(*_lasting_types(), stop=minimum)]


def keep_copies(home: Home, reader: LedgerReader, indexes: Iterable[int]) -> list[Path]:
    """Keep copies of entries, each with its proof; gives the files, on disk."""
    folder = home.files / "lasting"
    folder.mkdir(parents=True, exist_ok=True)
    ops, kept = FileOps(), []
    for index in indexes:
        value = {"index": index, "entry": reader.entry(index).decode(), "proof": reader.prove(index)}
        path = folder / f"{index}.json"
        ops.replace(path, json.dumps(value, ensure_ascii=False).encode() + b"\n", durable=True)
        kept.append(path)
    return kept


def publish_minimum(home: Home, minimum: int) -> None:
    """Publish a minimum index; it never goes down.

    Raises:
        Conflict: a higher one is published.
    """
    if minimum < minimum_index(home):
        raise Conflict(f"The minimum index is {minimum_index(home)} already.", "It never goes down.")
    FileOps().replace(home.ledger / MINIMUM, f"{minimum}\n".encode(), durable=True)
