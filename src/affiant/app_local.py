"""What a command does with a home that nothing serves: create it, or mount its API in this process under its lock.

The command is the only process of the home then: it opens the records, runs the same API as control does, and finally moves every
record change into the ledger with a writer of its own. Leaves out: a home that is served (`app_supervisor`).
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from starlette.applications import Starlette
from starlette.routing import Mount

from affiant import api
from affiant.app_asgi import call_app
from affiant.app_life import alone
from affiant.app_work import Work, adopt_library, adopter, probe_key_keeper
from affiant.catalog import Catalog, load
from affiant.gateway.policies import judge_detectors
from affiant.kit.clock import Clock, open_clock
from affiant.kit.errors import BadInput, Conflict, LedgerUnavailable
from affiant.kit.home import Home, Witness, create_home, open_home
from affiant.kit.keyring import Keyring, create_keyring, open_keyring
from affiant.ledger import (
    Anchors,
    Draft,
    LedgerClientSync,
    LedgerReader,
    Report,
    Writer,
    signing_key,
    witness_knows_longer,
)
from affiant.ledger.opening import reading
from affiant.ledger.timestamps import Stamps
from affiant.ledger.where import is_server_home
from affiant.records import Records

if TYPE_CHECKING:
    from affiant.ledger.serverhome import ServerConfig

MAX_ORIGIN = 128
_NODE_READY_S = 60.0
_NODE_END_S = 30.0


def init(root: Path, origin: str, node: str, witnesses: tuple[Witness, ...], servers: Path | None = None) -> tuple[Home, str]:
    """Create a home: directories, keys, records, the ledger's first entries, the shipped controls adopted.

    Args:
        servers: a file in the format of `server.json`: the ledger begins there, not in the home.

    Returns:
        The home and its log's verifier key.

    Raises:
        Conflict: the directory is not empty, or a witness knows this origin already; nothing is left behind.
        CouldNotLook: a witness could not be asked.
    """
    _check_names(origin, node)
    catalog = load()
    config = _servers(servers) if servers is not None else None
    for witness in witnesses:
        if witness_knows_longer(witness, origin):
            raise Conflict(
                f"{witness.name} has cosigned a ledger named {origin}: it exists already.",
                "Restore it from a backup, or choose another --origin.",
            )
    fresh = not root.exists()
    clock = open_clock()
    home = create_home(root, origin, clock.now_us(), node, witnesses)
    try:
        ring = create_keyring(home)
        with alone(home):
            if config is None:
                return home, _begin(home, ring, clock, catalog)
            from affiant.ledger.serverhome import found

            found(home, ring, clock, config)
    except BaseException:
        _remove(home.root, fresh)
        raise
    # From here on the ledger is there: the home that holds its key stays, whatever fails.
    with alone(home):
        _begin_records(home, ring, clock, catalog)
    return home, str(signing_key(home, ring).vkey)


def _begin(home: Home, ring: Keyring, clock: Clock, catalog: Catalog) -> str:
    with Writer.create(home, ring, clock) as writer:
        records = Records(home, ring, clock, create=True)
        try:
            adopt_library(home, records, catalog)
        finally:
            records.close()
        writer.pump_outbox()
        writer.append(writer.ending(writer.name, "stopped"))
        writer.checkpoint()
        return writer.vkey


def _begin_records(home: Home, ring: Keyring, clock: Clock, catalog: Catalog) -> None:
    records, pen = Records(home, ring, clock, create=True), _NodePen(home, clock)
    try:
        adopt_library(home, records, catalog)
        pen.close(records)
    finally:
        pen.let_go()
        records.close()


def migrate(home: Home, servers: Path) -> Report:
    """Move ledger and records of a home that nothing serves to servers; see `serverhome.migrate` and `records.move`."""
    config = _servers(servers)
    from affiant.ledger.serverhome import migrate as move
    from affiant.records.move import move_records

    with alone(home):
        return move(home, open_keyring(home), open_clock(), config, move_records)


def join(root: Path, servers: Path) -> Home:
    """Make a directory with a copy of another node's `affiant.json` and `keys/` another node of its ledger; see `serverhome.join`.

    Raises:
        Conflict: it has a ledger or records of its own, or its keyring or origin is another.
    """
    home, config = open_home(root), _servers(servers)
    _check_names(home.origin, home.node)
    from affiant.ledger.serverhome import join as become

    for folder in (home.ledger, home.segments, home.derived, home.files, home.run):
        folder.mkdir(exist_ok=True)
    home.run.chmod(0o700)
    ring = open_keyring(home)
    with alone(home):
        become(home, ring, config)
    return home


def _servers(path: Path) -> ServerConfig:
    from affiant.ledger.serverhome import read_config

    return read_config(path)


def _remove(root: Path, with_root: bool) -> None:
    """Take back what a failed `init` made; the directory itself only if it was not there before."""
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if with_root:
        root.rmdir()


def _check_names(origin: str, node: str) -> None:
    if not origin or len(origin) > MAX_ORIGIN or any(c.isspace() or c == "+" or not c.isprintable() for c in origin):
        raise BadInput(
            f"{origin!r} is no origin.", f"Write at most {MAX_ORIGIN} characters without spaces or +, such as example.com/affiant."
        )
    if not node or len(node) > 64 or not all(c.isalnum() or c in "._-" for c in node) or not node[0].isalnum() or not node.isascii():
        raise BadInput(f"{node!r} is no name of a node.", "Use letters, digits, dots and hyphens, such as n1.")


class _Local:
    """The API of one home in this process."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def call(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """One request; see `cli.LocalApi`."""
        return asyncio.run(call_app(self._app, method, path, headers, body))

    def fetch(self, path: str, headers: dict[str, str], body: bytes, into: BinaryIO) -> tuple[int, bytes]:
        """One request whose good answer goes into a file; see `cli.LocalApi`."""
        return asyncio.run(call_app(self._app, "POST", path, headers, body, into))


class _Pen:
    """The writer of a command, opened when there is something to write, so that looking leaves no entry."""

    def __init__(self, home: Home, keyring: Keyring, clock: Clock) -> None:
        self._home, self._keyring, self._clock = home, keyring, clock
        self._writer: Writer | None = None

    def _open(self) -> Writer:
        if self._writer is None:
            self._writer = Writer.open(self._home, self._keyring, self._clock)
            self._writer.append([self._writer.started_draft()])
            self._writer.end_all("restarted")
        return self._writer

    def append(self, drafts: Sequence[Draft]) -> int:
        """Write events now; gives the index of the first."""
        return self._open().append(list(drafts)) - len(drafts) + 1

    def settle(self, records: Records) -> None:
        """Bring record changes into the ledger, and sign over everything on disk."""
        if records.outbox_size() or self._writer is not None:
            writer = self._open()
            writer.pump_outbox()
            writer.checkpoint()

    def close(self, records: Records) -> None:
        """Settle, say that this writer ends, let go."""
        self.settle(records)
        if self._writer is not None:
            self._writer.append(self._writer.ending(self._writer.name, "stopped"))
            self._writer.checkpoint()
            self._writer.close()


class _NodePen:
    """As `_Pen` where the ledger lies on servers: a node's writer process of this command's own, started when something is written."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._home, self._clock = home, clock
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: socket.socket | None = None
        self._client: LedgerClientSync | None = None

    def _open(self) -> LedgerClientSync:
        if self._client is None:
            self._start()
            path = self._home.run / "writer.sock"
            self._client = LedgerClientSync(path, self._home.node, "control", self._clock, timeout_s=_NODE_READY_S)
        return self._client

    def _start(self) -> None:
        self._lifeline, theirs = socket.socketpair()
        command = [sys.executable, "-m", "affiant.app", "writer", "--home", str(self._home.root), "--lifeline", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[theirs.fileno()], start_new_session=True
            )
        self._lifeline.settimeout(_NODE_READY_S)
        try:
            ready = self._lifeline.recv(64)
        except OSError:
            ready = b""
        if b"ready" not in ready:
            self.let_go()
            raise LedgerUnavailable("The node's writer did not start.", "Its reason is printed above.")

    def append(self, drafts: Sequence[Draft]) -> int:
        """Write events now; gives the index of the first."""
        return self._open().append(list(drafts))

    def settle(self, records: Records) -> None:
        """Bring record changes into the ledger, and have everything signed."""
        if records.outbox_size() or self._client is not None:
            client = self._open()
            client.outbox()
            client.checkpoint()

    def close(self, records: Records) -> None:
        """Settle, end the writer."""
        try:
            self.settle(records)
        finally:
            self.let_go()

    def let_go(self) -> None:
        """End the writer, if one was started: it ends when the lifeline is closed."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None
        if self._process is not None:
            try:
                self._process.wait(_NODE_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


@contextmanager
def open_local(home: Home) -> Iterator[_Local]:
    """Mount the API of a home; leaving brings every record change into the ledger, under a signed checkpoint.

    Raises:
        Conflict: another process holds the home.
        AffiantError: keys, records or ledger cannot be opened.
    """
    keyring, clock = open_keyring(home), open_clock()
    with alone(home):
        records = Records(home, keyring, clock, judge=judge_detectors)
        pen = _NodePen(home, clock) if is_server_home(home) else _Pen(home, keyring, clock)
        try:
            with reading(home) as reader:
                context = _context(home, keyring, clock, records, pen, reader)
                yield _Local(Starlette(routes=[Mount("/api/v1", api.create_api(context, allow_local=True))]))
        finally:
            try:
                pen.close(records)
            finally:
                records.close()


def _context(home: Home, keyring: Keyring, clock: Clock, records: Records, pen: _Pen | _NodePen, reader: LedgerReader) -> api.Context:
    async def settle() -> None:
        pen.settle(records)

    async def anchor() -> str:
        drafts = [outcome.draft for outcome in Anchors(home, reader, clock).submit()]
        drafts += [stamp.draft for stamp in Stamps(home, clock).hourly(reader.checkpoint()) if stamp.draft is not None]
        if drafts:
            pen.append(drafts)
        return ""

    async def ask(verb: str, arguments: dict[str, Any]) -> Any:
        from affiant.app_runs import VERBS  # heavy: only where analytics are asked for

        return VERBS[verb](home, arguments, pen.append)

    work = Work(ask, settle, anchor)
    return api.Context(
        records=records, reader=reader, clock=clock, local_token=keyring.local_token, run_controls=work.run_controls,
        build_package=work.build_package, adopt_controls=adopter(home, records), save_probe_key=probe_key_keeper(home, keyring, records),
    )  # fmt: skip
