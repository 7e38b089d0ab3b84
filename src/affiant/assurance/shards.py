"""Whether a query about exchanges may be asked part by part: because each of its rows depends on one exchange and on records alone.

Decided from the text, never taken on trust. A table of exchanges is *big*; its *keys* are the columns that name the exchange or an entry
of it (`xid`, `idx`) and what is carried along from them. A query is *local* if its big tables are joined, correlated, grouped and united
by keys only; then asking it of each part of the exchanges and putting the answers together gives the answer of the whole, as long as no
exchange lies in two parts. Two things that are not local are taken out first: the greatest or least value of a big table (`take_extremes`)
and sums by something else than a key, which are added up over the parts (`take_sums`). Leaves out: making parts (`columns`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp


class NotLocal(Exception):
    """The query must be asked of everything at once."""


@dataclass(frozen=True, slots=True)
class Table:
    """A relation: whether it comes from exchanges, and which of its columns are keys."""

    big: bool
    keys: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()


SMALL = Table(False)


@dataclass(slots=True)
class _Scope:
    """Names in reach within one SELECT, and the scope around it."""

    tables: dict[str, Table] = field(default_factory=dict)
    outer: _Scope | None = None

    def key(self, node: Any) -> str:
        """Alias of the big table that a column is a key of; "" for anything else."""
        if not isinstance(node, exp.Column):
            return ""
        scope: _Scope | None = self
        while scope is not None:
            if node.table:
                if node.table in scope.tables:
                    table = scope.tables[node.table]
                    return node.table if table.big and node.name in table.keys else ""
            elif len(scope.tables) == 1:
                ((alias, table),) = scope.tables.items()
                if node.name in table.columns or node.name in table.keys:
                    return alias if table.big and node.name in table.keys else ""
            scope = scope.outer
        return ""


def parse(text: str) -> Any:
    """The tree of a query inside the grammar."""
    return sqlglot.parse_one(text, read="duckdb")


def locality(tree: Any, tables: Mapping[str, Table]) -> Table:
    """What kind of relation a query gives; `big` with key columns if it is local over exchanges, small if it reads none.

    Raises:
        NotLocal: see the module text.
    """
    return _query(tree, dict(tables), None)


def ids_only_tie(trees: Iterable[Any], tables: Mapping[str, Table]) -> bool:
    """Whether the ids of exchanges are only compared with one another, grouped by and passed on, so that a number may stand for each."""
    for tree in trees:
        for table in tree.find_all(exp.Table):
            known = tables.get(table.name, SMALL)
            if "xid" in known.columns and not known.big:
                return False
        for node in tree.find_all(exp.Column):
            if node.name == "xid" and not _ties(node):
                return False
        if not all(_united_ids(node) for node in tree.find_all(exp.SetOperation)):
            return False
    return True


def _ties(node: Any) -> bool:
    parent = node.parent
    if isinstance(parent, exp.EQ):
        other = parent.expression if parent.this is node else parent.this
        return isinstance(other, exp.Column) and other.name == "xid"
    if isinstance(parent, exp.Alias):
        return bool(parent.alias == "xid" and isinstance(parent.parent, exp.Select))
    return isinstance(parent, exp.Group | exp.Select | exp.Ordered)


def _united_ids(node: Any) -> bool:
    """Whether ids stand in the same columns of all branches, and nothing else does."""
    branches = []
    waiting = [node]
    while waiting:
        found = waiting.pop()
        if isinstance(found, exp.Subquery):
            waiting.append(found.this)
        elif isinstance(found, exp.SetOperation):
            waiting += [found.left, found.right]
        else:
            branches.append([isinstance(e.unalias(), exp.Column) and e.unalias().name == "xid" for e in found.expressions])
    return all(branch == branches[0] for branch in branches)


def sums_locally(tree: Any, tables: Mapping[str, Table]) -> bool:
    """Whether a plain SELECT that folds its rows gives, part by part, what can be folded further."""
    try:
        _query(tree, dict(tables), None, free=True)
    except NotLocal:
        return False
    return True


def _query(node: Any, known: dict[str, Table], outer: _Scope | None, free: bool = False) -> Table:
    if isinstance(node, exp.Subquery):
        return _query(node.this, known, outer)
    with_ = node.args.get("with_")
    if with_ is not None:
        known = dict(known)
        for cte in with_.expressions:
            known[cte.alias] = _query(cte.this, known, None)
    if isinstance(node, exp.SetOperation):
        return _united(node, known, outer)
    if isinstance(node, exp.Select):
        return _select(node, known, outer, free)
    raise NotLocal


def _united(node: Any, known: dict[str, Table], outer: _Scope | None) -> Table:
    left, right = _query(node.left, known, outer), _query(node.right, known, outer)
    if not left.big and not right.big:
        return Table(False, columns=left.columns)
    if not (left.big and right.big) or len(left.columns) != len(right.columns):
        raise NotLocal
    keys = frozenset(a for a, b in zip(left.columns, right.columns, strict=True) if a in left.keys and b in right.keys)
    plain = isinstance(node, exp.Union) and not node.args.get("distinct")
    if not plain and not keys:
        raise NotLocal
    return Table(True, keys, left.columns)


class _Connected:
    """Which big tables are tied to one another by equal keys."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def root(self, name: str) -> str:
        while self._of.setdefault(name, name) != name:
            name = self._of[name]
        return name

    def tie(self, one: str, other: str) -> None:
        self._of[self.root(one)] = self.root(other)


def _select(node: Any, known: dict[str, Table], outer: _Scope | None, free: bool) -> Table:
    scope, tied = _Scope(outer=outer), _Connected()
    begin = node.args.get("from_")
    if begin is None:
        return Table(False, columns=tuple(e.alias_or_name for e in node.expressions))
    _add(scope, begin.this, known)
    for join in node.args.get("joins") or ():
        before = any(table.big for table in scope.tables.values())
        alias = _add(scope, join.this, known)
        if scope.tables[alias].big and join.side == "LEFT" and not before:
            raise NotLocal  # a row of the small table would stand in every part
        _tie(scope, tied, join.args.get("on"))
    where = node.args.get("where")
    _tie(scope, tied, where.this if where is not None else None)
    big = [name for name, table in scope.tables.items() if table.big]
    if outer is not None and big:
        for name in _outer_big(outer):
            if tied.root("outer " + name) == tied.root(big[0]):
                break
        else:
            raise NotLocal
    if len({tied.root(name) for name in big}) > 1:
        raise NotLocal
    _inner(node, known, scope)
    return _output(node, scope, bool(big), free or outer is not None)


def _outer_big(scope: _Scope | None) -> Iterable[str]:
    while scope is not None:
        yield from (name for name, table in scope.tables.items() if table.big)
        scope = scope.outer


def _add(scope: _Scope, source: Any, known: dict[str, Table]) -> str:
    alias = source.alias_or_name
    if isinstance(source, exp.Table):
        scope.tables[alias] = known.get(source.name, SMALL)
    else:
        scope.tables[alias] = _query(source, known, None)
    return str(alias)


def _tie(scope: _Scope, tied: _Connected, condition: Any) -> None:
    for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
        if isinstance(part, exp.Paren):
            _tie(scope, tied, part.this)
        elif isinstance(part, exp.And):
            _tie(scope, tied, part)
        elif isinstance(part, exp.EQ):
            names = []
            for side in (part.this, part.expression):
                name = scope.key(side)
                names.append(name if name in scope.tables else f"outer {name}" if name else "")
            if all(names):
                tied.tie(names[0], names[1])


def _inner(node: Any, known: dict[str, Table], scope: _Scope) -> None:
    """Check the subqueries that stand in expressions."""
    parts = [*node.expressions, *(node.args.get(name) for name in ("where", "having", "group"))]
    parts += [join.args.get("on") for join in node.args.get("joins") or ()]
    for part in parts:
        if part is None:
            continue
        for inner in _nearest(part):
            above = inner.parent.parent if isinstance(inner.parent, exp.Subquery) else inner.parent
            if isinstance(above, exp.In) or isinstance(inner, exp.SetOperation):
                if _query(inner, known, None).big:
                    raise NotLocal
            else:
                _query(inner, known, scope)


def _nearest(node: Any) -> Iterable[Any]:
    """Queries directly within an expression, not those within these."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        if isinstance(found, exp.Query) and not isinstance(found, exp.Subquery):
            yield found
            continue
        waiting += list(found.iter_expressions())


def _output(node: Any, scope: _Scope, big: bool, free: bool) -> Table:
    columns = tuple(e.alias_or_name for e in node.expressions)
    if not big:
        return Table(False, columns=columns)
    group = node.args.get("group")
    grouped = group is not None and any(scope.key(e) in scope.tables for e in group.expressions)
    folds = any(_folds(e) for e in node.expressions) or group is not None
    if folds and not grouped and not free:
        raise NotLocal
    keys: set[str] = set()
    others: set[str] = set()
    for expression in node.expressions:
        value = expression.unalias()
        if isinstance(value, exp.Min | exp.Max) and grouped:
            value = value.this
        (keys if scope.key(value) in scope.tables else others).add(expression.alias_or_name)
    keys -= others
    if node.args.get("distinct") is not None and not keys:
        raise NotLocal
    return Table(True, frozenset(keys), columns)


def _folds(expression: Any) -> bool:
    return any(not _within_query(found, expression) for found in expression.find_all(exp.AggFunc))


def _within_query(node: Any, top: Any) -> bool:
    parent = node.parent
    while parent is not None and parent is not top.parent:
        if isinstance(parent, exp.Query):
            return True
        parent = parent.parent
    return False


def take_extremes(tree: Any, tables: Mapping[str, Table], value: Callable[[str], int | None]) -> Any:
    """Replace `SELECT MAX(x) AS n FROM big` (or MIN, without any condition) by its value.

    Args:
        value: gives the one cell of a query over everything.
    """

    def replace(node: Any) -> Any:
        if not isinstance(node, exp.Select) or any(node.args.get(name) for name in ("joins", "where", "group", "having", "with_")):
            return node
        begin = node.args.get("from_")
        if begin is None or not isinstance(begin.this, exp.Table) or not tables.get(begin.this.name, SMALL).big:
            return node
        if begin.this.name == "pop" or not all(
            isinstance(e.unalias(), exp.Max | exp.Min) and isinstance(e.unalias().this, exp.Column) for e in node.expressions
        ):
            return node
        cells = []
        for expression in node.expressions:
            found = value(f"SELECT {expression.unalias().sql('duckdb')} FROM {begin.sql('duckdb').removeprefix('FROM ')}")  # noqa: S608
            cells.append(exp.alias_(exp.Null() if found is None else exp.Literal.number(found), expression.alias_or_name))
        return exp.select(*cells)

    return tree.copy().transform(replace)


def take_sums(tree: Any, tables: Mapping[str, Table], gather: Callable[[str, list[str], dict[str, str]], str]) -> Any:
    """Replace each table expression that sums by something else than a key by the sums over all parts.

    Only the top level's table expressions are looked at, in order; each may use those before it that are small.

    Args:
        gather: (query, group columns, folded column -> SUM, MIN or MAX) -> name of a table with the folded rows.
    """
    tree = tree.copy()
    with_ = tree.args.get("with_")
    if with_ is None:
        return tree
    before: list[Any] = []
    for cte in with_.expressions:
        select = cte.this
        folded = _foldable(select)
        inner = select.copy()
        if before:
            inner.set("with_", exp.With(expressions=[c.copy() for c in before]))
        if folded is not None and _reads_big(select, tables) and sums_locally(inner, tables):
            groups, sums = folded
            name = gather(inner.sql("duckdb"), groups, sums)
            cte.set("this", exp.select("*").from_(name))
        before.append(cte)
    return tree


def _foldable(select: Any) -> tuple[list[str], dict[str, str]] | None:
    """Group columns and folded columns of a plain `SELECT g, SUM(x) … GROUP BY g`; None for anything else."""
    if not isinstance(select, exp.Select) or select.args.get("group") is None or select.args.get("having") is not None:
        return None
    groups = {e.sql() for e in select.args["group"].expressions}
    names, sums = [], {}
    for expression in select.expressions:
        value = expression.unalias()
        if value.sql() in groups:
            names.append(expression.alias_or_name)
        elif isinstance(value, exp.Count | exp.Sum) and not isinstance(value.this, exp.Distinct):
            sums[expression.alias_or_name] = "SUM"
        elif isinstance(value, exp.Min | exp.Max):
            sums[expression.alias_or_name] = "MIN" if isinstance(value, exp.Min) else "MAX"
        else:
            return None
    return (names, sums) if len(names) == len(groups) else None


def _reads_big(select: Any, tables: Mapping[str, Table]) -> bool:
    return any(tables.get(table.name, SMALL).big for table in select.find_all(exp.Table))
