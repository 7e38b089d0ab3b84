"""Pseudonyms that a conversation keeps for a stated time, sealed: parallel calls, retries and later turns undo each other's.

A caller names its conversation in `x-affiant-conversation`; it is one with the key that calls, so that nobody else's is opened. Each
lies in one file below `HOME/sealed/pseudonyms`, named by a keyed hash, encrypted under the key of the tenant's month, with its end in
front: when that is past it is removed, and when the key is destroyed it cannot be opened. It is written before anything leaves for a
provider. Leaves out: what a mapping is (`guards.pseudonym_map`).
"""

from __future__ import annotations

import asyncio
import fcntl
import hmac
import os
import re
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from affiant.gateway.evidence import Ticket
from affiant.gateway.faults import Refusal
from affiant.guards import AnswerContext, Policy
from affiant.guards.pseudonym_map import MapUnusable, PseudonymMap
from affiant.kit.crypto import seal, unseal
from affiant.kit.errors import BadInput

HEADER = b"x-affiant-conversation"
MAX_ENTRIES = 10_000
"""Placeholders of one conversation; a longer one keeps those of the last exchanges."""
_NAME = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_END = struct.Struct(">q")
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation that is kept.

    Args:
        keys: of the tenant's month, then of the month before.
        name: that the caller gave it, after its key's id.
        keep_us: how long after its last exchange.
    """

    keys: tuple[bytes, ...]
    name: bytes
    keep_us: int


def conversation_of(ticket: Ticket, policy: Policy, named: bytes) -> Conversation | None:
    """The conversation of an exchange; None where the policy keeps none, or the caller names none.

    Raises:
        Refusal: the name is none.
    """
    if not policy.keep_pseudonyms_s or not named or ticket.tables is None or ticket.key is None:
        return None
    if not _NAME.fullmatch(named):
        raise Refusal("request_invalid", HEADER.decode(), "It is 1 to 128 letters, digits and . _ : -")
    before_us = ticket.now_us - time.gmtime(ticket.now_us // 1_000_000).tm_mday * _DAY_US
    keys = [ticket.tables.month_key(ticket.tenant, at_us) for at_us in (ticket.now_us, before_us)]
    if keys[0] is None:
        return None
    return Conversation(tuple(key for key in keys if key), ticket.key.id.encode() + b"\x00" + named, policy.keep_pseudonyms_s * 1_000_000)


class Conversations:
    """The sealed mappings of a home. Files are read and written in threads, under a lock each, by any worker."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def load(self, conversation: Conversation | None, now_us: int) -> Mapping[str, str]:
        """Placeholder -> original, of the conversation so far."""
        if conversation is None:
            return {}
        return await asyncio.to_thread(self._load, conversation, now_us)

    async def keep(self, conversation: Conversation | None, context: AnswerContext, now_us: int) -> None:
        """Add what this exchange replaced."""
        originals = context.pseudonyms.originals
        if conversation is not None and originals:
            await asyncio.to_thread(self._keep, conversation, dict(originals), now_us)

    def sweep(self, now_us: int) -> int:
        """Remove those whose time has passed; gives how many. Blocking."""
        removed = 0
        for path in self._folder.glob("*.map") if self._folder.is_dir() else ():
            with self._locked(path):
                if _end(path) <= now_us:
                    path.unlink(missing_ok=True)
                    removed += 1
        return removed

    # -- in a thread

    def _load(self, conversation: Conversation, now_us: int) -> dict[str, str]:
        found: dict[str, str] = {}
        for key in reversed(conversation.keys):
            path = self._path(key, conversation)
            if path.exists():
                with self._locked(path):
                    found |= _open(path, key, now_us)
        return found

    def _keep(self, conversation: Conversation, entries: dict[str, str], now_us: int) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key, end_us = conversation.keys[0], now_us + conversation.keep_us
        path = self._path(key, conversation)
        with self._locked(path):
            before = _open(path, key, now_us) if path.exists() else {}
            whole = dict(list((before | entries).items())[-MAX_ENTRIES:])
            end_us = max(end_us, _end(path))
            head = _END.pack(end_us)
            made = PseudonymMap(whole, end_us).seal(lambda data: seal(key, data, head + path.name.encode()))
            fresh = path.with_suffix(f".{os.getpid()}")
            fresh.write_bytes(head + made)
            fresh.replace(path)

    def _path(self, key: bytes, conversation: Conversation) -> Path:
        return self._folder / f"{hmac.digest(key, b'pseudonyms' + conversation.name, 'sha256').hex()}.map"

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        """One at a time over a conversation, whichever process; few locks serve many."""
        handle = os.open(self._folder / f"lock.{path.name[:1]}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _end(path: Path) -> int:
    """When a mapping ends, µs; 0 where there is none."""
    try:
        with path.open("rb") as file:
            head = file.read(_END.size)
    except FileNotFoundError:
        return 0
    return int(_END.unpack(head)[0]) if len(head) == _END.size else 0


def _open(path: Path, key: bytes, now_us: int) -> dict[str, str]:
    """The entries of a mapping. One whose time has passed, or that does not open, is removed: it stands for nothing any more."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    head, sealed = data[: _END.size], data[_END.size :]
    try:
        found = PseudonymMap.unseal(sealed, lambda inner: unseal(key, inner, head + path.name.encode()), now_us)
    except (MapUnusable, BadInput):
        path.unlink(missing_ok=True)
        return {}
    return dict(found.entries)
