"""Views: which columns an event gives, as data (`library/views.json`). The product's builder and the verifier read that one file.

    {"format": "affiant-views/1", "views": [
      {"name": "route_model", "type": "route.set", "carried": 1, "each": "body.models",
       "columns": [["route", "TEXT", "ref"], ["model", "TEXT", "each"]], "indexes": [["route", "idx"]]}]}

Every view begins with `idx`, `ord`, `at`, `tenant`. A path is `ref`, `actor`, `policy`, `producer`, `seq`, `body.x`, `each.x` or `each`;
a type is BIGINT or TEXT. Absent text is '', an absent integer 0. Where `carried` is 1, each `state.carried` entry that is of the
view's type gives rows too: its own index, the original's time.
Leaves out: running queries (`grammar`).
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union
from urllib.parse import quote

from . import canonical
from .errors import Malformed

Envelope = Mapping[str, Any]
Row = Tuple[Union[int, str], ...]
FORMAT = "affiant-views/1"
FIXED = (("idx", "BIGINT"), ("ord", "BIGINT"), ("at", "BIGINT"), ("tenant", "TEXT"))
COMPUTED: Dict[str, Tuple[Tuple[str, str], ...]] = {
    "expected": (("control", "TEXT"), ("item", "TEXT"), ("idx", "BIGINT"), ("ord", "BIGINT"), ("due", "BIGINT"),
                 ("from_us", "BIGINT"), ("to_us", "BIGINT"), ("day", "BIGINT"), ("month", "BIGINT")),
    "pledge": (("idx", "BIGINT"), ("ref", "TEXT"), ("opened_idx", "BIGINT"), ("ok", "BIGINT")),
}  # fmt: skip
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_PATH = re.compile(r"ref|actor|policy|producer|seq|body(\.[a-z0-9_]+)+|each(\.[a-z0-9_]+)*")
ABSENT: Dict[str, Union[int, str]] = {"BIGINT": 0, "TEXT": ""}
CACHE_KIB = 65_536
PAGE_BYTES = 16_384


@dataclass(frozen=True)
class Column:
    """One column: name, BIGINT or TEXT, and the path that it reads."""

    name: str
    kind: str
    path: str


@dataclass(frozen=True)
class View:
    """One table: the event type it reads, the list of which each element gives a row ('' for one row an event), its columns."""

    name: str
    type: str
    each: str
    carried: bool
    columns: Tuple[Column, ...]
    indexes: Tuple[Tuple[str, ...], ...]

    def schema(self) -> List[Tuple[str, str]]:
        """All columns, in order, as (name, kind)."""
        return [*FIXED, *((column.name, column.kind) for column in self.columns)]


class Views:
    """The views of one file, by name (`by_name`) and by event type."""

    def __init__(self, views: Iterable[View]) -> None:
        self.by_name: Dict[str, View] = {view.name: view for view in views}
        self._readers: Dict[str, List[Tuple[View, Callable[[int, Envelope], List[Row]]]]] = {}
        for view in self.by_name.values():
            self._readers.setdefault(view.type, []).append((view, _reader(view)))

    @classmethod
    def parse(cls, data: bytes) -> "Views":
        """Read a views file.

        Raises:
            Malformed: it is none.
        """
        try:
            raw = json.loads(data)
            if raw["format"] != FORMAT:
                raise Malformed(f"The views file has the format {raw['format']}.", "Use a newer verifier.")
            views = [_view(view) for view in raw["views"]]
            if len({view.name for view in views}) != len(views):
                raise Malformed("The views file names a view twice.")
            return cls(views)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Malformed(f"The views file cannot be read: {error!r}.") from None

    def only(self, names: Iterable[str], columns: "Optional[Iterable[str]]" = None) -> "Views":
        """The views among `names`, with the columns among `columns` (None: all); other names are left out."""
        wanted, kept = set(names), None if columns is None else set(columns)
        found = [view for name, view in self.by_name.items() if name in wanted]
        return Views(found if kept is None else [_narrowed(view, kept) for view in found])

    def of_type(self, kind: str) -> List[View]:
        """The views that read entries of an event type."""
        return [view for view, _ in self._readers.get(kind, ())]

    def by_name_and_computed(self) -> List[str]:
        """Names of all tables that a query may read, `pop` apart."""
        return [*self.by_name, *COMPUTED]

    def rows(self, idx: int, envelope: Envelope) -> Iterator[Tuple[str, Row]]:
        """(view name, row) for each row that one entry gives.

        Raises:
            Malformed: a field has another type than its column.
        """
        carried = envelope["type"] == "state.carried"
        if carried:
            envelope = carried_envelope(envelope)
        for view, read in self._readers.get(envelope["type"], ()):
            if view.carried or not carried:
                for row in read(idx, envelope):
                    yield view.name, row


def carried_envelope(envelope: Envelope) -> Envelope:
    """The envelope that a `state.carried` entry stands for: type, body and time of the original, ref and tenant as they are."""
    body = envelope.get("body", {})
    try:
        return {**envelope, "type": body["of"], "tv": body["of_version"], "at": body["origin_at"], "body": body.get("body", {})}
    except KeyError as error:
        raise Malformed(f"A state.carried entry has no {error}.") from None


def _view(raw: Any) -> View:
    name, each = raw["name"], raw.get("each", "")
    if not _NAME.fullmatch(name) or name in COMPUTED or name == "pop" or (each and not _PATH.fullmatch(each)):
        raise Malformed(f"The view {name!r} is not declared properly.")
    columns = []
    for column, kind, path in raw["columns"]:
        if not _NAME.fullmatch(column) or kind not in ABSENT or not _PATH.fullmatch(path) or (path.startswith("each") and not each):
            raise Malformed(f"The column {column} of the view {name} is not declared properly: {kind} {path}.")
        columns.append(Column(column, kind, path))
    names = [*dict(FIXED), *(column.name for column in columns)]
    indexes = tuple(tuple(index) for index in raw.get("indexes", ()))
    if len(set(names)) != len(names) or not all(index and set(index) <= set(names) for index in indexes):
        raise Malformed(f"The view {name} names a column twice, or indexes none or one that it does not have.")
    return View(name, str(raw["type"]), each, bool(raw.get("carried", 0)), tuple(columns), indexes)


def _narrowed(view: View, columns: "set[str]") -> View:
    """A view without the columns that nobody asks for; the four first ones stay."""
    kept = tuple(column for column in view.columns if column.name in columns)
    names = {*dict(FIXED), *(column.name for column in kept)}
    return replace(view, columns=kept, indexes=tuple(index for index in view.indexes if names.issuperset(index)))


def walk(value: Any, steps: Tuple[str, ...]) -> Any:
    """What lies at a path; None where it leads nowhere."""
    for step in steps:
        if type(value) is not dict:
            return None
        value = value.get(step)
    return value


def _reader(view: View) -> Callable[[int, Envelope], List[Row]]:
    """A function that makes the rows of one entry."""
    plan = [(column, tuple(column.path.split("."))) for column in view.columns]
    each = tuple(view.each.split(".")) if view.each else ()

    def cell(column: Column, value: Any, idx: int) -> Union[int, str]:
        if value is None:
            return ABSENT[column.kind]
        if column.kind == "TEXT" and type(value) is str:
            return str(value)
        if column.kind == "BIGINT" and type(value) is int:
            return int(value)
        raise Malformed(f"Entry {idx} has no {column.kind} at {column.path}.")

    def read(idx: int, envelope: Envelope) -> List[Row]:
        elements: Any = [None] if not each else walk(envelope, each) or []
        if type(elements) is not list:
            raise Malformed(f"Entry {idx} has no list at {view.each}.")
        rows: List[Row] = []
        for number, element in enumerate(elements):
            cells: List[Union[int, str]] = [idx, number, envelope["at"], envelope.get("tenant", "")]
            for column, steps in plan:
                value = walk(element, steps[1:]) if steps[0] == "each" else walk(envelope, steps)
                cells.append(cell(column, value, idx))
            rows.append(tuple(cells))
        return rows

    return read


class SqliteEvidence:
    """Views as SQLite tables. Entries are added in order, then `flush()`ed.

    The views lie in a database of their own, attached as `views`; what is computed for queries lies beside them in `main`, which is this
    connection's alone and vanishes with it. (Not in TEMP: a change of its schema would end a query that is still giving rows.)

    Args:
        views: which tables to fill.
        path: of the views: "" for a temporary file that vanishes when closed, ":memory:" to stay in memory, else a file.
        there: the file was filled by another process and is only read.
        plain: rows are only put in, in order, and taken out again by `merge`.
    """

    def __init__(self, views: Views, path: str = "", there: bool = False, plain: bool = False) -> None:
        self.views = views
        self.connection = sqlite3.connect(":memory:" if path == ":memory:" else "", isolation_level=None, uri=True)
        self._pending: Dict[str, List[Row]] = {name: [] for name in views.by_name}
        self._count = 0
        self._indexed = there
        self.connection.execute("ATTACH ? AS views", (f"file:{quote(path)}?mode=ro" if there else path,))
        # The tables can always be made again from the entries: nothing here has to outlive this process.
        for name in ("main", "views"):
            for pragma in (f"page_size = {PAGE_BYTES}", "journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE_KIB}"):
                self.connection.execute(f"PRAGMA {name}.{pragma}")
        self.connection.execute("PRAGMA temp_store = FILE")
        # A sort takes the memory of a cache for each of its threads: one where other processes ask beside this one.
        self.connection.execute(f"PRAGMA threads = {0 if there else 2}")
        if not there:
            for view in views.by_name.values():
                self._create(f"views.{view.name}", view.schema(), *([""] if plain else []))
        for name, schema in COMPUTED.items():
            self._create(f"main.{name}", schema, key="")

    def _create(self, name: str, schema: Sequence[Tuple[str, str]], key: str = ", PRIMARY KEY (idx, ord)) WITHOUT ROWID") -> None:
        # INTEGER affinity turns digits in text into numbers, and does so only for BIGINT columns.
        columns = ", ".join(f'"{column}" {kind} NOT NULL' for column, kind in schema)
        self.connection.execute(f"DROP TABLE IF EXISTS {name}")
        self.connection.execute(f"CREATE TABLE {name} ({columns}{key or ')'}")

    def add(self, idx: int, envelope: Envelope) -> None:
        """Add the rows of one entry."""
        for name, row in self.views.rows(idx, envelope):
            self._pending[name].append(row)
            self._count += 1
        if self._count >= 20_000:
            self._write()

    def flush(self) -> None:
        """Write what is pending, and index it for queries, which other processes may ask: this one keeps no memory for them."""
        self._write()
        self._index()
        self.connection.execute("PRAGMA shrink_memory")

    def _write(self) -> None:
        self.connection.execute("BEGIN")
        for name, rows in self._pending.items():
            if rows:
                self.insert(name, rows)
                rows.clear()
        self.connection.execute("COMMIT")
        self._count = 0

    def insert(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        """Put rows into one table."""
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self.connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)  # noqa: S608 - names are checked

    def merge(self, path: str, start: int, end: int) -> None:
        """Take the rows of the entries [start, end) from a file with the same tables."""
        self.connection.execute("ATTACH ? AS part", (path,))
        self.connection.execute("BEGIN")
        for name in self.views.by_name:
            query = f"INSERT INTO views.{name} SELECT * FROM part.{name} WHERE idx >= ? AND idx < ? ORDER BY rowid"  # noqa: S608 - checked
            self.connection.execute(query, (start, end))
        self.connection.execute("COMMIT")
        self.connection.execute("DETACH part")

    def _index(self) -> None:
        """Once, behind the bulk of the rows: an index that exists while rows come costs several times as much."""
        if not self._indexed:
            self._indexed = True
            for view in self.views.by_name.values():
                for number, index in enumerate(view.indexes):
                    if index[0] != "idx":
                        parts = ", ".join(f'"{part}"' for part in index)
                        self.connection.execute(f"CREATE INDEX views.{view.name}_by_{number} ON {view.name} ({parts})")

    def replace(self, name: str, rows: Iterable[Row]) -> None:
        """Fill one of the computed tables anew."""
        self._index()
        self._create(f"main.{name}", COMPUTED[name], key="")
        self.connection.execute("BEGIN")
        self.insert(f"main.{name}", list(rows))
        self.connection.execute("COMMIT")

    def drop_population(self) -> None:
        """Let go of the table `pop`; it cannot be replaced while a query runs."""
        self._index()
        self.connection.execute("DROP TABLE IF EXISTS main.pop")

    def set_population(self, columns: Sequence[Tuple[str, str]], rows: Sequence[Row]) -> None:
        """Make the table `pop` of a population's rows, for the procedure to read; `more_population` adds to it."""
        self._index()
        self._create("main.pop", columns)
        self.more_population(rows)

    def more_population(self, rows: Sequence[Row]) -> None:
        """Add rows to `pop`."""
        self.connection.execute("BEGIN")
        self.insert("main.pop", rows)
        self.connection.execute("COMMIT")

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> "SqliteEvidence":
        return self

    def __exit__(self, *_: object) -> Optional[bool]:
        self.close()
        return None


def views_digest(data: bytes, words: Iterable[str]) -> str:
    """Hex SHA-256 of what the views named in `words` (of a control's queries) take from entries; indexes, which change no row, left out.

    It stands in a control's canonical bytes, so that another reading of the same entries is another version of the control.

    Raises:
        Malformed: `data` is no views file.
    """
    wanted = set(words)
    try:
        named = [view for view in json.loads(data)["views"] if view["name"] in wanted]
        used = [{key: part for key, part in view.items() if key != "indexes"} for view in named]
        used.sort(key=lambda view: str(view["name"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Malformed(f"The views file cannot be read: {error!r}.") from None
    return hashlib.sha256(canonical.dumps(used)).hexdigest()
