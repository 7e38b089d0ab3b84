"""The demonstration's callers: who asks what, when, for 90 invented days. Pure and seeded: the same seed plays the same days.

A day has office hours, an evening shoulder, a quiet night and a weekend. Every name, number and company is invented.
Leaves out: sending (`caller`) and what the company itself does in those days (`story`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

import msgspec

from affiant.operations import probe_texts as texts

HOUR_US = 3_600_000_000
_HOURS = (2, 1, 1, 1, 1, 3, 9, 26, 58, 88, 96, 90, 74, 84, 98, 92, 80, 58, 34, 22, 15, 10, 6, 4)
_WEEKEND = 0.22
_BURST = 8

_SUPPORT = (
    "My parcel {ref} has been in customs since Tuesday. What can I tell the customer?",
    "Rewrite this answer so that it is shorter and kinder: we cannot refund order {ref} after 30 days.",
    "Summarize the last four messages on ticket {ref} and propose the next step.",
    "A customer asks whether she can change the delivery address of {ref} today.",
    "Draft an apology for the late delivery of {ref}; offer ten percent on the next order.",
    "What does our warranty say about water damage on the X200?",
    "Translate into German: your replacement {ref} leaves the warehouse tomorrow.",
    "Give me three subject lines for a mail about the autumn price list.",
)
_INTERNAL = (
    "List the steps to close the month in the billing tool.",
    "Which form do I need for a new supplier in Portugal?",
    "Explain the difference between the two travel allowances in plain words.",
    "Summarize the onboarding page for warehouse leads.",
    "Where do I report a damaged scanner, and what do they need to know?",
    "Turn these notes into minutes: budget ok, hiring paused, demo on {day}.",
    "Write a reminder for the safety training on {day}.",
)
_TRIAGE = (
    "Classify this claim: pallet {ref} arrived wet, six cartons affected, photos attached. Urgency and next owner?",
    "Claim {ref}: the driver noted a broken seal. Which evidence is missing?",
    "Put these three claims in order of urgency: {ref} broken glass, {ref} late, {ref} wrong item.",
    "Summarize claim {ref} for the insurer in five lines without names.",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


@dataclass(frozen=True, slots=True)
class Caller:
    """An application or team that calls the gateway.

    Args:
        key: key id in the company file.
        models: route or model ids that it asks for, the first most often.
        texts: what it asks.
        weight: its share of all traffic.
        stream: share of its calls that are streamed.
        personal: share of its calls that hold personal data.
    """

    key: str
    models: tuple[str, ...]
    texts: tuple[str, ...]
    weight: int
    stream: float
    personal: float


CALLERS = (
    Caller("aurora-helpdesk", ("support-chat", "agent-notes"), _SUPPORT, 34, 0.55, 0.35),
    Caller("belmont-helpdesk", ("support-chat",), _SUPPORT, 22, 0.4, 0.3),
    Caller("cobalt-claims", ("claims-triage", "agent-notes"), _TRIAGE, 18, 0.1, 0.2),
    Caller("intranet", ("staff-search", "web-helper"), _INTERNAL, 16, 0.3, 0.05),
    Caller("website", ("web-helper",), _INTERNAL, 10, 0.8, 0.08),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call to make.

    Args:
        at_us: wall time of its start.
        key: key id, "" for none at all.
        body: request bytes.
        stream: whether the answer is streamed.
    """

    at_us: int
    key: str
    body: bytes
    stream: bool


def _text(caller: Caller, rng: Random) -> str:
    ref = f"NW-{rng.randrange(10_000, 99_999)}"
    text = rng.choice(caller.texts).format(ref=ref, day=rng.choice(_DAYS))
    if rng.random() < caller.personal:
        text = f"{text} {texts.personal(rng)}"
    draw = rng.random()
    if draw < 0.006:
        text = f"{text} {texts.attack(rng)}"
    elif draw < 0.016:
        text += " " + rng.choice(("[[sim:500]]", "[[sim:429:0]]", "[[sim:garbage]]", "[[sim:drop]]"))
    elif draw < 0.024:
        text += " " + rng.choice(("[[sim:pii]]", "[[sim:leak]]", "[[sim:secret]]"))
    return text


def make_call(caller: Caller, at_us: int, rng: Random) -> Call:
    """One call of a caller."""
    model = caller.models[0] if rng.random() < 0.8 else rng.choice(caller.models)
    key = caller.key
    draw = rng.random()
    if draw < 0.004:
        model = "sky-next-preview"
    elif draw < 0.007:
        key = ""
    stream = rng.random() < caller.stream
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": _text(caller, rng)}]}
    if rng.random() < 0.5:
        body["messages"] = [{"role": "system", "content": texts.system(rng)}, {"role": "user", "content": _text(caller, rng)}]
    if rng.random() < 0.5:
        body["max_tokens"] = rng.choice((128, 200, 256, 400))
    if stream:
        body["stream"] = True
        if rng.random() < 0.5:
            body["stream_options"] = {"include_usage": True}
    return Call(at_us, key, msgspec.json.encode(body), stream)


def weight_of(hour_us: int) -> float:
    """Relative traffic of an hour (UTC)."""
    moment = datetime.fromtimestamp(hour_us // 1_000_000, UTC)
    season = 1 + 0.12 * math.sin(moment.timetuple().tm_yday / 9)
    return _HOURS[moment.hour] * (_WEEKEND if moment.weekday() >= 5 else 1.0) * season


class Traffic:
    """Calls for each hour of a span, `exchanges` in all (about: an hour gets a whole number of calls).

    Args:
        hours: starts of the hours, µs, in order.
        exchanges: how many calls to make over them.
        seed: of all randomness.
    """

    def __init__(self, hours: Sequence[int], exchanges: int, seed: int) -> None:
        total = sum(weight_of(hour) for hour in hours) or 1.0
        self._share = exchanges / total
        self._rng = Random(seed)
        self._weights = [caller.weight for caller in CALLERS]
        self._owed = 0.0

    def bursts(self, hour_us: int, from_minute: int, until_minute: int) -> Iterator[list[Call]]:
        """The calls of an hour, within a part of it, in bursts of half a minute, in order of time."""
        rng = self._rng
        self._owed += weight_of(hour_us) * self._share
        count, self._owed = int(self._owed), self._owed - int(self._owed)
        starts = sorted(rng.uniform(from_minute, until_minute - 0.5) for _ in range(-(-count // _BURST)))
        for start in starts:
            at_us = hour_us + int(start * 60_000_000)
            calls = []
            for _ in range(min(_BURST, count)):
                caller = rng.choices(CALLERS, self._weights)[0]
                calls.append(make_call(caller, at_us + rng.randrange(25_000_000), rng))
            count -= len(calls)
            yield sorted(calls, key=lambda call: call.at_us)
