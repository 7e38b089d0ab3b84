"""Load: wrk where it is installed, else a small loop of kept-alive connections. Gives requests, seconds and median latency."""

from __future__ import annotations

import asyncio
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from affiant.operations.wire import Wire

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Load:
    """One measurement.

    Args:
        requests: answered.
        seconds: how long it took.
        median_s: median latency.
        errors: answers that were not 2xx, and broken connections.
    """

    requests: int
    seconds: float
    median_s: float
    errors: int

    @property
    def per_s(self) -> float:
        return self.requests / self.seconds


def tool() -> str:
    """What makes the load."""
    return "wrk" if shutil.which("wrk") else "own loop"


def run(url: str, path: str, headers: Mapping[str, str], body: bytes, seconds: int, connections: int) -> Load:
    """Load one URL."""
    if tool() == "wrk":
        return _wrk(url + path, headers, body, seconds, connections)
    return asyncio.run(_own(url, path, headers, body, seconds, connections))


def _wrk(url: str, headers: Mapping[str, str], body: bytes, seconds: int, connections: int) -> Load:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        lines = ['wrk.method = "POST"', f"wrk.body = [==[{body.decode()}]==]"]
        lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
        script.write_text("\n".join(lines), encoding="utf-8")
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    done = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m)", text)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    assert done and median, text
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    errors = (int(bad[1]) if bad else 0) + (sum(map(int, broken.groups())) if broken else 0)
    taken = float(done[2]) * (60 if done[3] == "m" else _UNITS[done[3]])
    return Load(int(done[1]), taken, float(median[1]) * _UNITS[median[2]], errors)


async def _own(url: str, path: str, headers: Mapping[str, str], body: bytes, seconds: int, connections: int) -> Load:
    taken: list[float] = []
    errors = 0
    start = time.perf_counter()

    async def one() -> None:
        nonlocal errors
        wire = Wire(url)
        while time.perf_counter() - start < seconds:
            began = time.perf_counter()
            reply = await wire.request("POST", path, headers, body)
            taken.append(time.perf_counter() - began)
            errors += reply.status >= 300
        await wire.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return Load(len(taken), time.perf_counter() - start, statistics.median(taken), errors)
