"""What outside witnesses vouch for in a package: cosigned checkpoints within its range, the first one's time, hours without one.

A cosignature says that the witness saw this root, at this size, at this time. Leaves out: whether the witness is to be trusted
(`trust` says).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Dict, Iterable, List, Mapping, Sequence, Tuple

from . import canonical
from .errors import Lie, Malformed
from .note import Checkpoint, Note, Signed, VerifierKey

MAX_ANCHORS = 20_000


@dataclass(frozen=True)
class Anchor:
    """One cosignature that holds: size, root, witness key name and time (s)."""

    size: int
    root: bytes
    witness: str
    time_s: int


def parse_anchor_file(data: bytes) -> List[Note]:
    """Notes of `ledger/anchors.json`: canonical JSON {"notes": [text, …]}, by size.

    Raises:
        Malformed: it is none.
    """
    raw = canonical.loads(data)
    if type(raw) is not dict or type(raw.get("notes")) is not list or len(raw["notes"]) > MAX_ANCHORS:
        raise Malformed("The list of anchors cannot be read.")
    return [Note.parse(str(text).encode("utf-8")) for text in raw["notes"]]


def anchor_bytes(notes: Iterable[bytes]) -> bytes:
    """Bytes of `ledger/anchors.json`."""
    return canonical.dumps({"notes": [note.decode("utf-8") for note in notes]})


def check_anchors(notes: Sequence[Note], origin: str, witnesses: Iterable[VerifierKey]) -> Tuple[List[Anchor], Dict[int, bytes]]:
    """Cosignatures by `witnesses` that hold, and the root that each note claims for its size.

    Raises:
        Lie: a cosignature by one of them does not hold, a note is of another log, or two notes claim two roots for one size.
    """
    keys = list(witnesses)
    found: List[Anchor] = []
    roots: Dict[int, bytes] = {}
    for note in notes:
        head = Checkpoint.parse(note.text)
        if head.origin != origin:
            raise Lie(f"An anchored checkpoint is of the log {head.origin}, not {origin}.")
        if roots.setdefault(head.size, head.root) != head.root:
            raise Lie(f"Two roots are anchored for {head.size} entries: the log forked.")
        found += [_anchor(head, signed) for signed in note.verify(keys)]
    return sorted(found, key=lambda anchor: (anchor.time_s, anchor.size)), roots


def _anchor(head: Checkpoint, signed: Signed) -> Anchor:
    return Anchor(head.size, head.root, signed.key.name, signed.time_s)


def cosignature_texts(notes: Sequence[Note], witnesses: Iterable[VerifierKey]) -> Dict[int, List[str]]:
    """Size -> cosignatures by `witnesses`, as text; call after `check_anchors`, which refuses those that do not hold."""
    keys = {(key.name, key.id) for key in witnesses}
    found: Dict[int, List[str]] = {}
    for note in notes:
        texts = found.setdefault(Checkpoint.parse(note.text).size, [])
        texts += [base64.b64encode(s.key_id + s.data).decode() for s in note.signatures if (s.name, s.key_id) in keys]
    return found


def longest_gap_s(anchors: Sequence[Anchor], from_us: int, to_us: int) -> int:
    """Longest stretch of [from, to) without an anchor, in seconds."""
    begin, end = from_us // 1_000_000, to_us // 1_000_000
    times = sorted({begin, end, *(anchor.time_s for anchor in anchors if begin < anchor.time_s < end)})
    return max((after - before for before, after in zip(times, times[1:])), default=0)  # noqa: B905, RUF007 - Python 3.9


def utc(time_s: int) -> str:
    """An instant for people."""
    try:
        return datetime.fromtimestamp(time_s, timezone.utc).strftime("%d %b %Y, %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{time_s} s after 1970"


def span(seconds: int) -> str:
    """A length of time for people."""
    return f"{seconds // 3600} h {seconds % 3600 // 60} min" if seconds >= 3600 else f"{seconds // 60} min"


def witness_keys(raw: Mapping[str, object]) -> List[VerifierKey]:
    """Witness keys that a manifest names; claims of its maker, not trusted."""
    names = raw.get("witnesses", [])
    return [VerifierKey.parse(str(text)) for text in names] if isinstance(names, list) else []
