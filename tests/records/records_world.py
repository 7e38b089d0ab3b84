"""A records door over a real home in a temporary directory, with people, a provider and a model in force."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affiant.kit.clock import FixedClock
from affiant.kit.home import Home, create_home
from affiant.kit.keyring import Keyring
from affiant.ledger import Event, decode
from affiant.proof.tiles import unpack_bundle
from affiant.records import Records
from affiant.records.schema import TABLES

KIND = "own"
"""Where `world` keeps its records: `own` (`records.db`) or `shared` (PostgreSQL, at `AFFIANT_TEST_DSN`)."""
START_US = 1_767_225_600_000_000  # 1 January 2026
RING = Keyring(b"l" * 32, b"m" * 32, "local-token")

COMPANY: dict[str, Any] = {
    "people": [
        {"id": "ann", "roles": ["admin"]},
        {"id": "bo", "roles": ["compliance"]},
        {"id": "cy", "roles": ["developer"]},
        {"id": "di", "roles": ["operator"]},
        {"id": "eve", "roles": ["consumer"]},
        {"id": "fay", "roles": ["privacy"]},
        {"id": "gus", "roles": ["auditor"]},
        {"id": "hal", "roles": ["reviewer"]},
        {"id": "ida", "roles": ["compliance"]},
    ],
    "providers": [
        {"id": "sim", "kind": "openai", "base_url": "http://127.0.0.1:9/v1", "secret_ref": "env:SIM", "network": "private"},
    ],
    "models": [{"id": "m1", "provider": "sim", "upstream": "one", "version": "1", "approved_by": "bo"}],
    "routes": [{"id": "chat", "models": ["m1"], "tenant": "acme"}],
    "keys": [{"id": "k1", "owner": "cy", "tenant": "acme", "models": ["chat"]}],
}


def resolve(host: str, port: int) -> list[str]:
    """A made-up resolver: what a name leads to is in the name."""
    known = {"public.example": ["93.184.216.34"], "inside.example": ["10.0.0.7"], "meta.example": ["169.254.169.254"]}
    if host in known:
        return known[host]
    if host.replace(".", "").isdigit() or ":" in host:
        return [host]
    raise socket.gaierror("unknown")


class World:
    """A home and its records."""

    def __init__(self, home: Home, records: Records, clock: FixedClock) -> None:
        self.home, self.records, self.clock = home, records, clock

    def events(self, *types: str) -> list[Event]:
        """Events on their way into the ledger, of some types if given."""
        with self.records._units.database.reading() as connection:
            if self.records._units.shared is None:
                found = [bytes(row[0]) for row in connection.execute("SELECT data FROM outbox ORDER BY id")]
            else:
                rows = connection.execute("SELECT data FROM batch WHERE producer = ? ORDER BY first_seq", (self.records.producer,))
                found = [data for row in rows for data in unpack_bundle(bytes(row[0]))]
        events = [decode(data) for data in found]
        return [event for event in events if not types or event.type in types]

    def in_force(self, kind: str, target: str, raw: Any, author: str = "cy", by: str = "bo") -> None:
        """Propose, approve and activate."""
        change = self.records.propose(kind, target, raw, author)
        self.records.approve(change.id, by)
        self.records.activate(change.id, author)


@contextmanager
def world(root: Path, company: dict[str, Any] | None = COMPANY) -> Iterator[World]:
    """A fresh home; `company` None leaves it without the first apply."""
    clock = FixedClock(START_US)
    home = create_home(root / "home", "test.example/log", START_US)
    if KIND == "shared":
        share(home)
    records = Records(home, RING, clock, resolve=resolve, create=True)
    try:
        if company is not None:
            records.apply(company, "ann")
        yield World(home, records, clock)
    finally:
        records.close()


def share(home: Home) -> None:
    """Let a home's ledger lie in an empty schema of PostgreSQL, without storage: records need no more of it."""
    from affiant.ledger.serverhome import ServerConfig, save_config
    from affiant.ledger.serverhome.reader import BlockingStore

    config = ServerConfig("env:AFFIANT_TEST_DSN", "http://127.0.0.1:9", "none", "env:NONE", "env:NONE", schema="records_tests")

    async def fill(connection: object) -> None:
        """Nothing: no entry yet."""

    store = BlockingStore(config, "test")
    try:
        if store.do(store.store.exists()):
            store.do(_empty(store.store.pool))
        else:
            store.do(store.store.make(home.origin, "none", fill))
    finally:
        store.close()
    save_config(home, config)


async def _empty(pool: Any) -> None:
    """Make the schema what it was when it was new: emptying it takes less time than making it again."""
    tables = [*reversed(TABLES), "contact", "jobs", "kept", "slices", "batch", "producer"]
    await pool.execute("".join(f"DELETE FROM records_tests.{table};" for table in tables))
    await pool.execute("INSERT INTO records_tests.counters VALUES ('epoch', 1), ('bootstrapped', 0)")
