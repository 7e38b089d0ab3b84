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

from affiant.assurance.elsewhere import Answer
from affiant.assurance.queryfiles import QueryFiles, parquet
from affiant.assurance.shards import SMALL, NotLocal, Table, ids_only_tie, locality, parse, take_extremes, take_sums
from affiant.assurance.weigh import Tally, Weighed, only
from affiant.catalog.grammar import check_query
from affiant.kit.blocks import Block, Cells
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.ledger.columnar.convert import Converter, Summary, insert_rows
from affiant.ledger.columnar.partition import NUMBER, Partition, exchange_views
from affiant.ledger.columnar.plan import create_table, empty_select
from affiant.ledger.columnar.store import ColumnStore
from affiant.ledger.columnar.straddle import read_list
from affiant.proof.views import COMPUTED, Row

MEMORY = "450MB"
PART = 1_500_000
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
        paths = [path for each in partitions if self._store is not None and (path := self._store.path(each, view)) is not None]
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
        """The table `straddle`: entries of exchanges that lie in more than one part, or in a part and in memory."""
        assert self._store is not None
        self._db.execute("CREATE OR REPLACE TEMP TABLE straddle (idx BIGINT)")
        known = [(index,) for index in self._store.straddlers()]
        if known:
            insert_rows(self._db, "straddle", [("idx", "BIGINT")], known, self._folder)
        plain = [view for view in self._exchange.values() if not view.each]
        fresh = " UNION ALL ".join(f'SELECT idx, xid FROM mem."{view.name}"' for view in plain)  # noqa: S608
        keys = read_list([path for each in self._partitions if (path := self._store.path(each, "_key")) is not None])
        if keys != "[]":
            self._db.execute(
                f"CREATE OR REPLACE TEMP TABLE both_sides AS SELECT DISTINCT xid FROM ({fresh}) "  # noqa: S608
                f"WHERE md5_number_lower(xid) IN (SELECT h FROM read_parquet({keys}, hive_partitioning = false))"
            )
            if self._db.execute("SELECT COUNT(*) FROM both_sides").fetchall()[0][0]:
                self._prepare([view.name for view in plain])
                old = " UNION ALL ".join(f'SELECT idx FROM "{view.name}" WHERE xid IN (SELECT xid FROM both_sides)' for view in plain)  # noqa: S608
                self._db.execute(f"INSERT INTO straddle {old}")
        self._split()

    def _split(self) -> None:
        """Rows of straddlers as tables of their own."""
        self._db.execute("CREATE SCHEMA IF NOT EXISTS apart")
        indexes = [row[0] for row in self._db.execute("SELECT DISTINCT idx FROM straddle ORDER BY idx").fetchall()]
        held = [each for each in self._partitions if _any_within(indexes, each.start, each.stop)]
        for name in self._exchange:
            select = self._select(name, held, True)
            self._db.execute(f'CREATE OR REPLACE TABLE apart."{name}" AS SELECT * FROM ({select}) WHERE idx IN (SELECT idx FROM straddle)')  # noqa: S608
        self._apart = indexes

    @contextmanager
    def _each_part(self, by_number: bool = False) -> Iterator[Iterator[None]]:
        """Let the views of exchanges show one part after another; then everything again.

        Args:
            by_number: let a number stand for an exchange's id where all its entries lie within one partition.
        """
        if getattr(self, "_apart_of", None) != self._stamp():
            self._show_straddlers()
            self._apart_of = self._stamp()
        try:
            self._by_number = by_number
            yield self._walk()
        finally:
            self._by_number = False
            self._shown -= set(self._exchange)
            for name in self._exchange:
                self._db.execute(f'DROP VIEW IF EXISTS "{name}"')

    def _stamp(self) -> tuple[int, int]:
        rows = sum(self._db.execute(f'SELECT COUNT(*) FROM mem."{name}"').fetchall()[0][0] for name in self._exchange)  # noqa: S608
        return len(self._partitions), rows

    def _walk(self) -> Iterator[None]:
        for part in self._parts():
            within = [i for i in self._apart if part and part[0].start <= i < part[-1].stop]
            self._show(part, within, memory=False)
            yield
        outside = [i for i in self._apart if not self._partitions[0].start <= i < self._partitions[-1].stop]
        self._show([], outside, memory=True)
        yield
        for name in self._exchange:
            self._db.execute(f'CREATE OR REPLACE VIEW "{name}" AS SELECT * FROM apart."{name}"')  # noqa: S608
        yield

    def _show(self, part: Sequence[Partition], without: Sequence[int], memory: bool) -> None:
        condition = f" WHERE idx NOT IN ({', '.join(map(str, without))})" if without else ""
        for name in self._exchange:
            self._db.execute(f'CREATE OR REPLACE VIEW "{name}" AS SELECT * FROM ({self._select(name, part, memory)}){condition}')  # noqa: S608

    # -- asking

    def query(self, text: str, params: Mapping[str, int]) -> tuple[list[str], list[Cells]]:
        """Run a query inside the grammar; see `tables.SqliteTables.query`.

        Raises:
            CouldNotLook: it gives more rows than may be held, or runs out of room.
        """
        filled, words = self._fill(text, params)
        with self._asking():
            self._prepare(words)
            columns, rows = self._in_parts(parse(filled)) if self._large else self._at_once(filled)
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
                tree = tree if local is not None else self._gathered(tree)
            columns, select = self._files.typed(_unordered(tree))
            self._pop = local or SMALL
            self._pop_files = self._stored(select, local is not None)
            self._files.stand("pop", self._pop_files)
            return columns, self._taken("SELECT * FROM pop", tree, self._pop.big)

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
                return columns, self._taken(select, tree)
            files = self._stored(select, True, self._pop_files)
            self._files.stand("pop", self._pop_files)
            return columns, self._taken(f"SELECT * FROM {parquet(files)}", tree, True, files)  # noqa: S608 - own paths

    def _local(self, tree: Any, known: Mapping[str, Table]) -> Table | None:
        """What kind of relation a query gives part by part; None if it may not be asked so."""
        try:
            table = locality(tree, known)
        except NotLocal:
            return None
        return table if table.big else None

    def _stored(self, select: str, in_parts: bool, pops: Sequence[Path] = ()) -> list[Path]:
        """Rows of a query as Parquet: one file, or one for each part; `pops` stand as `pop`, one in each."""
        files: list[Path] = []
        if not in_parts:
            return [self._files.write(select)]
        with self._each_part() as parts:
            for number, _ in enumerate(parts):
                if pops:
                    self._files.stand("pop", pops[number : number + 1])
                files.append(self._files.write(select))
        self._prepare(self._exchange)
        return files

    def _taken(self, select: str, tree: Any, in_parts: bool = False, then_drop: list[Path] | None = None) -> Iterator[Block]:
        """Rows in a query's order, as they come. Nothing else may be asked of this engine until the last was taken.

        Args:
            in_parts: put the rows of a quarter of a part after another in order, which takes no more memory than the greatest needs.
        """
        ranges = [range(part[0].start, part[-1].stop, max(1, self._part // 4)) for part in self._parts()] if in_parts else []
        cuts = [cut for each in ranges for cut in each][1:]
        with self._asking():
            yield from self._files.rows(select, _order_names(tree), cuts)
        self._files.drop(then_drop or [])

    def _at_once(self, text: str) -> tuple[list[str], list[Cells]]:
        cursor = self._db.execute(text)
        rows: list[Cells] = cursor.fetchmany(MAX_ROWS + 1)
        _check_rows(rows)
        return [column[0] for column in cursor.description or ()], rows

    def _in_parts(self, tree: Any) -> tuple[list[str], list[Cells]]:
        tree = take_extremes(tree, self._known, self._extreme)
        if self._local(tree, self._known) is None:
            return self._at_once(self._gathered(tree).sql("duckdb"))
        order = _order_names(tree)
        text = _unordered(tree)
        columns: list[str] = []
        rows: list[Cells] = []
        with self._each_part() as parts:
            for _ in parts:
                columns, some = self._at_once(text)
                rows += some
                _check_rows(rows)
        self._prepare(self._exchange)
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

    def _gathered(self, tree: Any) -> Any:
        """A query over everything in which sums over exchanges are gathered part by part."""
        numbers = iter(range(1_000))

        def gather(inner: str, groups: list[str], sums: dict[str, str]) -> str:
            name = f"gathered_{next(numbers)}"
            with self._each_part(ids_only_tie([parse(inner)], self._known)) as parts:
                for number, _ in enumerate(parts):
                    self._db.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {inner}" if not number else f"INSERT INTO {name} {inner}")
            self._prepare(self._exchange)
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
                with self._each_part(ids_only_tie([pop_tree, tree], self._known)) as parts:
                    for _ in parts:
                        tally.take()
                self._prepare(pop_words | words)
        return tally.weighed()

    def close(self) -> None:
        """Let go of everything."""
        self._db.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _check_rows(rows: Sequence[Cells]) -> None:
    if len(rows) > MAX_ROWS:
        raise CouldNotLook(f"The answer has more than {MAX_ROWS} rows.", "Choose a shorter period.")


def _any_within(indexes: Sequence[int], start: int, stop: int) -> bool:
    return any(start <= index < stop for index in indexes)


def _order_names(tree: Any) -> list[str]:
    return [term.this.name for term in tree.args["order"].expressions]


def _unordered(tree: Any) -> str:
    tree = tree.copy()
    tree.set("order", None)
    return str(tree.sql("duckdb"))
