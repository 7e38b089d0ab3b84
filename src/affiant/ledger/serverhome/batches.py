"""Batches on their way: checked as the embedded writer checks them, packed as in a bundle. Pure.

Marks of a batch travel as msgpack [[position, mark, ref], …], only of entries that open or close an exchange; empty if none does.
Leaves out: sending (`store`), sockets (`node`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from affiant.ledger.envelope import MAX_ENTRY_BYTES
from affiant.ledger.serverhome.store import Row
from affiant.ledger.wire import MARKS, OPENS, read_head
from affiant.ledger.writer import RefusedError
from affiant.proof.tiles import pack_bundle, unpack_bundle

_PRODUCER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}/[a-z]{1,32}/[A-Za-z0-9_]{1,64}")
_encode_marks = msgspec.msgpack.Encoder().encode
_decode_marks = msgspec.msgpack.Decoder(list[tuple[int, int, str]]).decode


class _Entry(msgspec.Struct, frozen=True):
    type: str
    producer: str
    seq: int
    ref: str = ""
    body: msgspec.Raw = msgspec.Raw(b"{}")


_read_entry = msgspec.json.Decoder(_Entry).decode
_read_body = msgspec.json.Decoder(dict[str, Any]).decode


def check_producer(name: str) -> None:
    """Refuse what is no producer's name.

    Raises:
        RefusedError: it is none.
    """
    if not _PRODUCER.fullmatch(name):
        raise RefusedError("bad_entry", f"{name[:80]!r} is no producer's name.")


def pack_batch(producer: str, rows: list[Any]) -> Row:
    """Check a batch [[seq, mark, ref, bytes], …] and pack it.

    Raises:
        RefusedError: it cannot be taken as it is.
    """
    check_producer(producer)
    if not rows:
        raise RefusedError("bad_entry", "There are no entries.")
    datas: list[bytes] = []
    marks: list[tuple[int, int, str]] = []
    try:
        first = rows[0][0]
        for due, (seq, mark, ref, data) in enumerate(rows, first):
            if len(data) > MAX_ENTRY_BYTES:
                raise RefusedError("too_large", f"Entry {seq} has {len(data)} bytes; {MAX_ENTRY_BYTES} are allowed.")
            head = read_head(data)
            if head.seq != seq or seq != due or head.producer != producer:
                raise RefusedError("bad_seq", f"Entry {seq} says {head.producer} {head.seq}; {due} was due.")
            if mark != MARKS.get(head.type, 0) or (mark and ref != head.ref):
                raise RefusedError("bad_entry", f"Entry {seq} of type {head.type} has mark {mark} and ref {ref!r}.")
            if mark:
                marks.append((due - first, mark, ref))
            datas.append(data)
    except (TypeError, ValueError, msgspec.DecodeError) as error:
        raise RefusedError("bad_entry", f"The batch is not [[seq, mark, ref, bytes], …]: {error}") from None
    return Row(0, producer, first, len(datas), pack_bundle(datas), pack_marks(marks))


def pack_marks(marks: list[tuple[int, int, str]]) -> bytes:
    """Marks as stored."""
    return _encode_marks(marks) if marks else b""


def marks_of(row: Row) -> list[tuple[int, str]]:
    """(mark, ref) of each entry of a batch."""
    marks = [(0, "")] * row.count
    if row.marks:
        for position, mark, ref in _decode_marks(row.marks):
            marks[position] = (mark, ref)
    return marks


def opens(row: Row) -> bool:
    """Whether a batch opens an exchange."""
    return bool(row.marks) and any(mark == OPENS for _, mark, _ in _decode_marks(row.marks))


def entries_of(row: Row) -> list[bytes]:
    """Entries of a batch.

    Raises:
        Malformed: it holds another number of them than it says (from `unpack_bundle`: it ends inside an entry).
    """
    entries = unpack_bundle(row.data)
    if len(entries) != row.count:
        raise ValueError(f"Batch {row.id} holds {len(entries)} entries, not {row.count}.")
    return entries


def replay_rows(entries: Iterable[bytes]) -> list[tuple[str, str, int, str, dict[str, Any]]]:
    """What `Producers.replay` needs of a batch's entries."""
    rows = []
    for data in entries:
        entry = _read_entry(data)
        body = _read_body(entry.body) if entry.type in ("exchange.interrupted", "producer.ended") else {}
        rows.append((entry.type, entry.producer, entry.seq, entry.ref, body))
    return rows
