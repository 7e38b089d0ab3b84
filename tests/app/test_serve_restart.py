"""Whoever dies is restarted or ends in order, and nothing that was acknowledged is lost."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from affiant.kit.home import open_home
from affiant.ledger import Event, LedgerReader, decode
from affiant.testing.process import alive
from affiant.testing.world import World


@pytest.fixture(scope="module", params=[1, 2])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("restart"), workers=request.param) as served:
        yield served


def until(check: Callable[[], bool], what: str, timeout_s: float = 25.0) -> None:
    """Wait for something to become so."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if check():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {timeout_s} s")


def new_pid(world: World, name: str, old: int) -> Callable[[], bool]:
    def check() -> bool:
        now = world.pids()[name]
        now = now[0] if isinstance(now, list) else now
        return now not in (0, old)

    return check


def served(world: World) -> bool:
    """Whether an exchange is answered now."""
    try:
        return world.chat("still here?", timeout_s=10).status == 200
    except (OSError, http.client.HTTPException):
        return False


def types(world: World) -> list[str]:
    return [event.type for event in events(world)]


def events(world: World) -> list[Event]:
    reader = LedgerReader(open_home(world.home))
    return [decode(data) for data in reader.entries(0, reader.size)]


def test_the_ready_line_names_living_processes(world: World) -> None:
    """Status and supervisor.json agree on process ids, and each is alive."""
    status = json.loads(world.cli("status", "--json").stdout)
    pids = world.pids()
    assert status["pids"]["writer"] == pids["writer"] and status["serving"] is True
    assert all(alive(pid) for pid in [pids["writer"], pids["control"], pids["supervisor"], *pids["workers"]])
    assert served(world)


@pytest.mark.parametrize("role", ["writer", "control", "workers"])
def test_a_killed_process_is_restarted(world: World, role: str) -> None:
    """After SIGKILL of one process exchanges are answered again, and its new id is shown."""
    before = world.pids()[role]
    old = before[0] if isinstance(before, list) else before
    os.kill(old, signal.SIGKILL)
    until(new_pid(world, role, old), f"a new {role}")
    until(lambda: served(world), "an answered exchange")


def test_refusals_while_the_writer_is_away_become_one_event(world: World) -> None:
    """A stopped writer means 503 evidence_unavailable; its refusals are counted and recorded once it is back."""
    before = types(world).count("exchange.unrecorded")
    writer = world.pids()["writer"]
    os.kill(writer, signal.SIGSTOP)
    try:
        answer = world.chat("hello", timeout_s=20)
    finally:
        os.kill(writer, signal.SIGKILL)
    assert answer.status == 503 and b"evidence_unavailable" in answer.body
    until(lambda: types(world).count("exchange.unrecorded") == before + 1, "exchange.unrecorded")
    body = [event for event in events(world) if event.type == "exchange.unrecorded"][-1].body
    assert body["count"] >= 1 and body["from"] <= body["to"]
    until(lambda: served(world), "an answered exchange")


def test_a_second_serve_is_refused(world: World) -> None:
    """A home has one supervisor; another is told so and changes nothing."""
    done = world.cli("serve", "--gateway-port", "0", "--console-port", "0", check=False)
    assert done.returncode == 2 and "in use" in done.stderr and done.stdout == ""


def test_a_taken_port_is_named(world: World, tmp_path: Path) -> None:
    """A port that somebody else has is refused in words, with what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        environment = {**world.environment, "AFFIANT_UNLOCK": f"file:{tmp_path / 'unlock'}", "AFFIANT_HOME": str(tmp_path / "other")}
        command = [sys.executable, "-m", "affiant"]
        subprocess.run([*command, "init", "--origin", "test/port"], env=environment, check=True, capture_output=True)
        done = subprocess.run(
            [*command, "serve", "--gateway-port", port, "--console-port", "0"], env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 2 and port in done.stderr and "--gateway-port" in done.stderr


def test_children_end_when_the_supervisor_is_killed_and_the_next_start_is_clean(world: World) -> None:
    """SIGKILL of the supervisor ends every process, the writer last; serving again goes on with the same ledger."""
    size = len(types(world))
    pids = world.pids()
    world.stop_serving(signal.SIGKILL)
    children = [pids["writer"], pids["control"], *pids["workers"]]
    until(lambda: not any(alive(pid) for pid in children), "the end of every process")
    world.start()
    until(lambda: served(world), "an answered exchange")
    assert len(types(world)) > size
    assert world.cli("ledger", "verify").returncode == 0


def test_stopping_is_clean_and_in_order(world: World) -> None:
    """SIGTERM ends with exit code 0; producers ended as stopped, nothing is left running, the home can be opened by a command."""
    pids = world.pids()
    assert world.stop_serving() == 0
    assert not any(alive(pid) for pid in [pids["writer"], pids["control"], *pids["workers"]])
    last = [event for event in events(world) if event.type == "producer.ended"][-1]
    assert last.body["why"] == "stopped" and "/writer/" in last.body["producer"]
    status = json.loads(world.cli("status", "--json").stdout)
    assert status["serving"] is False
    world.start()


def test_a_second_signal_forces_the_end(world: World) -> None:
    """With a worker that cannot end by itself, the second Ctrl-C ends everything at once."""
    pids = world.pids()
    os.kill(pids["workers"][0], signal.SIGSTOP)
    os.kill(pids["supervisor"], signal.SIGINT)
    time.sleep(0.5)
    begin = time.monotonic()
    os.kill(pids["supervisor"], signal.SIGINT)
    world.stop_serving()
    assert time.monotonic() - begin < 5
    assert not any(alive(pid) for pid in [pids["writer"], pids["control"], *pids["workers"]])
    world.start()
    assert world.cli("ledger", "verify").returncode == 0
