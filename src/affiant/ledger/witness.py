"""An outside cosigner: what it accepts, refuses and remembers (C2SP tlog-witness, tlog-cosignature). No HTTP here.

One Ed25519 key, one SQLite state file. It keeps, publishes and returns again its *first* cosignature for each size of each log, so that
a cosignature's bytes can serve as a seed that nobody could choose twice. Leaves out: serving (`witnessapp`), asking (`anchors`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from affiant.kit.clock import Clock
from affiant.kit.crypto import signature_holds
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.ledger.checkpoints import parse_vkey
from affiant.proof.errors import Lie, Malformed, ProofError
from affiant.proof.hashes import EMPTY_ROOT, verify_consistency
from affiant.proof.note import ALG_COSIGNATURE, ALG_ED25519, Checkpoint, Note, VerifierKey, signature_line

MAX_PROOF_LINES = 63
MAX_BODY_BYTES = 64 * 1024
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS cosigned(
  origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, time_s INTEGER NOT NULL,
  line TEXT NOT NULL, note BLOB NOT NULL, PRIMARY KEY (origin, size)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused(
  at_s INTEGER NOT NULL, origin TEXT NOT NULL, size INTEGER NOT NULL, why TEXT NOT NULL, note BLOB NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: HTTP status, body, content type."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """A well-formed add-checkpoint: old size, proof, note and what it says."""

    old: int
    proof: list[bytes]
    note: Note
    checkpoint: Checkpoint


def parse_request(body: bytes) -> Request:
    """Read the body of add-checkpoint.

    Raises:
        BadInput: it is not of that form.
    """
    head, separator, note = body.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
        match = _OLD.fullmatch(lines[0])
        proof = [base64.b64decode(line, validate=True) for line in lines[1:]]
    except (UnicodeDecodeError, binascii.Error):
        raise BadInput("Proof lines are not base64.", "See c2sp.org/tlog-witness.") from None
    if not separator or match is None or len(proof) > MAX_PROOF_LINES or any(len(hash_) != 32 for hash_ in proof):
        raise BadInput("The body is no add-checkpoint request.", "See c2sp.org/tlog-witness.")
    try:
        parsed = Note.parse(note)
        return Request(int(match.group(1)), proof, parsed, Checkpoint.parse(parsed.text))
    except ProofError as error:
        raise BadInput(error.message, error.next_step) from error


class WitnessState:
    """Checks and cosigns. Safe for several threads; check and write are one transaction.

    Args:
        path: the state file, made if missing.
        name: of this cosigner, as in its verifier key.
        seed: 32 bytes of its Ed25519 key.
        logs: verifier keys of the logs that it knows.
        clock: wall time.

    Raises:
        BadInput: a log's key is none, or the state file belongs to another key.
    """

    def __init__(self, path: Path, name: str, seed: bytes, logs: Iterable[str], clock: Clock) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key = VerifierKey(name, ALG_COSIGNATURE, public)
        self.vkey = str(self.key)
        self.logs: dict[str, list[VerifierKey]] = {}
        for text in logs:
            log = parse_vkey(text)
            if log.alg != ALG_ED25519:
                raise BadInput(f"{log.name} has no Ed25519 log key.", "Give the log's verifier key.")
            self.logs.setdefault(log.name, []).append(log)
        self._clock = clock
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA + "CREATE TABLE IF NOT EXISTS meta(vkey TEXT NOT NULL) STRICT;")
            owner = self._db.execute("SELECT vkey FROM meta").fetchone()
            if owner is None:
                self._db.execute("INSERT INTO meta VALUES (?)", (self.vkey,))
        except sqlite3.Error as error:
            raise CouldNotLook(
                f"The state file {path} cannot be used: {error}.", "Restore it; a witness without memory must not sign."
            ) from error
        if owner is not None and owner[0] != self.vkey:
            self._db.close()
            raise BadInput(f"{path} belongs to {owner[0]}.", "A witness has one key and one state file.")

    def close(self) -> None:
        """Close the state file."""
        self._db.close()

    def latest(self, origin: str) -> tuple[int, bytes] | None:
        """Size and root of the newest head cosigned for a log."""
        row = self._db.execute("SELECT size, root FROM cosigned WHERE origin = ? ORDER BY size DESC LIMIT 1", (origin,)).fetchone()
        return (int(row[0]), bytes(row[1])) if row else None

    def note(self, origin_hash: str, size: int | None = None) -> bytes | None:
        """The cosigned note first given for a size (newest size if None); the log is named by hex SHA-256 of its origin."""
        query = (
            "SELECT origin, note FROM cosigned WHERE origin = ? AND size = COALESCE(?, (SELECT MAX(size) FROM cosigned WHERE origin = ?))"
        )
        with self._lock:
            for origin in [row[0] for row in self._db.execute("SELECT DISTINCT origin FROM cosigned")]:
                if origin_id(origin) == origin_hash:
                    row = self._db.execute(query, (origin, size, origin)).fetchone()
                    return bytes(row[1]) if row else None
        return None

    def note_of(self, origin: str, size: int) -> bytes | None:
        """The cosigned note first given for a size of a log."""
        return self.note(origin_id(origin), size)

    def recall(self, note: bytes) -> None:
        """Put a head back that this key cosigned before; the caller has checked the cosignature."""
        parsed = Note.parse(note)
        head = Checkpoint.parse(parsed.text)
        own = next(s for s in parsed.signatures if (s.name, s.key_id) == (self.key.name, self.key.id))
        self._db.execute(
            "INSERT OR IGNORE INTO cosigned VALUES (?, ?, ?, ?, ?, ?)", (head.origin, head.size, head.root, own.time_s, own.line(), note)
        )

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one add-checkpoint request; what is signed is on disk before this returns."""
        try:
            request = parse_request(body)
        except BadInput as error:
            return Answer(400, f"{error}\n".encode())
        keys = self.logs.get(request.checkpoint.origin)
        if keys is None:
            return Answer(404, b"This witness does not know that log.\n")
        try:
            signed = request.note.verify(keys, signature_holds)
        except Lie:
            signed = []
        if not signed:
            return Answer(403, b"The log's signature does not hold.\n")
        if request.old > request.checkpoint.size:
            return Answer(400, b"The old size is larger than the checkpoint's.\n")
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                answer = self._decide(request)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        return answer

    def _decide(self, request: Request) -> Answer:
        checkpoint = request.checkpoint
        known = self.latest(checkpoint.origin)
        size, root = known if known is not None else (0, EMPTY_ROOT)
        if request.old != size:
            again = self._again(request)
            return again or Answer(409, b"%d\n" % size, "text/x.tlog.size")
        why = _contradiction(request, size, root)
        if why:
            self._db.execute(
                "INSERT INTO refused VALUES (?, ?, ?, ?, ?)",
                (self._clock.now_us() // 1_000_000, checkpoint.origin, checkpoint.size, why, request.note.to_bytes()),
            )
            return Answer(422, f"{why}\n".encode())
        return self._again(request) or self._cosign(request)

    def _again(self, request: Request) -> Answer | None:
        """The first cosignature for a head that was cosigned before; None for one that was not."""
        row = self._db.execute(
            "SELECT root, line FROM cosigned WHERE origin = ? AND size = ?", (request.checkpoint.origin, request.checkpoint.size)
        ).fetchone()
        return Answer(200, row[1].encode()) if row and bytes(row[0]) == request.checkpoint.root else None

    def _cosign(self, request: Request) -> Answer:
        time_s = self._clock.now_us() // 1_000_000
        line = signature_line(request.note.text, self.key, self._private.sign, time_s)
        keys = self.logs[request.checkpoint.origin]
        known = {(key.name, key.id) for key in keys}
        by_log = tuple(s for s in request.note.signatures if (s.name, s.key_id) in known)
        note = Note(request.note.text, by_log).with_line(line)
        self._db.execute(
            "INSERT INTO cosigned VALUES (?, ?, ?, ?, ?, ?)",
            (request.checkpoint.origin, request.checkpoint.size, request.checkpoint.root, time_s, line, note.to_bytes()),
        )
        return Answer(200, line.encode())


def _contradiction(request: Request, size: int, root: bytes) -> str:
    """Why a head does not extend what was cosigned before; "" if it does."""
    checkpoint = request.checkpoint
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        return "A checkpoint of size 0 must have the root of the empty tree."
    if size == 0:
        return "There is no proof from size 0." if request.proof else ""
    if checkpoint.size == size and checkpoint.root != root:
        return "Another root was cosigned for this size."
    try:
        verify_consistency(size, checkpoint.size, request.proof, root, checkpoint.root)
    except (Lie, Malformed) as error:
        return error.message
    return ""


def origin_id(origin: str) -> str:
    """Hex SHA-256 of an origin: how the monitoring prefix names a log."""
    return hashlib.sha256(origin.encode()).hexdigest()


def witness_seed(path: Path, create: bool = True) -> bytes:
    """The 32-byte seed in a witness's key file (hex), made if missing.

    Raises:
        BadInput: the file holds something else, or is missing and may not be made.
    """
    if not path.exists():
        if not create:
            raise BadInput(f"{path} does not exist.", "Give the witness's key file.")
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(fd, secrets.token_bytes(32).hex().encode() + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
    try:
        seed = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is no witness key file: {error}.", "It holds 64 hexadecimal digits.") from error
    if len(seed) != 32:
        raise BadInput(f"{path} is no witness key file.", "It holds 64 hexadecimal digits.")
    return seed


def witness_vkey(name: str, seed: bytes) -> str:
    """Verifier key of a witness."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return str(VerifierKey(name, ALG_COSIGNATURE, public))
