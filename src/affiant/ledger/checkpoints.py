"""Signed heads: making them, the one in force (`ledger/checkpoint`) and those kept for later (`checkpoints.log`).

`checkpoints.log` has one JSON object a line: `at` (this home's wall clock, µs), `size`, `root` (hex), `note` (text).
Leaves out: whether a head is right (`recovery`, `verify`), outside signatures (`anchors`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

from affiant.kit.crypto import signature_holds
from affiant.kit.errors import AffiantError, BadInput, LedgerFault, LedgerUnavailable
from affiant.kit.home import Home
from affiant.kit.signer import LocalSigner, Signer
from affiant.ledger.fileops import FileOps
from affiant.proof.errors import ProofError
from affiant.proof.logkeys import LogKeys
from affiant.proof.note import ALG_ED25519, Checkpoint, Note, VerifierKey, sign_note_text, signature_line

MINUTE_US = 60_000_000


class LogKey:
    """The log's signing key under its origin as key name.

    Args:
        origin: of the log.
        key: its seed, or whoever holds it.
        beside: keys that it replaced and that still sign beside it, each with the instant (µs) at which that ends.
    """

    def __init__(self, origin: str, key: bytes | Signer, beside: Sequence[tuple[LogKey, int]] = ()) -> None:
        self._signer: Signer = LocalSigner(key) if isinstance(key, bytes) else key
        self._beside = tuple(beside)
        self.vkey = VerifierKey(origin, ALG_ED25519, self._signer.public)

    def sign(self, checkpoint: Checkpoint, at_us: int = 0) -> bytes:
        """The signed note of a checkpoint made at `at_us`.

        Raises:
            LedgerUnavailable: whoever holds a key cannot be reached; nothing was signed.
        """
        note = self.sign_text(checkpoint.text())
        for old, until_us in self._beside:
            if at_us < until_us:
                note += signature_line(checkpoint.text(), old.vkey, old.raw).encode()
        return note

    def sign_text(self, text: str) -> bytes:
        """A signed note over any text, by this key alone.

        Raises:
            LedgerUnavailable: as `sign`.
        """
        return sign_note_text(text, self.vkey, self.raw)

    def raw(self, message: bytes) -> bytes:
        """A bare signature.

        Raises:
            LedgerUnavailable: as `sign`.
        """
        try:
            return self._signer.sign(message)
        except AffiantError as error:
            raise LedgerUnavailable(f"The log's key {self.vkey.id.hex()} cannot sign: {error.message}", error.next_step) from error


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


def open_head(note: bytes, keys: VerifierKey | LogKeys, where: str, at_us: int = 0) -> SignedHead:
    """Read a note and check the log's signature on it: by the key in force at its size, where one followed another.

    Raises:
        LedgerFault: it is no checkpoint of this log, or its signature does not hold.
    """
    try:
        parsed = Note.parse(note)
        checkpoint = Checkpoint.parse(parsed.text)
        if isinstance(keys, LogKeys):
            keys.check(parsed)
        elif checkpoint.origin != keys.name or not parsed.verify([keys], signature_holds):
            raise LedgerFault(f"{where} is not signed by {keys.name}.", "Restore it, or the keyring that belongs to this home.")
    except ProofError as error:
        raise LedgerFault(
            f"{where} does not hold: {error.message}", "Restore it from a backup, or the keyring that belongs to this home."
        ) from error
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
        key: signs; replaced where the log's key is.
        current: the head on disk, as verified at start; None for a new ledger.
    """

    def __init__(self, home: Home, key: LogKey, ops: FileOps, current: SignedHead | None) -> None:
        self.current = current
        self.key = key
        self._home = home
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
            note = self.key.sign(Checkpoint(self._home.origin, size, root), at_us)
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
                self._ops.sync(fd)
            except OSError:
                self._ops.truncate(fd, offset)
                raise
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
