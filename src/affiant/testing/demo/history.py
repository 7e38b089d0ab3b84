"""Plays the history: for each simulated hour it moves the clock, plays calls through the gateway, and lets scheduled work look once
(while callers go on, except where it must have the clock for itself).

The running processes make every entry; this only drives the clock, calls as callers do and acts as people do. Leaves out: what is
called (`traffic`) and done (`story`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from affiant.kit.clock import ClockFile
from affiant.operations import PROBE_MINUTES
from affiant.testing.demo.caller import Callers
from affiant.testing.demo.control import Control
from affiant.testing.demo.progress import Progress
from affiant.testing.demo.story import DAY_US, SCHEDULER_DOWN, Story, day_number
from affiant.testing.demo.traffic import HOUR_US, Traffic

MINUTE_US = 60_000_000
TICK_MINUTE = 14
_AWAITED_HOURS = frozenset({0, *(minute // 60 for minute in PROBE_MINUTES.values())})
"""Hours in which the clock stands still while scheduled work looks: probes are opened within five minutes, months begin."""


@dataclass(frozen=True, slots=True)
class Span:
    """The simulated time.

    Args:
        first_us: start of its first hour.
        hours: how many.
    """

    first_us: int
    hours: int

    @staticmethod
    def ending(now_us: int, days: int) -> Span:
        """So many days up to the current hour."""
        end = now_us - now_us % HOUR_US
        return Span(end - days * DAY_US, days * 24)

    def starts(self) -> list[int]:
        """Start of each hour."""
        return [self.first_us + number * HOUR_US for number in range(self.hours)]


class History:
    """One replay of the invented days.

    Args:
        span: the simulated time.
        exchanges: calls over all of it, about.
        clock: the clock file that all processes follow.
        control: control of the home.
        callers: who call the gateway.
        story: what the company does.
        progress: where to say how far it is.
    """

    def __init__(
        self, span: Span, exchanges: int, clock: ClockFile, control: Control, callers: Callers, story: Story, progress: Progress
    ) -> None:  # fmt: skip
        self._span = span
        self._clock = clock
        self._control = control
        self._callers = callers
        self._story = story
        self._progress = progress
        self._traffic = Traffic(span.starts(), exchanges, seed=11)
        self._calls = 0

    async def play(self) -> Counter[str]:
        """Play all of it; gives what callers got."""
        acts = {self._hour_of(moment.share, moment.hour): moment.act for moment in self._story.moments()}
        down_from = self._hour_of(SCHEDULER_DOWN, 6)
        for number, hour_us in enumerate(self._span.starts()):
            self._clock.fix(hour_us + TICK_MINUTE * MINUTE_US)
            ticking = None if down_from <= number < down_from + 24 else asyncio.create_task(self._control.tick())
            if ticking is not None and (number in acts or hour_us % DAY_US // HOUR_US in _AWAITED_HOURS):
                await ticking
            if number in acts:
                await acts[number]()
            await self._bursts(hour_us, TICK_MINUTE + 1, 59)
            if ticking is not None:
                await ticking
            await self._month_end(hour_us)
            day = number // 24 + 1
            self._progress.show(number + 1, self._span.hours, f"day {day} of {self._span.hours // 24}, {self._calls} exchanges")
        await self._story.import_usage(self._days_before(self._span.first_us + self._span.hours * HOUR_US))
        return self._callers.tally

    async def _bursts(self, hour_us: int, from_minute: int, until_minute: int) -> None:
        for calls in self._traffic.bursts(hour_us, from_minute, until_minute):
            await self._callers.play(calls)
            self._calls += len(calls)

    async def _month_end(self, hour_us: int) -> None:
        """In the second hour of a month, the counts of all days before it are imported."""
        if day_number(hour_us) % 100 == 1 and hour_us % DAY_US == HOUR_US:
            await self._story.import_usage(self._days_before(hour_us))

    def _days_before(self, at_us: int) -> list[int]:
        first = self._span.first_us - self._span.first_us % DAY_US
        return [day_number(day) for day in range(first, at_us - at_us % DAY_US, DAY_US)]

    def _hour_of(self, share: float, hour: int) -> int:
        """Index of the hour `hour` o'clock on the day at a share of the span."""
        day_us = self._span.first_us + int(share * self._span.hours) * HOUR_US
        start = day_us - day_us % DAY_US + hour * HOUR_US
        return min(self._span.hours - 1, max(1, (start - self._span.first_us) // HOUR_US))
