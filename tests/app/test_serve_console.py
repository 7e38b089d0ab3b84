"""Every page of the console, over the real processes of a served home, after controls ran there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from affiant.kit.home import open_home
from affiant.ledger import LedgerReader
from affiant.testing.world import World, http_call


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("console"), workers=1) as served:
        served.chat("Write to ana.ruiz@example.com")
        served.chat("hello", key="nobody")
        day = time.strftime("%Y-%m-%d", time.gmtime())
        served.cli("control", "run", "--all", "--period", f"{day}..{day}", "--as", "ann", check=False)
        yield served


@pytest.fixture(scope="module")
def cookie(world: World) -> str:
    """The session of somebody who signed in with a one-time link."""
    link = json.loads(world.cli("person", "link", "ann", "--json").stdout)
    body = json.dumps({"token": link["token"]}).encode()
    answer = http_call(f"{world.console}/api/v1/sign-in/link", "POST", {"content-type": "application/json"}, body)
    assert answer.status == 200, answer.body
    return answer.headers["set-cookie"].partition(";")[0]


def paths(world: World) -> list[str]:
    """Addresses of pages, with ids that this home has."""
    reader = LedgerReader(open_home(world.home))
    freezes = [event.ref for _, event in reader.of_types("population.frozen")]
    exchanges = [event.ref for _, event in reader.of_types("exchange.opened", "exchange.refused")]
    changes = [event.ref for _, event in reader.of_types("change.proposed")]
    return [
        "/", "/exchanges", "/controls", "/controls/PI-5.1", "/controls/AUD-4.1", "/populations", "/changes", "/people", "/ledger",
        "/entries/0",
        f"/populations/{freezes[0]}", f"/populations/{freezes[-1]}", f"/exchanges/{exchanges[0]}", f"/exchanges/{exchanges[-1]}",
        f"/changes/{changes[0]}",
    ]  # fmt: skip


def test_every_page_answers(world: World, cookie: str) -> None:
    """Each page is there for somebody who may see it, and says where the ledger stands."""
    for path in paths(world):
        answer = http_call(world.console + path, "GET", {"cookie": cookie}, timeout_s=60)
        assert answer.status == 200, (path, answer.body[-600:])
        assert b"could not look" not in answer.body.lower().partition(b"<main")[2][:4000] or path == "/", path


def test_rows_are_made_again_when_they_are_gone(world: World, cookie: str) -> None:
    """Kept rows are disposable: without them a population's page is computed from the entries."""
    freeze = next(path for path in paths(world) if path.startswith("/populations/"))
    kept = list((world.home / "derived" / "runs").iterdir())
    for path in kept:
        path.unlink()
    world.stop_serving()
    world.start()
    answer = http_call(world.console + freeze, "GET", {"cookie": cookie}, timeout_s=90)
    assert answer.status == 200, answer.body[-600:]
    assert (world.home / "derived" / "runs" / f"{Path(freeze).name}.rows").exists()


def test_the_console_refuses_the_local_credential(world: World) -> None:
    """What the command line may do over its socket, nobody may do over the network."""
    token = "x" * 43
    answer = http_call(f"{world.console}/api/v1/status", "GET", {"authorization": f"Bearer {token}"})
    assert answer.status == 401
    assert http_call(f"{world.console}/internal/tick", "POST", {}, b"{}").status in (303, 404, 405)


def test_snapshots_are_confirmed_while_controls_run(world: World) -> None:
    """Analytics happen elsewhere: workers stay in contact and exchanges are answered while every control runs."""
    import threading

    day = time.strftime("%Y-%m-%d", time.gmtime())
    arguments = ("control", "run", "--all", "--period", f"{day}..{day}", "--as", "ann")
    running = threading.Thread(target=world.cli, args=arguments, kwargs={"check": False})
    running.start()
    slowest = 0.0
    while running.is_alive():
        begin = time.monotonic()
        assert world.chat("still here?").status == 200
        slowest = max(slowest, time.monotonic() - begin)
    running.join()
    assert slowest < 5
    assert "gateway.stale" not in [event.type for _, event in LedgerReader(open_home(world.home)).of_types("gateway.stale")]


def test_a_key_works_as_soon_as_it_is_made(world: World) -> None:
    """The answer to a change is given when every worker decides from it: keys made one after another are all known at once."""
    for number in range(10):
        made = json.loads(world.cli("key", "create", "--models", "help", "--owner", "cat", "--as", "bob").stdout.splitlines()[-1])
        answer = world.chat(f"with key {number}", key=made["secret"])
        assert answer.status == 200, answer.body
