"""The gateway against its provider directly, beside nginx and a bare raw-ASGI proxy, in one run: ratios, and CPU of whole process trees.

Rounds alternate between the targets, and medians over rounds are compared, so that a busy machine disturbs all alike. Streams of one
caller are measured token by token beside it (`stream`).
`python -m bench gateway --seconds 3 --rounds 3 --connections 64 --workers 1`. Leaves out: absolute claims; the machine decides those.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affiant.testing.world import COMPANY, World
from bench import load, proc, stream

_NGINX = """
worker_processes 1; daemon off; error_log stderr; pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e; client_body_buffer_size 128k;
  upstream provider {{ server {upstream}; keepalive 128; }}
  server {{ listen 127.0.0.1:{port} backlog=1024; keepalive_requests 1000000;
    location / {{ proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}
"""


@dataclass
class Target:
    """Something to load, and what was measured of it. `pid` is the root of the process tree whose CPU counts."""

    name: str
    url: str
    pid: int
    key: str
    model: str = "scribe-1"
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    errors: int = 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


@contextmanager
def _process(command: Sequence[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(list(command), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def _company() -> dict[str, Any]:
    bay = {**COMPANY["providers"][0], "id": "bay", "kind": "anthropic", "base_url": "SIMULATOR/bay/v1", "usage_url": "SIMULATOR/bay/usage"}
    verse = {"id": "verse", "provider": "bay", "upstream": "verse-1", "version": "1.0", "approved_by": "bob"}
    chain = ["scribe", "verse"]
    plain = {"id": "plain", "models": chain, "policy": "sanitize-only", "mode": "enforce", "label": "internal"}
    policy = {"id": "sanitize-only", "guards": {"sanitize": {"action": "flag"}}}
    company = {
        **COMPANY, "providers": [*COMPANY["providers"], bay], "models": [*COMPANY["models"], verse],
        "routes": [*({**route, "models": chain} for route in COMPANY["routes"]), plain], "policies": [*COMPANY["policies"], policy],
    }  # fmt: skip
    return dict(json.loads(json.dumps(company)))  # nothing shared: the file may hold no aliases


def _targets(stack: ExitStack, folder: Path, workers: int) -> list[Target]:
    world = stack.enter_context(World(folder / "world", workers=workers, company=_company()))
    upstream = world.simulator.removeprefix("http://")
    simulator_pid = world.simulator_pid()
    targets = [Target("provider directly", world.simulator, simulator_pid, "sk-direct")]
    if shutil.which("nginx"):
        port = _free_port()
        config = folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=folder, upstream=upstream, port=port), encoding="utf-8")
        nginx = stack.enter_context(_process(["nginx", "-c", str(config), "-e", "stderr"], dict(os.environ)))
        _wait(port)
        targets.append(Target("nginx", f"http://127.0.0.1:{port}", nginx.pid, "sk-nginx"))
    port = _free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.asgi_proxy:app", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    bare = stack.enter_context(_process(command, {**os.environ, "UPSTREAM": upstream}))
    _wait(port)
    targets.append(Target("bare raw ASGI", f"http://127.0.0.1:{port}", bare.pid, "sk-bare"))
    pid = world.pids()["supervisor"]
    targets.append(Target("affiant, sanitize only", world.gateway, pid, world.keys["app"], "plain"))
    targets.append(Target("affiant, all guards", world.gateway, pid, world.keys["app"], "help"))
    return targets


def _measure(target: Target, text: str, seconds: int, connections: int) -> None:
    headers = {"Authorization": f"Bearer {target.key}", "Content-Type": "application/json"}
    body = json.dumps({"model": target.model, "messages": [{"role": "user", "content": text}]}).encode()
    pids = proc.tree(target.pid)
    before = proc.cpu_s(pids)
    result = load.run(target.url, "/v1/chat/completions", headers, body, seconds, connections)
    used = proc.cpu_s(proc.tree(target.pid)) - before
    target.rates.append(result.per_s)
    target.latencies.append(result.median_s)
    target.cpu_us.append(used / max(1, result.requests) * 1e6)
    target.errors += result.errors


def _streams(targets: list[Target], text: str, rounds: int, times: int) -> str:
    """Streams of one caller, directly and through the gateway, on each surface that has them."""
    chosen = [target for target in targets if target is targets[0] or target.model in ("plain", "help")]
    measured = {(surface.name, target.name): stream.Streamed() for surface in stream.SURFACES for target in chosen}
    for number in range(rounds + 1):
        for surface in stream.SURFACES:
            for target in chosen:
                into = measured[surface.name, target.name] if number else stream.Streamed()  # the first round warms connections
                stream.measure(target.url, target.pid, target.key, target.model, surface, text, times if number else 1, into)
    return stream.report(measured, targets[0].name)


def _report(targets: list[Target]) -> str:
    base = {name: next((t for t in targets if t.name == name), None) for name in ("provider directly", "nginx", "bare raw ASGI")}
    lines = [f"{'':24}{'req/s':>9}{'p50 ms':>9}{'CPU µs':>9}{'of direct':>11}{'CPU/nginx':>11}{'CPU/bare':>10}{'errors':>8}"]
    for target in targets:
        rate, cpu = statistics.median(target.rates), statistics.median(target.cpu_us)
        direct, nginx, bare = base["provider directly"], base["nginx"], base["bare raw ASGI"]
        share = rate / statistics.median(direct.rates) if direct else 0
        own = target is not direct  # the provider's own cost is no proxy's
        against = [cpu / statistics.median(other.cpu_us) if other and statistics.median(other.cpu_us) else 0 for other in (nginx, bare)]
        shown = f"{against[0]:11.2f}{against[1]:10.2f}" if own else f"{'–':>11}{'–':>10}"
        latency_ms = statistics.median(target.latencies) * 1e3
        lines.append(f"{target.name:24}{rate:9.0f}{latency_ms:9.2f}{cpu:9.0f}{share:11.2f}{shown}{target.errors:8d}")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark and print its table; JSON after it with --json."""
    parser = argparse.ArgumentParser(prog="python -m bench gateway", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--streams", type=int, default=4, help="streams of each surface and target a round; 0 none")
    parser.add_argument("--bytes", type=int, default=1000, help="size of the prompt")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    text = ("Please summarize the delivery terms for the new branch in three short sentences. " * 200)[: options.bytes]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="affiant-bench-")))
        targets = _targets(stack, folder, options.workers)
        for number in range(options.rounds + 1):
            for target in targets:
                _measure(target, text, 1 if number == 0 else options.seconds, options.connections)
                if number == 0:  # warms connections and caches; not counted
                    for kept in (target.rates, target.latencies, target.cpu_us):
                        kept.clear()
        print(
            f"{load.tool()}, {options.connections} connections, {options.bytes} B prompt, "
            f"medians of {options.rounds} rounds of {options.seconds} s"
        )
        print("CPU is of the target's whole process tree, per request, without the provider and the load.\n")
        print(_report(targets))
        if options.streams:
            print(f"\nOne caller, medians of {options.rounds} rounds of {options.streams} streams, {stream.SCRIPT}:\n")
            print(_streams(targets, text, options.rounds, options.streams))
        if options.json:
            print(
                json.dumps(
                    [{"name": t.name, "per_s": t.rates, "p50_s": t.latencies, "cpu_us": t.cpu_us, "errors": t.errors} for t in targets]
                )
            )
    return 0
