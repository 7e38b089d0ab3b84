"""Engines of somebody else for the same query texts: Spark over the same Parquet, PostgreSQL over the same rows.

A text inside the grammar is translated by sqlglot, its numbers made so wide that nothing can overflow unseen, and its rows put in
order here, since collations and the place of NULL are an engine's own. Leaves out: each engine's tables (`spark`, `postgres`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

import sqlglot
from sqlglot import exp

from affiant.catalog.grammar import check_query
from affiant.kit.blocks import Cells, Part
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.kit.secretref import resolve
from affiant.ledger.columnar.convert import Summary
from affiant.ledger.columnar.partition import Partition
from affiant.proof.canonical import MAX_INT
from affiant.proof.views import Row, Views

Answer = tuple[list[str], Iterator[Part]]
"""Column names, and rows in parts."""
Schema = Sequence[tuple[str, str]]
KINDS = ("spark", "postgres")
MAX_ROWS = 4_000_000
_PARAM = re.compile(r"'[^']*'|:([a-z][a-z0-9_]*)")
_REFERENCE = re.compile(r"(env|file|vault):")
_URL = {"spark": re.compile(r"sc://[^/\s]+(/[^\s]*)?"), "postgres": re.compile(r"postgres(ql)?://\S+")}
_EXAMPLE = {"spark": "sc://host:15002", "postgres": "postgresql://user@host/database"}
_WIDE = "DECIMAL(38, 0)"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An engine that is reached over a connection.

    Args:
        kind: `spark` (Spark Connect) or `postgres`.
        where: its URL, `sc://host:port` or `postgresql://…`; or a secret reference (`env:`, `file:`, `vault:`) to one.
        parquet: for Spark, the folder or URL at which it finds what lies in `HOME/derived/parquet`, such as `s3a://bucket/parquet`;
            that folder itself by default.

    Raises:
        BadInput: another kind, or no such URL.
    """

    kind: str
    where: str = field(repr=False)
    parquet: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadInput(f"There is no engine {self.kind!r}.", "Use duckdb, sqlite, spark or postgres.")
        if not _REFERENCE.match(self.where):
            self._check(self.where)
        if self.parquet and self.kind != "spark":
            raise BadInput("Only Spark reads Parquet; PostgreSQL is given rows.", "Leave out the place of the Parquet files.")
        if not plain_path(self.parquet):
            raise BadInput(f"{self.parquet!r} has a character that Spark takes for something else.", "Copy the files to another place.")

    def _check(self, url: str) -> str:
        if not _URL[self.kind].fullmatch(url):
            # The text itself is left out: it may hold a password.
            raise BadInput(f"This is no URL of {self.kind}.", f"Write one such as {_EXAMPLE[self.kind]}, or a reference such as env:NAME.")
        return url

    def url(self) -> str:
        """The URL, taken out of its reference.

        Raises:
            BadInput: what the reference names is no URL. NotFound: it names nothing.
        """
        return self._check(resolve(self.where)) if _REFERENCE.match(self.where) else self.where


def plain_path(path: str) -> bool:
    """Whether a path has no character that means something to those who read it as a pattern or a URL."""
    return re.search(r"[*?\[\]{}\\\s%#]", path) is None


class Columnwise(Protocol):
    """Tables that take whole partitions and runs of entries (DuckDB, Spark)."""

    def load(self, entries: Iterable[bytes], start: int) -> Summary: ...

    def use(self, partitions: Sequence[Partition]) -> None: ...

    def replace(self, name: str, rows: Sequence[Row]) -> None: ...

    def populate(self, text: str, params: Mapping[str, int]) -> Answer: ...

    def judge(self, text: str, params: Mapping[str, int]) -> Answer: ...

    def query(self, text: str, params: Mapping[str, int]) -> tuple[list[str], list[Cells]]: ...

    def close(self) -> None: ...


class Rowwise(Protocol):
    """Tables that take row by row what the verifier's own code makes of an entry (SQLite, PostgreSQL)."""

    @property
    def views(self) -> Views: ...

    def add(self, view: str, row: Row) -> None: ...

    def flush(self) -> None: ...

    def replace(self, name: str, rows: Sequence[Row]) -> None: ...

    def populate(self, text: str, params: Mapping[str, int]) -> Answer: ...

    def judge(self, text: str, params: Mapping[str, int]) -> Answer: ...

    def query(self, text: str, params: Mapping[str, int]) -> tuple[list[str], list[Cells]]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Translated:
    """A query as an engine reads it: its text without an order, the columns to order by, the tables that it names."""

    text: str
    order: tuple[str, ...]
    tables: frozenset[str]


@lru_cache(maxsize=512)
def _parsed(text: str) -> Any:
    return sqlglot.parse_one(text, read="sqlite")


def translate(text: str, params: Mapping[str, int], kind: str, known: Iterable[str]) -> Translated:
    """A query inside the grammar in the words of an engine, its parameters filled in.

    Args:
        kind: `spark` or `postgres`.
        known: names of the tables that it may read.

    Raises:
        BadInput: it lies outside the grammar, lacks a parameter, or reads something else.
    """
    query = check_query(text)
    missing = sorted(name for name in query.params if type(params.get(name)) is not int)
    if missing:
        raise BadInput(f"A query needs the parameter {missing[0]}, which has no integer value.", "Add it to the control's `params`.")
    tree = _parsed(_PARAM.sub(lambda match: f"({params[match[1]]})" if match[1] else match[0], text)).copy()
    order = tuple(term.this.name.lower() for term in tree.args["order"].expressions)
    tree.set("order", None)
    own = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    tables = frozenset(table.name.lower() for table in tree.find_all(exp.Table)) - own
    unknown = sorted(tables - set(known))
    if unknown:
        raise BadInput(f"A query reads {unknown[0]}, which is no view.", "Compare its names with views.json.")
    for name in tree.find_all(exp.Identifier):
        name.set("this", name.this.lower())  # the names are quoted below, and an engine minds the case of quoted names
    tree = tree.transform(_widened, kind)
    return Translated(tree.sql(kind, identify=True), order, tables)


def _widened(node: Any, kind: str) -> Any:
    """64 bits for every number, more where numbers are multiplied or, for Spark, summed: some of its kin go round in silence."""
    if isinstance(node, exp.Literal) and not node.is_string and not isinstance(node.parent, exp.Group | exp.DataTypeParam):
        return exp.cast(node.copy(), "BIGINT")
    if kind == "spark" and isinstance(node, exp.Sum):
        if isinstance(node.this, exp.Distinct):
            node.this.set("expressions", [exp.cast(each, _WIDE) for each in node.this.expressions])
        else:
            node.set("this", exp.cast(node.this, _WIDE))
    elif isinstance(node, exp.Mul) or (kind == "spark" and isinstance(node, exp.Add | exp.Sub) and _reaches_far(node)):
        node.set("this", exp.cast(node.this, _WIDE))
        node.set("expression", exp.cast(node.expression, _WIDE))
    return node


def _reaches_far(node: Any) -> bool:
    """Whether a number in it is greater than any in an entry; a few of those never add up to 64 bits."""
    return any(not each.is_string and int(each.this) > MAX_INT for each in node.find_all(exp.Literal))


def settled(columns: Sequence[str], rows: Iterable[Sequence[Any]], order: Sequence[str]) -> list[Cells]:
    """Rows as every engine gives them: whole numbers as integers, in the order that the query asked for (text by its code points).

    Raises:
        BadInput: a cell is neither a whole number nor text, or the order names no column.
        CouldNotLook: there are more rows than may be held.
    """
    strange = [name for name in order if name not in columns]
    if strange:
        raise BadInput(f"A query is ordered by {strange[0]}, which it does not give.", "Order by columns that it gives.")
    found = [tuple(map(_cell, row)) for row in rows]
    if len(found) > MAX_ROWS:
        raise CouldNotLook(f"The answer has more than {MAX_ROWS} rows.", "Choose a shorter period.")
    places = [columns.index(name) for name in order]
    found.sort(key=lambda row: [row[place] for place in places])
    return found


class Held(Protocol):
    """Tables whose engine gives all rows of a query at once."""

    def query(self, text: str, params: Mapping[str, int], pop: bool = False) -> tuple[list[str], list[Cells]]: ...

    def set_population(self, columns: Sequence[str], rows: list[Cells]) -> None: ...


def populate_at_once(tables: Held, text: str, params: Mapping[str, int]) -> Answer:
    """A population's rows, which become the table `pop` when they were taken; no more than `MAX_ROWS`."""
    columns, rows = tables.query(text, params)

    def parts() -> Iterator[Sequence[Cells]]:
        yield rows
        tables.set_population(columns, rows)

    return columns, parts()


def judge_at_once(tables: Held, text: str, params: Mapping[str, int]) -> Answer:
    """A procedure's rows; no more than `MAX_ROWS`."""
    columns, rows = tables.query(text, params, pop=True)
    return columns, iter([rows])


def _cell(value: Any) -> Any:
    if type(value) is Decimal and value == value.to_integral_value():
        return int(value)
    if type(value) is not int and type(value) is not str:
        raise BadInput(f"A query gives {type(value).__name__}, not integers and text.", "Use COALESCE for what may be absent.")
    return value


def batches(rows: Sequence[Row], most: int) -> Iterator[Sequence[Row]]:
    """Rows in runs of at most so many."""
    for start in range(0, len(rows), most):
        yield rows[start : start + most]
