"""The subset of SQL in which controls ask their questions, and a fenced way to run it in SQLite. A package's SQL is hostile.

Inside the subset every engine gives the same answer: thresholds as counts, anti-joins, CASE, GROUP BY, common table expressions.
Outside it: `/`, `%`, `||`, LIKE, CAST, dates, collations, floats, window functions, LIMIT, FULL, RIGHT and NATURAL joins, recursion,
comments, quoted identifiers, and any function not listed. Two fences beyond the text: an SQLite authorizer that permits reading the
named tables only, and a limit on steps. Leaves out: what makes a result correct (`verify`).
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from itertools import chain
from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, Mapping, Tuple

from .errors import CouldNotLook, Malformed, ProofError

MAX_QUERY_CHARS = 20_000
MAX_DEPTH = 40
MAX_ROWS = 50_000_000
MAX_STEPS = 4_000_000_000
TICK = 1_000_000
ROWS_AT_ONCE = 4_096
_BEFORE_EVERY = frozenset({("word", "select"), ("word", "distinct"), ("word", "all"), ("mark", ","), ("mark", ".")})
_CELLS = frozenset({int, str})
_SQL_ERRORS = (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError)
FUNCTIONS = frozenset({"count", "sum", "min", "max", "coalesce", "nullif", "abs"})
KEYWORDS = frozenset({
    "select", "from", "where", "group", "by", "having", "order", "asc", "as", "on", "join", "left", "inner", "cross", "outer",
    "union", "all", "except", "intersect", "and", "or", "not", "in", "is", "null", "exists", "case", "when", "then", "else", "end",
    "between", "distinct", "with"})  # fmt: skip
FORBIDDEN = frozenset({
    "like", "ilike", "glob", "similar", "regexp", "match", "cast", "collate", "date", "time", "timestamp", "interval",
    "current_date", "current_time", "current_timestamp", "full", "right", "natural", "using", "limit", "offset", "fetch",
    "recursive", "over", "partition", "window", "filter", "pragma", "attach", "detach", "insert", "update", "delete", "replace",
    "create", "drop", "alter", "vacuum", "reindex", "analyze", "explain", "begin", "commit", "rollback", "savepoint", "release",
    "values", "returning", "into", "copy", "load", "install", "set", "call", "true", "false", "indexed", "materialized", "lateral",
    "qualify", "desc", "nulls", "escape", "raise"})  # fmt: skip
_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>[0-9]+(?![0-9A-Za-z_.]))|(?P<param>:[a-z][a-z0-9_]*)"
    r"|(?P<string>'[^'\x00-\x1f]*')|(?P<mark><>|!=|<=|>=|[=<>+\-*(),.])"
)


@dataclass(frozen=True)
class Query:
    """A query that lies inside the subset: its text, the words that may be tables or columns, its parameters, and whether a `*` names all
    columns.
    """

    text: str
    words: FrozenSet[str]
    params: FrozenSet[str]
    every: bool = False


def check(text: str) -> Query:
    """Check that a query lies inside the subset.

    Raises:
        Malformed: it does not; the message names the first thing outside.
    """
    if len(text) > MAX_QUERY_CHARS:
        raise Malformed(f"A query has {len(text)} characters; {MAX_QUERY_CHARS} are allowed.")
    tokens = _tokens(text)
    if not tokens or tokens[0][1] not in ("select", "with"):
        raise Malformed("A query must begin with SELECT or WITH.")
    _check_shape(tokens)
    words = frozenset(value for kind, value in tokens if kind == "word" and value not in KEYWORDS)
    before = zip([("", ""), *tokens], tokens)  # noqa: B905 - Python 3.9
    every = any(now == ("mark", "*") and last in _BEFORE_EVERY for last, now in before)
    return Query(text, words, frozenset(value[1:] for kind, value in tokens if kind == "param"), every)


def _tokens(text: str) -> List[Tuple[str, str]]:
    found: List[Tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Malformed(f"A query has {text[position : position + 12]!r}, which the grammar does not know.")
        position = match.end()
        kind, value = str(match.lastgroup), match.group()
        if kind == "space":
            continue
        if kind == "word":
            value = value.lower()
            if value in FORBIDDEN:
                raise Malformed(f"A query uses {value.upper()}, which the grammar forbids.")
        elif kind == "string" and found and found[-1][0] == "word" and text[match.start() - 1] not in " \t\r\n":
            raise Malformed("A query has a word directly before a string (another kind of literal).")
        elif kind == "number" and (len(value) > 19 or int(value) > 2**63 - 1):
            raise Malformed("A query has a number beyond 64 bits.")
        elif kind == "mark" and value == "-" and found and found[-1] == ("mark", "-"):
            raise Malformed("A query has two minus signs in a row (a comment).")
        found.append((kind, value))
    return found


def _check_shape(tokens: List[Tuple[str, str]]) -> None:
    """Parentheses, functions, one statement, and an ORDER BY outside all parentheses at the end."""
    depth, order_at, aggregates = 0, -1, {}
    for number, (kind, value) in enumerate(tokens):
        before = tokens[number - 1] if number else ("", "")
        if value == "(" and kind == "mark":
            depth += 1
            if before[0] == "word" and before[1] not in KEYWORDS:
                if before[1] not in FUNCTIONS:
                    raise Malformed(f"A query calls {before[1]}, which the grammar does not list.")
                if before[1] in ("min", "max"):
                    aggregates[depth] = before[1]
        elif value == ")" and kind == "mark":
            aggregates.pop(depth, None)
            depth -= 1
        elif value == "," and kind == "mark" and depth in aggregates:
            raise Malformed(f"A query calls {aggregates[depth]} with two arguments.")
        elif value == "." and kind == "mark":
            after = tokens[number + 1] if number + 1 < len(tokens) else ("", "")
            if before[0] != "word" or (after[0] != "word" and after != ("mark", "*")):
                raise Malformed("A query has a point that stands between no two names.")
        elif value == "order" and kind == "word" and depth == 0:
            order_at = number
        if not 0 <= depth <= MAX_DEPTH:
            raise Malformed("A query's parentheses do not match or are nested too deeply.")
    if depth:
        raise Malformed("A query's parentheses do not match.")
    if order_at < 0 or any(kind == "word" and value in KEYWORDS - {"order", "by", "asc"} for kind, value in tokens[order_at:]):
        raise Malformed("A query must end in ORDER BY.")


def _authorizer(tables: FrozenSet[str]) -> Any:
    allowed_actions = {sqlite3.SQLITE_SELECT}

    def authorize(action: int, first: Any, second: Any, database: Any, source: Any) -> int:
        if action in allowed_actions:
            return sqlite3.SQLITE_OK
        # An empty table name is SQLite's own for a subquery or for counting rows without reading a column.
        if action == sqlite3.SQLITE_READ and (first in tables or not first or (database is None and not str(first).startswith("sqlite_"))):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and second in FUNCTIONS:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    return authorize


Rows = List[Tuple[Any, ...]]


def run(
    connection: sqlite3.Connection,
    query: Query,
    params: Mapping[str, int],
    tables: Iterable[str],
    max_steps: int = MAX_STEPS,
) -> "Tuple[List[str], Rows]":
    """Run a checked query behind both fences and keep its rows; see `stream`."""
    names, parts = stream(connection, query, params, tables, max_steps)
    rows = [row for part in parts for row in part]
    return names, rows


def stream(
    connection: sqlite3.Connection,
    query: Query,
    params: Mapping[str, int],
    tables: Iterable[str],
    max_steps: int = MAX_STEPS,
) -> "Tuple[List[str], Iterator[Rows]]":
    """Run a checked query behind both fences: column names, and rows of integers and text in parts, as they come.

    Args:
        connection: holds the tables; until the last part was taken only inserts into `pop` may use it besides.
        query: from `check`.
        params: values for `:name`.
        tables: names that may be read.
        max_steps: SQLite virtual machine instructions before it is stopped.

    Raises (the iterator too):
        Malformed: a parameter is missing or no integer, SQLite refuses it, it takes too long, or it gives something else than
            integers and text.
    """
    missing = sorted(name for name in query.params if type(params.get(name)) is not int)
    if missing:
        raise Malformed(f"A query needs the parameter {missing[0]}, which has no integer value.")
    left = [max_steps // TICK + 1]

    def tick() -> int:
        left[0] -= 1
        return left[0] <= 0

    used: Dict[str, int] = {name: params[name] for name in query.params}
    connection.set_authorizer(_authorizer(frozenset(tables)))
    connection.set_progress_handler(tick, TICK)
    try:
        cursor = connection.execute(query.text, used)
        names = [column[0] for column in cursor.description]
    except _SQL_ERRORS as error:
        connection.set_progress_handler(None, 0)
        raise _refusal(error, left[0]) from None
    finally:
        # The fence stands while the query is prepared: what it may read is decided there.
        _open_again(connection)
    return names, _parts(connection, cursor, left)


def _parts(connection: sqlite3.Connection, cursor: sqlite3.Cursor, left: List[int]) -> Iterator[Rows]:
    count = 0
    try:
        while True:
            rows = cursor.fetchmany(ROWS_AT_ONCE)
            if not rows:
                return
            count += len(rows)
            if count > MAX_ROWS:
                raise Malformed(f"A query gives more than {MAX_ROWS} rows.")
            if not _CELLS.issuperset(map(type, chain.from_iterable(rows))):
                other = next(type(cell).__name__ for row in rows for cell in row if type(cell) not in _CELLS)
                raise Malformed(f"A query gives {other}, not integers and text.", "Use COALESCE for what may be absent.")
            yield rows
    except _SQL_ERRORS as error:
        raise _refusal(error, left[0]) from None
    finally:
        cursor.close()
        connection.set_progress_handler(None, 0)


def _refusal(error: Exception, left: int) -> ProofError:
    reason = "it takes too many steps" if left <= 0 else str(error)
    if "disk" in reason or "memory" in reason:
        return CouldNotLook(f"SQLite could not go on: {reason}.", "Make room for temporary files (TMPDIR) and try again.")
    return Malformed(f"SQLite refuses a query: {reason}.")


def _allow_all(*_: Any) -> int:
    return sqlite3.SQLITE_OK


def _open_again(connection: sqlite3.Connection) -> None:
    # Before Python 3.11 an authorizer cannot be removed by passing None.
    connection.set_authorizer(_allow_all)
