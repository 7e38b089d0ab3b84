"""Populations and items that stream: the same as held in memory, in parts, in blocks, and refused where a row is not what it must be."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_factory import CATALOG, DAY, PERIOD, START, company

from affiant.assurance import Evidence, Items, Listed, Period, Seed, columns, draw_sample, occurrences, run_control
from affiant.assurance.passes import ItemsPass, packed, rows_pass
from affiant.kit.blocks import BLOCK, Block, Numbers, in_blocks, pack, unpack
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.kit.home import Home
from affiant.kit.keyring import Keyring
from affiant.kit.rowfile import Descriptor, RowFile
from affiant.ledger import LedgerReader
from affiant.ledger.columnar.store import ColumnStore
from affiant.ledger.columnar.straddle import Straddlers
from affiant.ledger.synth import synthesize
from affiant.ledger.synthworld import START_US
from affiant.proof.draw import draw
from affiant.proof.errors import Malformed
from affiant.proof.hashes import leaf_hash
from affiant.proof.population import item_line, items_root, population_root, row_bytes

Row = tuple[Any, ...]
_cells = st.tuples(st.integers(-(2**63), 2**63 - 1), st.text(max_size=8), st.integers(0, 3))


def leaf(index: int) -> bytes:
    return leaf_hash(b"%d" % index)


def leaves(indexes: Numbers) -> bytes:
    return b"".join(map(leaf, indexes.tolist()))


def rows_of(count: int) -> list[Row]:
    """Rows in order: two of each entry, so that ordinals count too."""
    return [(number // 2, number % 2, START + number * DAY // 1_000, f"x{number}") for number in range(count)]


# -- rows in a file


@given(st.lists(_cells, max_size=50), st.integers(-60, 60), st.integers(-60, 60))
@settings(max_examples=60, deadline=None)
def test_a_row_file_is_the_rows_put_into_it(rows: list[Row], start: int, stop: int) -> None:
    """Iterated, counted, indexed and cut it is what a list of the same rows is."""
    file = RowFile()
    for block in in_blocks([rows[:7], [], rows[7:]]):
        file.extend(block)
    assert list(file) == rows and len(file) == len(rows) and file[start:stop] == tuple(rows[start:stop])
    assert file[start:stop:3] == tuple(rows[start:stop:3])
    if -len(rows) <= start < len(rows):
        assert file[start] == rows[start]
    else:
        with pytest.raises(IndexError):
            file[start]


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_blocks_meet_without_a_seam(count: int, tmp_path: Path) -> None:
    """At the border of a block nothing is lost or doubled, and a copy in another file reads alike."""
    rows = rows_of(count)
    file = RowFile()
    for block in in_blocks([rows[:100], rows[100:]]):
        file.extend(block)
    assert list(file) == rows and file[BLOCK - 2 : BLOCK + 2] == tuple(rows[BLOCK - 2 : BLOCK + 2])
    with open(tmp_path / "copy", "wb") as target:
        target.write(b"before")
        places = file.copied(target)
    copy = RowFile(Descriptor.reading(tmp_path / "copy"), places, count)
    assert copy == file and (not count or copy[-1] == rows[-1])
    if count % BLOCK:
        with pytest.raises(ValueError, match="block"):
            file.extend(Block.of(rows[:1]))


def test_damaged_rows_and_numbers_too_great_are_said() -> None:
    """What cannot be written or read back is an error with a next step, never other rows."""
    file = RowFile()
    with pytest.raises(BadInput, match="64 bits"):
        list(in_blocks([[(2**63,)]]))
    with pytest.raises(ValueError, match="neither"):
        file.extend(Block.of([(1,), (None,)]))
    file.extend(Block.of([(1, "a"), (2, "b")]))
    os.pwrite(file._file.number, b"\xff\xff\xff\xff", 4)
    with pytest.raises(CouldNotLook, match="cannot be read"):
        list(file)


@given(st.lists(_cells, min_size=1, max_size=50))
@settings(max_examples=60, deadline=None)
def test_a_column_as_bytes_is_the_column(rows: list[Row]) -> None:
    """Numbers of all sizes, whose differences may not fit, and text of any script."""
    for cells, column in zip(zip(*rows, strict=True), Block.of(rows).columns, strict=True):
        assert not isinstance(column, list)
        assert unpack(pack(column)).tolist() == list(cells)


@pytest.mark.parametrize("data", [b"", b"x", b"9" + bytes(8), b"2" + bytes(9), b"t", b"t\x09\0\0\0" + b"1\1" + bytes(7)])
def test_bytes_that_are_no_column_are_refused(data: bytes) -> None:
    """Too short, of no kind, cut within a number or a text."""
    with pytest.raises(ValueError):
        unpack(data)


def test_a_file_gives_what_is_asked_of_it() -> None:
    """Some columns of integers, some rows, and nothing of what is not there."""
    rows, file = rows_of(BLOCK + 9), RowFile()
    for block in in_blocks([rows]):
        file.extend(block)
    assert [each.tolist() for each in file.numbers(1, 0, 2)] == [[row[0] for row in rows[BLOCK:]], [row[2] for row in rows[BLOCK:]]]
    assert file.some(1, [0, 8]) == [rows[BLOCK], rows[BLOCK + 8]]
    for wrong in (lambda: file.numbers(0, 3), lambda: file.numbers(0, 4), lambda: file.some(1, [9])):
        with pytest.raises(CouldNotLook, match="cannot be read"):
            wrong()


# -- pass one


@pytest.mark.parametrize("count", [0, 1, BLOCK, 2 * BLOCK + 3])
def test_the_root_is_that_of_rows_in_memory(count: int) -> None:
    """Root, rows and draw over a file are those of the verifier's own code over lists."""
    rows = rows_of(count)
    file, root = rows_pass(iter([rows[:10], rows[10:]]), leaves)
    in_memory = [row_bytes(row[0], leaf(row[0]), row[1]) for row in rows]
    assert list(file) == rows and root == population_root(in_memory) and list(packed(file, leaves)) == in_memory
    seed = Seed("a seed", "auditor-chosen")
    sample, draft = draw_sample("s", "f", seed, packed(file, leaves), count, CATALOG.controls["GOV-3.1"].sample, 30)
    drawn = draw(b"a seed", in_memory, min(30, count))
    assert [row_bytes(idx, leaf(idx), ord_) for idx, ord_ in sample.rows] == drawn and draft.body["n"] == len(drawn)


@pytest.mark.parametrize(
    "rows",
    [
        [(2, 0, 0), (1, 0, 0)],
        [(1, 0, 0), (1, 0, 0)],
        [(1, -1, 0)],
        [(1, 0, 5), (2, 0, "five")],
        [(1, 0, 5), (2, 0, None)],
        [*((number, 0, 0) for number in range(BLOCK)), (BLOCK - 1, 0, 0)],
    ],
)
def test_rows_that_no_population_may_have_are_refused(rows: list[Row]) -> None:
    """Out of order, repeated (across blocks too), negative, of mixed types or absent."""
    with pytest.raises(Malformed):
        rows_pass([rows], leaves)


# -- pass two


def judged(
    items: list[Row], count: int = 2 * BLOCK + 3, names: Sequence[str] = ("idx", "ord", "item", "why")
) -> tuple[Items, Any, bytes, list[Row]]:
    file, _ = rows_pass([rows_of(count)], leaves)
    seen: list[Row] = []
    found = ItemsPass("X-1.1", ("idx", "ord", "at", "xid"), file, lambda *shown: seen.append(shown), 10).run(names, [items])
    return *found, seen


def items_of(count: int = 2 * BLOCK + 3, /, **wrong: tuple[int, str]) -> list[Row]:
    return [(row[0], row[1], *wrong.get(str(row[3]), (0, ""))) for row in rows_of(count)]


def test_items_stand_beside_their_rows() -> None:
    """Counts, days, root and the rows that are not met are those of a plain loop."""
    wrong = {"x0": (1, "late"), f"x{BLOCK}": (2, "unseen"), f"x{2 * BLOCK + 2}": (1, "lost")}
    rows = items_of(**wrong)
    items, counts, root, seen = judged(rows)
    assert (counts.met, counts.deviations, counts.could_not_test) == (len(rows) - 3, 2, 1)
    assert root == items_root(item_line(*row) for row in rows)
    assert (
        [(item.idx, item.ord, item.item, item.why) for item in items] == rows and items[BLOCK].why == "unseen" and len(items) == len(rows)
    )
    assert [(place, cells[3], item.why) for place, cells, item in seen] == [(int(name[1:]), name, why) for name, (_, why) in wrong.items()]
    tally: dict[int, list[int]] = {}
    for row, item in zip(rows_of(len(rows)), rows, strict=True):
        tally.setdefault(row[2] - row[2] % DAY, [0, 0, 0])[item[2]] += 1
    assert items.days == {day: tuple(found) for day, found in tally.items()}
    assert sum(count for block in items.tallies for (item, _), count in block.items() if item) == 3


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (items_of()[:-1], "other rows"),
        (items_of(2 * BLOCK + 4), "other rows"),
        (items_of(4 * BLOCK), "other rows"),
        ([*items_of()[1:], items_of()[0]], "other rows"),
        ([], "other rows"),
        (items_of(x1=(3, "odd")), "item 3"),
        (items_of(x1=(1, "a,b")), "reason"),
        ([(row[0], row[1], "1", "") for row in items_of()], "item 1"),
        ([(row[0], row[1], 1, None) for row in items_of()], "reason"),
    ],
)
def test_a_procedure_that_gives_something_else_is_refused(items: list[Row], message: str) -> None:
    """Fewer rows, more, others, an item that is none, a reason with a comma."""
    with pytest.raises(BadInput, match=message):
        judged(items)
    with pytest.raises(BadInput, match="idx, ord, item, why"):
        judged(items, names=("idx", "ord", "why", "item"))


def test_only_the_first_findings_are_put_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are counted, the rest is said to be left out."""
    from affiant.assurance import run as run_module

    story = company()
    for number in range(5):
        story.exchange(START + DAY + number, f"bad{number}", link={"provider": "elsewhere"})
    monkeypatch.setattr(run_module, "MAX_FINDINGS", 3)
    with Evidence(Listed(story.entries())) as evidence:
        run = run_control(evidence, CATALOG.controls["CO-1.1"], PERIOD)
    assert len(run.deviations) == 3 and run.counts.deviations == 5 and "first 3 rows" in run.notes[-1]
    assert sum(day.deviations for day in occurrences(run)) == 5


# -- in parts


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Six days of traffic with planted breaks."""
    adopted = [(control.id, dict(control.adopted_body)) for control in CATALOG.controls.values()]
    root = tmp_path_factory.mktemp("streams") / "home"
    return synthesize(root, 9_000, 6, "streams", adopted, lambda home, seed: Keyring(bytes(32), seed, "local"), processes=1).home


def told(home: Home, part: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What each run gives where a part has so many entries, and in how many files its population was stored."""
    init = columns.ColumnTables.__init__
    monkeypatch.setattr(columns.ColumnTables, "__init__", lambda self, views, store=None: init(self, views, store, part=part))
    with Evidence(LedgerReader(home), due_at=1) as evidence:
        assert evidence._store is not None and len(evidence._store.partitions) >= 5
        period = Period(START_US, START_US + 6 * DAY)
        for control in CATALOG.controls.values():
            run = run_control(evidence, control, period, sampled=False)
            assert run.frozen is not None
            assert isinstance(evidence._columns, columns.ColumnTables)
            files = len(evidence._columns._pop_files)
            ran = (run.control.id, list(run.frozen.rows), run.frozen.root, list(run.items), run.drafts[-1].body["items_root"], run.result)
            yield files, ran


def test_parts_give_what_the_whole_gives(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked day by day, with exchanges that lie in two of them, every control gives the same rows, items and roots."""
    at_once = list(told(home, 1_500_000, monkeypatch))
    monkeypatch.undo()
    in_parts = list(told(home, 1_000, monkeypatch))
    assert [ran for _, ran in in_parts] == [ran for _, ran in at_once]
    assert {files for files, _ in at_once} == {1}
    assert {ran[0] for files, ran in in_parts if files > 5} == {"GOV-3.1", "CO-1.1", "PR-1.1", "PI-6.1"}
    assert {ran[0] for _, ran in at_once if any(item.item for item in ran[3])} >= {"GOV-3.1", "CO-1.1", "PR-1.1"}


@pytest.mark.parametrize("part", [1_500_000, 1_000])
@pytest.mark.parametrize(("begin", "days"), [(0, 6), (0, 3), (2, 5)])
def test_weighing_gives_what_a_run_counts(home: Home, part: int, begin: int, days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives the counts and findings of a run, whole or in parts: with exchanges of two days, of a day and memory."""
    init = columns.ColumnTables.__init__
    monkeypatch.setattr(columns.ColumnTables, "__init__", lambda self, views, store=None: init(self, views, store, part=part))
    reader = LedgerReader(home)
    with Evidence(reader, due_at=1) as evidence:
        assert evidence._store is not None
        partitions = evidence._store.partitions  # of days that are not whole the entries are in memory
        end = reader.size if days == 6 else partitions[days].stop - 100
        view_from = partitions[begin].start + 100 if begin else 0
    parts = set()
    with Evidence(reader, end, view_from=view_from, due_at=1) as evidence:
        period = Period(START_US + begin * DAY, START_US + days * DAY)
        for control in CATALOG.controls.values():
            run = run_control(evidence, control, period, sampled=False)
            if begin and run.frozen is None:
                continue  # what puts it into force lies before the entries read
            assert control.population is not None and run.counts is not None
            params = {**control.params, "from_us": period.from_us, "to_us": period.to_us, "end_size": evidence.end_size}
            weighed = evidence.weigh(control.population.query, control.procedure, params)
            counts = run.counts
            assert (weighed.rows, weighed.deviations, weighed.could_not_test) == (counts.rows, counts.deviations, counts.could_not_test)
            bad = [(item.idx, item.ord, item.item, item.why) for item in run.items if item.item]
            assert list(weighed.found) == bad and sum(weighed.reasons.values()) == len(bad)
            assert list(evidence.weigh(control.population.query, control.procedure, params, most=2).found) == bad[:2]
            parts.add(weighed.parts)
        tables = evidence._columns
        assert isinstance(tables, columns.ColumnTables) and (max(parts) > 3) == (part == 1_000)
        if part == 1_000:
            held, apart = tables._parts.partitions, tables._parts.apart
            assert any(held[0].start <= index < held[-1].stop for index in apart)
            assert days == 6 or any(index >= held[-1].stop for index in apart)
            assert not begin or any(index < held[0].start for index in apart)


def straddling(store: ColumnStore) -> list[int]:
    """Entries of exchanges that lie in more than one partition, by what is kept of them."""
    found: set[int] = set()
    with duckdb.connect() as db:
        for path in store.straddling_rows().values():
            found |= {row[0] for row in db.execute("SELECT idx FROM read_parquet(?)", [path]).fetchall()}
    return sorted(found)


def test_what_is_kept_of_straddlers_is_made_again_where_it_is_damaged(home: Home) -> None:
    """Day by day or all at once the same rows are kept; a file that is not what it was is not used."""
    with Evidence(LedgerReader(home), due_at=1) as evidence:
        store = evidence._store
        assert store is not None
        whole, files = straddling(store), store.straddling_rows()
        assert whole and "exchange_opened" in files
        before = {view: Path(path).read_bytes() for view, path in files.items()}
        kept = Straddlers(store)
        (store.folder / "straddlers.json").unlink()
        kept.update([], store.partitions[:2])
        for number in range(2, len(store.partitions)):
            kept.update(store.partitions[:number], store.partitions[number : number + 1])
        assert straddling(store) == whole
        with duckdb.connect() as db:
            for view, path in store.straddling_rows().items():
                rows = db.execute("SELECT * FROM read_parquet(?) ORDER BY idx, ord", [path]).fetchall()
                (store.folder / "before").write_bytes(before[view])
                assert rows == db.execute("SELECT * FROM read_parquet(?)", [str(store.folder / "before")]).fetchall() and rows
        (store.folder / "before").unlink()
        damaged = Path(files["exchange_opened"])
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
        assert straddling(store) == whole and Path(store.straddling_rows()["exchange_opened"]).read_bytes() == before["exchange_opened"]
        damaged.unlink()
        assert straddling(store) == whole and damaged.exists()


def test_the_rows_of_a_run_outlive_its_evidence(home: Home) -> None:
    """Rows and items can be read after the tables are gone."""
    with Evidence(LedgerReader(home), due_at=1) as evidence:
        run = run_control(evidence, CATALOG.controls["GOV-3.1"], Period(START_US, START_US + 6 * DAY))
    assert run.frozen is not None and len(list(run.frozen.rows)) == len(list(run.items)) == run.counts.rows > 0
