"""How long entries are kept, and pruning: from which index on the ledger is published (C2SP tlog-tiles, minimum index).

Pruning takes a prefix out of what is published and changes neither tree nor proofs: any entry from the minimum index on, any root and any
proof between sizes from there on can still be had. It is refused before a class's time is over, inside the open period (whose opening
balances must stay, with all after them) and under any legal hold. Entries of a *lasting* type are copied before, each with its proof, to
`HOME/files/lasting/`. `HOME/ledger/minimum-index` holds the index as decimal text. Leaves out: taking bytes off the disk.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from affiant.kit.errors import BadInput, Conflict, CouldNotLook, LedgerFault
from affiant.kit.home import Home
from affiant.ledger.fileops import FileOps
from affiant.ledger.reader import LedgerReader
from affiant.ledger.registry import REGISTRY
from affiant.proof.tiles import TILE_WIDTH

MINIMUM = "minimum-index"
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
class PrunePlan:
    """What pruning would do.

    Args:
        before_us: entries from then on stay.
        minimum: lowest index that would be published; a multiple of 256.
        present: the minimum index now.
        entries: how many would no longer be published.
        files: how many full bundles and hash tiles.
        bytes: their size where they lie in place.
        lasting: indexes of entries whose copies stay for ever.
        root: hex root over the entries below `minimum`.
        refused: why it may not be done; empty if it may.
    """

    before_us: int
    minimum: int
    present: int
    entries: int
    files: int
    bytes: int
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


def plan_prune(home: Home, reader: LedgerReader, before_us: int, now_us: int, holds: Sequence[str]) -> PrunePlan:
    """Work out what would go, and whether it may.

    Args:
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
    present = minimum_index(home)
    stay = reader.first_since(before_us)
    minimum = max(present, min(head.size if stay is None else stay, head.size) // TILE_WIDTH * TILE_WIDTH)
    refused = [f"the legal hold {hold} is in force" for hold in holds]
    months = max(each.months for each in CLASSES.values())
    if before_us > cutoff_us(now_us, months):
        refused.append(f"entries are kept for {months} months: nothing after {_day(cutoff_us(now_us, months))} may go")
    openings = [index for index, _ in reader.of_types("period.opened", stop=head.size)]
    if not openings:
        refused.append("no period was ever opened: all entries belong to the open one")
    elif minimum > openings[-1]:
        refused.append(f"the open period begins with entry {openings[-1]}: nothing from there on may go")
    lasting = tuple(index for index, _ in reader.of_types(*_lasting_types(), start=present, stop=minimum))
    files, size = _gone(home, present, minimum)
    root = reader.root(minimum).hex() if minimum else ""
    return PrunePlan(before_us, minimum, present, minimum - present, files, size, lasting, root, tuple(refused))


def _lasting_types() -> tuple[str, ...]:
    return ("ledger.created", *(each.name for each in REGISTRY.values() if CLASSES[each.retention].lasting))


def _day(at_us: int) -> str:
    return datetime.datetime.fromtimestamp(at_us / 1_000_000, datetime.UTC).date().isoformat()


def _gone(home: Home, present: int, minimum: int) -> tuple[int, int]:
    """Number and bytes of full bundles and tiles that end at or below the minimum, and did not before."""
    count = size = 0
    for path in home.ledger.glob("tile/**/[0-9][0-9][0-9]"):
        end = end_index(path.relative_to(home.ledger).as_posix())
        if path.is_file() and end is not None and present < end <= minimum:
            count += 1
            size += path.stat().st_size
    return count, size


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


def keep_lasting(home: Home, reader: LedgerReader, plan: PrunePlan) -> list[Path]:
    """Copy the lasting entries that go, each with its proof, before anything else is done; gives the files."""
    folder = home.files / "lasting"
    folder.mkdir(parents=True, exist_ok=True)
    ops, kept = FileOps(), []
    for index in plan.lasting:
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
