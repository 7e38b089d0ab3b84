"""Moving `records.db` to where nodes share records. What arrived is compared row by row before it counts; it may be repeated.

Leaves out: the ledger, which moves first, and putting the old file aside (`ledger.serverhome.found` does both).
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from affiant.kit.db import Database
from affiant.kit.errors import Conflict, LedgerFault
from affiant.kit.home import Home
from affiant.kit.sql import Connection
from affiant.ledger.serverhome import ServerConfig
from affiant.records.outbox import Outbox
from affiant.records.schema import MIGRATIONS, TABLES
from affiant.records.shared import open_shared


def move_records(home: Home, config: ServerConfig) -> int:
    """Make the records of a home that nothing uses those of all nodes of its ledger; how many rows there are.

    Raises:
        Conflict: events of record changes are not in the ledger yet, or the ledger has other records.
        LedgerFault: what arrived is not what was sent; nothing was moved.
        CouldNotLook: a database cannot be reached.
    """
    with (
        closing(Database(home.records_db, MIGRATIONS, create=False)) as own,
        closing(open_shared(home, True, config)) as shared,
        own.reading() as source,
        shared.transaction() as target,
    ):
        waiting = Outbox(source).size()
        if waiting:
            raise Conflict(f"{waiting} events of record changes are not in the ledger.", "Serve the home, then move it.")
        copied = _unused(target)
        if copied:
            _copy(source, target)
        rows = {table: _rows(source, table) for table in TABLES}
        different = [table for table in TABLES if _rows(target, table) != rows[table]]
        if different and copied:
            raise LedgerFault(f"Rows of {', '.join(different)} arrived otherwise than they were sent.", "Nothing was moved.")
        if different:
            raise Conflict(
                f"The ledger has other records than {home.records_db}: {', '.join(different)} differ.",
                f"They are not merged. Make here what is still needed, then move {home.records_db} away.",
            )
        return sum(map(len, rows.values()))


def _unused(target: Connection) -> bool:
    """Whether nobody has made records there, or the ledger was never led and nothing waits in it: then this is a move that broke off."""
    led, waiting = target.execute("SELECT term > 0, EXISTS (SELECT FROM batch WHERE first_index IS NULL) FROM ledger").fetchone()
    fresh = _rows(target, "counters") == [("bootstrapped", 0), ("epoch", 1)] and not any(_rows(target, table) for table in TABLES[1:])
    return (not led and not waiting) or fresh


def _copy(source: Connection, target: Connection) -> None:
    for table in reversed(TABLES):
        target.execute(f"DELETE FROM {table}")  # noqa: S608 - a constant
    for table in TABLES:
        names = [str(row[0]) for row in source.execute("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,))]
        places = ", ".join("?" * len(names))
        rows = [tuple(row) for row in source.execute(f"SELECT {', '.join(names)} FROM {table}")]  # noqa: S608 - names of the schema
        target.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", rows)  # noqa: S608 - names of the schema


def _rows(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    """Every row of a table, in the same order whatever database it is in."""
    return sorted((tuple(row) for row in connection.execute(f"SELECT * FROM {table}")), key=repr)  # noqa: S608 - a constant
