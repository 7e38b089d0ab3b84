"""Records that the nodes of a server home share: beside the ledger, in its schema of PostgreSQL. See docs/decisions/0019-shared-records.md.

There is no outbox: a transaction of records ends by appending its events to the ledger, so one commit puts both into force. Needs
`affiant[server]`. Leaves out: what is kept (`store`), what nodes tell one another (`nodes`).
"""

from __future__ import annotations

from affiant.kit.errors import Conflict, LedgerFault
from affiant.kit.home import Home
from affiant.kit.postgres import PostgresDatabase
from affiant.kit.sql import Connection
from affiant.ledger.serverhome import ServerConfig, load_config
from affiant.ledger.serverhome.batches import pack_batch
from affiant.ledger.serverhome.store import WAKE
from affiant.records.nodes import SILENT_S
from affiant.records.schema import POSTGRES_MIGRATIONS

ENTRIES_AT_ONCE = 1_000
BYTES_AT_ONCE = 8 * 1024 * 1024


def open_shared(home: Home, create: bool, config: ServerConfig | None = None, as_it_is: bool = False) -> PostgresDatabase:
    """The records of all nodes.

    Args:
        create: makes the tables if they are not there.
        config: where, if the home does not say so yet.
        as_it_is: leaves tables of an earlier version as they are.

    Raises:
        Conflict: the home still has records of its own.
        CouldNotLook, BadInput: as `PostgresDatabase`.
    """
    if config is None and home.records_db.exists():
        raise Conflict(
            f"{home.records_db} holds records of this node alone, and the records of its ledger are shared.",
            "Run `affiant ledger migrate --servers HOME/server.json`; it moves them, or says why they cannot be moved.",
        )
    config = config or load_config(home)
    return PostgresDatabase(config.postgres, config.schema, home.node, POSTGRES_MIGRATIONS, create, as_it_is)


class LedgerEvents:
    """Events of one transaction, appended to the ledger as its last statement.

    Args:
        producer: `NODE/records/0`; the ledger itself knows its last number.
    """

    def __init__(self, connection: Connection, schema: str, producer: str) -> None:
        self._c, self._schema, self._producer = connection, schema, producer
        self._next = -1
        self._rows: list[tuple[int, int, str, bytes]] = []

    def next_seq(self) -> int:
        """Number of the next event."""
        if self._next < 0:
            node = self._producer.partition("/")[0]
            self._c.execute("INSERT INTO producer (name, node) VALUES (?, ?) ON CONFLICT DO NOTHING", (self._producer, node))
            self._next = int(self._c.execute("SELECT last FROM producer WHERE name = ? FOR UPDATE", (self._producer,)).fetchone()[0]) + 1
        self._next += 1
        return self._next - 1

    def put(self, seq: int, data: bytes, ref: str) -> None:
        """Take one finished event."""
        self._rows.append((seq, 0, ref, data))

    def finish(self) -> None:
        """Append what there is, and wake the sequencer at the commit.

        Raises:
            LedgerFault: the ledger does not take them; nothing is in force.
        """
        batch: list[tuple[int, int, str, bytes]] = []
        size = 0
        for row in self._rows:
            if batch and (len(batch) >= ENTRIES_AT_ONCE or size + len(row[3]) > BYTES_AT_ONCE):
                self._append(batch)
                batch, size = [], 0
            batch.append(row)
            size += len(row[3])
        if batch:
            self._append(batch)
            self._c.execute("SELECT pg_notify(?, ?)", (f"{self._schema}_news", WAKE))

    def _append(self, rows: list[tuple[int, int, str, bytes]]) -> None:
        batch = pack_batch(self._producer, rows)
        answer = self._c.execute(
            f"SELECT state, due FROM {self._schema}.append(?, ?, ?, ?, ?)",  # noqa: S608 - a name that ServerConfig has checked
            ([batch.producer], [batch.first_seq], [batch.count], [batch.data], [batch.marks]),
        ).fetchone()
        if answer[0] != "written":
            raise LedgerFault(
                f"{self._producer} sends {batch.first_seq}; the ledger says {answer[0]} and waits for {answer[1]}.",
                "Nothing was changed. Stop; compare the database with the objects in storage.",
            )


def in_contact(connection: Connection) -> tuple[str, ...]:
    """Names of the nodes whose workers have been heard of lately."""
    sql = "SELECT node FROM contact WHERE seen > clock_timestamp() - make_interval(secs => ?) ORDER BY node"
    return tuple(str(row[0]) for row in connection.execute(sql, (SILENT_S,)))


def unsigned_events(connection: Connection) -> int:
    """Events of record changes that no signed head covers yet."""
    sql = (
        "SELECT (SELECT COALESCE(sum(count), 0) FROM batch WHERE first_index IS NULL AND split_part(producer, '/', 2) = 'records')"
        " + (SELECT COALESCE(sum(count), 0) FROM batch WHERE first_index >= (SELECT size FROM ledger)"
        " AND split_part(producer, '/', 2) = 'records')"
    )
    return int(connection.execute(sql).fetchone()[0])
