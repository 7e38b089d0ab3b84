"""Streams of one caller, token by token: when each text arrived, asked directly and through the gateway, on every surface that streams.

The provider pauses before each event, as a model does. *First* is the time to the first text, *next* the mean time from one token to the
following, *late* how much later than directly the same character arrived (median over all characters, from the first text on): what
guards hold back, and what each event costs. Leaves out: load (`gateway`).
"""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench import proc

SCRIPT = "[[sim:slow:5,chunks:5,words:60]]"
CHARS_PER_TOKEN = 5


def _chat(event: dict[str, Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in event.get("choices", ()))


def _delta(event: dict[str, Any]) -> str:
    delta = event.get("delta", "") if event["type"] in ("response.output_text.delta", "content_block_delta") else ""
    return delta if isinstance(delta, str) else str(delta.get("text", ""))


@dataclass(frozen=True, slots=True)
class Surface:
    """How a surface is asked, and where its events have text."""

    name: str
    path: str
    ask: Callable[[str, str], dict[str, Any]]
    text: Callable[[dict[str, Any]], str]


def _messages(model: str, text: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 1000, "stream": True}


SURFACES = (
    Surface("chat.completions", "/v1/chat/completions", _messages, _chat),
    Surface("responses", "/v1/responses", lambda model, text: {"model": model, "input": text, "stream": True}, _delta),
    Surface("messages", "/v1/messages", _messages, _delta),
)


@dataclass
class Streamed:
    """What was measured of one target on one surface.

    Args:
        firsts: seconds to the first text.
        nexts: mean seconds from token to token.
        lines: characters there, and seconds since the request, of each event with text.
        cpu_us: of the target's process tree for one token.
    """

    firsts: list[float] = field(default_factory=list)
    nexts: list[float] = field(default_factory=list)
    lines: list[list[tuple[int, float]]] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


def _line(url: str, surface: Surface, key: str, model: str, text: str) -> list[tuple[int, float]]:
    """One stream: characters there so far, and seconds since the request, at each event with text."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}", "anthropic-version": "2023-06-01"}
    body = json.dumps(surface.ask(model, text))
    began = time.perf_counter()
    try:
        connection.request("POST", surface.path, body, headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{surface.name} at {url} gave {answer.status}: {answer.read()[:300]!r}")
        chars, found = 0, []
        while line := answer.readline():
            if not line.startswith(b"data: {"):
                continue
            said = surface.text(json.loads(line[6:]))
            if said:
                chars += len(said)
                found.append((chars, time.perf_counter() - began))
        return found
    finally:
        connection.close()


def measure(url: str, pid: int, key: str, model: str, surface: Surface, text: str, times: int, into: Streamed) -> None:
    """Some streams, one after another."""
    before = proc.cpu_s(proc.tree(pid))
    tokens = 0
    for _ in range(times):
        line = _line(url, surface, key, model, f"{text} {SCRIPT}")
        chars, end_s = line[-1]
        count = max(2, chars // CHARS_PER_TOKEN)
        tokens += count
        into.firsts.append(line[0][1])
        into.nexts.append((end_s - line[0][1]) / (count - 1))
        into.lines.append(line)
    into.cpu_us.append((proc.cpu_s(proc.tree(pid)) - before) / max(1, tokens) * 1e6)


def _late_s(direct: Streamed, other: Streamed) -> float:
    """How much later a character arrived than directly; medians over streams, then over characters."""
    length = min(line[-1][0] for line in (*direct.lines, *other.lines))
    return statistics.median(
        statistics.median(_at(line, char) for line in other.lines) - statistics.median(_at(line, char) for line in direct.lines)
        for char in range(1, length + 1)
    )


def _at(line: Sequence[tuple[int, float]], char: int) -> float:
    return next(seconds for chars, seconds in line if chars >= char)


def report(measured: dict[tuple[str, str], Streamed], base: str) -> str:
    """The table: each target beside the provider asked directly.

    Args:
        measured: by surface and target.
        base: the target asked directly.
    """
    lines = [f"{'':18}{'':24}{'first ms':>9}{'ratio':>7}{'next ms':>9}{'ratio':>7}{'late ms':>9}{'CPU µs/token':>14}"]
    for (surface, target), one in measured.items():
        direct = measured[surface, base]
        first, following = statistics.median(one.firsts), statistics.median(one.nexts)
        ratios = first / statistics.median(direct.firsts), following / statistics.median(direct.nexts)
        late = f"{_late_s(direct, one) * 1e3:9.2f}" if one is not direct else f"{'–':>9}"
        lines.append(
            f"{surface:18}{target:24}{first * 1e3:9.2f}{ratios[0]:7.2f}{following * 1e3:9.2f}{ratios[1]:7.2f}{late}"
            f"{statistics.median(one.cpu_us):14.0f}"
        )
    return "\n".join(lines)
