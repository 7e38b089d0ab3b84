"""Rows out of DuckDB by column: the same as row by row, over many batches, absent cells and errors included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiant.assurance.arrow import rows_of
from affiant.assurance.passes import rows_pass
from affiant.assurance.queryfiles import QueryFiles
from affiant.kit.blocks import BLOCK, Block, in_blocks
from affiant.proof.errors import Malformed


@pytest.fixture
def db() -> Iterator[Any]:
    connection = duckdb.connect(":memory:")
    yield connection
    connection.close()


def row_by_row(blocks: Iterable[Block]) -> list[tuple[Any, ...]]:
    lists = ([column if isinstance(column, list) else column.tolist() for column in block.columns] for block in blocks)
    return [row for columns in lists for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("count", [0, 1, 2_048, 300_000])
def test_columns_are_the_rows(db: Any, count: int) -> None:
    """Numbers, text of several scripts and empty text, in order and in blocks of one size."""
    text = f"SELECT i - 7 AS idx, CASE WHEN i % 3 = 0 THEN '' ELSE 'ü' || i || '語' END AS said FROM range({count}) t(i) ORDER BY i"
    blocks = list(in_blocks(rows_of(db.sql(text))))
    assert row_by_row(blocks) == db.execute(text).fetchall()
    assert all(len(block) == BLOCK for block in blocks[:-1])


def test_what_is_absent_stays_absent(db: Any) -> None:
    """NULL is None, which whoever takes it refuses."""
    text = "SELECT i AS idx, i AS ord, CASE WHEN i <> 2999 THEN i END AS n, CASE WHEN i % 5 > 0 THEN 't' END AS s FROM range(3000) t(i)"
    blocks = list(in_blocks(rows_of(db.sql(f"{text} ORDER BY i"))))
    assert row_by_row(blocks) == db.execute(f"{text} ORDER BY i").fetchall()
    with pytest.raises(Malformed, match="integers in one row"):
        rows_pass(blocks, lambda indexes: bytes(32 * len(indexes)))


def test_errors_are_those_of_duckdb(db: Any) -> None:
    """What fails while rows are taken, what needs too much room, and a type that no query may give."""
    with pytest.raises(duckdb.Error, match="onversion"):
        list(rows_of(db.sql("SELECT CAST(CASE WHEN i = 250000 THEN 'x' ELSE '1' END AS BIGINT) AS n FROM range(300000) t(i)")))
    with pytest.raises(ValueError, match="types"):
        list(rows_of(db.sql("SELECT 1.5::DOUBLE AS n")))
    db.execute("SET memory_limit = '20MB'; SET max_temp_directory_size = '0KiB'")
    with pytest.raises(duckdb.OutOfMemoryException):
        list(rows_of(db.sql("SELECT i, md5(i::VARCHAR) AS m FROM range(5000000) t(i) ORDER BY m")))


def test_an_answer_may_be_left_half_taken(db: Any) -> None:
    """Its connection then answers the next question."""
    rows = rows_of(db.sql("SELECT i FROM range(1000000) t(i)"))
    next(rows)
    rows.close()
    assert row_by_row(rows_of(db.sql("SELECT 7::BIGINT AS n"))) == [(7,)]


@given(st.lists(st.integers(-50, 50), max_size=9).map(sorted))
@settings(max_examples=40, deadline=None)
def test_rows_put_in_order_apart_are_those_of_the_whole(cuts: list[int]) -> None:
    """Wherever they are cut, each row is there once, one without an index too."""
    text = "SELECT CASE WHEN i % 17 > 0 THEN i % 40 - 20 END AS idx, i AS ord FROM range(90) t(i)"
    with duckdb.connect(":memory:") as db:
        found = row_by_row(QueryFiles(db, Path()).rows(text, ["idx", "ord"], cuts))
        assert found == db.execute(f"{text} ORDER BY idx, ord").fetchall()
