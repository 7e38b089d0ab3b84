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
from affiant.assurance.parts import Parts, among
from affiant.assurance.queryfiles import QueryFiles, parquet
from affiant.assurance.shards import SMALL, NotLocal, Table, ids_only_tie, locality, parse, take_extremes, take_sums
from affiant.assurance.weigh import Tally, Weighed, only
from affiant.catalog.grammar import check_query
from affiant.kit.blocks import Block, Cells
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.ledger.columnar.convert import Converter, Summary, insert_rows
from affiant.ledger.columnar.partition import Partition
from affiant.ledger.columnar.plan import create_table
from affiant.ledger.columnar.store import ColumnStore
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
        self._converter = Converter(views)
        self._views = self._converter.views.by_name
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
        self._parts = Parts(self._db, self._views, store, part, threads)
        self._known = {name: Table(False, columns=tuple(c for c, _ in view.schema())) for name, view in self._views.items()}
        self._known |= dict.fromkeys([*COMPUTED, "pop"], SMALL)
        for view in self._parts.exchange.values():
            columns = tuple(name for name, _ in view.schema())
            self._known[view.name] = Table(True, frozenset({"idx", "xid"}), columns)
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
        self._parts.partitions += partitions

    def _create(self, name: str, schema: Sequence[tuple[str, str]]) -> None:
        columns = ", ".join(f'"{column}" {kind}' for column, kind in schema)
        self._db.execute(f'CREATE OR REPLACE TABLE "{name}" ({columns})')

    def replace(self, name: str, rows: Sequence[Row]) -> None:
        """Fill `expected` or `pledge` anew."""
        self._create(name, COMPUTED[name])
        if rows:
            insert_rows(self._db, name, list(COMPUTED[name]), rows, self._folder)

    # -- views

    def _prepare(self, names: Iterable[str]) -> None:
        """Views that a query names, made when first asked for: its files are held against their manifest then."""
        wanted = {name for name in names if name in self._views}
        if not self._ready:
            self._shown: set[str] = set()
            self._ready = True
        for name in sorted(wanted - self._shown):
            self._db.execute(f'CREATE OR REPLACE VIEW "{name}" AS {self._parts.select(name, self._parts.partitions, True)}')
        self._shown |= wanted

    # -- asking

    def query(self, text: str, params: Mapping[str, int]) -> tuple[list[str], list[Cells]]:
        """Run a query inside the grammar; see `tables.SqliteTables.query`.

        Raises:
            CouldNotLook: it gives more rows than may be held, or runs out of room.
        """
        filled, words = self._fill(text, params)
        with self._asking():
            self._prepare(words)
            columns, rows = self._in_parts(parse(filled), words) if self._parts.large else self._at_once(filled)
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
            if self._parts.large:
                tree = take_extremes(tree, self._known, self._extreme)
                local = self._local(tree, self._known)
                tree = tree if local is not None else self._gathered(tree, words)
            columns, select = self._files.typed(_unordered(tree))
            self._pop = local or SMALL
            self._pop_files = self._stored(select, words if local is not None else None)
            self._files.stand("pop", self._pop_files)
            return columns, self._taken("SELECT * FROM pop", tree, self._pop.big)

    def judge(self, text: str, params: Mapping[str, int]) -> Answer:
        """A procedure's rows; see `Evidence.judge`."""
        filled, words = self._fill(text, params)
        with self._asking():
            self._prepare(words)
            tree = parse(filled)
            if self._parts.large:
                tree = take_extremes(tree, self._known, self._extreme)
            columns, select = self._files.typed(_unordered(tree))
            if not self._pop.big or self._local(tree, {**self._known, "pop": self._pop}) is None:
                return columns, self._taken(select, tree)
            files = self._stored(select, words, self._pop_files)
            self._files.stand("pop", self._pop_files)
            return columns, self._taken(f"SELECT * FROM {parquet(files)}", tree, True, files)  # noqa: S608 - own paths

    def _local(self, tree: Any, known: Mapping[str, Table]) -> Table | None:
        """What kind of relation a query gives part by part; None if it may not be asked so."""
        try:
            table = locality(tree, known)
        except NotLocal:
            return None
        return table if table.big else None

    def _stored(self, select: str, words: Iterable[str] | None, pops: Sequence[Path] = ()) -> list[Path]:
        """Rows of a query as Parquet: one file, or where its words are given one for each part; `pops` stand as `pop`, one in each."""
        if words is None:
            return [self._files.write(select)]
        sources = self._parts.each(words)
        if pops:
            pop = [f"pop AS NOT MATERIALIZED (SELECT * FROM {parquet([path])})" for path in pops]  # noqa: S608 - own paths
            sources = [", ".join(filter(None, both)) for both in zip(sources, pop, strict=True)]
        copies = [self._files.copying(among(each, select)) for each in sources]
        for _ in self._parts.over(statement for _, statement in copies):
            pass
        return [path for path, _ in copies]

    def _taken(self, select: str, tree: Any, in_parts: bool = False, then_drop: list[Path] | None = None) -> Iterator[Block]:
        """Rows in a query's order, as they come. Nothing else may be asked of this engine until the last was taken.

        Args:
            in_parts: put the rows of one part after another in order, which takes no more memory than the greatest needs.
        """
        cuts = [group[0].start for group in self._parts.groups()[1:]] if in_parts else []
        with self._asking():
            yield from self._files.rows(select, _order_names(tree), cuts)
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
        text = _unordered(tree)
        columns = [row[0] for row in self._db.execute(f"DESCRIBE {text}").fetchall()]
        rows: list[Cells] = []
        for some in self._parts.over(among(each, text) for each in self._parts.each(words)):
            rows += some
            _check_rows(rows)
        places = [columns.index(name) for name in _order_names(tree)]
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
            parts = self._parts.each(words, ids_only_tie([parse(inner)], self._known))
            self._db.execute(f"CREATE OR REPLACE TABLE {name} AS {among(parts[0], inner)} LIMIT 0")
            for _ in self._parts.over(f"INSERT INTO {name} {among(each, inner)}" for each in parts):
                pass
            folded = ", ".join([*groups, *(f"CAST({fold}({column}) AS BIGINT) AS {column}" for column, fold in sums.items())])
            keys = f" GROUP BY {', '.join(groups)}" if groups else ""
            self._db.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT {folded} FROM {name}{keys}")  # noqa: S608 - names of a checked query
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
            pop = self._local(pop_tree, self._known) if self._parts.large else None
            local = pop is not None and self._local(tree, {**self._known, "pop": pop}) is not None
            tally = Tally(only(_unordered(pop_tree), pop_tree, words), _unordered(tree), most)
            if not local:
                tally.add(self._db.execute(tally.statement()).fetchall())
            else:
                parts = self._parts.each(pop_words | words, ids_only_tie([pop_tree, tree], self._known))
                for found in self._parts.over(map(tally.statement, parts)):
                    tally.add(found)
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


def _unordered(tree: Any) -> str:
    tree = tree.copy()
    tree.set("order", None)
    return str(tree.sql("duckdb"))
