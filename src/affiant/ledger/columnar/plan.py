"""From a views file to typed columns: for each event type a strict decoder of its entries and the SQL that gives its views' rows.

An entry that its decoder accepts gives through DuckDB exactly the rows that `proof.views` gives; any other goes through `proof.views`
itself (`convert`). Leaves out: running anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from affiant.proof.views import FIXED, View, Views

_Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_LEAF: dict[str, Any] = {"BIGINT": _Int | None, "TEXT": str | None}
_ELEMENT: dict[str, Any] = {"BIGINT": _Int, "TEXT": str}
_ABSENT = {"BIGINT": "0", "TEXT": "''"}
_DUCK = {"BIGINT": "BIGINT", "TEXT": "VARCHAR"}
TOP = ("tenant", "ref", "actor", "policy")


class Envelope(msgspec.Struct, gc=False):
    """What is read of an entry whose type no view names."""

    type: str
    at: int
    producer: str
    seq: int
    ref: str = ""


class Conflict(Exception):
    """Two views read one path in two ways; entries of that type are read one by one."""


@dataclass(slots=True)
class _Node:
    """A place in the body: a cell of a kind, an object, or a list of either."""

    kind: str = ""
    fields: dict[str, _Node] = field(default_factory=dict)
    element: _Node | None = None

    def at(self, steps: Sequence[str]) -> _Node:
        node = self
        for step in steps:
            if node.kind or node.element is not None:
                raise Conflict
            node = node.fields.setdefault(step, _Node())
        return node

    def cell(self, steps: Sequence[str], kind: str) -> None:
        node = self.at(steps)
        if node.fields or node.element is not None or node.kind not in ("", kind):
            raise Conflict
        node.kind = kind

    def list_at(self, steps: Sequence[str]) -> _Node:
        node = self.at(steps)
        if node.fields or node.kind:
            raise Conflict
        if node.element is None:
            node.element = _Node()
        return node.element

    def python(self, name: str, in_list: bool = False) -> Any:
        """The type that a decoder accepts here."""
        if self.kind:
            return _ELEMENT[self.kind] if in_list else _LEAF[self.kind]
        if self.element is not None:
            inner: Any = self.element.python(name + "_", True)
            return list[inner] | None
        made = msgspec.defstruct(
            name, [(f"f{n}", node.python(f"{name}{n}"), None) for n, node in enumerate(self.fields.values())],
            rename={f"f{n}": key for n, key in enumerate(self.fields)}, gc=False,
        )  # fmt: skip
        return made if in_list else made | None

    def duck(self) -> str:
        """The same as a type of DuckDB."""
        if self.kind:
            return _DUCK[self.kind]
        if self.element is not None:
            return f"{self.element.duck()}[]"
        if not self.fields:
            return "JSON"
        return "STRUCT(" + ", ".join(f'"{key}" {node.duck()}' for key, node in self.fields.items()) + ")"


@dataclass(frozen=True, slots=True)
class TypePlan:
    """How entries of one type become rows.

    Args:
        type: event type.
        decode: accepts what the SQL reads as `proof.views` would; gives an object with `at`, `producer`, `seq` and `ref`.
        columns: of lines `{"i": index, "e": entry}` for DuckDB's JSON reader.
        selects: view -> SELECT over the table `staged(i, e)`.
    """

    type: str
    decode: Any
    columns: str
    selects: dict[str, str]


def plan_types(views: Views) -> dict[str, TypePlan]:
    """A plan for each event type of the views, those apart whose views contradict one another."""
    by_type: dict[str, list[View]] = {}
    for view in views.by_name.values():
        by_type.setdefault(view.type, []).append(view)
    plans = {}
    for kind, group in by_type.items():
        try:
            plans[kind] = _plan(kind, group)
        except Conflict:
            continue
    return plans


def _plan(kind: str, views: list[View]) -> TypePlan:
    root, selects = _Node(), {}
    for view in views:
        element = root.list_at(view.each.split(".")) if view.each else None
        for column in view.columns:
            steps = column.path.split(".")
            if column.path in ("producer", "seq"):
                if (column.path, column.kind) not in (("producer", "TEXT"), ("seq", "BIGINT")):
                    raise Conflict
            elif steps[0] == "each":
                assert element is not None
                element.cell(steps[1:], column.kind)
            elif column.path in TOP:
                if column.kind != "TEXT":
                    raise Conflict
            else:
                root.cell(steps, column.kind)
        selects[view.name] = _select(view)
    fields: list[Any] = [("at", _Int), ("producer", str), ("seq", _Int), *((name, str, "") for name in TOP)]
    fields += [(key, node.python("B"), None) for key, node in root.fields.items()]
    made = msgspec.defstruct("E", fields, gc=False)
    duck = ['"at" BIGINT', '"producer" VARCHAR', '"seq" BIGINT', *(f'"{name}" VARCHAR' for name in TOP)]
    duck += [f'"{key}" {node.duck()}' for key, node in root.fields.items()]
    return TypePlan(kind, msgspec.json.Decoder(made).decode, f"{{'i': 'BIGINT', 'e': 'STRUCT({', '.join(duck)})'}}", selects)


def _path(base: str, steps: Sequence[str]) -> str:
    return base + "".join(f'."{step}"' for step in steps)


def _select(view: View) -> str:
    cells = ["s.i AS idx", ("s.n - 1" if view.each else "CAST(0 AS BIGINT)") + " AS ord", 's.e."at" AS "at"']
    cells.append("COALESCE(s.e.\"tenant\", '') AS tenant")
    for column in view.columns:
        steps = column.path.split(".")
        path = _path("s.x", steps[1:]) if steps[0] == "each" else _path("s.e", steps)
        cells.append(f'COALESCE({path}, {_ABSENT[column.kind]}) AS "{column.name}"')
    if not view.each:
        return f"SELECT {', '.join(cells)} FROM staged s"  # noqa: S608 - names are checked by Views
    items = _path("t.e", view.each.split("."))
    inner = f"SELECT t.i, t.e, UNNEST({items}) AS x, GENERATE_SUBSCRIPTS({items}, 1) AS n FROM staged t"  # noqa: S608
    return f"SELECT {', '.join(cells)} FROM ({inner}) s"  # noqa: S608


def create_table(name: str, view: View, temporary: bool = False) -> str:
    """CREATE TABLE with the view's columns."""
    columns = ", ".join(f'"{column}" {_DUCK[kind]} NOT NULL' for column, kind in view.schema())
    return f'CREATE {"TEMP " if temporary else ""}TABLE "{name}" ({columns})'


def empty_select(schema: Sequence[tuple[str, str]]) -> str:
    """A SELECT of no rows with these columns."""
    return "SELECT " + ", ".join(f'CAST(NULL AS {_DUCK[kind]}) AS "{name}"' for name, kind in schema) + " WHERE false"


assert FIXED[0][0] == "idx"
