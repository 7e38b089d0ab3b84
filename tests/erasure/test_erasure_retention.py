"""Retention and pruning: what may go, what may not, what readers see, and that tree and proofs stay as they were."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from affiant.kit.clock import FixedClock
from affiant.kit.errors import Conflict, LedgerFault
from affiant.kit.home import Home, create_home
from affiant.kit.keyring import Keyring
from affiant.ledger import Draft, LedgerReader, Writer, period_open_drafts, verify_home
from affiant.ledger.opening import holdings_of
from affiant.ledger.registry import REGISTRY
from affiant.ledger.retention import CLASSES, check_plan, cutoff_us, end_index, keep_copies, minimum_index, plan_prune, publish_minimum
from affiant.proof.hashes import leaf_hash, root_of, verify_inclusion
from affiant.proof.tlogproof import TlogProof

DAY = 86_400_000_000
OLD = 1_700_000_000_000_000
NOW = OLD + 700 * DAY
RING = Keyring(bytes(range(32)), bytes(32), "local")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """1,500 old entries, then a period that opens today."""
    made = create_home(tmp_path_factory.mktemp("retention") / "home", "test.example/retention", OLD, "n1")
    clock = FixedClock(OLD)
    with Writer.create(made, RING, clock) as writer:
        for number in range(3):
            writer.append([Draft("job.run", {"due": n, "ok": 1}, actor="system:test") for n in range(500)])
            clock.value_us = OLD + number * DAY
        writer.append([Draft("subject_key.destroyed", {"by": "fay", "why": "x", "values": 1, "reapplied": 0}, ref="person/x")])
        writer.append([Draft("job.run", {"due": n, "ok": 1}, actor="system:test") for n in range(300)])
        writer.checkpoint()
        clock.value_us = NOW
        writer.append(list(period_open_drafts(LedgerReader(made), "2", NOW)))
        writer.append([Draft("job.run", {"due": n, "ok": 1}, actor="system:test") for n in range(300)])
        writer.checkpoint()
    return made


def test_every_type_has_a_known_class() -> None:
    """A type's retention class is one of those that are defined, and the default is 18 months."""
    assert {event.retention for event in REGISTRY.values()} <= set(CLASSES)
    assert CLASSES["audit"].months == 18
    assert not CLASSES["audit"].lasting


def test_a_cutoff_is_counted_in_calendar_months() -> None:
    """18 months before 31 August is the last day of February."""

    def us(year: int, month: int, day: int) -> int:
        return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1_000_000

    assert cutoff_us(us(2026, 8, 31), 18) == us(2025, 2, 28)
    assert cutoff_us(us(2025, 8, 31), 18) == us(2024, 2, 29)
    assert cutoff_us(us(2026, 3, 1), 18) == us(2024, 9, 1)


def test_pruning_is_refused_too_early_in_the_open_period_and_under_a_hold(home: Home) -> None:
    """Each refusal is named; nothing is published for it."""
    reader = LedgerReader(home)
    early = plan_prune(reader, holdings_of(reader), NOW - 300 * DAY, NOW, [])
    assert any("18 months" in why for why in early.refused)
    held = plan_prune(reader, holdings_of(reader), OLD + 30 * DAY, NOW, ["lh_1"])
    assert held.refused == ("the legal hold lh_1 is in force",)
    with pytest.raises(Conflict, match="lh_1"):
        check_plan(held)
    later = plan_prune(reader, holdings_of(reader), NOW + 2 * DAY, NOW + 900 * DAY, [])
    assert any("open period" in why for why in later.refused)
    assert minimum_index(home) == 0


def test_after_pruning_tree_and_proofs_are_unchanged(home: Home) -> None:
    """The minimum index is published, what lies below is answered with 404, everything from it on still proves itself."""
    reader = LedgerReader(home)
    head = reader.checkpoint()
    plan = plan_prune(reader, holdings_of(reader), OLD + 30 * DAY, NOW, [])
    assert plan.refused == ()
    assert plan.minimum % 256 == 0
    assert plan.minimum == plan.entries == 1792
    assert plan.root == root_of(leaf_hash(entry) for entry in reader.entries(0, plan.minimum)).hex()
    check_plan(plan)
    kept = keep_copies(home, reader, plan.lasting)
    assert len(kept) == 2
    assert kept[0].name == "0.json"
    publish_minimum(home, plan.minimum)
    with pytest.raises(Conflict, match="never goes down"):
        publish_minimum(home, 0)
    assert minimum_index(home) == plan.minimum
    report = verify_home(home)
    assert report.good, report.lines()
    assert LedgerReader(home).checkpoint().root == head.root
    for index in (plan.minimum, head.size - 1):
        verify_inclusion(index, head.size, reader.leaf_hash(index), reader.inclusion(index, head.size), head.root)
    for path in kept:
        value = json.loads(path.read_text(encoding="utf-8"))
        proof = TlogProof.parse(value["proof"].encode())
        verify_inclusion(value["index"], head.size, leaf_hash(value["entry"].encode()), list(proof.path), head.root)
    with pytest.raises(Conflict, match="nothing to prune"):
        check_plan(plan_prune(reader, holdings_of(reader), OLD + 30 * DAY, NOW, []))
    _served(home, plan.minimum)


def _served(home: Home, minimum: int) -> None:
    words = [sys.executable, "-m", "affiant", "ledger", "serve", "--home", str(home.root), "--port", "0"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout is not None
    base = json.loads(child.stdout.readline())["url"]

    def get(path: str) -> bytes | int:
        try:
            with urllib.request.urlopen(f"{base}/{path}", timeout=5) as answer:
                data: bytes = answer.read()
                return data
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    try:
        assert get("minimum-index") == b"%d\n" % minimum
        assert get("tile/entries/000") == 404
        assert get("tile/0/006") == 404
        assert isinstance(get("tile/entries/007"), bytes)
        assert isinstance(get("tile/0/007"), bytes)
        assert isinstance(get("checkpoint"), bytes)
        assert get("writer.lock") == 404
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(20)
        child.stdout.close()


def test_end_indexes_are_those_of_the_specification() -> None:
    """(n + 1) · 256^(level + 1), bundles as level 0, partial ones none."""
    assert end_index("tile/0/000") == 256
    assert end_index("tile/entries/x001/x234/067") == 1_234_068 * 256
    assert end_index("tile/2/001") == 2 * 256**3
    assert end_index("tile/0/001.p/7") is None
    assert end_index("checkpoint") is None


def test_a_damaged_minimum_index_is_named(tmp_path: Path) -> None:
    """Anything but a decimal number and a newline is a fault, not zero."""
    made = create_home(tmp_path / "home", "test.example/m", OLD, "n1")
    assert minimum_index(made) == 0
    (made.ledger / "minimum-index").write_text("07\n")
    with pytest.raises(LedgerFault, match="no index"):
        minimum_index(made)
