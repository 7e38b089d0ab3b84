"""RFC 3161 time-stamps over checkpoints: asks each authority for one, looks at what comes back, keeps it beside the anchors.

A token shows that these bytes existed at the authority's time. Looked at here: that it was granted, for these bytes and this
request. Its signature is not: whoever relies on it runs `openssl ts -verify` with the authority's certificate (docs/affidavit.md). Blocking
calls with timeouts. Leaves out: when to ask (control's scheduler) and DER itself (`der`).
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from affiant.kit.clock import Clock
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.kit.home import Home
from affiant.ledger import der
from affiant.ledger.anchors import MAX_ANSWER_BYTES, MAX_WHY, TIMEOUT_S, http_request
from affiant.ledger.checkpoints import SignedHead
from affiant.ledger.envelope import Draft

SETTINGS = "timestamps.json"
HOUR_US = 3_600_000_000
_SHA256 = "2.16.840.1.101.3.4.2.1"
_SIGNED_DATA = "1.2.840.113549.1.7.2"
_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS stamp(
  authority TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, time_s INTEGER NOT NULL, at_us INTEGER NOT NULL,
  note BLOB NOT NULL, response BLOB NOT NULL, PRIMARY KEY (authority, size)) STRICT
"""


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamp authority: a short name of ours, and its URL."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time-stamp that was granted.

    Args:
        name: of the authority.
        size: entries that the checkpoint covers; `root` is its root.
        time_s: the authority's time, seconds since the epoch.
        at_us: this home's wall clock when it was asked for, µs.
        note: the checkpoint note whose bytes were stamped.
        response: the whole TimeStampResp (DER), as `openssl ts -verify -in` reads it.
    """

    name: str
    size: int
    root: bytes
    time_s: int
    at_us: int
    note: bytes
    response: bytes


@dataclass(frozen=True, slots=True)
class StampOutcome:
    """What one authority did: a stamp, or why there is none; `draft` is the event to append where one was missed."""

    authority: str
    stamp: Stamp | None
    why: str
    draft: Draft | None


def read_authorities(home: Home) -> tuple[Authority, ...]:
    """The authorities that a home asks: `HOME/timestamps.json`, a list of {name, url}; none where there is no such file.

    Raises:
        BadInput: the file says something else.
    """
    path = home.root / SETTINGS
    if not path.exists():
        return ()
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(raw, list):
            raise TypeError("not a list")
        found = tuple(Authority(str(one["name"]), str(one["url"])) for one in raw)
    except (OSError, ValueError, KeyError, TypeError) as error:
        example = '[{"name": "tsa", "url": "https://tsa.example"}]'
        raise BadInput(f"{path} cannot be read: {error!r}.", f"It is a list such as {example}.") from error
    if len({one.name for one in found}) != len(found) or not all(_NAME.fullmatch(one.name) for one in found):
        raise BadInput(f"{path} names an authority twice or not properly.", "Names are lower case letters, digits and hyphens.")
    return found


def stamp_request(data: bytes, nonce: int) -> bytes:
    """A TimeStampReq over SHA-256 of `data`, asking for the authority's certificate."""
    imprint = der.sequence(der.sequence(der.oid(_SHA256), der.null()), der.octets(hashlib.sha256(data).digest()))
    return der.sequence(der.integer(1), imprint, der.integer(nonce), der.boolean(True))


def read_response(response: bytes, data: bytes, nonce: int) -> int:
    """Look at a TimeStampResp; gives the authority's time, seconds since the epoch.

    Raises:
        CouldNotLook: it was refused, or is not about these bytes and this request.
    """
    try:
        status, *rest = der.read(response).children()
        code = status.children()[0].integer()
        if code not in (0, 1) or not rest:
            raise CouldNotLook(f"The authority refused with status {code}: {status.texts()}", "Ask its operator.")
        info = _token_info(rest[0])
        imprint = info[2].children()
        if imprint[0].children()[0].oid() != _SHA256 or imprint[1].content != hashlib.sha256(data).digest():
            raise CouldNotLook("The time-stamp is about other bytes than were sent.", "Do not use this authority.")
        time = datetime.strptime(re.sub(r"\.\d+", "", info[4].content.decode("ascii")), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
        if nonce not in [item.integer() for item in info[5:] if item.tag == der.INTEGER]:
            raise CouldNotLook("The time-stamp answers another request.", "Do not use this authority.")
    except (der.NotDer, ValueError, IndexError) as error:
        raise CouldNotLook(f"The authority's answer cannot be read: {error}", "Is this the URL of an RFC 3161 authority?") from error
    return int(time.timestamp())


def _token_info(token: der.Item) -> list[der.Item]:
    """Parts of the TSTInfo inside a time-stamp token (ContentInfo > SignedData > EncapsulatedContentInfo)."""
    kind, content = token.children()
    if kind.oid() != _SIGNED_DATA:
        raise der.NotDer("The token is no signed data.")
    kind, *inner = content.children()[0].children()[2].children()
    if kind.oid() != _TST_INFO or not inner:
        raise der.NotDer("The signed data is no time-stamp.")
    return der.read(inner[0].children()[0].content).children()


class StampStore:
    """Time-stamps of a home, in the table `stamp` of `anchors.db`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, stamp: Stamp) -> None:
        """Keep a stamp; the first one for an authority and size stays."""
        db = sqlite3.connect(self._path, timeout=5, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute(_SCHEMA)
            values = (stamp.name, stamp.size, stamp.root, stamp.time_s, stamp.at_us, stamp.note, stamp.response)
            db.execute("INSERT OR IGNORE INTO stamp VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        finally:
            db.close()

    def between(self, after: int, upto: int) -> list[Stamp]:
        """Stamps of heads with after < size <= upto, by size and authority.

        Raises:
            CouldNotLook: the file is there but cannot be read.
        """
        if not self._path.exists():
            return []
        try:
            db = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=5)
            try:
                if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'stamp'").fetchone():
                    return []
                query = "SELECT authority, size, root, time_s, at_us, note, response FROM stamp WHERE size > ? AND size <= ?"
                rows = db.execute(query + " ORDER BY size, authority", (after, upto)).fetchall()
            finally:
                db.close()
        except sqlite3.Error as error:
            raise CouldNotLook(f"{self._path} cannot be read: {error}.", "Restore it from a backup.") from error
        return [Stamp(row[0], row[1], bytes(row[2]), row[3], row[4], bytes(row[5]), bytes(row[6])) for row in rows]

    def newest(self, name: str) -> Stamp | None:
        """The stamp of an authority that covers most."""
        found = [stamp for stamp in self.between(-1, 2**62) if stamp.name == name]
        return found[-1] if found else None


class Stamps:
    """Asks a home's authorities.

    Args:
        home: whose checkpoints are stamped.
        clock: wall time.
        authorities: whom to ask; by default those of `HOME/timestamps.json`.
    """

    def __init__(self, home: Home, clock: Clock, authorities: Sequence[Authority] | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._store = StampStore(home.anchors_db)
        self._authorities = read_authorities(home) if authorities is None else tuple(authorities)

    def hourly(self, head: SignedHead) -> list[StampOutcome]:
        """Have a head stamped by each authority that has not stamped one in this wall-clock hour, if the head grew since."""
        hour = self._clock.now_us() // HOUR_US
        due = []
        for authority in self._authorities:
            newest = self._store.newest(authority.name)
            if newest is None or (newest.at_us // HOUR_US < hour and newest.size < head.size):
                due.append(authority)
        return [self._one(authority, head) for authority in due]

    def _one(self, authority: Authority, head: SignedHead) -> StampOutcome:
        at_us, nonce = self._clock.now_us(), secrets.randbits(63)
        try:
            status, answer = http_request(
                "POST", authority.url, stamp_request(head.note, nonce), self._timeout_s, "application/timestamp-query"
            )
            if status != 200:
                raise CouldNotLook(f"{authority.name} answered {status}.", "Look at its log.")
            if len(answer) >= MAX_ANSWER_BYTES:
                raise CouldNotLook(f"{authority.name} answered with {len(answer)} bytes or more.", "Is this an RFC 3161 authority?")
            time_s = read_response(answer, head.note, nonce)
        except CouldNotLook as error:
            why = error.message[:MAX_WHY]
            body = {"size": head.size, "witness": authority.name, "why": why}
            return StampOutcome(authority.name, None, why, Draft("anchor.missed", body, ref=str(head.size), actor="system:ledger"))
        stamp = Stamp(authority.name, head.size, head.root, time_s, at_us, head.note, answer)
        self._store.add(stamp)
        return StampOutcome(authority.name, stamp, "", None)
