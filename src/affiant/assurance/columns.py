"""DuckDB over the entries: Parquet of closed days where a ledger has it, and the rest loaded as it lies, so that nothing is left out.

Large questions about exchanges are asked part by part where `shards` finds that this is the same, so that a year fits a small machine:
a part is some days of partitions, the exchanges that lie in several of them are a part of their own. Memory is bounded; what does not
fit spills into a folder that goes away with the tables. Leaves out: which entries (`evidence`).
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from affiant.assurance.elsewhere import Answer, Cells
from affiant.assurance.queryfiles import QueryFiles, parquet
from affiant.assurance.shards import SMALL, NotLocal, Table, ids_only_tie, locality, parse, take_extremes, take_sums
from affiant.assurance.weigh import Tally, Weighed, only
from affiant.catalog.grammar import check_query
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.kit.rowfile import BLOCK
from affiant.ledger.columnar.convert import Converter, Summary, insert_rows
from affiant.ledger.columnar.partition import KEY, NUMBER, Partition, exchange_views
from affiant.ledger.columnar.plan import create_table, empty_select
from affiant.ledger.columnar.store import ColumnStore
from affiant.ledger.columnar.straddle import read_list
from affiant.proof.views import COMPUTED, Row

MEMORY = "450MB"
PART = 600_000
MAX_ROWS = 4_000_000
_PARAM = re.compile(r"'[^']*'|:([a-z][a-z0-9_]*)")


class ColumnTables:
    """Tables of one DuckDB. For one thread.

    Args:
        views: bytes of the views file.
        store: of the ledger's Parquet, or None.
        part: entries a part.
        threads: of DuckDB.
    """

    def __init__(self, views: bytes, store: ColumnStore | None = None, part: int = PART, threads: int = 2) -> None:
        self._store, self._part = store, part
        self._converter = Converter(views)
        self._views = self._converter.views.by_name
        self._partitions: list[Partition] = []
        self._ready = False
        self._folder = Path(tempfile.mkdtemp(prefix="affiant-evidence-"))
        self._db = duckdb.connect(":memory:", config={
            "threads": threads, "memory_limit": MEMORY, "temp_directory": str(self._folder / "spill"),
            "preserve_insertion_order": False, "autoinstall_known_extensions": False, "autoload_known_extensions": False,
        })  # fmt: skip
        self._db.execute("CREATE SCHEMA mem")
        self._db.execute("SET schema = 'mem'")
        for view in self._views.values():
            self._db.execute(create_table(view.name, view))
        self._db.execute("SET schema = 'main'")
        for name, schema in COMPUTED.items():
            self._create(name, schema)
        self._exchange = {view.name: view for view in exchange_views(self._views.values())}
        self._known = {name: Table(False, columns=tuple(c for c, _ in view.schema())) for name, view in self._views.items()}
        self._known |= dict.fromkeys([*COMPUTED, "pop"], SMALL)
        for view in self._exchange.values():
            columns = tuple(name for name, _ in view.schema())
            self._known[view.name] = Table(True, frozenset({"idx", "xid"}), columns)
        self._by_number = False
        self._files = QueryFiles(self._db, self._folder)
        self._pop, self._pop_files = SMALL, list[Path]()

    # -- filling

    def load(self, entries: Iterable[bytes], start: int) -> Summary:
        """Take entries, in order.

        Raises:
            LedgerFault: one cannot be read.
        """
        self._ready = False
        self._db.execute("SET schema = 'mem'")
        try:
            return self._converter.load(self._db, entries, start)
        finally:
            self._db.execute("SET schema = 'main'")

    def use(self, partitions: Sequence[Partition]) -> None:
        """Take whole partitions, in place."""
        self._ready = False
        self._partitions += partitions

    def _create(self, name: str, schema: Sequence[tuple[str, str]]) -> None:
        columns = ", ".join(f'"{column}" {kind}' for column, kind in schema)
        self._db.execute(f'CREATE OR REPLACE TABLE "{name}" ({columns})')

    def replace(self, name: str, rows: Sequence[Row]) -> None:
        """Fill `expected` or `pledge` anew."""
        self._create(name, COMPUTED[name])
        if rows:
            insert_rows(self._db, name, list(COMPUTED[name]), rows, self._folder)

    # -- views

    def _select(self, view: str, partitions: Sequence[Partition], memory: bool) -> str:
        assert self._store is not None or not partitions
        parts = [f'SELECT * FROM mem."{view}"'] if memory else []  # noqa: S608 - names are checked by Views
        paths = self._store.paths(partitions, view) if self._store is not None else []
        if paths:
            columns = ", ".join(f'"{name}"' for name, _ in self._views[view].schema())
            if self._by_number and view in self._exchange:
                columns = columns.replace('"xid"', f"{NUMBER} AS xid")
            parts.append(f"SELECT {columns} FROM read_parquet({read_list(paths)}, hive_partitioning = false)")  # noqa: S608 - own paths
        return " UNION ALL ".join(parts) or empty_select(self._views[view].schema())

    def _whole(self, names: Iterable[str]) -> None:
        """Let views show everything."""
        for name in names:
            self._db.execute(f'CREATE OR REPLACE VIEW "{name}" AS {self._select(name, self._partitions, True)}')

    def _prepare(self, names: Iterable[str]) -> None:
        """Views that a query names, made when first asked for: its files are held against their manifest then."""
        wanted = {name for name in names if name in self._views}
        if not self._ready:
            self._shown: set[str] = set()
            self._ready = True
        self._whole(sorted(wanted - self._shown))
        self._shown |= wanted

    # -- parts

    def _parts(self) -> list[list[Partition]]:
        """Partitions in groups of about `part` entries."""
        parts: list[list[Partition]] = [[]]
        for each in self._partitions:
            if parts[-1] and each.stop - parts[-1][0].start > self._part:
                parts.append([])
            parts[-1].append(each)
        return parts

    @property
    def _large(self) -> bool:
        return bool(self._partitions) and self._partitions[-1].stop - self._partitions[0].start > self._part

    def _show_straddlers(self) -> None:
        """Tables in `apart`: entries of exchanges that lie in more than one partition, or in a partition and in memory."""
        assert self._store is not None
        rows = self._store.straddling_rows()
        plain = [view.name for view in self._exchange.values() if not view.each]
        touched = self._in_memory_too(plain)
        first, stop = self._partitions[0].start, self._partitions[-1].stop
        self._db.execute("CREATE SCHEMA IF NOT EXISTS apart")
        for name, view in self._exchange.items():
            columns = ", ".join(f'"{column}"' for column, _ in view.schema())
            parts = [f'SELECT {columns} FROM mem."{name}" WHERE xid IN (SELECT xid FROM both_sides)']  # noqa: S608 - names of views
            kept = f"read_parquet({read_list([rows[name]])})" if name in rows else ""
            if kept:
                parts.append(f"SELECT {columns} FROM {kept} WHERE idx >= {first} AND idx < {stop}")  # noqa: S608 - own path
            if touched:
                old = f"SELECT {columns} FROM ({self._select(name, touched, False)}) WHERE xid IN (SELECT xid FROM both_sides)"  # noqa: S608 - as above
                parts.append(f"{old} AND idx NOT IN (SELECT idx FROM {kept})" if kept else old)  # noqa: S608 - as above
            self._db.execute(f'CREATE OR REPLACE TABLE apart."{name}" AS {" UNION ALL ".join(parts)}')
        every = " UNION ALL ".join(f'SELECT idx FROM apart."{name}"' for name in plain)  # noqa: S608 - names of views
        self._apart = [row[0] for row in self._db.execute(f"SELECT DISTINCT idx FROM ({every}) ORDER BY idx").fetchall()]  # noqa: S608 - as above

    def _in_memory_too(self, plain: Sequence[str]) -> list[Partition]:
        """Partitions with an exchange that lies in memory too; leaves the table `both_sides` of the ids of these."""
        assert self._store is not None
        fresh = " UNION ALL ".join(f'SELECT xid FROM mem."{name}"' for name in plain)  # noqa: S608 - names of views
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT DISTINCT xid, md5_number_lower(xid) AS h FROM ({fresh})")  # noqa: S608 - as above
        keys = {path: each for each in self._partitions if (path := self._store.path(each, KEY)) is not None}
        shared: list[int] = []
        if keys:
            joined = f"read_parquet({read_list(list(keys))}, hive_partitioning = false) k INNER JOIN fresh f ON f.h = k.h"
            shared = [row[0] for row in self._db.execute(f"SELECT DISTINCT k.h FROM {joined}").fetchall()]  # noqa: S608 - own paths
        among = f"h IN ({', '.join(map(str, shared)) or 'NULL'})"
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE both_sides AS SELECT xid FROM fresh WHERE {among}")  # noqa: S608 - own numbers
        if not shared:
            return []
        named = f"read_parquet({read_list(list(keys))}, filename = true, hive_partitioning = false)"
        found = self._db.execute(f"SELECT DISTINCT filename FROM {named} WHERE {among} ORDER BY filename").fetchall()  # noqa: S608 - as above
        return [keys[row[0]] for row in found]

    @contextmanager
    def _each_part(self, names: Iterable[str], by_number: bool = False) -> Iterator[Iterator[None]]:
        """Let the views of exchanges show one part after another; then nothing, until they are prepared again.

        Args:
            names: what is asked reads, among other words.
            by_number: let a number stand for an exchange's id where all its entries lie within one partition.
        """
        if getattr(self, "_apart_of", None) != self._stamp():
            self._show_straddlers()
            self._apart_of = self._stamp()
        try:
            self._by_number = by_number
            yield self._walk(sorted(set(names) & set(self._exchange)))
        finally:
            self._by_number = False
            self._shown -= set(self._exchange)
            for name in self._exchange:
                self._db.execute(f'DROP VIEW IF EXISTS "{name}"')

    def _stamp(self) -> tuple[int, int]:
        rows = sum(self._db.execute(f'SELECT COUNT(*) FROM mem."{name}"').fetchall()[0][0] for name in self._exchange)  # noqa: S608
        return len(self._partitions), rows

    def _walk(self, names: Sequence[str]) -> Iterator[None]:
        for part in self._parts():
            within = [i for i in self._apart if part and part[0].start <= i < part[-1].stop]
            self._show(names, part, within, memory=False)
            yield
        outside = [i for i in self._apart if not self._partitions[0].start <= i < self._partitions[-1].stop]
        self._show(names, [], outside, memory=True)
        yield
        for name in names:
            self._db.execute(f'CREATE OR REPLACE VIEW "{name}" AS SELECT * FROM apart."{name}"')  # noqa: S608 - names of views
        yield

    def _show(self, names: Sequence[str], part: Sequence[Partition], without: Sequence[int], memory: bool) -> None:
        condition = f" WHERE idx NOT IN ({', '.join(map(str, without))})" if without else ""
        for name in names:
            self._db.execute(f'CREATE OR REPLACE VIEW "{name}" AS SELECT * FROM ({self._select(name, part, memory)}){condition}')  # noqa: S608 - as above

    # -- asking

    def query(self, text: str, params: Mapping[str, int]) -> tuple[list[str], list[Cells]]:
        """Run a query inside the grammar; see `tables.SqliteTables.query`.

        Raises:
            CouldNotLook: it gives more rows than may be held, or runs out of room.
        """
        filled, words = self._fill(text, params)
        with self._asking():
            self._prepare(words)
            columns, rows = self._in_parts(parse(filled), words) if self._large else self._at_once(filled)
        for row in rows[:1]:
            for cell in row:
                if type(cell) is not int and type(cell) is not str:
                    raise BadInput(f"A query gives {type(cell).__name__}, not integers and text.", "Use COALESCE for what may be absent.")
        return columns, rows

    def populate(self, text: str, params: Mapping[str, int]) -> Answer:
        """A population's rows, out of Parquet in this engine's folder, which stands as `pop` from now on; see `Evidence.populate`."""
        filled, words = self._fill(text, params)
        self._files.drop(self._pop_files)
        with self._asking():
            self._prepare(words)
            tree = parse(filled)
            local = None
            if self._large:
                tree = take_extremes(tree, self._known, self._extreme)
                local = self._local(tree, self._known)
                tree = tree if local is not None else self._gathered(tree, words)
            columns, select = self._files.typed(_unordered(tree))
            self._pop = local or SMALL
            self._pop_files = self._stored(select, words if local is not None else None)
            self._files.stand("pop", self._pop_files)
            return columns, self._taken(f"SELECT * FROM pop ORDER BY {_order(tree)}")  # noqa: S608 - names of a checked query

    def judge(self, text: str, params: Mapping[str, int]) -> Answer:
        """A procedure's rows; see `Evidence.judge`."""
        filled, words = self._fill(text, params)
        with self._asking():
            self._prepare(words)
            tree = parse(filled)
            if self._large:
                tree = take_extremes(tree, self._known, self._extreme)
            columns, select = self._files.typed(_unordered(tree))
            if not self._pop.big or self._local(tree, {**self._known, "pop": self._pop}) is None:
                return columns, self._taken(f"{select} ORDER BY {_order(tree)}")
            files = self._stored(select, words, self._pop_files)
            self._files.stand("pop", self._pop_files)
            return columns, self._taken(f"SELECT * FROM {parquet(files)} ORDER BY {_order(tree)}", files)  # noqa: S608 - as above

    def _local(self, tree: Any, known: Mapping[str, Table]) -> Table | None:
        """What kind of relation a query gives part by part; None if it may not be asked so."""
        try:
            table = locality(tree, known)
        except NotLocal:
            return None
        return table if table.big else None

    def _stored(self, select: str, words: Iterable[str] | None, pops: Sequence[Path] = ()) -> list[Path]:
        """Rows of a query as Parquet: one file, or where its words are given one for each part; `pops` stand as `pop`, one in each."""
        files: list[Path] = []
        if words is None:
            return [self._files.write(select)]
        with self._each_part(words) as parts:
            for number, _ in enumerate(parts):
                if pops:
                    self._files.stand("pop", pops[number : number + 1])
                files.append(self._files.write(select))
        return files

    def _taken(self, text: str, then_drop: list[Path] | None = None) -> Iterator[Sequence[Cells]]:
        """Rows as they come. Nothing else may be asked of this engine until the last was taken."""
        with self._asking():
            cursor = self._db.execute(text)
            while rows := cursor.fetchmany(BLOCK):
                yield rows
        self._files.drop(then_drop or [])

    def _at_once(self, text: str) -> tuple[list[str], list[Cells]]:
        cursor = self._db.execute(text)
        rows: list[Cells] = cursor.fetchmany(MAX_ROWS + 1)
        _check_rows(rows)
        return [column[0] for column in cursor.description or ()], rows

    def _in_parts(self, tree: Any, words: Iterable[str]) -> tuple[list[str], list[Cells]]:
        tree = take_extremes(tree, self._known, self._extreme)
        if self._local(tree, self._known) is None:
            return self._at_once(self._gathered(tree, words).sql("duckdb"))
        order = _order_names(tree)
        text = _unordered(tree)
        columns: list[str] = []
        rows: list[Cells] = []
        with self._each_part(words) as parts:
            for _ in parts:
                columns, some = self._at_once(text)
                rows += some
                _check_rows(rows)
        places = [columns.index(name) for name in order]
        rows.sort(key=lambda row: [row[place] for place in places])
        return columns, rows

    def _fill(self, text: str, params: Mapping[str, int]) -> tuple[str, frozenset[str]]:
        """The text with its parameters' values, and its words."""
        query = check_query(text)
        missing = sorted(name for name in query.params if type(params.get(name)) is not int)
        if missing:
            raise BadInput(f"A query needs the parameter {missing[0]}, which has no integer value.", "Add it to the control's `params`.")
        return _PARAM.sub(lambda match: f"({params[match[1]]})" if match[1] else match[0], text), query.words

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            raise CouldNotLook("DuckDB ran out of memory over a query.", "Choose a shorter period.") from error
        except duckdb.IOException as error:
            raise CouldNotLook(f"DuckDB could not go on: {str(error).splitlines()[0]}", "Make room in TMPDIR, then try again.") from error
        except duckdb.Error as error:
            raise BadInput(f"DuckDB refuses a query: {str(error).splitlines()[0]}", "Compare its names with views.json.") from error

    def _gathered(self, tree: Any, words: Iterable[str]) -> Any:
        """A query over everything in which sums over exchanges are gathered part by part."""
        numbers = iter(range(1_000))

        def gather(inner: str, groups: list[str], sums: dict[str, str]) -> str:
            name = f"gathered_{next(numbers)}"
            with self._each_part(words, ids_only_tie([parse(inner)], self._known)) as parts:
                for number, _ in enumerate(parts):
                    self._db.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {inner}" if not number else f"INSERT INTO {name} {inner}")
            self._prepare(words)
            folded = ", ".join([*groups, *(f"CAST({fold}({column}) AS BIGINT) AS {column}" for column, fold in sums.items())])
            keys = f" GROUP BY {', '.join(groups)}" if groups else ""
            self._db.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {folded} FROM {name}{keys}")  # noqa: S608
            return name

        return take_sums(tree, self._known, gather)

    def _extreme(self, query: str) -> int | None:
        found = self._db.execute(query).fetchall()[0][0]
        return None if found is None else int(found)

    def weigh(self, population: str, procedure: str, params: Mapping[str, int], most: int = 10_000) -> Weighed:
        """Run a population and its procedure without taking the rows out.

        Args:
            most: rows that are not met and are given one by one.

        Raises:
            BadInput: as `query`, or the procedure does not give one row for each of the population.
        """
        pop_text, pop_words = self._fill(population, params)
        text, words = self._fill(procedure, params)
        with self._asking():
            self._prepare(pop_words | words)
            pop_tree, tree = (take_extremes(parse(each), self._known, self._extreme) for each in (pop_text, text))
            pop = self._local(pop_tree, self._known) if self._large else None
            local = pop is not None and self._local(tree, {**self._known, "pop": pop}) is not None
            tally = Tally(self._db, only(_unordered(pop_tree), pop_tree, words), _unordered(tree), most)
            if not local:
                tally.take()
            else:
                with self._each_part(pop_words | words, ids_only_tie([pop_tree, tree], self._known)) as parts:
                    for _ in parts:
                        tally.take()
        return tally.weighed()

    def close(self) -> None:
        """Let go of everything."""
        self._db.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _check_rows(rows: Sequence[Cells]) -> None:
    if len(rows) > MAX_ROWS:
        raise CouldNotLook(f"The answer has more than {MAX_ROWS} rows.", "Choose a shorter period.")


def _order_names(tree: Any) -> list[str]:
    return [term.this.name for term in tree.args["order"].expressions]


def _order(tree: Any) -> str:
    return ", ".join(f'"{name}"' for name in _order_names(tree))


def _unordered(tree: Any) -> str:
    tree = tree.copy()
    tree.set("order", None)
    return str(tree.sql("duckdb"))
