"""The query grammar, enforced by parsing: what an author may write, said clearly when it is something else.

A query is parsed into a tree of which each node's kind must be on the list; then the verifier's own check of the text
(`proof.grammar`) must agree. Two readers of different make must accept a query before it is run anywhere.
Leaves out: whether tables and columns exist (`check` prepares each query on empty views).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp

from affiant.kit.errors import BadInput
from affiant.proof import grammar as textual
from affiant.proof.errors import ProofError

_ALLOWED: tuple[type[exp.Expression], ...] = (
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.With, exp.CTE, exp.Subquery,
    exp.Union, exp.Except, exp.Intersect, exp.Table, exp.TableAlias, exp.Alias, exp.Column, exp.Identifier, exp.Star, exp.Distinct,
    exp.Literal, exp.Placeholder, exp.Null, exp.Paren, exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT,
    exp.GTE, exp.And, exp.Or, exp.Not, exp.In, exp.Is, exp.Between, exp.Exists, exp.Case, exp.If, exp.Count, exp.Sum, exp.Min,
    exp.Max, exp.Coalesce, exp.Nullif, exp.Abs, exp.Tuple,
)  # fmt: skip
_HINTS = {
    "Div": "Compare products: `a * 1000000 < b * :per_million`.",
    "Mod": "Count instead.",
    "Like": "Compare with = or IN.",
    "Cast": "Columns are BIGINT or TEXT already.",
    "Window": "Use a subquery with MIN or MAX.",
    "Limit": "Give all rows; samples are drawn elsewhere.",
    "DPipe": "Give the parts as columns.",
}


@lru_cache(maxsize=512)
def check_query(text: str) -> textual.Query:
    """Accept a query inside the grammar.

    Raises:
        BadInput: it lies outside; says what and what to write instead.
    """
    try:
        statements = sqlglot.parse(text, read="sqlite")
    except sqlglot.errors.SqlglotError as error:
        first = str(error).splitlines()[0]
        raise BadInput(f"The query cannot be parsed: {first}.", "See docs/decisions/0009-populations-and-grammar.md.") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise BadInput("A query is one SELECT, with nothing before or after it.", "Remove the rest.")
    tree = statements[0]
    for node in tree.walk():
        _check_node(node)
    order = tree.args.get("order")
    if order is None or not order.expressions:
        raise BadInput("A query has no ORDER BY outside all parentheses.", "Order by a unique key, such as idx, ord.")
    if any(not isinstance(term.this, exp.Column) or term.args.get("desc") for term in order.expressions):
        raise BadInput("A query is ordered by something else than columns, ascending.", "Order by column names only.")
    try:
        return textual.check(text)
    except ProofError as error:
        raise BadInput(error.message, error.next_step or "See docs/decisions/0009-populations-and-grammar.md.") from error


def _check_node(node: Any) -> None:
    if not isinstance(node, _ALLOWED):
        name = type(node).__name__
        raise BadInput(
            f"A query uses {name} ({node.sql()[:60]}), which the grammar does not list.", _HINTS.get(name, "Write it otherwise.")
        )
    if isinstance(node, exp.Join) and (node.side in ("FULL", "RIGHT") or node.method or node.args.get("using")):
        raise BadInput(f"A query uses {node.sql()[:40]}.", "Use INNER JOIN, LEFT JOIN … ON or CROSS JOIN.")
    if isinstance(node, exp.Literal) and not node.is_string and not node.this.isdigit():
        raise BadInput(f"A query has the number {node.this}.", "Numbers are integers; scale thresholds.")
    if isinstance(node, exp.Identifier) and node.quoted:
        raise BadInput(f"A query quotes the name {node.this}.", "Use plain names; text stands in single quotes.")
    if isinstance(node, (exp.Min, exp.Max)) and node.expressions:
        raise BadInput("A query calls MIN or MAX with several arguments.", "Use CASE.")
    if isinstance(node, exp.With) and node.args.get("recursive"):
        raise BadInput("A query is recursive.", "Only plain common table expressions are read.")
    if isinstance(node, exp.Ordered) and not isinstance(node.find_ancestor(exp.Subquery, exp.CTE, exp.Select, exp.Union), exp.Query):
        raise BadInput("A query orders something inside parentheses.", "Order the outer query only.")


def reasons(text: str) -> set[str]:
    """The short codes that a procedure can give as `why`: text literals in the last column of its outer SELECT."""
    tree = sqlglot.parse_one(text, read="sqlite")
    select = tree if isinstance(tree, exp.Select) else tree.find(exp.Select)
    column = next((e for e in select.expressions if e.alias_or_name == "why"), None) if select is not None else None
    if column is None:
        return set()
    branches = [branch.args["true"] for branch in column.find_all(exp.If)]
    branches += [case.args["default"] for case in column.find_all(exp.Case) if case.args.get("default") is not None]
    found = {branch.this for branch in branches if isinstance(branch, exp.Literal) and branch.is_string}
    return {code for code in found if code}
