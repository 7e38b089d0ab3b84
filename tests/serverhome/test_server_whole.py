"""The main job of a home whose ledger moved to servers, with the program's own commands and processes."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path

import pytest

pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

from server_world import Postgres, Storage, config, unused_name

from affiant.kit.home import open_home
from affiant.ledger.serverhome import ServerConfig, save_config
from affiant.testing.world import COMPANY, World

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
        assert (world.home / "moved" / "records.db").exists() and not (world.home / "records.db").exists()
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
        assert json.loads(ran.stdout)["result"] == "no deviations noted", ran.stdout
        package = tmp_path / "day.affidavit"
        world.cli("control", "run", "--all", "--period", f"{day}..{day}", "--as", "ann", check=False)
        world.cli("affidavit", "build", "--period", f"{day}..{day}", "--out", str(package), "--as", "ann")
        assert world.cli("affidavit", "verify", str(package), check=False).returncode == 3  # self-consistent, not anchored
        assert world.cli("ledger", "verify").returncode == 0
        assert world.stop_serving() == 0

        # Commands on a home that nothing serves write through a node's writer of their own.
        world.cli("key", "create", "--models", "help", "--owner", "cat", "--as", "bob")
        verified = json.loads(world.cli("ledger", "verify").stdout)
        assert verified["good"] is True
        newest = [json.loads(line)["entry"]["type"] for line in world.cli("ledger", "tail").stdout.splitlines()]
        assert "key.created" in newest
        done = world.cli("ledger", "archive", check=False)
        assert done.returncode == 2 and "Storage is its archive" in done.stderr, done.stderr
        done = world.cli("ledger", "prune", "--before", "2020-01-01", "--dry-run", "--as", "ann", check=False)
        assert json.loads(done.stdout)["refused"] == ["no period was ever opened: all entries belong to the open one"], done.stderr


def test_a_home_founded_on_servers_and_a_second_node(tmp_path: Path, places: ServerConfig) -> None:
    """A founded home has its first entries on servers; a copy of its identity joins; both write one ledger that holds."""
    world = World(tmp_path)
    tmp_path.joinpath("servers.json").write_text(json.dumps({"format": 1, **asdict(places)}), encoding="utf-8")
    servers = str(tmp_path / "servers.json")
    made = json.loads(world.cli("ledger", "found", "--servers", servers, "--origin", "test/founded").stdout)
    assert made["log_vkey"].startswith("test/founded+") and not list((world.home / "segments").iterdir())
    world.cli("apply", str(people(tmp_path)), "--as", "ann")

    second = tmp_path / "second"
    shutil.copytree(world.home / "keys", second / "keys")
    identity = json.loads((world.home / "affiant.json").read_text(encoding="utf-8"))
    (second / "affiant.json").write_text(json.dumps(identity | {"node": "n2"}), encoding="utf-8")
    joined = World(tmp_path, home=second)
    assert json.loads(joined.cli("ledger", "join", "--servers", servers).stdout)["node"] == "n2"
    assert [each["id"] for each in json.loads(joined.cli("person", "list", "--json").stdout)["people"]] == ["ann"]
    joined.cli("key", "create", "--models", "*", "--owner", "ann", "--as", "ann")
    types = [json.loads(line)["entry"] for line in world.cli("ledger", "tail", "--from", "0").stdout.splitlines()]
    made = [(entry["type"], entry["producer"]) for entry in types if entry["type"] in ("person.set", "key.created")]
    assert made == [("person.set", "n1/records/0"), ("key.created", "n2/records/0")]
    doctor = joined.cli("doctor", check=False).stderr
    assert "Records in PostgreSQL are whole; 1 people." in doctor and "not in force" not in doctor, doctor
    assert not (second / "records.db").exists()
    assert json.loads(joined.cli("ledger", "verify").stdout)["good"] is True


def test_two_nodes_serve_one_company(tmp_path: Path, places: ServerConfig) -> None:
    """What one node is told the other does: a key works on both, a change needs a second person on any, a revoked key is refused."""
    one = World(tmp_path)
    servers = tmp_path / "servers.json"
    servers.write_text(json.dumps({"format": 1, **asdict(places)}), encoding="utf-8")
    two = World(tmp_path, home=tmp_path / "second")
    try:
        one.start_simulator()
        one.cli("ledger", "found", "--servers", str(servers), "--origin", "test/company")
        shutil.copytree(one.home / "keys", two.home / "keys")
        identity = json.loads((one.home / "affiant.json").read_text(encoding="utf-8"))
        (two.home / "affiant.json").write_text(json.dumps(identity | {"node": "n2"}), encoding="utf-8")
        two.cli("ledger", "join", "--servers", str(servers))
        one.start()
        two.start()
        two.keys = one.keys = one.apply(COMPANY)
        assert [world.chat("hello").status for world in (one, two)] == [200, 200]

        (tmp_path / "limit.yaml").write_text("limits: [{scope: all, unit: requests, window: 1h, value: 9}]", encoding="utf-8")
        one.cli("apply", str(tmp_path / "limit.yaml"), "--as", "bob")
        change = json.loads(two.cli("change", "list", "--state", "proposed", "--json").stdout)["changes"][0]["id"]
        two.cli("change", "approve", change, "--as", "ann")
        one.cli("change", "activate", change, "--as", "bob")

        one.cli("key", "revoke", "app", "--as", "bob")
        assert two.chat("hello").status == 401, "the command answers when every node decides from it"
        assert one.chat("hello").status == 401
        two.cli("key", "create", "--models", "help", "--owner", "cat", "--as", "bob")
        assert [one.stop_serving(), two.stop_serving()] == [0, 0]
        one.cli("ledger", "verify")
        entries = [json.loads(line)["entry"] for line in one.cli("ledger", "tail", "--from", "0").stdout.splitlines()]
        revoked = [entry["body"]["workers"] for entry in entries if entry["type"] == "key.revoked"]
        assert revoked == [2], revoked
        of_change = [(entry["type"], entry["producer"].split("/")[0]) for entry in entries if entry.get("ref") == change]
        assert of_change == [("change.proposed", "n1"), ("change.approved", "n2"), ("change.activated", "n1")]
    finally:
        two.stop()
        one.stop()


def people(folder: Path) -> Path:
    """A file with the first person."""
    path = folder / "people.yaml"
    path.write_text("people: [{id: ann, roles: [compliance, admin]}]", encoding="utf-8")
    return path


def test_servers_need_the_extra(tmp_path: Path, places: ServerConfig) -> None:
    """Without the packages for servers, each verb says in a sentence what to install, and makes nothing."""
    world = World(tmp_path, environment={"PYTHONPATH": str(without_asyncpg(tmp_path))})
    (tmp_path / "servers.json").write_text(json.dumps({"format": 1, **asdict(places)}), encoding="utf-8")
    done = world.cli("ledger", "found", "--servers", str(tmp_path / "servers.json"), check=False)
    assert done.returncode == 3 and "affiant[server]" in done.stderr and "Traceback" not in done.stderr
    assert not world.home.exists()


def without_asyncpg(folder: Path) -> Path:
    """A folder before all others in which importing asyncpg fails as if it were not there."""
    (folder / "path").mkdir()
    (folder / "path" / "asyncpg.py").write_text("raise ImportError('not installed')", encoding="utf-8")
    return folder / "path"
