"""The main job of a home whose ledger moved to servers, with the program's own commands and processes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

from server_world import Postgres, Storage, config, unused_name

from affiant.kit.home import open_home
from affiant.ledger.serverhome import ServerConfig, save_config
from affiant.testing.world import World

pytestmark = pytest.mark.server


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Postgres, storage: Storage) -> ServerConfig:
    """Where a ledger that no test has used would lie."""
    monkeypatch.setenv("AFFIANT_TEST_DSN", postgres.dsn)
    return config(storage.endpoint, "env:AFFIANT_TEST_DSN", unused_name())


def servers_file(world: World, places: ServerConfig) -> str:
    """The file that `--servers` takes."""
    home = open_home(world.home)
    save_config(home, places)
    path = world.root / "servers.json"
    (home.root / "server.json").rename(path)
    return str(path)


def shown(world: World, exchange: str) -> list[str]:
    lines = world.cli("ledger", "show", "--exchange", exchange).stdout.splitlines()
    return [json.loads(line)["type"] for line in lines]


def test_a_served_home_moves_to_servers_and_goes_on(tmp_path: Path, places: ServerConfig) -> None:
    """Serve, move, serve again: exchanges from before and after are shown, controls run, everything holds, nothing serves at the end."""
    with World(tmp_path / "world") as world:
        before = world.chat("hello").headers["x-affiant-exchange"]
        assert world.stop_serving() == 0
        moved = json.loads(world.cli("ledger", "migrate", "--servers", servers_file(world, places)).stdout)
        assert moved["good"] is True and (world.home / "moved" / "segments").is_dir()
        again = world.cli("ledger", "migrate", "--servers", str(world.root / "servers.json"), check=False)
        assert again.returncode == 2 and "moved already" in again.stderr

        world.start()
        answer = world.chat("hello again")
        assert answer.status == 200, answer.body
        after = answer.headers["x-affiant-exchange"]
        time.sleep(1.0)  # a gateway's event is acknowledged before it has its place
        assert shown(world, before) == shown(world, after) == ["exchange.opened", "exchange.closed"]
        day = time.strftime("%Y-%m-%d", time.gmtime())
        ran = world.cli("control", "run", "GOV-3.1", "--period", f"{day}..{day}", "--as", "ann")
        assert json.loads(ran.stdout)["result"] == "no deviations noted"
        assert world.cli("ledger", "verify").returncode == 0
        assert world.stop_serving() == 0

        # Commands on a home that nothing serves write through a node's writer of their own.
        world.cli("key", "create", "--models", "help", "--owner", "cat", "--as", "bob")
        verified = json.loads(world.cli("ledger", "verify").stdout)
        assert verified["good"] is True
        newest = [json.loads(line)["entry"]["type"] for line in world.cli("ledger", "tail").stdout.splitlines()]
        assert "key.created" in newest
        for refused in (
            ["ledger", "archive"],
            ["ledger", "serve", "--port", "0"],
            ["ledger", "prune", "--before", "2026-01-01", "--as", "ann"],
        ):
            done = world.cli(*refused, check=False)
            assert done.returncode == 2 and "lies on servers" in done.stderr, done.stderr
