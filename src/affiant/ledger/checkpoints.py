"""Signed heads: making them, the one in force (`ledger/checkpoint`) and those kept for later (`checkpoints.log`).

`checkpoints.log` has one JSON object a line: `at` (this home's wall clock, µs), `size`, `root` (hex), `note` (text).
Leaves out: whether a head is right (`recovery`, `verify`), outside signatures (`anchors`).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from affiant.kit.errors import BadInput, LedgerFault
from affiant.kit.home import Home
from affiant.ledger.fileops import FileOps
from affiant.proof.errors import ProofError
from affiant.proof.note import ALG_ED25519, Checkpoint, Note, VerifierKey, sign_note_text

MINUTE_US = 60_000_000


class LogKey:
    """The log's signing key under its origin as key name."""

    def __init__(self, origin: str, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.vkey = VerifierKey(origin, ALG_ED25519, public)

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """The signed note of a checkpoint."""
        return sign_note_text(checkpoint.text(), self.vkey, self._private.sign)


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A checkpoint that was signed.

    Args:
        at_us: when, by this home's clock; 0 where that was not kept.
        size: number of entries.
        root: root hash over them.
        note: the signed note's bytes.
    """

    at_us: int
    size: int
    root: bytes
    note: bytes


def open_head(note: bytes, vkey: VerifierKey, where: str, at_us: int = 0) -> SignedHead:
    """Read a note and check the log's signature on it.

    Raises:
        LedgerFault: it is no checkpoint of this log, or its signature does not hold.
    """
    try:
        parsed = Note.parse(note)
        checkpoint = Checkpoint.parse(parsed.text)
        signed = parsed.verify([vkey])
    except ProofError as error:
        raise LedgerFault(f"{where} does not hold: {error.message}", "Restore it from a backup.") from error
    if checkpoint.origin != vkey.name or not signed:
        raise LedgerFault(f"{where} is not signed by {vkey.name}.", "Restore it, or the keyring that belongs to this home.")
    return SignedHead(at_us, checkpoint.size, checkpoint.root, note)


def read_note(home: Home) -> bytes:
    """Bytes of the checkpoint in force.

    Raises:
        LedgerFault: there is none.
    """
    try:
        return (home.ledger / "checkpoint").read_bytes()
    except OSError as error:
        raise LedgerFault(
            f"{home.ledger / 'checkpoint'} cannot be read: {error.strerror}.",
            "Restore it from a backup; the newest line of checkpoints.log holds a signed head too.",
        ) from error


def read_kept(home: Home) -> list[SignedHead]:
    """All kept checkpoints, oldest first; signatures are not checked here.

    Raises:
        LedgerFault: a line other than an unfinished last one is unreadable.
    """
    try:
        data = home.checkpoints_log.read_bytes()
    except FileNotFoundError:
        return []
    heads: list[SignedHead] = []
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            raw = json.loads(line)
            heads.append(SignedHead(int(raw["at"]), int(raw["size"]), bytes.fromhex(raw["root"]), raw["note"].encode()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LedgerFault(f"Line {number} of {home.checkpoints_log} is damaged.", "Restore the file from a backup.") from error
    return heads


class Publisher:
    """Publishes heads of one home. Never publishes over a checkpoint that it does not know.

    Args:
        current: the head on disk, as verified at start; None for a new ledger.
    """

    def __init__(self, home: Home, key: LogKey, ops: FileOps, current: SignedHead | None) -> None:
        self.current = current
        self._home = home
        self._key = key
        self._ops = ops
        self._kept: SignedHead | None = None
        self._cut_unfinished_line()
        kept = read_kept(home)
        if kept:
            self._kept = kept[-1]

    def _cut_unfinished_line(self) -> None:
        path = self._home.checkpoints_log
        if path.exists():
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole != len(data):
                os.truncate(path, whole)

    def publish(self, size: int, root: bytes, at_us: int, keep: bool) -> SignedHead:
        """Sign and publish a head over entries that are on disk, whose tiles are in place.

        Args:
            keep: append it to `checkpoints.log` even if this wall minute has one.

        Raises:
            LedgerFault: another head than the last one of this process lies on disk, or this one would contradict it.
        """
        head = self.current
        if head is None or size != head.size:
            if head is not None and size < head.size:
                raise LedgerFault(f"A head of {size} entries would roll {head.size} back.", "Stop; run `affiant ledger verify`.")
            note = self._key.sign(Checkpoint(self._home.origin, size, root))
            if head is not None and read_note(self._home) != head.note:
                raise LedgerFault("The checkpoint on disk was replaced by another process.", "Stop whatever else writes to this home.")
            head = SignedHead(at_us, size, root, note)
            self._ops.replace(self._home.ledger / "checkpoint", note, durable=True)
            self.current = head
        elif root != head.root:
            raise LedgerFault(f"Two roots for {size} entries.", "Stop; run `affiant ledger verify`.")
        if self._kept is None or (self._kept.size != size and (keep or at_us // MINUTE_US != self._kept.at_us // MINUTE_US)):
            self._keep(SignedHead(at_us, head.size, head.root, head.note))
        return head

    def _keep(self, head: SignedHead) -> None:
        line = {"at": head.at_us, "size": head.size, "root": head.root.hex(), "note": head.note.decode()}
        data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        fd = os.open(self._home.checkpoints_log, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            offset, written = os.fstat(fd).st_size, 0
            try:
                while written < len(data):
                    written += self._ops.write(fd, memoryview(data)[written:], offset + written)
            except OSError:
                self._ops.truncate(fd, offset)
                raise
            self._ops.sync(fd)
        finally:
            os.close(fd)
        self._kept = head


def log_vkey(home: Home, seed: bytes) -> VerifierKey:
    """Verifier key of a home's log, from its keyring."""
    return LogKey(home.origin, seed).vkey


def parse_vkey(text: str) -> VerifierKey:
    """Read a verifier key.

    Raises:
        BadInput: it is none.
    """
    try:
        return VerifierKey.parse(text.strip())
    except ProofError as error:
        raise BadInput(error.message, error.next_step) from error
