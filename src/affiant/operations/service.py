"""Minutes served: readiness as control observed it, each second, summed to one `service.hour` event an hour and node.

A minute is served when it is covered without a hole by pairs of consecutive observations that were both ready and at
most `GAP_NS` of real time apart. Under an injected clock such a pair may span up to `JUMP_US` of wall time; a longer
jump is a hole. An hour without any observation gives no event: nobody looked, and the control counts it as unserved.
Observations survive a restart of control in `HOME/derived/service.json`; the monotonic clock does too, until reboot.
Leaves out: what the promise is (a commitment), and what readiness means (workers say).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from affiant.ledger import Draft
from affiant.operations.keep import keep_json, kept_json
from affiant.operations.schedule import HOUR_US, MINUTE_US

GAP_NS = 5_000_000_000
JUMP_US = 2 * HOUR_US
_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Observation:
    """One look: wall time in µs, monotonic ns, whether the node would have served."""

    wall_us: int
    mono_ns: int
    ready: bool


class ServiceMeter:
    """Collects observations of one node and gives finished hours.

    Args:
        node: node name.
        path: file in which it survives a restart of control.
        injected: whether wall time is driven by a clock file, so that jumps are expected.
    """

    def __init__(self, node: str, path: Path, injected: bool = False) -> None:
        self._node = node
        self._path = path
        self._jump_us = JUMP_US if injected else GAP_NS // 1000
        self._last: Observation | None = None
        self._until_us = 0
        self._hours: dict[int, list[int]] = {}
        self._load()

    def observe(self, seen: Observation) -> None:
        """Take one look into account. Time that was counted is not counted again after a clock was set back."""
        last, self._last = self._last, seen
        self._hours.setdefault(seen.wall_us - seen.wall_us % HOUR_US, [0] * _MINUTES)
        if last is None or not (last.ready and seen.ready):
            return
        gap_ns, span_us = seen.mono_ns - last.mono_ns, seen.wall_us - last.wall_us
        if 0 <= gap_ns < GAP_NS and 0 < span_us <= self._jump_us:
            self._cover(max(last.wall_us, self._until_us), seen.wall_us)
            self._until_us = max(self._until_us, seen.wall_us)

    def finished(self, now_us: int) -> list[Draft]:
        """Events for the hours that are over; they are given again until `forget`."""
        current = now_us - now_us % HOUR_US
        drafts = []
        for hour in sorted(h for h in self._hours if h < current):
            covered = self._hours[hour]
            served = sum(1 for us in covered if us >= MINUTE_US)
            body = {"node": self._node, "hour": hour, "expected": _MINUTES, "served": served}
            drafts.append(Draft("service.hour", body, ref=self._node, actor="system:operations"))
        return drafts

    def forget(self, now_us: int) -> None:
        """Drop the hours that `finished` gave for the same instant: their events are durable. `save` follows with the same look."""
        current = now_us - now_us % HOUR_US
        self._hours = {hour: covered for hour, covered in self._hours.items() if hour >= current}

    def save(self) -> None:
        """Keep the open hours and the last look; losing them costs served minutes, never adds any."""
        last = self._last
        look = [last.wall_us, last.mono_ns, int(last.ready)] if last else []
        keep_json(self._path, {"v": 1, "last": look, "until": self._until_us, "hours": self._hours})

    def _load(self) -> None:
        data = kept_json(self._path)
        if data is None:
            return
        try:
            if data["last"]:
                self._last = Observation(data["last"][0], data["last"][1], bool(data["last"][2]))
            self._until_us = int(data["until"])
            self._hours = {int(hour): list(minutes) for hour, minutes in data["hours"].items()}
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            self._last, self._until_us, self._hours = None, 0, {}

    def _cover(self, start_us: int, end_us: int) -> None:
        at = start_us
        while at < end_us:
            minute_end = at - at % MINUTE_US + MINUTE_US
            until = min(minute_end, end_us)
            hour = at - at % HOUR_US
            self._hours.setdefault(hour, [0] * _MINUTES)[(at - hour) // MINUTE_US] += until - at
            at = until
