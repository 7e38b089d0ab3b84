"""Windowed alerts: what guards decided on a route over a window, against the thresholds of its policy; one `guard.alert` a window.

Reads the ledger as it grows, once a minute, and keeps counts by route and minute for as long as the longest window. Windows are whole
multiples of their length since 1970, UTC, and are judged when they are over. After a restart the last windows are read again, with the
alerts that were raised. Nothing is read while no policy asks for an alert. Leaves out: who is told (`due`), and single exchanges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from affiant.ledger import Draft, Event, decode
from affiant.operations.schedule import DAY_US, MINUTE_US
from affiant.records.jobs import JobBook
from affiant.records.snapshot import AlertSnap, RouteSnap, Snapshot

GRACE_US = 10_000_000
"""How long after its end a window is judged, so that what was under way is in the ledger."""
AT_ONCE = 20_000
"""Entries read in one go."""
SCORE = "score"
_OPENINGS = ("exchange.opened", "exchange.refused")
_KINDS = (*_OPENINGS, "exchange.closed", "guard.alert")
_MOST_OPEN = 50_000
_PPM = 1_000_000


class Reading(Protocol):
    """What is used of `ledger.LedgerReader`."""

    @property
    def size(self) -> int: ...

    def entries(self, start: int, stop: int) -> Iterator[bytes]: ...

    def first_since(self, at_us: int) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert that was raised.

    Args:
        text: for people.
        until_us: end of its window.
    """

    route: str
    text: str
    until_us: int


Decided = tuple[str, str, str]  # action, guard, type


@dataclass(slots=True)
class _Minute:
    """What guards did on one route in one minute."""

    exchanges: int = 0
    decided: Counter[Decided] = field(default_factory=Counter)
    scores: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, other: _Minute) -> None:
        self.exchanges += other.exchanges
        self.decided.update(other.decided)
        for guard, (total, count) in other.scores.items():
            before = self.scores.get(guard, (0, 0))
            self.scores[guard] = (before[0] + total, before[1] + count)


class Alerts:
    """Counts and judges. Blocking: control calls `look` in a thread, one call at a time."""

    def __init__(self, reader: Reading) -> None:
        self._reader = reader
        self._next = -1
        self._looked_us = 0
        self._minutes: dict[tuple[str, int], _Minute] = {}
        self._open: dict[str, frozenset[Decided]] = {}
        self._raised: dict[tuple[str, str, int], Alert] = {}
        self._read_back: dict[tuple[str, str, int], int] = {}

    def due(self, now_us: int) -> bool:
        """Whether a minute has begun since the last look."""
        return now_us // MINUTE_US != self._looked_us // MINUTE_US

    def recent(self, now_us: int) -> list[Alert]:
        """Alerts of windows that ended within the last day, the newest first."""
        found = [alert for alert in self._raised.values() if now_us - DAY_US < alert.until_us <= now_us]
        return sorted(found, key=lambda each: (-each.until_us, each.route, each.text))

    def look(self, snapshot: Snapshot, now_us: int) -> list[Draft]:
        """Read on, and judge the windows that are over; each gives an event once, which counts as raised when it is read back.

        Raises:
            AffiantError: the ledger cannot be read.
        """
        self._looked_us = now_us
        policies = {policy.id: policy.alerts for policy in snapshot.policies if policy.alerts}
        asked = [(route, alert) for route in snapshot.routes for alert in policies.get(route.policy, ())]
        if not asked:
            self._next = -1
            return []
        longest_us = max(alert.window_s for _, alert in asked) * 1_000_000
        self._read(now_us - 2 * longest_us)
        self._forget(now_us - 2 * longest_us)
        drafts = (self._judge(route, alert, now_us) for route, alert in asked)
        return [draft for draft in drafts if draft is not None]

    # -- reading

    def _read(self, from_us: int) -> None:
        if self._next < 0:
            first = self._reader.first_since(from_us)
            self._next = self._reader.size if first is None else first
            self._minutes, self._open = {}, {}
        size = self._reader.size
        while self._next < size:
            stop = min(size, self._next + AT_ONCE)
            for entry in self._reader.entries(self._next, stop):
                if b'"exchange.' in entry or b'"guard.alert"' in entry:
                    event = decode(entry)
                    if event.type in _KINDS:
                        self._take(event)
            self._next = stop

    def _take(self, event: Event) -> None:
        body = event.body
        if event.type == "guard.alert":
            key = (event.ref, str(body["rule"]), int(body["from"]))
            self._raised[key] = Alert(event.ref, told(event.ref, body), int(body["to"]))
            self._read_back[key] = int(body["to"])
            return
        minute = self._minutes.setdefault((str(body.get("route", "")), event.at_us // MINUTE_US), _Minute())
        made = frozenset(_decided(body.get("decisions", ())))
        if event.type == "exchange.closed":
            made -= self._open.pop(event.ref, frozenset())
        else:
            minute.exchanges += 1
            if event.type == "exchange.opened" and len(self._open) < _MOST_OPEN:
                self._open[event.ref] = made
        minute.decided.update(made)
        for guard, score in body.get("scores", {}).items():
            total, count = minute.scores.get(guard, (0, 0))
            minute.scores[guard] = (total + score, count + 1)

    def _forget(self, before_us: int) -> None:
        self._minutes = {key: minute for key, minute in self._minutes.items() if (key[1] + 1) * MINUTE_US > before_us}
        oldest_us = min(before_us, self._looked_us - DAY_US)
        self._raised = {key: alert for key, alert in self._raised.items() if alert.until_us > oldest_us}
        self._read_back = {key: until_us for key, until_us in self._read_back.items() if until_us > oldest_us}

    # -- judging

    def _judge(self, route: RouteSnap, alert: AlertSnap, now_us: int) -> Draft | None:
        window_us = alert.window_s * 1_000_000
        to_us = (now_us - GRACE_US) // window_us * window_us
        from_us = to_us - window_us
        if (route.id, alert.id, from_us) in self._raised:
            return None
        total = _Minute()
        for minute in range(from_us // MINUTE_US, to_us // MINUTE_US):
            if (route.id, minute) in self._minutes:
                total.add(self._minutes[route.id, minute])
        value, of = _value(alert, total)
        if of < alert.least or value <= alert.over_ppm:
            return None
        body: dict[str, Any] = {
            "policy": route.policy, "rule": alert.id, "of": alert.of, "value": value, "over": alert.over_ppm, "exchanges": of,
            "from": from_us, "to": to_us,
        } | {name: value for name, value in (("guard", alert.guard), ("type", alert.type)) if value}  # fmt: skip
        self._raised[route.id, alert.id, from_us] = Alert(route.id, told(route.id, body), to_us)
        return Draft("guard.alert", body, ref=route.id, tenant=route.tenant, actor="system:operations")

    def told_before(self, draft: Draft) -> bool:
        """Whether the ledger, as far as it was read, has this alert."""
        return (draft.ref, str(draft.body["rule"]), int(draft.body["from"])) in self._read_back

    def withdraw(self, drafts: Sequence[Draft]) -> None:
        """Take back what could not be written, so that the next look raises it again."""
        for draft in drafts:
            self._raised.pop((draft.ref, draft.body["rule"], draft.body["from"]), None)


class Turns:
    """Which alerts this node raises: all, or where nodes share records those that no other node has taken. Blocking.

    An alert that another node took waits here until that one has written it, and is this node's if it does not.

    Args:
        jobs: where due times are taken; None where there is one node.
    """

    def __init__(self, jobs: JobBook | None) -> None:
        self._jobs = jobs
        self._waiting: dict[str, Draft] = {}

    def mine(self, drafts: list[Draft], told: Callable[[Draft], bool] = lambda draft: False) -> list[Draft]:
        """Take alerts, new ones and what waits; they stay this node's until `written`.

        Args:
            told: whether an alert is in the ledger.

        Raises:
            AffiantError: shared records cannot be reached.
        """
        if self._jobs is None:
            return drafts
        self._waiting |= {_name(draft): draft for draft in drafts}
        self._waiting = {name: draft for name, draft in self._waiting.items() if not told(draft)}
        due = {name: int(draft.body["to"]) for name, draft in self._waiting.items()}
        if not due:
            return []
        self._jobs.last(dict.fromkeys(due, 0))
        taken = self._jobs.take(due)
        self._waiting = {name: draft for name, draft in self._waiting.items() if name not in taken.over}
        return [draft for name, draft in self._waiting.items() if name in taken.mine]

    def written(self, drafts: list[Draft]) -> None:
        """These are in the ledger.

        Raises:
            AffiantError: shared records cannot be reached.
        """
        if self._jobs is not None:
            self._jobs.done((_name(draft), int(draft.body["to"])) for draft in drafts)
            for draft in drafts:
                self._waiting.pop(_name(draft), None)


def _name(draft: Draft) -> str:
    return f"alert/{draft.ref}/{draft.body['rule']}"


def _decided(decisions: Sequence[dict[str, Any]]) -> Iterator[Decided]:
    """Each action that a guard took, with and without the types it was taken on."""
    for each in decisions:
        action, guard = str(each["action"]), str(each["guard"])
        if action == "allow":
            continue
        names = {"", *(str(told["type"]) for told in each.get("types", ()))}
        families = {name.partition("/")[0] for name in names}
        for name in names | families:
            yield action, guard, name
            yield action, "", name


def _value(alert: AlertSnap, total: _Minute) -> tuple[int, int]:
    """The value of an alert over a window, parts per million, and of how many exchanges or scores it is."""
    if alert.of == SCORE:
        sum_ppm, count = total.scores.get(alert.guard, (0, 0))
        return (sum_ppm // count if count else 0), count
    return (total.decided[alert.of, alert.guard, alert.type] * _PPM // total.exchanges if total.exchanges else 0), total.exchanges


_DONE = {"block": "blocked", "flag": "flagged", "redact": "redacted"}


def told(route: str, body: dict[str, Any]) -> str:
    """An alert for people: `12.5 % blocked by injection on route chat, over 5 %`."""
    value, over, guard = body["value"], body["over"], body.get("guard", "")
    if body["of"] == SCORE:
        return f"mean score of {guard} {value / _PPM:.2f} on route {route}, over {over / _PPM:.2f}"
    by = (f" by {guard}" if guard else "") + (f" ({body['type']})" if body.get("type") else "")
    return f"{value / 10_000:.1f} % {_DONE[body['of']]}{by} on route {route}, over {over / 10_000:.1f} %"
