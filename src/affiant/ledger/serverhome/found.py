"""Founding a ledger on servers, anew or from a home that has one, and joining one as another node.

Moving keeps everything: indexes, bytes, roots, signed heads, hence all proofs handed out before. Both sides are checked, before
anything is written and after. Leaves out: serving (`run`), the checks (`check`, and `verify` for the home).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec

from affiant import __version__
from affiant.kit.clock import Clock
from affiant.kit.errors import Conflict, LedgerFault
from affiant.kit.home import Home
from affiant.kit.keyring import Keyring
from affiant.ledger.anchorstore import AnchorStore
from affiant.ledger.checkpoints import LogKey, SignedHead
from affiant.ledger.envelope import Draft, encode
from affiant.ledger.logkeys import signing_key
from affiant.ledger.producers import Producers
from affiant.ledger.reader import LedgerReader
from affiant.ledger.retention import minimum_index
from affiant.ledger.segment import segment_firsts
from affiant.ledger.serverhome.archive import head_key
from affiant.ledger.serverhome.batches import replay_rows
from affiant.ledger.serverhome.check import check_server
from affiant.ledger.serverhome.config import ServerConfig, load_config, save_config
from affiant.ledger.serverhome.objects import ObjectStore
from affiant.ledger.serverhome.reader import BlockingStore, ServerReader
from affiant.ledger.serverhome.run import writer_lock
from affiant.ledger.serverhome.store import new_incarnation, put_keys
from affiant.ledger.tree import Tree
from affiant.ledger.verify import Report, verify_home
from affiant.ledger.where import config_path, is_server_home
from affiant.ledger.wire import MARKS
from affiant.ledger.writer import Writer
from affiant.proof.hashes import leaf_hash, verify_inclusion
from affiant.proof.note import Checkpoint
from affiant.proof.tiles import TILE_WIDTH, pack_bundle

MOVED = "moved"
PROOFS = 16
PUTS_AT_ONCE = 64
MoveRecords = Callable[[Home, ServerConfig], object]
_encode_state = msgspec.json.Encoder().encode


@dataclass(slots=True)
class _Seed:
    """What PostgreSQL gets: head, kept heads, partial files, the entries behind the last full bundle, producers."""

    head: SignedHead
    kept: list[SignedHead]
    producers: Producers
    partial: list[tuple[str, bytes]] = field(default_factory=list)
    tail: list[bytes] = field(default_factory=list)
    statements: tuple[bytes, ...] = ()
    minimum: int = 0

    async def fill(self, connection: Any, schema: str, node: str) -> None:
        """Write it, in the transaction that makes the tables."""
        head, bundles = self.head, self.head.size // TILE_WIDTH

        def sql(text: str) -> str:
            return text.replace("@", schema)

        await connection.execute(
            sql("UPDATE @.ledger SET placed = $1, size = $1, root = $2, note = $3, at_us = $4, archived = $5, pruned = $6, minimum = $7"),
            head.size, head.root, head.note, head.at_us, bundles, bundles * TILE_WIDTH, self.minimum,
        )  # fmt: skip
        await connection.executemany(sql("INSERT INTO @.partial VALUES ($1, $2)"), self.partial)
        await put_keys(connection, schema, self.statements)
        kept = [(each.size, each.root, each.note, each.at_us) for each in self.kept]
        await connection.executemany(sql("INSERT INTO @.head VALUES ($1, $2, $3, $4, true)"), kept)
        await connection.execute(
            sql("INSERT INTO @.state(size, producers) VALUES ($1, $2)"), head.size, _encode_state(self.producers.dump())
        )
        live = [(p.name, node if p.name.split("/")[1] != "writer" else "", p.last, False) for p in self.producers.live.values()]
        ended = [(name, node, 0, True) for name in self.producers.ended]
        await connection.executemany(sql("INSERT INTO @.producer(name, node, last, ended) VALUES ($1, $2, $3, $4)"), live + ended)
        rows = []
        for first, run in _runs(self.tail, bundles * TILE_WIDTH):
            marks = msgspec.msgpack.encode([(n, MARKS[row[0]], row[3]) for n, row in enumerate(replay_rows(run)) if row[0] in MARKS])
            head_row = replay_rows(run[:1])[0]
            rows.append((head_row[1], head_row[2], len(run), pack_bundle(run), marks, first))
        query = "INSERT INTO @.batch(producer, first_seq, count, data, marks, first_index) VALUES ($1, $2, $3, $4, $5, $6)"
        await connection.executemany(sql(query), rows)


def _runs(entries: list[bytes], index: int) -> Iterator[tuple[int, list[bytes]]]:
    """Neighbouring entries of one producer, with the index of the first."""
    run: list[bytes] = []
    producer = ""
    for number, (entry, row) in enumerate(zip(entries, replay_rows(entries), strict=True)):
        if run and row[1] != producer:
            yield index + number - len(run), run
            run = []
        producer = row[1]
        run.append(entry)
    if run:
        yield index + len(entries) - len(run), run


def _prepare(config: ServerConfig) -> ObjectStore:
    """The bucket, shown to keep its locks.

    Raises:
        BadInput: it does not.
    """
    objects = ObjectStore(config)
    try:
        objects.ensure_bucket()
        objects.check_locks()
    except BaseException:
        objects.close()
        raise
    return objects


def found(home: Home, keyring: Keyring, clock: Clock, config: ServerConfig) -> None:
    """Begin the ledger of a new home on servers: its first entries and first signed head are there when this returns.

    Raises:
        Conflict: the home has a ledger, or the schema exists.
        BadInput: PostgreSQL does not sync, or the storage does not keep COMPLIANCE locks.
    """
    if is_server_home(home) or segment_firsts(home.segments):
        raise Conflict(f"{home.root} has a ledger.", "Serve it, move it, or choose another directory.")
    key = signing_key(home, keyring)
    name = f"{home.node}/writer/{new_incarnation()}"
    drafts = (
        Draft("ledger.created", {"origin": home.origin, "log_vkey": str(key.vkey), "node": home.node, "software": __version__}),
        Draft("producer.started", {"role": "writer", "node": home.node, "software": __version__}),
    )
    now = clock.now_us()
    entries = [encode(Draft(d.type, d.body, actor="system:ledger"), name, seq, now, 0) for seq, d in enumerate(drafts)]
    producers = Producers()
    producers.replay(0, replay_rows(entries))
    partial: list[tuple[str, bytes]] = []
    tree = Tree(lambda path, data, full: partial.append((path, data)))
    tree.add(entries)
    tree.put_partial()
    head = SignedHead(now, tree.size, tree.root(), key.sign(Checkpoint(home.origin, tree.size, tree.root()), now))
    with writer_lock(home):
        objects = _prepare(config)
        try:
            _make(home, key, config, _Seed(head, [head], producers, partial, entries, keyring.statements))
            objects.put(head_key(head.size), head.note)
        finally:
            objects.close()
        save_config(home, config)


def _make(home: Home, key: LogKey, config: ServerConfig, seed: _Seed) -> None:
    db = BlockingStore(config, "founder")
    try:
        db.do(db.store.check_durable())
        if db.do(db.store.exists()):
            row = db.do(db.store.ledger())
            if (row.term, row.origin, row.log_vkey, row.head.note) != (0, home.origin, str(key.vkey), seed.head.note):
                raise Conflict(f"The schema {config.schema} holds another ledger, or one in use.", "Join it, or name another schema.")
            return

        async def fill(connection: Any) -> None:
            await seed.fill(connection, config.schema, home.node)

        db.do(db.store.make(home.origin, str(key.vkey), fill))
    finally:
        db.close()


def join(home: Home, keyring: Keyring, config: ServerConfig) -> None:
    """Make a new home another node of a ledger on servers.

    Raises:
        Conflict: the home has a ledger of its own, or its keyring or origin is another.
    """
    if is_server_home(home) or segment_firsts(home.segments) or home.records_db.exists():
        raise Conflict(f"{home.root} has a ledger or records.", "Join with a new home.")
    db = BlockingStore(config, "founder")
    try:
        row = db.do(db.store.ledger())
    finally:
        db.close()
    key = signing_key(home, keyring)
    if row.origin != home.origin or row.log_vkey != str(key.vkey):
        raise Conflict(
            f"The ledger is {row.origin}, signed by {row.log_vkey}.", "Make the node's home with that origin and a copy of its keyring."
        )
    with writer_lock(home):
        save_config(home, config)


def migrate(home: Home, keyring: Keyring, clock: Clock, config: ServerConfig, move_records: MoveRecords) -> Report:
    """Move the ledger and the records of a home that nothing serves to servers. May be repeated if it was interrupted.

    Args:
        move_records: moves `records.db` beside the ledger, once that is there (`records.move`).

    Returns:
        The check of the ledger on servers.

    Raises:
        LedgerFault: the home, or what arrived, does not hold; the home goes on to keep its ledger.
        Conflict: the home is in use, has moved already, or the schema holds another ledger or other records.
    """
    if is_server_home(home):
        return _finish_move(home, config, move_records)
    # 1. Nothing is open or unsigned, and the home holds.
    with Writer.open(home, keyring, clock) as writer:
        writer.pump_outbox()
        writer.end_all()
        if writer.size != writer.head.size or not _is_kept(home, writer.head):
            writer.checkpoint(keep=True)
        head, key, producers = writer.head, signing_key(home, writer.keyring), writer.producers
        _must_hold(verify_home(home, str(key.vkey)), "The home")
        # 2. Storage first, then PostgreSQL in one transaction.
        reader = LedgerReader(home)
        objects = _prepare(config)
        try:
            seed = _upload(reader, head, producers, objects)
            seed.statements, seed.minimum = writer.keyring.statements, minimum_index(home)
        finally:
            objects.close()
        _make(home, key, config, seed)
        # 3. What arrived holds by itself, and says the same as the home.
        report = check_server(home, config, str(key.vkey))
        _must_hold(report, "What arrived on the servers")
        with ServerReader(home, config) as there:
            _same(reader, there, home)
        move_records(home, config)
        # 4. From here on ledger and records lie there.
        save_config(home, config)
    set_aside(home)
    return report


def _finish_move(home: Home, config: ServerConfig, move_records: MoveRecords) -> Report:
    """Move the records of a home whose ledger lies on servers already, or see that they are there.

    Raises:
        Conflict: they have moved, too, or the servers named are others.
    """
    if config != load_config(home):
        raise Conflict(f"The ledger of {home.root} lies elsewhere.", f"Name {config_path(home)} itself.")
    if not home.records_db.exists():
        raise Conflict(f"{home.root} has moved already.", "Serve it.")
    with writer_lock(home):
        move_records(home, config)
        set_aside(home)
    report = check_server(home, config)
    _must_hold(report, "The ledger on the servers")
    return report


def _is_kept(home: Home, head: SignedHead) -> bool:
    return any(each.size == head.size for each in LedgerReader(home).checkpoints()[-1:])


def _must_hold(report: Report, what: str) -> None:
    if not report.good:
        bad = "; ".join(line for step, line in zip(report.steps, report.lines(), strict=True) if step.ok != 1)
        raise LedgerFault(f"{what} does not hold: {bad}", "Nothing was moved.")


def _upload(reader: LedgerReader, head: SignedHead, producers: Producers, objects: ObjectStore) -> _Seed:
    """Put everything that is full into storage, made again from the entries, and give the rest."""
    kept = [each for each in reader.checkpoints() if each.size <= head.size]
    roots = {each.size: each.root for each in kept} | {head.size: head.root}
    puts: list[tuple[str, bytes]] = []
    partial: list[tuple[str, bytes]] = []
    tree = Tree(lambda path, data, full: (puts if full else partial).append((path, data)))
    entries = reader.entries(0, head.size)
    while batch := list(islice(entries, TILE_WIDTH)):
        for entry in batch:
            tree.add([entry])
            if tree.size in roots and tree.root() != roots[tree.size]:
                raise LedgerFault(f"The entries give another root for {tree.size} entries than the signed one.", "Verify the home.")
        if len(puts) >= PUTS_AT_ONCE:
            _put_all(objects, puts)
    _put_all(objects, puts)
    _put_all(objects, [(head_key(each.size), each.note) for each in kept])
    tree.put_partial()
    tail = list(reader.entries(head.size // TILE_WIDTH * TILE_WIDTH, head.size))
    return _Seed(head, kept, producers, partial, tail)


def _put_all(objects: ObjectStore, puts: list[tuple[str, bytes]]) -> None:
    for done in [objects.threads.submit(objects.put, key, data) for key, data in puts]:
        done.result()
    puts.clear()


def _same(here: LedgerReader, there: ServerReader, home: Home) -> None:
    """The same size, notes and proofs on both sides, at heads that others have seen, too.

    Raises:
        LedgerFault: a difference.
    """
    head = here.checkpoint()
    if there.checkpoint().note != head.note or there.size != here.size:
        raise LedgerFault("The head on the servers is another one.", "Nothing was moved.")
    if [each.note for each in there.checkpoints()] != [each.note for each in here.checkpoints()]:
        raise LedgerFault("The kept heads on the servers are others.", "Nothing was moved.")
    for number in range(PROOFS):
        index = (head.size - 1) * number // (PROOFS - 1)
        proof = there.prove(index)
        if proof != here.prove(index) or there.entry(index) != here.entry(index):
            raise LedgerFault(f"Entry {index} or its proof differs on the servers.", "Nothing was moved.")
        verify_inclusion(index, head.size, leaf_hash(there.entry(index)), there.inclusion(index, head.size), head.root)
    for anchor in AnchorStore(home.anchors_db).all():
        if there.root(anchor.size) != anchor.root:
            raise LedgerFault(f"The servers give another root than {anchor.witness} cosigned at {anchor.size}.", "Nothing was moved.")


def set_aside(home: Home) -> None:
    """Put the ledger and the records of a home that has moved into `HOME/moved`, where nobody will take them for its own."""
    moved = home.root / MOVED
    moved.mkdir(exist_ok=True)
    rest = (home.root / "archive", home.derived / "writer.state", home.run / "durable")
    records = (home.records_db.with_name(home.records_db.name + end) for end in ("", "-wal", "-shm"))
    for path in (home.segments, home.ledger, home.checkpoints_log, *rest, *records):
        if path.exists() and not (moved / path.name).exists():
            shutil.move(path, moved / path.name)
    for path in (home.segments, home.ledger):
        path.mkdir(exist_ok=True)
