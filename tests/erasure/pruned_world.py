"""A home with old entries, a period that opened lately, and everything that pruning must not break; and ways to prune it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from affiant.kit.clock import FixedClock
from affiant.kit.home import Home, create_home
from affiant.kit.keyring import Keyring
from affiant.ledger import Draft, LedgerReader, Writer, WriterOptions, encode, period_open_drafts, verify_home
from affiant.ledger.fileops import FileOps
from affiant.ledger.opening import holdings_of
from affiant.ledger.pruning import Taken, take_away
from affiant.ledger.retention import check_plan, plan_prune
from affiant.proof.hashes import leaf_hash, root_of

DAY = 86_400_000_000
OLD = 1_700_000_000_000_000
NOW = OLD + 700 * DAY
RING = Keyring(bytes(range(32)), bytes(32), "local")
OPTIONS = WriterOptions(segment_bytes=60_000, state_every=1 << 40)
GATEWAY = "n1/gateway/a"


def note(text: str, ref: str = "") -> Draft:
    return Draft("job.run", {"due": 1, "ok": 1, "note": text}, ref=ref, actor="system:test")


def put(writer: Writer, producer: str, first: int, drafts: list[Draft]) -> int:
    marks = {"exchange.opened": 1, "exchange.closed": 2}
    rows = [
        [first + n, marks.get(draft.type, 0), draft.ref, encode(draft, producer, first + n, writer.now_us(), 0)]
        for n, draft in enumerate(drafts)
    ]
    batch = writer.stage(producer, rows)
    writer.write([batch])
    writer.applied([batch])
    return batch.first_index


def opened(ref: str) -> Draft:
    return Draft("exchange.opened", {"surface": "chat.completions"}, ref=ref, tenant="t", actor="key:k")


def old_home(root: Path) -> Home:
    """3,000 old entries over six days, an exchange that stays open, then a period that opens at `NOW` and 500 entries in it."""
    home = create_home(root, "test.example/pruned", OLD, "n1")
    clock = FixedClock(OLD)
    Writer.create(home, RING, clock, OPTIONS).close()
    with Writer.open(home, RING, clock, OPTIONS) as writer:
        put(writer, GATEWAY, 0, [opened("ex_open")])
        for day in range(6):
            clock.value_us = OLD + day * DAY
            put(writer, GATEWAY, 1 + 400 * day, [note(f"{day} {n}", f"job_{day}_{n}") for n in range(400)])
            put(writer, "n1/records/0", 100 * day, [note(f"record {day} {n}") for n in range(100)])
            writer.checkpoint()
        writer.append([Draft("subject_key.destroyed", {"by": "fay", "why": "x", "values": 1, "reapplied": 0}, ref="person/x")])
        put(writer, GATEWAY, 2401, [note(f"last {n}") for n in range(120)])
        writer.checkpoint()
        clock.value_us = NOW
        writer.append(list(period_open_drafts(LedgerReader(home), "2", NOW)))
        put(writer, GATEWAY, 2521, [note(f"new {n}", f"new_{n}") for n in range(500)])
        writer.checkpoint()
    return home


def decide(home: Home, before_us: int = OLD + 30 * DAY) -> int:
    """Prune as the API does: copies, the entry, the minimum index. Gives that index."""
    plan = plan_prune(LedgerReader(home), holdings_of(LedgerReader(home)), before_us, NOW + DAY, [])
    check_plan(plan)
    holdings_of(LedgerReader(home)).keep(plan.lasting)
    body = {"minimum": plan.minimum, "before": before_us, "root": plan.root, "by": "bo"}
    append(home)(Draft("ledger.pruned", body, ref=str(plan.minimum), actor="person:bo"))
    holdings_of(LedgerReader(home)).publish(plan.minimum)
    return plan.minimum


def append(home: Home) -> Callable[[Draft], int]:
    def write(draft: Draft) -> int:
        with Writer.open(home, RING, FixedClock(NOW + DAY), OPTIONS) as writer:
            index = writer.append([draft])
            writer.checkpoint()
        return index

    return write


def take(
    home: Home, archive_to: Path | None = None, told: Callable[[str], None] = lambda step: None, ops: FileOps | None = None
) -> Taken:  # fmt: skip
    return take_away(home, append(home), archive_to, "person:bo", ops=ops, told=told)


def good(home: Home, floor: int) -> LedgerReader:
    """The home verifies, and what it holds gives the signed root together with the hash tiles over what it does not."""
    report = verify_home(home)
    assert report.good, "\n".join(report.lines())
    reader = LedgerReader(home)
    head = reader.checkpoint()
    leaves = [reader.leaf_hash(index) for index in range(floor)] + [leaf_hash(entry) for entry in reader.entries(floor, head.size)]
    assert root_of(leaves) == head.root
    return reader


def sizes(home: Home) -> int:
    """Bytes on disk of segments, bundles and archive."""
    folders = (home.segments, home.ledger / "tile" / "entries", home.root / "archive")
    return sum(path.stat().st_blocks * 512 for folder in folders for path in folder.rglob("*") if path.is_file())
