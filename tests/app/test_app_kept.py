"""Rows of a run kept for pages: any page of any filter is what the whole run says, and what is damaged is made again, never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affiant.app_findings import LedgerFindings
from affiant.app_kept import KeptRun, kept_path, open_kept
from affiant.app_runs import keep
from affiant.assurance import ControlRun, Frozen, Items, Period
from affiant.assurance.passes import ItemsPass, rows_pass
from affiant.catalog import load
from affiant.kit.blocks import BLOCK
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.kit.home import Home
from affiant.proof.hashes import leaf_hash

DAY = 86_400_000_000
FREEZE = "fz_test"
COLUMNS = ("idx", "ord", "at", "xid")
LIMITS = (("bypass", "Calls that did not pass the gateway", 3, 9),)
COUNT = 2 * BLOCK + 77
BAD = {5: (1, "late"), 6: (1, "lost"), BLOCK - 1: (1, "late"), BLOCK: (2, "unseen"), 2 * BLOCK + 1: (1, "late"), COUNT - 1: (2, "unseen")}


def home_at(root: Path) -> Home:
    (root / "derived").mkdir(parents=True, exist_ok=True)
    return Home(root, "h1", "test.example/log", "n1", 0, ())


def run_of(count: int, bad: dict[int, tuple[int, str]]) -> ControlRun:
    """A run over made-up rows, one in ten minutes."""
    rows = [(number, 0, number * DAY // 144, f"x{number}") for number in range(count)]
    file, root = rows_pass([rows], lambda indexes: b"".join(leaf_hash(b"%d" % index) for index in indexes))
    judged = ItemsPass("GOV-3.1", COLUMNS, file, lambda *_: None, 10)
    items, counts, _ = judged.run(("idx", "ord", "item", "why"), [[(row[0], row[1], *bad.get(row[0], (0, ""))) for row in rows]])
    frozen = Frozen(FREEZE, COLUMNS, file, root.hex(), ("what", "ours"), (("no_count", 1),), "", ())
    control = load().controls["GOV-3.1"]
    return ControlRun("r", control, Period(0, DAY), 0, count, "deviations noted", frozen=frozen, items=items, counts=counts)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> KeptRun:
    home = home_at(tmp_path_factory.mktemp("kept"))
    keep(home, run_of(COUNT, BAD), FREEZE, LIMITS)
    return open_kept(kept_path(home, FREEZE))


@given(
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from(["", "late", "lost", "unseen", "never"]),
    st.integers(0, COUNT + 5),
    st.integers(0, 60),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_page_is_a_stretch_of_the_whole(kept: KeptRun, item: int | None, why: str, offset: int, limit: int) -> None:
    """Filter, offset and limit give what the same cut of a list gives; so does the count."""
    whole = [(number, *BAD.get(number, (0, ""))) for number in range(COUNT)]
    matching = [row for row in whole if (item is None or row[1] == item) and (not why or row[2] == why)]
    shown = [(row[0], found, code) for row, found, code in kept.page(item, why, offset, limit)]
    assert shown == (matching[offset : offset + limit] if limit else matching[offset:])
    assert kept.count(item, why) == len(matching)


def findings(home: Home, rebuild: Any) -> LedgerFindings:
    nothing: Any = None
    return LedgerFindings(home, nothing, nothing, nothing, nothing, nothing, rebuild)


def test_pages_and_days_come_out_of_the_file(tmp_path: Path) -> None:
    """The console's questions are answered from the blocks: rows with cells, unmatched rows, items by day."""
    home = home_at(tmp_path)
    keep(home, run_of(COUNT, BAD), FREEZE, LIMITS)
    asked = findings(home, lambda _: pytest.fail("rebuilt"))
    found = asked.rows(FREEZE, 1, "", 1, 2)
    assert [(item.idx, item.item, item.why, item.cells) for item in found.items] == [
        (6, 1, "lost", (6 * DAY // 144, "x6")),
        (BLOCK - 1, 1, "late", ((BLOCK - 1) * DAY // 144, f"x{BLOCK - 1}")),
    ]
    assert found.total == 4 and found.columns == ("at", "xid") and found.unmatched.rows == (("no_count", 1),)
    days = asked.days("GOV-3.1", FREEZE)
    assert [day.day for day in days] == list(range(-(-COUNT // 144)))
    assert sum(day.met + day.deviations + day.could_not_test for day in days) == COUNT and days[0].deviations == 2


@pytest.mark.parametrize("damage", ["gone", "empty", "short", "tail", "noise", "older"])
def test_what_is_damaged_is_made_again(tmp_path: Path, damage: str) -> None:
    """A file that is missing or cut is made again once; if that does not help, it is said, and no empty list is shown."""
    home = home_at(tmp_path)
    run = run_of(40, {3: (1, "late")})
    keep(home, run, FREEZE, LIMITS)
    path = kept_path(home, FREEZE)
    whole = path.read_bytes()
    begin = int.from_bytes(whole[-8:], "big")
    older = whole[:begin] + msgspec.msgpack.encode(msgspec.msgpack.decode(whole[begin:-8])[1:]) + whole[-8:]

    def spoil() -> None:
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(
                {"empty": b"", "short": whole[:-20], "tail": whole[:-8] + b"\xff" * 8, "noise": b"x" * 200, "older": older}[damage]
            )

    spoil()
    assert findings(home, lambda freeze: keep(home, run, freeze, LIMITS)).rows(FREEZE, None, "", 0, 50).total == 40
    spoil()
    with pytest.raises(CouldNotLook, match="cannot be read"):
        findings(home, lambda _: None).rows(FREEZE, None, "", 0, 50)


def test_a_run_without_rows_is_kept_too(tmp_path: Path) -> None:
    """An empty population has a page; a run without a population keeps nothing."""
    home = home_at(tmp_path)
    empty = run_of(0, {})
    assert isinstance(empty.items, Items) and not len(empty.items)
    keep(home, empty, FREEZE, ())
    kept = open_kept(kept_path(home, FREEZE))
    assert kept.count(None, "") == 0 and not list(kept.page(None, "", 0, 50)) and kept.contents.limits == ()
    keep(home, ControlRun("r", empty.control, empty.period, 0, 0, "design gap"), "fz_none", ())
    assert not kept_path(home, "fz_none").exists()
    for wrong in ("../x", "a/b", ""):
        with pytest.raises(BadInput):
            kept_path(home, wrong)
