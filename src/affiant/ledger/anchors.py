"""Getting outside cosignatures: submits the newest head to each configured witness and keeps what comes back.

Blocking calls with timeouts: use a thread from an event loop. Leaves out: when to ask (control's scheduler) and writing the events.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.parse
from dataclasses import dataclass

from affiant.kit.clock import Clock
from affiant.kit.crypto import signature_holds
from affiant.kit.errors import CouldNotLook
from affiant.kit.home import Home, Witness
from affiant.ledger.anchorstore import Anchor, AnchorStore
from affiant.ledger.checkpoints import SignedHead, parse_vkey
from affiant.ledger.envelope import Draft
from affiant.ledger.reader import LedgerReader
from affiant.ledger.witness import origin_id
from affiant.proof.errors import ProofError
from affiant.proof.note import Checkpoint, Note, VerifierKey

TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 64 * 1024
MAX_WHY = 300


def http_request(
    method: str, url: str, body: bytes | None, timeout_s: float, content_type: str = "text/plain; charset=utf-8"
) -> tuple[int, bytes]:
    """One HTTP exchange.

    Raises:
        CouldNotLook: no answer could be had.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CouldNotLook(f"{url} is no http or https URL.", "Correct the witness's URL.")
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout_s, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    try:
        connection.request(method, parts.path or "/", body, {"content-type": content_type})
        response = connection.getresponse()
        return response.status, response.read(MAX_ANSWER_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise CouldNotLook(f"{parts.netloc} did not answer: {error}.", "Try again later.") from error
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one witness did: an anchor, or why there is none; `draft` is the event to append."""

    witness: str
    anchor: Anchor | None
    why: str
    draft: Draft


class Anchors:
    """Cosigned heads of one home.

    Args:
        home: with its configured witnesses.
        reader: of its ledger.
        clock: wall time.
    """

    def __init__(self, home: Home, reader: LedgerReader, clock: Clock, timeout_s: float = TIMEOUT_S) -> None:
        self._home = home
        self._reader = reader
        self._clock = clock
        self._timeout_s = timeout_s
        self._store = AnchorStore(home.anchors_db)

    def all(self) -> list[Anchor]:
        """Every cosigned head kept, by size."""
        return self._store.all()

    def newest(self) -> Anchor | None:
        """The cosigned head that covers most."""
        return self._store.newest()

    def submit(self, head: SignedHead | None = None) -> list[Outcome]:
        """Ask each witness to cosign a head (the one in force if None). A size that a witness has cosigned costs no request.

        Returns:
            One outcome a witness; append the drafts of those with a draft type of `anchor.cosigned` or `anchor.missed`.
        """
        head = head or self._reader.checkpoint()
        return [self._one(witness, head) for witness in self._home.witnesses if self._store.largest(witness.name, head.size) < head.size]

    def _one(self, witness: Witness, head: SignedHead) -> Outcome:
        at_us = self._clock.now_us()
        try:
            note, time_s = self._ask(witness, head)
        except CouldNotLook as error:
            why = error.message[:MAX_WHY]
            draft = Draft(
                "anchor.missed", {"size": head.size, "witness": witness.name, "why": why}, ref=str(head.size), actor="system:ledger"
            )
            return Outcome(witness.name, None, why, draft)
        anchor = Anchor(witness.name, head.size, head.root, time_s, at_us, note)
        self._store.add(anchor)
        body = {"size": head.size, "root": head.root.hex(), "witness": witness.name, "time": time_s, "checkpoint_at": head.at_us or at_us}
        return Outcome(witness.name, anchor, "", Draft("anchor.cosigned", body, ref=str(head.size), actor="system:ledger"))

    def _ask(self, witness: Witness, head: SignedHead) -> tuple[bytes, int]:
        key = parse_vkey(witness.vkey)
        url = witness.url.rstrip("/") + "/add-checkpoint"
        old = self._store.largest(witness.name, head.size)
        for _ in range(3):
            status, body = http_request("POST", url, self._request(old, head), self._timeout_s)
            if status == 200:
                return _cosigned(head.note, body, key)
            if status != 409:
                text = body.decode("utf-8", "replace").strip()
                raise CouldNotLook(f"{witness.name} refused with {status}: {text}", "Look at its log; compare histories.")
            known = body.strip()
            if not known.isdigit() or len(known) > 18:
                raise CouldNotLook(f"{witness.name} answered 409 without a size.", "Look at its log.")
            old = int(known)
            if old > head.size:
                raise CouldNotLook(f"{witness.name} knows {old} entries, more than {head.size}.", "The ledger may have been rolled back.")
        raise CouldNotLook(f"{witness.name} keeps naming other sizes.", "Try again later.")

    def _request(self, old: int, head: SignedHead) -> bytes:
        proof = self._reader.consistency(old, head.size) if 0 < old < head.size else []
        return format_request(old, proof, head.note)


def format_request(old: int, proof: list[bytes], note: bytes) -> bytes:
    """Body of add-checkpoint."""
    lines = [f"old {old}", *(base64.b64encode(hash_).decode() for hash_ in proof)]
    return ("\n".join(lines) + "\n\n").encode() + note


def _cosigned(note: bytes, lines: bytes, key: VerifierKey) -> tuple[bytes, int]:
    """The note with the witness's line, and its time.

    Raises:
        CouldNotLook: its cosignature is not there or does not hold.
    """
    try:
        whole = Note.parse(note)
        for line in lines.decode("utf-8").splitlines():
            candidate = Note(whole.text, ()).with_line(line)
            for signed in candidate.verify([key], signature_holds):
                if signed.time_s > 0:
                    return whole.with_line(line).to_bytes(), signed.time_s
    except (ProofError, UnicodeDecodeError) as error:
        raise CouldNotLook(f"The cosignature of {key.name} does not hold: {error}", "Check the witness's verifier key.") from error
    raise CouldNotLook(f"{key.name} answered without its cosignature.", "Check the witness's verifier key.")


def witness_size(witness: Witness, origin: str, timeout_s: float = TIMEOUT_S) -> int:
    """How many entries of a log a witness has cosigned; 0 if it never cosigned that log.

    Raises:
        CouldNotLook: it cannot be asked, or its answer does not hold.
    """
    status, body = http_request("GET", f"{witness.url.rstrip('/')}/{origin_id(origin)}/checkpoint", None, timeout_s)
    if status == 404:
        return 0
    if status != 200:
        raise CouldNotLook(f"{witness.name} answered {status}.", "Look at its log.")
    try:
        note = Note.parse(body)
        checkpoint = Checkpoint.parse(note.text)
        if not note.verify([parse_vkey(witness.vkey)], signature_holds) or checkpoint.origin != origin:
            raise CouldNotLook(f"{witness.name} answered with a note that it did not cosign.", "Check its verifier key.")
    except ProofError as error:
        raise CouldNotLook(f"{witness.name} answered with no cosigned note: {error}", "Check its verifier key.") from error
    return checkpoint.size


def witness_knows_longer(witness: Witness, origin: str, size: int = 0, timeout_s: float = TIMEOUT_S) -> bool:
    """Whether a witness has cosigned more than `size` entries of a log: a new ledger of that origin would be a roll-back.

    Raises:
        CouldNotLook: it cannot be asked.
    """
    return witness_size(witness, origin, timeout_s) > size
