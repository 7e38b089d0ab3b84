"""A look at the records of a home that changes nothing and needs no keys: for `affiant doctor`.

Leaves out: everything that a verb gives (`door`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from affiant.kit.db import as_error
from affiant.kit.errors import BadInput
from affiant.kit.home import Home
from affiant.ledger.where import is_server_home
from affiant.records.outbox import Outbox
from affiant.records.store import Store


@dataclass(frozen=True, slots=True)
class Look:
    """What there is.

    Args:
        where: `records.db`, or "PostgreSQL".
        store: statements that see the last commit.
        fault: what is damaged; "" if nothing is.
        waiting: events of changes that are not in the ledger yet; where nodes share records, that no signed head covers yet.
        nodes: names of the nodes in contact, where several share records.
    """

    where: str
    store: Store
    fault: str
    waiting: int
    nodes: tuple[str, ...] = ()


@contextmanager
def looking(home: Home) -> Iterator[Look]:
    """Open the records to look at them.

    Raises:
        CouldNotLook: they cannot be reached.
        Conflict: the home has records of its own beside those that it shares.
        BadInput: they are not there, or damaged.
    """
    if is_server_home(home):
        from affiant.records.shared import in_contact, open_shared, unsigned_events

        with closing(open_shared(home, create=False, as_it_is=True)) as shared, shared.reading() as connection:
            yield Look("PostgreSQL", Store(connection), "", unsigned_events(connection), in_contact(connection))
        return
    path = home.records_db
    if not path.exists():
        raise BadInput(f"{path} is not there.", "Restore the home from one backup.")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as own:
            own.row_factory = sqlite3.Row
            verdict = str(own.execute("PRAGMA quick_check(1)").fetchone()[0])
            yield Look(path.name, Store(own), "" if verdict == "ok" else verdict, Outbox(own).size() if verdict == "ok" else 0)
    except sqlite3.Error as error:
        raise as_error(error, path) from error
