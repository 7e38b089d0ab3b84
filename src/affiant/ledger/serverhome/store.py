"""All SQL of a ledger in PostgreSQL. Every change is one call of one function (`schema`), so that a call took effect or did not.

Leaves out: what is written (`node`, `sequencer`), objects in storage (`objects`).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from affiant.kit.errors import BadInput, Conflict, CouldNotLook, LedgerFault, LedgerUnavailable, NoRoom
from affiant.kit.secretref import resolve
from affiant.ledger.checkpoints import SignedHead
from affiant.ledger.serverhome import schema
from affiant.ledger.serverhome.config import ServerConfig
from affiant.proof.logkeys import parse_statement

try:
    import asyncpg

    from affiant.kit.postgres_errors import LOST, PASSING
except ImportError as missing:
    raise CouldNotLook("The package asyncpg is not installed.", "Install the extra: pip install 'affiant[server]'.") from missing

TIMEOUT_S = 10.0
CONNECTIONS = 4
BATCHES_AT_ONCE = 256
ENTRIES_AT_ONCE = 8_192
WAKE, PLACED, HEAD = "wake", "placed", "head"
_NO_ROOM = (asyncpg.DiskFullError,)
_NEXT = "Nothing was acknowledged; the ledger goes on when PostgreSQL can be reached."


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What PostgreSQL says of the ledger.

    Args:
        term: of its sequencer, `holder`.
        placed: entries that have their place.
        head: in force.
        archived: bundles that storage holds.
        pruned: entries that PostgreSQL let go because storage holds them.
        minimum: lowest index that is published.
        held: lowest index that is held at all.
        short: whether the disk was found full, and the reserve is not whole again.
    """

    term: int
    holder: str
    placed: int
    head: SignedHead
    answered: int
    archived: int
    pruned: int
    origin: str
    log_vkey: str
    minimum: int = 0
    held: int = 0
    short: bool = False


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A statement about the log's key that holds.

    Args:
        after: entries under the head that it names.
        note: the signed statement.
        held: `vault:MOUNT/NAME@VERSION` where Vault holds the new key.
        recorded: whether its entry lies under a signed head.
    """

    after: int
    note: bytes
    held: str
    recorded: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One batch as stored: entries packed as in a bundle; `first_index` is -1 until it is placed."""

    id: int
    producer: str
    first_seq: int
    count: int
    data: bytes
    marks: bytes
    first_index: int = -1


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: written, known, ended, unknown or gap; its row and place (-1 if it has none yet); number due."""

    state: str
    batch_id: int
    first_index: int
    due: int


@dataclass(frozen=True, slots=True)
class Look:
    """What waits for the sequencer: batches without a place, producers to be ended, number of the newest request for a head."""

    batches: bool
    endings: bool
    ask: int


@dataclass(frozen=True, slots=True)
class Own:
    """A batch of the sequencer itself, placed as it is written."""

    producer: str
    first_seq: int
    count: int
    data: bytes
    marks: bytes
    index: int


async def _nothing(connection: Any) -> None:
    """No call leaves anything behind in its session, so a connection goes back as it is, without a round trip."""


def _number(value: Any) -> int:
    return -1 if value is None else int(value)


class LedgerStore:
    """Connections to one ledger. Make it with `open`, for one event loop.

    Raises (any method):
        LedgerUnavailable: PostgreSQL cannot be reached; a change may or may not have been made, and repeating it is safe.
        NoRoom: its disk is full; nothing was written.
    """

    def __init__(self, config: ServerConfig, pool: Any) -> None:
        self.config = config
        self.pool = pool
        self._s = config.schema

    @classmethod
    async def open(cls, config: ServerConfig, name: str = "reader", connections: int = CONNECTIONS) -> LedgerStore:
        """Connect.

        Args:
            name: shown in pg_stat_activity as "affiant NAME".

        Raises:
            BadInput: the connection string is none.
        """
        settings = {"application_name": f"affiant {name}"[:63], "synchronous_commit": "on", "statement_timeout": "30s"}
        try:
            pool = await asyncpg.create_pool(
                resolve(config.postgres), min_size=0, max_size=connections, timeout=TIMEOUT_S, command_timeout=60,
                server_settings=settings, max_inactive_connection_lifetime=0, reset=_nothing,
            )  # fmt: skip
            return cls(config, pool)
        except (*LOST, asyncpg.PostgresError) as error:
            raise LedgerUnavailable(f"PostgreSQL cannot be reached: {error}.", _NEXT) from error
        except ValueError as error:
            raise BadInput(f"{config.postgres} holds no connection string: {error}.", "Write postgresql://user@host/database.") from None

    async def close(self) -> None:
        """Give the connections back."""
        try:
            await asyncio.wait_for(self.pool.close(), 2.0)
        except TimeoutError:
            self.pool.terminate()

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        try:
            async with self.pool.acquire(timeout=TIMEOUT_S) as connection:
                try:
                    yield connection
                except asyncpg.InternalClientError:
                    connection.terminate()  # it no longer knows what it waits for
                    raise
        except _NO_ROOM as error:
            raise NoRoom("The disk of PostgreSQL is full.", "Make room there; nothing was written.") from error
        except LOST as error:
            raise LedgerUnavailable(f"PostgreSQL cannot be reached: {error or type(error).__name__}.", _NEXT) from error
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.UndefinedFunctionError) as error:
            raise LedgerFault(
                f"PostgreSQL has no ledger in the schema {self._s}: {error}.", "Restore it, or name the right database in server.json."
            ) from error
        except asyncpg.PostgresError as error:
            state = str(error.sqlstate or "")
            if state[:2] in PASSING or state == "42501":
                raise LedgerUnavailable(f"PostgreSQL answered {state}: {error}.", _NEXT) from error
            raise LedgerFault(
                f"PostgreSQL refuses ({state}): {error}.", "Stop; compare the database with the objects in storage."
            ) from error

    async def _fetch(self, query: str, *values: Any) -> list[Any]:
        async with self._connection() as connection:
            return list(await connection.fetch(query.replace("@", self._s), *values))

    async def _true(self, query: str, *values: Any) -> bool:
        rows = await self._fetch(query, *values)
        return bool(rows and rows[0][0])

    # -- making and knowing the ledger

    async def check_durable(self) -> None:
        """Refuse a PostgreSQL that acknowledges what is not on disk.

        Raises:
            BadInput: fsync or full_page_writes is off.
        """
        rows = await self._fetch("SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting <> 'on'")
        if rows:
            raise BadInput(f"PostgreSQL runs with {rows[0][0]} off: it would lose acknowledged evidence.", "Switch it on.")

    async def exists(self) -> bool:
        """Whether the schema is there."""
        return bool(await self._fetch("SELECT 1 FROM pg_namespace WHERE nspname = $1", self._s))

    async def make(self, origin: str, log_vkey: str, fill: Callable[[Any], Any]) -> None:
        """Make the tables and fill them in one transaction; `fill` gets the connection.

        Raises:
            Conflict: the schema is there already.
        """
        async with self._connection() as connection:
            try:
                async with connection.transaction():
                    await connection.execute(schema.statements(self._s))
                    await connection.execute(
                        "INSERT INTO @.ledger(format, origin, log_vkey, root) VALUES ($1, $2, $3, $4)".replace("@", self._s),
                        schema.FORMAT, origin, log_vkey, b"",
                    )  # fmt: skip
                    await fill(connection)
            except asyncpg.DuplicateSchemaError:
                raise Conflict(f"The schema {self._s} exists.", "Join it as another node, or name another schema.") from None

    async def ledger(self) -> LedgerRow:
        """The ledger's row.

        Raises:
            LedgerFault: there is no ledger, or one of another format.
        """
        rows = await self._fetch("SELECT * FROM @.ledger")
        if len(rows) != 1 or rows[0]["format"] != schema.FORMAT:
            raise LedgerFault(f"The schema {self._s} holds no ledger of format {schema.FORMAT}.", "Restore it from a backup.")
        row = rows[0]
        head = SignedHead(int(row["at_us"]), int(row["size"]), bytes(row["root"]), bytes(row["note"]))
        return LedgerRow(
            int(row["term"]), str(row["holder"]), int(row["placed"]), head, int(row["answered"]), int(row["archived"]),
            int(row["pruned"]), str(row["origin"]), str(row["log_vkey"]), int(row.get("minimum", 0)), int(row.get("held", 0)),
            bool(row.get("short", False)),
        )  # fmt: skip

    async def heads(self, archived: bool | None = None) -> list[SignedHead]:
        """Kept heads, oldest first; only those (not) in storage if asked."""
        rows = await self._fetch(
            "SELECT at_us, size, root, note FROM @.head WHERE $1::boolean IS NULL OR archived = $1 ORDER BY size", archived
        )
        return [SignedHead(int(row[0]), int(row[1]), bytes(row[2]), bytes(row[3])) for row in rows]

    # -- the log's keys

    async def ensure_keys(self, notes: Sequence[bytes]) -> None:
        """Make the table of statements about the log's key where a ledger was founded without one.

        Args:
            notes: statements that hold already.
        """
        if await self.has_keys():
            return
        async with self._connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", self._s)
            await connection.execute(schema.key_statements(self._s))
            await put_keys(connection, self._s, notes)

    async def has_keys(self) -> bool:
        """Whether there is a table of statements about the log's key."""
        return bool(await self._fetch("SELECT 1 WHERE to_regclass($1) IS NOT NULL", f"{self._s}.key"))

    async def key_rows(self) -> list[KeyRow]:
        """Statements about the log's key, oldest first."""
        rows = await self._fetch("SELECT after, note, held, recorded FROM @.key ORDER BY number")
        return [KeyRow(int(row[0]), bytes(row[1]), str(row[2]), bool(row[3])) for row in rows]

    async def hand_over(self, term: int, head: SignedHead, number: int, note: bytes, held: str, vkey: str) -> bool:
        """Let a statement take force. False if the term is over, or another head is in force.

        Args:
            number: of statements that hold already.
            held: see `KeyRow`.
            vkey: of the key that signs from now on; "" where that stays.
        """
        return await self._true("SELECT @.hand_over($1, $2, $3, $4, $5, $6, $7)", term, head.size, head.root, number, note, held, vkey)

    async def keys_recorded(self) -> None:
        """Take note that the entries of statements lie under a signed head: nobody publishes a larger one before they have their places."""
        await self._fetch("UPDATE @.key SET recorded = true WHERE NOT recorded AND after < (SELECT size FROM @.ledger)")

    # -- nodes and producers

    async def register_node(self, name: str, incarnation: str, ttl_s: float) -> None:
        """Begin to serve as a node; whoever served under that name before is fenced out."""
        await self._fetch(
            "INSERT INTO @.node VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3)) "
            "ON CONFLICT (name) DO UPDATE SET incarnation = EXCLUDED.incarnation, until = EXCLUDED.until",
            name, incarnation, ttl_s,
        )  # fmt: skip

    async def keep_node(self, name: str, incarnation: str, ttl_s: float) -> bool:
        """Say that a node lives. False if another process serves under its name."""
        return await self._true(
            "UPDATE @.node SET until = clock_timestamp() + make_interval(secs => $3) WHERE name = $1 AND incarnation = $2 RETURNING true",
            name, incarnation, ttl_s,
        )  # fmt: skip

    async def lost_nodes(self) -> None:
        """End the producers of nodes that are silent beyond their time."""
        await self._fetch(
            "UPDATE @.producer p SET ending = 'disconnected' FROM @.node n WHERE n.name = p.node AND n.until < clock_timestamp() "
            "AND NOT p.ended AND p.ending = '' AND split_part(p.name, '/', 2) <> 'records'"
        )

    async def hello(self, producer: str, node: str) -> tuple[int, bool]:
        """(last number, whether ended) of a producer, made known if it is new."""
        rows = await self._fetch(
            "WITH made AS (INSERT INTO @.producer(name, node) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING last, false) "
            "SELECT * FROM made UNION ALL SELECT last, ended OR ending <> '' FROM @.producer WHERE name = $1 LIMIT 1",
            producer, node,
        )  # fmt: skip
        return (int(rows[0][0]), bool(rows[0][1])) if rows else await self.hello(producer, node)

    async def known(self, producer: str) -> tuple[int, bool] | None:
        """As `hello`, without making it known."""
        rows = await self._fetch("SELECT last, ended OR ending <> '' FROM @.producer WHERE name = $1", producer)
        return (int(rows[0][0]), bool(rows[0][1])) if rows else None

    async def producers_of(self, node: str) -> list[str]:
        """Live producers of a node."""
        return [str(row[0]) for row in await self._fetch("SELECT name FROM @.producer WHERE node = $1 AND NOT ended AND ending = ''", node)]

    async def end(self, producer: str, why: str) -> None:
        """Take no more from a producer; the sequencer writes its ending."""
        await self._fetch("UPDATE @.producer SET ending = $2 WHERE name = $1 AND ending = '' AND NOT ended", producer, why)

    async def endings(self) -> list[tuple[str, str, int]]:
        """(name, why, last number) of producers whose ending is due."""
        rows = await self._fetch("SELECT name, ending, last FROM @.producer WHERE ending <> '' AND NOT ended ORDER BY name LIMIT 100")
        return [(str(row[0]), str(row[1]), int(row[2])) for row in rows]

    # -- appending and placing

    async def append(self, rows: Sequence[Row]) -> list[Appended]:
        """Commit batches; each is taken or told why not."""
        found = await self._fetch(
            "SELECT * FROM @.append($1, $2, $3, $4, $5)", [row.producer for row in rows], [row.first_seq for row in rows],
            [row.count for row in rows], [row.data for row in rows], [row.marks for row in rows],
        )  # fmt: skip
        return [Appended(str(row[0]), _number(row[1]), _number(row[2]), _number(row[3])) for row in found]

    async def waiting(self) -> list[Row]:
        """Batches that have no place yet, oldest first."""
        rows = await self._fetch(
            "SELECT id, producer, first_seq, count, data, marks FROM (SELECT *, sum(count) OVER (ORDER BY id) - count AS before FROM "
            "(SELECT * FROM @.batch WHERE first_index IS NULL ORDER BY id LIMIT $1) AS w) AS x WHERE before < $2 ORDER BY id",
            BATCHES_AT_ONCE, ENTRIES_AT_ONCE,
        )  # fmt: skip
        return [Row(int(r[0]), str(r[1]), int(r[2]), int(r[3]), bytes(r[4]), bytes(r[5])) for r in rows]

    async def places(self, ids: Sequence[int]) -> dict[int, int]:
        """First indexes of those of these batches that have one."""
        rows = await self._fetch("SELECT id, first_index FROM @.batch WHERE id = ANY($1) AND first_index IS NOT NULL", list(ids))
        return {int(row[0]): int(row[1]) for row in rows}

    async def place(
        self, term: int, size: int, rows: Sequence[Row], own: Own | None, ends: Sequence[str], ttl_s: float
    ) -> bool:  # fmt: skip
        """Give batches their places from `size` on, in order, then `own`; renews the term. False if the term is over."""
        indexes, at = [], size
        for row in rows:
            indexes.append(at)
            at += row.count
        o = own or Own("", 0, 0, b"", b"", 0)
        return await self._true(
            "SELECT @.place($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)", term, size, at + o.count, ttl_s,
            [row.id for row in rows], indexes, o.producer, o.first_seq, o.count, o.data, o.marks, o.index, list(ends),
        )  # fmt: skip

    async def placed_rows(self, start: int, stop: int, limit: int = BATCHES_AT_ONCE) -> list[Row]:
        """Batches that hold entries of [start, stop), by place, `limit` at most."""
        rows = await self._fetch(
            "SELECT id, producer, first_seq, count, data, marks, first_index FROM @.batch WHERE first_index < $2 AND first_index >= "
            "COALESCE((SELECT max(first_index) FROM @.batch WHERE first_index <= $1), 0) AND first_index + count > $1 "
            "ORDER BY first_index LIMIT $3",
            start, stop, limit,
        )  # fmt: skip
        return [Row(int(r[0]), str(r[1]), int(r[2]), int(r[3]), bytes(r[4]), bytes(r[5]), int(r[6])) for r in rows]

    # -- the sequencer's term

    async def elect(self, holder: str, ttl_s: float) -> int | None:
        """Become the sequencer if nobody is, or begin a new term of one's own.

        Returns:
            The new term, or None while another holds one.
        """
        rows = await self._fetch(
            "UPDATE @.ledger SET term = term + 1, holder = $1, until = clock_timestamp() + make_interval(secs => $2) "
            "WHERE one IN (SELECT one FROM @.ledger WHERE until < clock_timestamp() OR holder = $1 FOR UPDATE SKIP LOCKED) RETURNING term",
            holder, ttl_s,
        )  # fmt: skip
        if rows:
            return int(rows[0][0])
        await self._evict(ttl_s)
        return None

    async def take_over(self, holder: str, ttl_s: float) -> int:
        """Begin a new term, whoever holds one: that one loses at its next step."""
        rows = await self._fetch(
            "UPDATE @.ledger SET term = term + 1, holder = $1, until = clock_timestamp() + make_interval(secs => $2) RETURNING term",
            holder, ttl_s,
        )  # fmt: skip
        return int(rows[0][0])

    async def _evict(self, ttl_s: float) -> None:
        """End the sessions of a holder whose time ran out long ago while it still holds the ledger's row.

        No call holds it longer than a statement, but a process may be stopped with half a statement sent.
        """
        await self._fetch(
            "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a, @.ledger l WHERE a.datname = current_database() "
            "AND a.usename = current_user AND a.pid <> pg_backend_pid() AND l.until < clock_timestamp() - make_interval(secs => $1) "
            "AND a.application_name = left('affiant node ' || split_part(l.holder, '/', 1), 63)",
            ttl_s,
        )

    async def resign(self, term: int) -> None:
        """Let another node take over at once."""
        await self._fetch("UPDATE @.ledger SET until = '-infinity' WHERE term = $1", term)

    async def publish(
        self, term: int, old: SignedHead, new: SignedHead, keep: bool, answered: int,
        partial: Sequence[tuple[str, bytes]], full: Sequence[tuple[str, bytes]], state: bytes | None,
    ) -> bool:  # fmt: skip
        """Put a head in force over the one that it was built on. False if that one is no longer in force, or the term is over."""
        return await self._true(
            "SELECT @.publish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)", term, old.size, old.root, new.size, new.root,
            new.note, new.at_us, keep, answered, [path for path, _ in partial], [data for _, data in partial],
            [path for path, _ in full], [data for _, data in full], state,
        )  # fmt: skip

    async def state(self) -> tuple[int, bytes]:
        """Size and bytes of the last producers' state."""
        rows = await self._fetch("SELECT size, producers FROM @.state")
        return (int(rows[0][0]), bytes(rows[0][1])) if rows else (0, b"")

    async def archived(self, term: int, start: int, stop: int, paths: Sequence[str], heads: Sequence[int]) -> bool:
        """Take note that bundles [start, stop), these tiles and these kept heads lie in storage. False if the term is over."""
        return await self._true("SELECT @.archived($1, $2, $3, $4, $5)", term, start, stop, list(paths), list(heads))

    async def prune(self, term: int, size: int) -> bool:
        """Remove batches that lie wholly below `size`, whose bundles storage holds. False if the term is over."""
        return await self._true("SELECT @.prune($1, $2)", term, size)

    async def records_waiting(self) -> int:
        """The newest batch of record changes that has no place yet; 0 if there is none."""
        rows = await self._fetch(
            "SELECT COALESCE(max(id), 0) FROM @.batch WHERE first_index IS NULL AND split_part(producer, '/', 2) = 'records'"
        )
        return int(rows[0][0])

    async def ensure_newest(self) -> None:
        """Make what pruning and the reserve need where a ledger was founded without it."""
        if await self._fetch("SELECT 1 WHERE to_regproc($1) IS NOT NULL", f"{self._s}.make_reserve"):
            return
        async with self._connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", self._s)
            await connection.execute(schema.floor_statements(self._s))
            await connection.execute(schema.reserve_statements(self._s))

    # -- room for closings and refusals

    async def reserve_bytes(self) -> int:
        """Bytes on PostgreSQL's disk that the reserve has."""
        rows = await self._fetch("SELECT COALESCE(pg_relation_size(to_regclass($1)), 0)", f"{self._s}.reserve")
        return int(rows[0][0])

    async def make_reserve(self, megabytes: int) -> None:
        """Make the reserve anew.

        Raises:
            NoRoom: the disk has not so much room; nothing was taken of it.
        """
        await self._fetch("SELECT @.make_reserve($1)", megabytes)

    async def spend_reserve(self) -> None:
        """Give the reserve back to the disk, and let all nodes know that it is full."""
        await self._fetch("SELECT @.spend_reserve()")

    # -- where the entries held begin: pruning

    async def publish_from(self, minimum: int) -> bool:
        """Publish a minimum index. False if a higher one is published, or there are not so many entries."""
        return await self._true(
            "UPDATE @.ledger SET minimum = $1 WHERE minimum <= $1 AND $1 <= size RETURNING true", minimum
        )  # fmt: skip

    async def keep_lasting(self, entries: Sequence[tuple[int, bytes]]) -> None:
        """Keep entries, by index, for good."""
        await self._fetch(
            "INSERT INTO @.lasting SELECT * FROM unnest($1::bigint[], $2::bytea[]) ON CONFLICT DO NOTHING",
            [index for index, _ in entries], [entry for _, entry in entries],
        )  # fmt: skip

    async def lasting(self, stop: int) -> dict[int, bytes]:
        """Kept entries below an index."""
        rows = await self._fetch("SELECT index, entry FROM @.lasting WHERE index < $1 ORDER BY index", stop)
        return {int(row[0]): bytes(row[1]) for row in rows}

    async def floor_record(self) -> tuple[int, bytes]:
        """Lowest index held, and what is known of the entries below it (`floor.Floor`)."""
        rows = await self._fetch("SELECT held, record FROM @.floor")
        return (int(rows[0][0]), bytes(rows[0][1])) if rows else (0, b"")

    async def take_away(self, term: int, start: int, stop: int, record: bytes, producers: bytes, cut: Row | None) -> bool:
        """Move the floor from `start` to `stop` and remove the batches below it.

        Args:
            record: see `floor_record`.
            producers: their state at `stop`, from where a term resumes at the earliest.
            cut: what stays of the batch that reaches over `stop`.

        Returns:
            False if the term is over, another floor is in force, the minimum index is lower, or storage lacks a bundle below.
        """
        rest = cut or Row(-1, "", 0, 0, b"", b"")
        return await self._true(
            "SELECT @.take_away($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", term, start, stop, record, producers,
            rest.id, rest.first_seq, rest.count, rest.data, rest.marks,
        )  # fmt: skip

    # -- tiles that are not in storage

    async def tile(self, path: str) -> bytes | None:
        """A full tile that storage does not hold yet, or a partial file of the head in force."""
        rows = await self._fetch("SELECT data FROM @.staged WHERE path = $1 UNION ALL SELECT data FROM @.partial WHERE path = $1", path)
        return bytes(rows[0][0]) if rows else None

    async def partials(self) -> dict[str, bytes]:
        """Partial tiles and bundle of the head in force."""
        return {str(row[0]): bytes(row[1]) for row in await self._fetch("SELECT path, data FROM @.partial")}

    async def staged(self, most: int = 128) -> dict[str, bytes]:
        """Full tiles that storage does not hold yet."""
        return {str(row[0]): bytes(row[1]) for row in await self._fetch("SELECT path, data FROM @.staged LIMIT $1", most)}

    # -- asking for a head, hearing of news

    async def ask(self) -> int:
        """Ask the sequencer for a head over everything committed by now; it is there once `answered` has this number."""
        rows = await self._fetch("INSERT INTO @.ask(upto) SELECT COALESCE(max(id), 0) FROM @.batch RETURNING id")
        await self.tell(WAKE)
        return int(rows[0][0])

    async def look(self) -> Look:
        """What there is to do."""
        rows = await self._fetch(
            "SELECT EXISTS (SELECT FROM @.batch WHERE first_index IS NULL), "
            "EXISTS (SELECT FROM @.producer WHERE ending <> '' AND NOT ended), (SELECT COALESCE(max(id), 0) FROM @.ask)"
        )
        return Look(bool(rows[0][0]), bool(rows[0][1]), int(rows[0][2]))

    async def asks_placed(self, answered: int) -> int:
        """Number of the newest request for a head, everything before which has its place; 0 if there is none beyond `answered`."""
        rows = await self._fetch(
            "SELECT COALESCE(max(a.id), 0) FROM @.ask a WHERE a.id > $1 AND a.upto < "
            "COALESCE((SELECT min(id) FROM @.batch WHERE first_index IS NULL), 9223372036854775807)",
            answered,
        )
        return int(rows[0][0])

    async def tell(self, word: str) -> None:
        """Notify whoever listens."""
        await self._fetch("SELECT pg_notify($1, $2)", self.channel, word)

    @property
    def channel(self) -> str:
        """Name under which news are told."""
        return f"{self._s}_news"

    async def listen(self, heard: Callable[[str], None]) -> Any:
        """Hear news on a connection of its own until it is given to `deaf`."""
        connection: Any = None
        try:
            connection = await asyncpg.connect(
                resolve(self.config.postgres), timeout=TIMEOUT_S, server_settings={"application_name": "affiant listener"}
            )
            await connection.add_listener(self.channel, lambda _connection, _pid, _channel, word: heard(str(word)))
            return connection
        except (*LOST, asyncpg.PostgresError) as error:
            if connection is not None:
                connection.terminate()
            raise LedgerUnavailable(f"PostgreSQL cannot be reached: {error}.", _NEXT) from error

    @staticmethod
    async def deaf(connection: Any) -> None:
        """Stop hearing."""
        if connection.is_closed():
            return
        try:
            await connection.close(timeout=1.0)
        except (*LOST, asyncpg.PostgresError):
            connection.terminate()


async def put_keys(connection: Any, schema_name: str, notes: Sequence[bytes]) -> None:
    """Write statements about the log's key whose entries the ledger has, in the transaction of a connection."""
    rows = [(number, parse_statement(note).after, note) for number, note in enumerate(notes)]
    query = "INSERT INTO @.key(number, after, note, recorded) VALUES ($1, $2, $3, true) ON CONFLICT DO NOTHING"
    await connection.executemany(query.replace("@", schema_name), rows)


def new_incarnation() -> str:
    """A name for one life of a process."""
    return secrets.token_hex(6)
