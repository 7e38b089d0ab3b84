"""Spark Connect as an engine of evidence: the Parquet of closed days where Spark finds it, and everything since sent along.

Views live in one session and go with it. A file is named one by one out of the manifests, so that nothing else in the folder is read,
and the rows that Spark finds are counted against them. Needs the extra `spark`. Leaves out: translation (`elsewhere`), whether files
that were copied to another place still hold what was copied; only their number of rows is looked at.
"""

from __future__ import annotations

import logging
import re
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

from affiant.assurance.elsewhere import (
    MAX_ROWS,
    Answer,
    Elsewhere,
    Schema,
    judge_at_once,
    plain_path,
    populate_at_once,
    settled,
    translate,
)
from affiant.assurance.tables import kinds_of
from affiant.kit.blocks import Cells
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.ledger.columnar.convert import Converter, Summary
from affiant.ledger.columnar.partition import Partition
from affiant.ledger.columnar.plan import create_table
from affiant.ledger.columnar.store import ColumnStore
from affiant.proof.views import COMPUTED, Row

try:
    import grpc
    import pyarrow
    from pyspark.errors import AnalysisException, ParseException, PySparkException
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession
except ImportError as absent:
    raise CouldNotLook(f"Spark's client is not installed ({absent.name}).", "Install the extra: pip install 'affiant[spark]'.") from absent

CONNECT_S = 5.0
PORT = 15_002
SENT_BYTES = 16_000_000
FILES_AT_ONCE = 400
_TYPES = {"BIGINT": "BIGINT", "TEXT": "STRING"}
_SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.localRelationSizeLimit": "3221225472",  # its default; some versions say it with a unit that others cannot read
}
_DETAILS = re.compile(r'details = "(.*)"')
_RETRIES = DefaultPolicy(max_retries=6, max_backoff=2_000)
_NEXT = "Check that Spark Connect runs there and reads the Parquet files, then try again."


class SparkTables:
    """Views of one Spark session. For one thread.

    Args:
        views: bytes of the views file.
        store: of the ledger's Parquet, or None.
        engine: where Spark is, and where it finds the Parquet.

    Raises:
        CouldNotLook: it cannot be reached.
    """

    def __init__(self, views: bytes, store: ColumnStore | None, engine: Elsewhere) -> None:
        self._store, self._engine = store, engine
        self._converter = Converter(views)
        self._schemas: dict[str, Schema] = {name: view.schema() for name, view in self._converter.views.by_name.items()}
        self._schemas |= COMPUTED
        self._partitions: list[Partition] = []
        self._kinds: dict[tuple[str, ...], Schema] = {}
        self._parts: dict[str, list[str]] = {}
        self._sent: set[str] = set()
        self._numbers = iter(range(1_000_000_000))
        url = engine.url()
        _need_open(url)
        # What the client logs of an error, pages of Java, is raised here in a sentence.
        logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
        self._folder = Path(tempfile.mkdtemp(prefix="affiant-evidence-"))
        self._staged = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": "900MB", "temp_directory": str(self._folder)})
        for view in self._converter.views.by_name.values():
            self._staged.execute(create_table(view.name, view))
        self._spark: Any = None
        try:
            with _speaking():
                self._spark = SparkSession.builder.remote(url).create()
                # By itself the client goes on trying for minutes when Spark has gone.
                self._spark.client.set_retry_policies([_RETRIES])
                for name, value in _SETTINGS.items():
                    self._spark.conf.set(name, value)
        except BaseException:
            self.close()
            raise

    # -- filling

    def load(self, entries: Iterable[bytes], start: int) -> Summary:
        """Take entries, in order.

        Raises:
            LedgerFault: one cannot be read.
        """
        self._sent -= set(self._converter.views.by_name)
        return self._converter.load(self._staged, entries, start)

    def use(self, partitions: Sequence[Partition]) -> None:
        """Take whole partitions, in place."""
        self._sent -= set(self._converter.views.by_name)
        self._partitions += partitions

    def replace(self, name: str, rows: Sequence[Row]) -> None:
        """Fill `expected` or `pledge` anew."""
        self._send(name, COMPUTED[name], rows)

    def populate(self, text: str, params: Mapping[str, int]) -> Answer:
        """A population's rows, of which at most `MAX_ROWS` may be; see `Evidence.populate`."""
        return populate_at_once(self, text, params)

    def judge(self, text: str, params: Mapping[str, int]) -> Answer:
        """A procedure's rows; see `Evidence.judge`."""
        return judge_at_once(self, text, params)

    def set_population(self, columns: Sequence[str], rows: list[Cells]) -> None:
        """Make the table `pop`."""
        self._send("pop", self._kinds.get(tuple(columns)) or kinds_of(columns, rows), rows)

    def _send(self, name: str, schema: Schema, rows: Sequence[Row]) -> None:
        cells = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
        try:
            table = pyarrow.table([pyarrow.array(column, type=_arrow(kind)) for column, (_, kind) in zip(cells, schema, strict=True)],
                                  names=[column for column, _ in schema])  # fmt: skip
        except (pyarrow.ArrowException, OverflowError) as error:
            raise CouldNotLook(f"Spark cannot hold the rows of {name}: {error}.", "Use duckdb or sqlite.") from error
        with _speaking():
            self._show(name, schema, self._pieces(name, table))

    def _pieces(self, name: str, table: Any) -> list[str]:
        """Views over a table that was sent in pieces: a message has a greatest size."""
        self._drop(name)
        pieces: list[str] = []
        rows = max(1, table.num_rows * SENT_BYTES // max(1, table.nbytes))
        for start in range(0, table.num_rows, rows):
            piece = f"{name}__{next(self._numbers)}"
            self._spark.createDataFrame(table.slice(start, rows)).createOrReplaceTempView(piece)
            pieces.append(piece)
        self._parts[name] = pieces
        return pieces

    def _drop(self, name: str) -> None:
        for piece in self._parts.pop(name, ()):
            self._spark.catalog.dropTempView(piece)

    def _show(self, name: str, schema: Schema, pieces: Sequence[str]) -> None:
        names = ", ".join(f"`{column}`" for column, _ in schema)
        parts = [f"SELECT {names} FROM `{piece}`" for piece in pieces]  # noqa: S608 - names are checked by Views
        empty = "SELECT " + ", ".join(f"CAST(NULL AS {_TYPES[kind]}) AS `{column}`" for column, kind in schema) + " WHERE 1 = 0"
        self._spark.sql(" UNION ALL ".join(parts) or empty).createOrReplaceTempView(name)
        self._sent.add(name)

    def _prepare(self, names: Iterable[str]) -> None:
        """Views that a query names, made when first asked for."""
        for name in sorted(set(names) & set(self._converter.views.by_name) - self._sent):
            table = self._staged.sql(f'SELECT * FROM "{name}"').to_arrow_table()  # noqa: S608 - names are checked by Views
            pieces = self._pieces(name, table)
            paths, rows = self._files(name)
            for start in range(0, len(paths), FILES_AT_ONCE):
                piece = f"{name}__{next(self._numbers)}"
                self._spark.read.parquet(*paths[start : start + FILES_AT_ONCE]).createOrReplaceTempView(piece)
                pieces.append(piece)
            self._show(name, self._schemas[name], pieces)
            if paths:
                self._count(name, rows + table.num_rows)

    def _files(self, view: str) -> tuple[list[str], int]:
        """Where Spark finds a view's files, and how many rows they hold by their manifests."""
        if self._store is None:
            return [], 0
        held = [each.files[view] for each in self._partitions if view in each.files]
        if self._engine.parquet:
            return [f"{self._engine.parquet.rstrip('/')}/{file.path}" for file in held], sum(file.rows for file in held)
        paths = self._store.paths(self._partitions, view)
        if not all(map(plain_path, paths)):
            raise CouldNotLook("The home's path has a character that Spark takes for something else.", "Copy the files; name their place.")
        return [f"file://{Path(path).resolve()}" for path in paths], sum(file.rows for file in held)

    def _count(self, name: str, due: int) -> None:
        found = self._spark.sql(f"SELECT COUNT(*) AS n FROM `{name}`").toArrow().column(0)[0].as_py()  # noqa: S608 - a view's name
        if found != due:
            raise CouldNotLook(
                f"Spark finds {found} rows of {name} where the manifests and the newest entries have {due}.",
                "Copy HOME/derived/parquet anew, whole, and try again.",
            )

    # -- asking

    def query(self, text: str, params: Mapping[str, int], pop: bool = False) -> tuple[list[str], list[Cells]]:
        """Run a query inside the grammar; see `tables.SqliteTables.query`.

        Raises:
            CouldNotLook: Spark cannot answer, or does not find the Parquet.
        """
        asked = translate(text, params, "spark", {*self._schemas, *(("pop",) if pop else ())})
        with _speaking():
            self._prepare(asked.tables)
            table = self._spark.sql(asked.text).limit(MAX_ROWS + 1).toArrow()
        columns = list(table.column_names)
        self._kinds[tuple(columns)] = [(each.name, "TEXT" if pyarrow.types.is_string(each.type) else "BIGINT") for each in table.schema]
        return columns, settled(columns, zip(*(column.to_pylist() for column in table.columns), strict=True), asked.order)

    def close(self) -> None:
        """Let go of the session, and with it of every view."""
        try:
            if self._spark is not None:
                self._spark.stop()
        finally:
            self._staged.close()
            shutil.rmtree(self._folder, ignore_errors=True)


def _arrow(kind: str) -> Any:
    return pyarrow.int64() if kind == "BIGINT" else pyarrow.string()


def _need_open(url: str) -> None:
    """Whether something listens there at all: the client would go on trying for minutes."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORT
    try:
        socket.create_connection((host, port), timeout=CONNECT_S).close()
    except OSError as error:
        raise CouldNotLook(f"Nothing answers at {host}:{port}: {error.strerror or error}.", _NEXT) from error


@contextmanager
def _speaking() -> Iterator[None]:
    """Errors of Spark in the product's own words."""
    try:
        yield
    except (AnalysisException, ParseException) as error:
        raise BadInput(
            f"Spark refuses a query: {_first_line(error)}", "Compare its names with views.json, and the place of the files."
        ) from error
    except (PySparkException, grpc.RpcError, OSError) as error:
        raise CouldNotLook(f"Spark could not go on: {_first_line(error)}", _NEXT) from error


def _first_line(error: Exception) -> str:
    """What Spark says, without the frame that gRPC puts around it."""
    told = _DETAILS.search(str(error))
    lines = [line for line in (told[1] if told else str(error)).splitlines() if line.strip()]
    return lines[0][:300].rstrip(".") + "." if lines else f"{type(error).__name__}."
