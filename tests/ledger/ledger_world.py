"""A home with a ledger for tests, a disk that fails where told, and a writer process that can be killed."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from affiant.kit.clock import FixedClock
from affiant.kit.home import Home, Witness, create_home, open_home
from affiant.kit.keyring import Keyring
from affiant.ledger import Draft, LedgerReader, Writer, WriterOptions, encode, verify_home
from affiant.ledger.fileops import FileOps
from affiant.proof.hashes import leaf_hash, root_of

NOW = 1_790_000_000_000_000
RING = Keyring(bytes(range(32)), bytes(32), "local")
ORIGIN = "test.example/log"


def new_home(root: Path, witnesses: tuple[Witness, ...] = ()) -> Home:
    return create_home(root, ORIGIN, NOW, "n1", witnesses)


def create(root: Path, clock: FixedClock | None = None, witnesses: tuple[Witness, ...] = ()) -> Home:
    home = new_home(root, witnesses)
    Writer.create(home, RING, clock or FixedClock(NOW)).close()
    return home


def open_writer(home: Home, ops: FileOps | None = None, clock: FixedClock | None = None, **options: object) -> Writer:
    return Writer.open(home, RING, clock or FixedClock(NOW), WriterOptions(**options), ops)  # type: ignore[arg-type]


def note(text: str, ref: str = "") -> Draft:
    """A small event."""
    return Draft("job.run", {"due": 1, "ok": 1, "note": text}, ref=ref, actor="system:test")


def opened(ref: str) -> Draft:
    return Draft("exchange.opened", {"surface": "chat.completions"}, ref=ref, tenant="t", actor="key:k")


def closed(ref: str) -> Draft:
    return Draft("exchange.closed", {"outcome": "answered"}, ref=ref, tenant="t", actor="key:k")


def rows(producer: str, first: int, drafts: list[Draft]) -> list[list[object]]:
    marks = {"exchange.opened": 1, "exchange.closed": 2}
    return [[first + n, marks.get(draft.type, 0), draft.ref, encode(draft, producer, first + n, NOW, 0)] for n, draft in enumerate(drafts)]


def put(writer: Writer, producer: str, first: int, drafts: list[Draft]) -> int:
    """Stage, write, apply; gives the first index."""
    batch = writer.stage(producer, rows(producer, first, drafts))
    if batch.first_index < 0:
        writer.write([batch])
        writer.applied([batch])
    return batch.first_index


def check(home: Home, size: int | None = None) -> LedgerReader:
    """Verify everything, and the root once more in the plainest way."""
    report = verify_home(home)
    assert report.good, "\n".join(report.lines())
    reader = LedgerReader(home)
    head = reader.checkpoint()
    assert root_of(leaf_hash(entry) for entry in reader.entries(0, head.size)) == head.root
    if size is not None:
        assert reader.size == size
    return reader


class FailingOps(FileOps):
    """A disk that fails: set `fail` to (call, countdown, errno); a write may first put some bytes down."""

    def __init__(self) -> None:
        self.fail: tuple[str, int, int] | None = None
        self.partial = 0
        self.free: int | None = None
        self.calls: list[str] = []

    def _maybe(self, call: str) -> None:
        self.calls.append(call)
        if self.fail is not None and self.fail[0] == call:
            name, left, code = self.fail
            if left == 0:
                self.fail = None
                raise OSError(code, os.strerror(code))
            self.fail = (name, left - 1, code)

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        if self.fail is not None and self.fail[:2] == ("write", 0) and self.partial:
            partial, self.partial = self.partial, 0
            return os.pwrite(fd, bytes(data[:partial]), offset)
        self._maybe("write")
        return super().write(fd, data, offset)

    def datasync(self, fd: int) -> None:
        self._maybe("datasync")
        super().datasync(fd)

    def sync(self, fd: int) -> None:
        self._maybe("sync")
        super().sync(fd)

    def allocate(self, fd: int, offset: int, length: int) -> bool:
        self._maybe("allocate")
        return super().allocate(fd, offset, length)

    def truncate(self, fd: int, size: int) -> None:
        self._maybe("truncate")
        super().truncate(fd, size)

    def free_bytes(self, path: Path) -> int:
        return super().free_bytes(path) if self.free is None else self.free


FULL = errno.ENOSPC


def copy_home(home: Home, to: Path) -> Home:
    shutil.copytree(home.root, to, ignore=shutil.ignore_patterns("*.sock"))
    return open_home(to)


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def make_records(home: Home) -> None:
    """The part of records.db that the writer reads."""
    with closing(sqlite3.connect(home.records_db)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(
            """CREATE TABLE outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL UNIQUE, data BLOB NOT NULL,
               mark INTEGER NOT NULL DEFAULT 0, ref TEXT NOT NULL DEFAULT '');
               CREATE TABLE outbox_seq(next INTEGER NOT NULL); INSERT INTO outbox_seq VALUES (0);"""
        )


def add_outbox(home: Home, count: int, text: str = "change") -> None:
    """Commit records events as the records room does."""
    with closing(sqlite3.connect(home.records_db, timeout=10)) as db, db:
        for _ in range(count):
            seq = db.execute("SELECT next FROM outbox_seq").fetchone()[0]
            data = encode(note(f"{text} {seq}", ref=f"ch_{seq}"), "n1/records/0", seq, NOW, 0)
            db.execute("INSERT INTO outbox(seq, data, mark, ref) VALUES (?, ?, 0, ?)", (seq, data, f"ch_{seq}"))
            db.execute("UPDATE outbox_seq SET next = next + 1")


def outbox_left(home: Home) -> int:
    with closing(sqlite3.connect(home.records_db)) as db:
        return int(db.execute("SELECT count(*) FROM outbox").fetchone()[0])


_PROCESS = """
import sys
from pathlib import Path
from affiant.kit.clock import open_clock
from affiant.kit.home import open_home
from affiant.kit.keyring import Keyring
from affiant.ledger import WriterOptions, run_writer
run_writer(open_home(Path(sys.argv[1])), Keyring(bytes(range(32)), bytes(32), "local"), open_clock(),
           WriterOptions(grace_s=float(sys.argv[2]), segment_bytes=300_000, spare_after=20_000), ready=lambda: print("ready", flush=True))
"""


class WriterProcess:
    """A real writer process, whose segments are short and made ahead."""

    def __init__(self, home: Home, grace_s: float = 2.0) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", _PROCESS, str(home.root), str(grace_s)], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        if self.process.stdout.readline() != b"ready\n":
            self.end(signal.SIGKILL)
            raise AssertionError("the writer did not start")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(timeout=20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@contextmanager
def writer_process(home: Home, grace_s: float = 2.0) -> Iterator[WriterProcess]:
    process = WriterProcess(home, grace_s)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.end()
