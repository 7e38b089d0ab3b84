"""One visit of a witness to a published log: fetch its head, check that it extends the last one seen, cosign, remember. For a CI job.

The memory is a text file, one JSON object a line for each head cosigned (so that a repository or a cache can keep it, and a reader can
see it grow); each line carries this witness's own cosignature, so that a memory that was altered is noticed. What is accepted is
decided by the same code as in a witness that serves (`witness`). Leaves out: serving.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from affiant.kit.clock import Clock
from affiant.kit.errors import BadInput, CouldNotLook, LedgerFault
from affiant.kit.home import Home
from affiant.ledger.anchors import TIMEOUT_S, format_request, http_request
from affiant.ledger.anchorstore import Anchor, AnchorStore
from affiant.ledger.checkpoints import parse_vkey
from affiant.ledger.reader import LedgerReader
from affiant.ledger.witness import WitnessState, witness_vkey
from affiant.proof.errors import Malformed, ProofError
from affiant.proof.hashes import consistency_proof, node_hash
from affiant.proof.note import Checkpoint, Note
from affiant.proof.tiles import TILE_WIDTH, tile_path


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of a visit.

    Args:
        origin: of the log.
        size: entries that are cosigned now; `before` were before.
        note: the cosigned checkpoint.
        new: whether it was cosigned now, not before.
    """

    origin: str
    before: int
    size: int
    note: bytes
    new: bool


class _Published:
    """A log at a URL (C2SP tlog-tiles): its head, and hashes out of its tiles. Believed is only what a proof shows."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url, self._timeout_s = url.rstrip("/"), timeout_s
        self._tiles: dict[tuple[int, int], bytes] = {}
        self.note = self._get("checkpoint")
        try:
            self.head = Checkpoint.parse(Note.parse(self.note).text)
        except Malformed as error:
            raise CouldNotLook(f"{url} publishes no checkpoint: {error.message}", "Is this the URL of a ledger?") from error

    def _get(self, path: str) -> bytes:
        status, data = http_request("GET", f"{self._url}/{path}", None, self._timeout_s)
        if status != 200:
            raise CouldNotLook(f"{self._url}/{path} answered {status}.", "Ask whoever publishes the ledger.")
        return data

    def hash(self, level: int, index: int) -> bytes:
        """Hash of the complete subtree over [index·2^level, (index+1)·2^level)."""
        tile_level, above = divmod(level, 8)
        first, count = index << above, 1 << above
        number, at = divmod(first, TILE_WIDTH)
        key = (tile_level, number)
        if key not in self._tiles:
            width = min(TILE_WIDTH, (self.head.size >> 8 * tile_level) - number * TILE_WIDTH)
            self._tiles[key] = self._get(tile_path(tile_level, number, width))
            if len(self._tiles[key]) != width * 32:
                raise CouldNotLook(f"A tile of {self._url} has {len(self._tiles[key])} bytes.", "Ask whoever publishes the ledger.")
        tile = self._tiles[key]
        hashes = [tile[32 * n : 32 * n + 32] for n in range(at, at + count)]
        while len(hashes) > 1:
            hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
        return hashes[0]


def visit_once(memory: Path, name: str, seed: bytes, logs: Sequence[str], url: str, clock: Clock, timeout_s: float = TIMEOUT_S) -> Visit:
    """Visit a log once.

    Args:
        memory: text file that is made if missing; keep it from visit to visit, and never start again without it under the same key.
        name: of this witness, unique in the world.
        seed: 32 bytes of its Ed25519 key.
        logs: verifier keys of the log, obtained from its company; more than one where it handed over to a new key.
        url: where its `checkpoint` and `tile/` lie.
        clock: wall time.

    Raises:
        LedgerFault: the log does not extend what was cosigned before, or its signature does not hold; nothing was cosigned.
        CouldNotLook: it does not answer, or not with a log.
        BadInput: the memory was altered, or belongs to another witness.
    """
    lines = _read_memory(memory, witness_vkey(name, seed))
    published = _Published(url, timeout_s)
    head = published.head
    with tempfile.TemporaryDirectory(prefix="affiant-witness-") as folder:
        state = WitnessState(Path(folder) / "state.db", name, seed, logs, clock)
        try:
            _recall(state, lines)
            known = state.latest(head.origin)
            before = known[0] if known else 0
            try:
                proof = consistency_proof(before, head.size, published.hash) if 0 < before < head.size else []
            except ProofError as error:
                raise CouldNotLook(f"No proof can be made: {error.message}", "Try again later.") from error
            if head.size < before:
                raise LedgerFault(
                    f"{url} has {head.size:,} entries; {before:,} were cosigned before: it was rolled back, or is an older copy.",
                    "Keep this answer; ask the company.",
                )
            answer = state.add_checkpoint(format_request(before, proof, published.note))
            if answer.status != 200:
                raise LedgerFault(
                    f"The head of {url} was not cosigned ({answer.status}): {answer.body.decode('utf-8', 'replace').strip()}",
                    "Keep this answer: it may be the evidence of a fork. Ask the company.",
                )
            note = Note.parse(published.note).with_line(answer.body.decode("utf-8")).to_bytes()
            kept = state.note_of(head.origin, head.size) or note
        finally:
            state.close()
    new = not any(line["origin"] == head.origin and line["size"] == head.size for line in lines)
    if new:
        _remember(memory, [*lines, {"origin": head.origin, "size": head.size, "note": kept.decode("utf-8")}])
    return Visit(head.origin, before, head.size, kept, new)


def _read_memory(memory: Path, vkey: str) -> list[dict[str, object]]:
    """Heads cosigned before; each must carry this witness's own cosignature."""
    if not memory.exists():
        return []
    key = parse_vkey(vkey)
    lines: list[dict[str, object]] = []
    try:
        for text in memory.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            note = Note.parse(str(line["note"]).encode("utf-8"))
            head = Checkpoint.parse(note.text)
            if (head.origin, head.size) != (line["origin"], line["size"]) or not note.verify([key]):
                raise BadInput(
                    f"{memory} holds a head that this witness did not cosign.", "Restore it; a witness without memory must not sign."
                )
            lines.append({"origin": head.origin, "size": head.size, "note": line["note"]})
    except (OSError, ValueError, KeyError, TypeError, ProofError) as error:
        raise BadInput(f"{memory} cannot be read: {error}", "Restore it; a witness without memory must not sign.") from error
    return lines


def _recall(state: WitnessState, lines: Iterable[dict[str, object]]) -> None:
    for line in lines:
        state.recall(str(line["note"]).encode("utf-8"))


def _remember(memory: Path, lines: list[dict[str, object]]) -> None:
    memory.parent.mkdir(parents=True, exist_ok=True)
    temporary = memory.with_name(memory.name + ".part")
    with open(temporary, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, memory)


def take_note(home: Home, reader: LedgerReader, note: bytes, vkey: str, at_us: int) -> Anchor:
    """Keep a head that somebody else's witness cosigned, so that packages carry its cosignature.

    Args:
        note: the cosigned checkpoint.
        vkey: the witness's verifier key.

    Raises:
        BadInput: it is not cosigned by that key.
        LedgerFault: it is not a head of this ledger.
    """
    try:
        parsed, key = Note.parse(note), parse_vkey(vkey)
        head = Checkpoint.parse(parsed.text)
        signed = [one for one in parsed.verify([key]) if one.time_s > 0]
    except ProofError as error:
        raise BadInput(error.message, error.next_step or "Ask the witness for the note again.") from error
    if not signed:
        raise BadInput(f"The note is not cosigned by {key.name}.", "Give that witness's verifier key.")
    if head.origin != home.origin or not 0 < head.size <= reader.size or reader.root(head.size) != head.root:
        raise LedgerFault(
            f"The head over {head.size:,} entries that {key.name} cosigned is none of this ledger.", "Keep the note as evidence."
        )
    anchor = Anchor(key.name, head.size, head.root, signed[0].time_s, at_us, note)
    AnchorStore(home.anchors_db).add(anchor)
    return anchor
