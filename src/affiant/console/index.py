"""A throw-away index of the ledger for lists and counts: `HOME/derived/console.db`, caught up when a page is asked for.

It holds nothing that the ledger does not; deleting it costs a rebuild. Pages that show evidence (entry, exchange, population)
read the entry's own bytes again. Leaves out: control results and populations (assurance), and what pages say (`pages`).
"""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affiant.console.words import DAY_US, HOUR_US, entity
from affiant.kit.errors import BadInput
from affiant.ledger.envelope import Event, decode

FORMAT = "5"
_BATCH = 2_000
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE entry (idx INTEGER PRIMARY KEY, type TEXT NOT NULL, ref TEXT NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL,
  tenant TEXT NOT NULL, producer TEXT NOT NULL);
CREATE INDEX entry_type ON entry (type, idx);
CREATE INDEX entry_ref ON entry (ref, idx);
CREATE TABLE exchange (id TEXT PRIMARY KEY, first INTEGER NOT NULL, at INTEGER NOT NULL, day INTEGER NOT NULL, route TEXT NOT NULL,
  key TEXT NOT NULL, tenant TEXT NOT NULL, mode TEXT NOT NULL, outcome TEXT NOT NULL, code TEXT NOT NULL, served TEXT NOT NULL,
  tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, ms INTEGER NOT NULL, redacted INTEGER NOT NULL, flagged INTEGER NOT NULL,
  uninspected INTEGER NOT NULL, words TEXT NOT NULL);
CREATE INDEX exchange_first ON exchange (first);
CREATE INDEX exchange_outcome ON exchange (outcome, first);
CREATE INDEX exchange_key ON exchange (key, first);
CREATE INDEX exchange_day ON exchange (day, first);
CREATE TABLE traffic (day INTEGER PRIMARY KEY, accepted INTEGER NOT NULL, redacted INTEGER NOT NULL, refused INTEGER NOT NULL);
CREATE TABLE run (idx INTEGER PRIMARY KEY, id TEXT NOT NULL, control TEXT NOT NULL, at INTEGER NOT NULL, version INTEGER NOT NULL,
  freeze TEXT NOT NULL, sample TEXT NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, end_size INTEGER NOT NULL,
  result TEXT NOT NULL, rows INTEGER NOT NULL, met INTEGER NOT NULL, deviations INTEGER NOT NULL, could_not_test INTEGER NOT NULL,
  unmatched INTEGER NOT NULL, items_root TEXT NOT NULL);
CREATE INDEX run_control ON run (control, idx);
CREATE TABLE freeze (idx INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, control TEXT NOT NULL, population TEXT NOT NULL, at INTEGER NOT NULL,
  from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, end_size INTEGER NOT NULL, rows INTEGER NOT NULL, root TEXT NOT NULL,
  unmatched INTEGER NOT NULL);
CREATE TABLE sample (idx INTEGER PRIMARY KEY, id TEXT NOT NULL, freeze TEXT NOT NULL, seed TEXT NOT NULL, kind TEXT NOT NULL,
  n INTEGER NOT NULL);
CREATE TABLE adopted (idx INTEGER PRIMARY KEY, control TEXT NOT NULL, at INTEGER NOT NULL, version INTEGER NOT NULL, sha TEXT NOT NULL);
CREATE TABLE probe (idx INTEGER PRIMARY KEY, probe TEXT NOT NULL, at INTEGER NOT NULL, day INTEGER NOT NULL, matched INTEGER NOT NULL,
  exchange TEXT NOT NULL);
CREATE INDEX probe_day ON probe (day);
CREATE TABLE anchor (idx INTEGER PRIMARY KEY, witness TEXT NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL, hour INTEGER NOT NULL);
CREATE TABLE tally (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""

Read = Callable[[int, int], Iterable[tuple[int, bytes]]]


def decision_words(decisions: Iterable[dict[str, Any]]) -> tuple[str, int, int]:
    """A line for a list, how many guards redacted, and how many flagged, from `decisions` of an event."""
    words, redacted, flagged = [], 0, 0
    for decision in decisions:
        action = decision.get("action", "allow")
        if action == "allow":
            continue
        types = ", ".join(f"{t['n']} × {entity(t['type'])}" for t in decision.get("types", ()))
        what = types or decision.get("reason", "").replace("_", " ") or decision.get("guard", "")
        label = {"redact": "redacted", "flag": "flagged", "block": "blocked", "hold": "held"}.get(action, action)
        words.append(f"{label} {what}".strip() if decision.get("enforced", 1) else f"would be {label} {what}".strip())
        redacted += int(action == "redact" and bool(decision.get("acted", 0)))
        flagged += int(action == "flag")
    return "; ".join(words), redacted, flagged


class Index:
    """One index of one ledger.

    Args:
        path: the database; ":memory:" where the home cannot be written.
        origin: origin of the ledger; an index of another ledger is dropped.
    """

    def __init__(self, path: Path | str, origin: str) -> None:
        self._path, self._origin = path, origin
        self._lock = threading.Lock()
        self._db = self._open()
        weakref.finalize(self, self._db.close)
        self.next = int(self._meta("next") or 0)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def catch_up(self, size: int, read: Read, budget_s: float = 2.0) -> int:
        """Index entries up to `size`, for at most about `budget_s`; returns how many are still missing.

        Args:
            read: gives (index, bytes) for a half-open range of indexes.
        """
        until = time.monotonic() + budget_s
        with self._lock:
            if size < self.next:
                self._reset()
            while self.next < size and time.monotonic() < until:
                stop = min(self.next + _BATCH, size)
                with self._db:
                    for index, data in read(self.next, stop):
                        self._add(index, data)
                    self._set_meta("next", str(stop))
                self.next = stop
        return size - self.next

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, alone, for queries."""
        with self._lock:
            yield self._db

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, check_same_thread=False)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = MEMORY")
        db.execute("PRAGMA synchronous = OFF")
        self._db = db
        if self._meta("format") != FORMAT or self._meta("origin") != self._origin:
            self._reset()
        return db

    def _reset(self) -> None:
        tables = [row[0] for row in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        with self._db:
            for name in tables:
                self._db.execute(f'DROP TABLE "{name}"')
        self._db.executescript(_SCHEMA)
        with self._db:
            self._set_meta("format", FORMAT)
            self._set_meta("origin", self._origin)
            self._set_meta("next", "0")
        self.next = 0

    def _meta(self, name: str) -> str:
        try:
            row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        except sqlite3.OperationalError:
            return ""
        return str(row[0]) if row else ""

    def _set_meta(self, name: str, value: str) -> None:
        self._db.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value))

    def _count(self, name: str, value: int) -> None:
        self._db.execute("INSERT INTO tally VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value", (name, value))

    def _traffic(self, day: int, accepted: int, redacted: int, refused: int) -> None:
        self._db.execute(
            "INSERT INTO traffic VALUES (?, ?, ?, ?) ON CONFLICT (day) DO UPDATE SET accepted = accepted + excluded.accepted, "
            "redacted = redacted + excluded.redacted, refused = refused + excluded.refused",
            (day, accepted, redacted, refused),
        )

    def _add(self, index: int, data: bytes) -> None:
        try:
            event = decode(data)
        except BadInput:
            # kept and shown as what it is: an entry of a kind that this version cannot read
            self._db.execute("INSERT OR REPLACE INTO entry VALUES (?, 'unreadable', '', 0, '', '', '')", (index,))
            return
        row = (index, event.type, event.ref, event.at_us, event.actor, event.tenant, event.producer)
        self._db.execute("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        handler = _HANDLERS.get(event.type)
        if handler is None:
            return
        try:
            handler(self, index, event)
        except (KeyError, TypeError, ValueError):
            # a body without the fields that its type declares: listed as an entry, counted nowhere, shown as it is by its page
            self._count("unreadable", 1)

    def _opened(self, index: int, event: Event) -> None:
        body, day = event.body, event.at_us // DAY_US
        words, redacted, flagged = decision_words(body.get("decisions", ()))
        self._db.execute(
            "INSERT OR REPLACE INTO exchange VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'open', '', '', 0, 0, 0, ?, ?, ?, ?)",
            (
                event.ref,
                index,
                event.at_us,
                day,
                body.get("route", ""),
                body.get("key", ""),
                event.tenant,
                body.get("mode", ""),
                redacted,
                flagged,
                body.get("uninspected", 0),
                words,
            ),
        )
        self._traffic(day, 1, int(redacted > 0), 0)

    def _closed(self, index: int, event: Event) -> None:
        body = event.body
        words, redacted, flagged = decision_words(body.get("decisions", ()))
        before = self._db.execute("SELECT day, redacted, words FROM exchange WHERE id = ?", (event.ref,)).fetchone()
        if before is None:
            return
        joined = "; ".join(part for part in (before["words"], words) if part)
        served = " ".join(part for part in (body.get("provider", ""), body.get("model", "")) if part)
        self._db.execute(
            "UPDATE exchange SET outcome = ?, served = ?, tokens_in = ?, tokens_out = ?, ms = ?, redacted = redacted + ?, "
            "flagged = flagged + ?, words = ? WHERE id = ?",
            (
                body.get("outcome", ""),
                served,
                body.get("tokens_in", 0),
                body.get("tokens_out", 0),
                body.get("ms", 0),
                redacted,
                flagged,
                joined,
                event.ref,
            ),
        )
        if redacted and not before["redacted"]:
            self._traffic(before["day"], 0, 1, 0)

    def _refused(self, index: int, event: Event) -> None:
        body, day = event.body, event.at_us // DAY_US
        words, redacted, flagged = decision_words(body.get("decisions", ()))
        self._db.execute(
            "INSERT OR REPLACE INTO exchange VALUES (?, ?, ?, ?, ?, ?, ?, '', 'refused', ?, '', 0, 0, 0, ?, ?, 0, ?)",
            (
                event.ref,
                index,
                event.at_us,
                day,
                body.get("route", ""),
                body.get("key", ""),
                event.tenant,
                body.get("code", ""),
                redacted,
                flagged,
                words or body.get("code", "").replace("_", " "),
            ),
        )
        self._traffic(day, 0, 0, 1)

    def _interrupted(self, index: int, event: Event) -> None:
        self._db.execute("UPDATE exchange SET outcome = 'interrupted' WHERE id = ?", (event.ref,))

    def _counted(self, index: int, event: Event) -> None:
        count = int(event.body.get("count", 0))
        self._count(event.type, count)
        if event.type == "exchange.refused_many":
            self._traffic(event.at_us // DAY_US, 0, 0, count)

    def _run(self, index: int, event: Event) -> None:
        b = event.body
        self._db.execute(
            "INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                index,
                event.ref,
                b["control"],
                event.at_us,
                b["control_version"],
                b.get("freeze", ""),
                b.get("sample", ""),
                b["from"],
                b["to"],
                b["end_size"],
                b["result"],
                b["rows"],
                b["met"],
                b["deviations"],
                b["could_not_test"],
                b["unmatched"],
                b["items_root"],
            ),
        )

    def _freeze(self, index: int, event: Event) -> None:
        b = event.body
        self._db.execute(
            "INSERT OR REPLACE INTO freeze VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                index,
                event.ref,
                b["control"],
                b["population"],
                event.at_us,
                b["from"],
                b["to"],
                b["end_size"],
                b["rows"],
                b["root"],
                b["unmatched"],
            ),
        )

    def _sample(self, index: int, event: Event) -> None:
        b = event.body
        row = (index, event.ref, b["freeze"], b["seed"], b["seed_kind"], b["n"])
        self._db.execute("INSERT OR REPLACE INTO sample VALUES (?, ?, ?, ?, ?, ?)", row)

    def _adopted(self, index: int, event: Event) -> None:
        row = (index, event.ref, event.at_us, event.body["control_version"], event.body["sha"])
        self._db.execute("INSERT OR REPLACE INTO adopted VALUES (?, ?, ?, ?, ?)", row)

    def _probe(self, index: int, event: Event) -> None:
        b = event.body
        row = (index, b["probe"], event.at_us, b["due"] // DAY_US, b["matched"], b.get("exchange", ""))
        self._db.execute("INSERT OR REPLACE INTO probe VALUES (?, ?, ?, ?, ?, ?)", row)

    def _anchor(self, index: int, event: Event) -> None:
        b = event.body
        row = (index, b["witness"], event.at_us, b["size"], b["checkpoint_at"] // HOUR_US)
        self._db.execute("INSERT OR REPLACE INTO anchor VALUES (?, ?, ?, ?, ?)", row)


_HANDLERS: dict[str, Callable[[Index, int, Event], None]] = {
    "exchange.opened": Index._opened,
    "exchange.closed": Index._closed,
    "exchange.refused": Index._refused,
    "exchange.interrupted": Index._interrupted,
    "exchange.refused_many": Index._counted,
    "exchange.unrecorded": Index._counted,
    "ledger.gap": Index._counted,
    "procedure.run": Index._run,
    "population.frozen": Index._freeze,
    "sample.drawn": Index._sample,
    "control.adopted": Index._adopted,
    "probe.opened": Index._probe,
    "anchor.cosigned": Index._anchor,
}
