"""What a ledger does, whichever home it has: the same tests on a home of its own and on servers."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from prune_world import DAY, NEW, OLD, age, decide, take
from server_world import NOW, RING, Process, World, closed, note, opened, rows

from affiant.kit.clock import ClockFile, SystemClock, open_clock
from affiant.kit.errors import BadInput, Conflict, LedgerUnavailable
from affiant.kit.home import Home
from affiant.ledger import Draft, LedgerClient, LedgerClientSync, LedgerReader, encode
from affiant.ledger.archive import Archive
from affiant.ledger.floor import PrunedError
from affiant.ledger.opening import holdings_of
from affiant.ledger.retention import check_plan, plan_prune
from affiant.ledger.tree import Tree
from affiant.ledger.wire import Frames, pack_frame
from affiant.proof.hashes import leaf_hash, root_of, verify_consistency, verify_inclusion
from affiant.proof.note import Checkpoint, Note
from affiant.proof.tiles import unpack_bundle
from affiant.proof.tlogproof import TlogProof
from affiant.records import Records

CLOCK = SystemClock()


def client(home: Home, role: str = "control", timeout_s: float = 10.0) -> LedgerClientSync:
    return LedgerClientSync(home.run / "writer.sock", home.node, role, CLOCK, timeout_s)


class Raw:
    """A connection without a client's good manners."""

    def __init__(self, home: Home) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(home.run / "writer.sock"))
        self._frames = Frames()
        self._messages: list[list[Any]] = []

    def say(self, *message: Any) -> list[Any]:
        self.socket.sendall(pack_frame(message))
        while not self._messages:
            data = self.socket.recv(1 << 20)
            assert data, "the writer hung up"
            self._messages += self._frames.feed(data)
        return self._messages.pop(0)

    def close(self) -> None:
        self.socket.close()


def client_of(world: World) -> LedgerClientSync:
    return LedgerClientSync(world.home.run / "writer.sock", world.home.node, "control", open_clock(), 20.0)


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def check(world: World) -> None:
    """Verify everything, and the root once more in the plainest way."""
    report = world.check()
    assert report.good, "\n".join(report.lines())
    with world.reader() as reader:
        head = reader.checkpoint()
        assert root_of(leaf_hash(entry) for entry in reader.entries(0, head.size)) == head.root


def events_of(reader: LedgerReader, producer: str) -> list[tuple[int, str, str]]:
    """(seq, type, ref) of a producer's entries, by index."""
    events = [reader.event(index) for index in range(reader.size)]
    return [(event.seq, event.type, event.ref) for event in events if event.producer == producer]


def add_records(home: Home, count: int) -> None:
    """Commit record changes, each with one event."""
    with closing(Records(home, RING, CLOCK, create=True)) as records:
        for _ in range(count):
            records.deny("", "test", "to have an event")


def test_append_answers_with_places_in_order(world: World) -> None:
    """An append is answered with the index of its first event, and its events lie there side by side as they were encoded."""
    with world.writer(), client(world.home) as one:
        places = [one.append([note(f"{n} {m}") for m in range(3)]) for n in range(5)]
        with world.reader() as reader:
            found = [[reader.event(place + m).body["note"] for m in range(3)] for place in places]
            assert reader.size >= max(places) + 3
    assert found == [[f"{n} {m}" for m in range(3)] for n in range(5)]
    assert places == sorted(places)
    check(world)


def test_batches_of_many_callers_stay_whole(world: World) -> None:
    """Callers that append at once get their events in, each group side by side and each producer's numbers without a gap."""

    async def caller(number: int) -> list[tuple[int, str]]:
        link = await LedgerClient.connect(world.home.run / "writer.sock", world.home.node, "control", CLOCK, 20.0)
        mine = []
        for n in range(10):
            texts = [f"{number}.{n}.{m}" for m in range(3)]
            first = await link.append([note(text) for text in texts])
            mine += [(first + m, text) for m, text in enumerate(texts)]
        await link.close()
        return mine

    async def all_callers() -> list[list[tuple[int, str]]]:
        return list(await asyncio.gather(*(caller(number) for number in range(8))))

    with world.writer():
        answers = [pair for mine in asyncio.run(all_callers()) for pair in mine]
    with world.reader() as reader:
        assert all(reader.event(index).body["note"] == text for index, text in answers)
    assert len({index for index, _ in answers}) == 8 * 10 * 3
    check(world)


def test_resend_is_answered_and_not_written_twice(world: World) -> None:
    """A batch that is sent again, on the same or on a new connection, gets the same answer and is in the ledger once."""
    name = "n1/control/again"
    batch = rows(name, 0, [note("a"), note("b")])
    with world.writer():
        with closing(Raw(world.home)) as raw:
            assert raw.say("hello", name, 0)[0] == "ready"
            first = raw.say("append", 1, batch)
            assert raw.say("append", 2, batch) == ["ok", 2, first[2]]
        with closing(Raw(world.home)) as raw:
            assert raw.say("hello", name, 0)[0] == "ready"
            assert raw.say("append", 1, batch) == first
            assert raw.say("append", 2, rows(name, 2, [note("c")]))[0] == "ok"
        with world.reader() as reader:
            assert events_of(reader, name) == [(0, "job.run", ""), (1, "job.run", ""), (2, "job.run", "")]
    check(world)


@pytest.mark.parametrize(
    ("name", "code"), [("gap", "bad_seq"), ("mark", "bad_entry"), ("stranger", "bad_seq"), ("large", "too_large"), ("shape", "bad_entry")]
)
def test_what_cannot_be_taken_is_refused_whole(world: World, name: str, code: str) -> None:
    """A batch with a gap, a wrong mark, another's event, an event too large or no shape is refused, and nothing of it is written."""
    me = "n1/control/picky"
    good = rows(me, 0, [note("a"), note("b")])
    bad: dict[str, Any] = {
        "gap": rows(me, 5, [note("a")]),
        "mark": [good[0], [1, 1, "x", good[1][3]]],
        "stranger": [good[0], [1, 0, "", encode(note("b"), "n1/control/other", 1, NOW, 0)]],
        "large": [good[0], [1, 0, "", b"x" * 65_536]],
        "shape": [[0, 0]],
    }
    with world.writer(), closing(Raw(world.home)) as raw:
        assert raw.say("hello", me, 0)[0] == "ready"
        answer = raw.say("append", 1, bad[name])
        assert answer[:3] == ["error", 1, code]
        assert raw.say("append", 2, good)[0] == "ok"
        with world.reader() as reader:
            assert len(events_of(reader, me)) == 2
    check(world)


def test_a_lost_producer_is_ended_and_its_exchanges_interrupted(world: World) -> None:
    """When a connection drops for good, each exchange left open is interrupted, then the producer is ended, and its name is spent."""
    name = "n1/gateway/lost"
    with world.writer(grace_s=0.2):
        with closing(Raw(world.home)) as raw:
            raw.say("hello", name, 0)
            assert raw.say("append", 1, rows(name, 0, [opened("ex_1"), opened("ex_2"), closed("ex_1")]))[0] == "ok"

        def ended() -> bool:
            with world.reader() as reader:
                return any(event.body["producer"] == name for _, event in reader.of_types("producer.ended"))

        until(ended)
        with world.reader() as reader:
            [(at, interrupted)] = list(reader.of_types("exchange.interrupted"))
            assert interrupted.ref == "ex_2" and reader.event(interrupted.body["opened"]).ref == "ex_2"
            [(end, event)] = [(i, e) for i, e in reader.of_types("producer.ended") if e.body["producer"] == name]
            assert end == at + 1
            assert event.body == {"producer": name, "last_seq": 2, "interrupted": 1, "why": "disconnected"}
        with closing(Raw(world.home)) as raw:
            assert raw.say("hello", name, 3) == ["ended"]
    check(world)


def test_good_bye_ends_a_producer_at_once(world: World) -> None:
    """A client that says good-bye is ended as stopped, without waiting for a grace."""
    with world.writer(grace_s=60):
        with client(world.home) as one:
            one.append([note("x")])
            name = one.producer

        def ended() -> bool:
            with world.reader() as reader:
                found = [event.body for _, event in reader.of_types("producer.ended") if event.body["producer"] == name]
                return bool(found) and found[0]["why"] == "stopped"

        until(ended, 5)
    check(world)


def test_a_producer_that_comes_back_in_time_goes_on(world: World) -> None:
    """After a dropped connection the same producer continues with its next number, and nothing is interrupted."""
    name = "n1/gateway/back"
    with world.writer(grace_s=20):
        with closing(Raw(world.home)) as raw:
            raw.say("hello", name, 0)
            raw.say("append", 1, rows(name, 0, [opened("ex_9")]))
        with closing(Raw(world.home)) as raw:
            assert raw.say("hello", name, 1)[0] == "ready"
            assert raw.say("append", 1, rows(name, 1, [closed("ex_9")]))[0] == "ok"
            raw.say("checkpoint", 2)
        with world.reader() as reader:
            assert events_of(reader, name) == [(0, "exchange.opened", "ex_9"), (1, "exchange.closed", "ex_9")]
            assert not list(reader.of_types("exchange.interrupted"))
    check(world)


def test_record_changes_arrive_once(world: World) -> None:
    """What records committed is in the ledger once, in order, though the writer is killed and started again in between."""
    add_records(world.home, 30)
    with world.writer() as writer:
        with client(world.home) as one:
            one.outbox()
            with world.reader() as reader:
                assert [seq for seq, _, _ in events_of(reader, "n1/records/0")] == list(range(30))
        add_records(world.home, 40)
        writer.end(signal.SIGKILL)
    with world.writer(), client(world.home) as one:
        one.outbox()
        one.checkpoint()
    with world.reader() as reader:
        assert [seq for seq, _, _ in events_of(reader, "n1/records/0")] == list(range(70))
    with closing(Records(world.home, RING, CLOCK)) as records:
        assert records.outbox_size() == 0
    check(world)


def test_heads_only_grow_and_old_proofs_hold(world: World) -> None:
    """Over restarts each head extends the one before, and proofs given under an old head still verify and can be given again."""
    notes: list[bytes] = []
    proofs: list[str] = []
    for life in range(3):
        with world.writer(), client(world.home) as one:
            place = one.append([note(f"{life} {n}") for n in range(300)])
            notes.append(one.checkpoint())
            with world.reader() as reader:
                proofs.append(reader.prove(place + 7))
    heads = [Checkpoint.parse(Note.parse(text).text) for text in notes]
    with world.reader() as reader:
        for old, new in pairwise(heads):
            verify_consistency(old.size, new.size, reader.consistency(old.size, new.size), old.root, new.root)
            assert reader.root(old.size) == old.root
        for head in heads:
            for index in range(0, head.size, 41):
                verify_inclusion(index, head.size, leaf_hash(reader.entry(index)), reader.inclusion(index, head.size), head.root)
        for text in proofs:
            proof = TlogProof.parse(text.encode())
            under = Checkpoint.parse(Note.parse(proof.checkpoint).text)
            verify_inclusion(proof.index, under.size, leaf_hash(reader.entry(proof.index)), list(proof.path), under.root)
        kept = {head.size: head.root for head in reader.checkpoints()}
        assert all(kept[head.size] == head.root for head in heads)
    check(world)


def test_kill_in_full_flow_loses_nothing(world: World) -> None:
    """Killed at any moment, again and again, the writer has lost no acknowledged event and written none twice."""
    acknowledged: set[str] = set()
    for life in range(3):
        with world.writer(grace_s=0.1) as writer:
            acknowledged |= asyncio.run(_load(world.home, writer, life, 0.4 + 0.3 * life))
    with world.writer(grace_s=0.1), client(world.home) as one:
        one.checkpoint()
    check(world)
    with world.reader() as reader:
        texts = [event.body["note"] for _, event in reader.of_types("job.run")]
    assert len(acknowledged) > 50
    assert len(texts) == len(set(texts))
    assert acknowledged <= set(texts)


async def _load(home: Home, writer: Process, life: int, seconds: float) -> set[str]:
    """Append from many callers until the writer is killed; gives what was acknowledged."""
    link = await LedgerClient.connect(home.run / "writer.sock", home.node, "gateway", CLOCK, 10.0)
    done: set[str] = set()

    async def caller(number: int) -> None:
        for n in range(100_000):
            text = f"{life}.{number}.{n}"
            try:
                await link.append([note(text)], timeout_s=0.3)
            except LedgerUnavailable:
                return
            done.add(text)

    callers = [asyncio.create_task(caller(number)) for number in range(16)]
    await asyncio.sleep(seconds)
    writer.end(signal.SIGKILL)
    await asyncio.gather(*callers)
    await link.close()
    return done


def test_status_and_drafts_of_the_writer_itself(world: World) -> None:
    """The writer says how many entries there are and how many are signed, and lists itself as a producer that began and ended."""
    with world.writer(), client(world.home) as one:
        place = one.append([Draft("job.run", {"due": 1, "ok": 1}, ref="job")])
        one.checkpoint()
        status = one.status()
        assert status["size"] >= status["signed"] > place
        assert status["fault"] == ""
    with world.reader() as reader:
        assert reader.find("job") == [place]
        began = [event.producer for _, event in reader.of_types("producer.started") if event.body["role"] == "writer"]
        ended = [event.body["producer"] for _, event in reader.of_types("producer.ended")]
    assert began[-1] in ended
    check(world)


def test_a_pruned_prefix_goes_and_what_stays_is_whole(aged: World, clock: ClockFile, tmp_path: Path) -> None:
    """Pruned entries are named with where they lie, lasting ones stay, every proof holds, writers start and go on."""
    now = open_clock()
    with aged.writer():
        age(aged, clock, now)
        with aged.reader() as reader:
            head, entries = reader.checkpoint(), list(reader.entries(0, reader.checkpoint().size))
            heads = reader.checkpoints()
        minimum = decide(aged, now)
        assert minimum == 1_536
        taken = take(aged, now, tmp_path / "cold")
        assert (taken.start, taken.stop, taken.packs) == (0, minimum, 1)
        with client_of(aged) as one:
            place = one.append([note("after")])
            one.checkpoint()
        with aged.reader() as reader:
            assert reader.begin == minimum
            assert list(reader.entries(minimum, head.size)) == entries[minimum:]
            for old in heads:
                verify_consistency(old.size, head.size, reader.consistency(old.size, head.size), old.root, head.root)
            for index in (0, 5, minimum - 1, minimum, head.size - 1, place):
                proof = TlogProof.parse(reader.prove(index).encode())
                leaf = leaf_hash(entries[index]) if index < len(entries) else leaf_hash(reader.entry(index))
                verify_inclusion(index, reader.checkpoint().size, leaf, list(proof.path), reader.checkpoint().root)
            with pytest.raises(PrunedError, match=f"Entry 77 was pruned, archived at {tmp_path / 'cold'}"):
                reader.event(77)
            with pytest.raises(PrunedError, match=f"Entries 70 to {minimum - 1} were pruned"):
                list(reader.entries(70, head.size))
            with pytest.raises(PrunedError):
                list(reader.export(OLD, NEW))
            found = [index for index, _ in reader.of_types("ledger.created", "subject_key.destroyed")]
            assert [entries[index] for index in found] == [reader.entry(index) for index in found]
            assert len(found) == 2 and reader.vkey
            assert reader.find("job_3") == [] and len(reader.find("new_3")) == 1
            [(at, event)] = reader.of_types("ledger.removed")
            assert (event.body["below"], event.body["archived"]) == (minimum, str(tmp_path / "cold"))
            assert at == taken.index
    archive = Archive(tmp_path / "cold")
    packed = [entry for number in range(minimum // 256) for entry in unpack_bundle(archive.bundle(number) or b"")]
    archive.close()
    assert packed == entries[:minimum]
    report = aged.check()
    assert report.good, "\n".join(report.lines())
    assert "What was pruned is recorded" in report.steps[-1].what
    with aged.writer(), client_of(aged) as one:
        one.append([note("and after a start")])
        one.checkpoint()
    assert aged.check().good


def test_what_may_not_be_pruned_is_refused_alike(aged: World, clock: ClockFile, tmp_path: Path) -> None:
    """Too early, inside the open period, under a hold, not recorded, twice: nothing was removed."""
    now = open_clock()
    with aged.writer():
        age(aged, clock, now)
        with aged.reader() as reader:
            early = plan_prune(reader, holdings_of(reader), NEW - 300 * DAY, NEW, [])
            assert any("18 months" in why for why in early.refused)
            later = plan_prune(reader, holdings_of(reader), NEW + 2 * DAY, NEW + 900 * DAY, [])
            assert any("open period" in why for why in later.refused)
            held = plan_prune(reader, holdings_of(reader), OLD + 30 * DAY, NEW, ["lh_1"])
            assert held.refused == ("the legal hold lh_1 is in force",)
            with pytest.raises(Conflict, match="lh_1"):
                check_plan(held)
            holdings_of(reader).publish(512)
            with pytest.raises(Conflict, match="No entry says"):
                take(aged, now)
        minimum = decide(aged, now)
        with aged.reader() as reader, pytest.raises(Conflict, match="never goes down"):
            holdings_of(reader).publish(256)
        with pytest.raises(Conflict, match="lh_1"):
            take(aged, now, holds=lambda: ["lh_1"])
        with pytest.raises(BadInput, match="lies in the home"):
            take(aged, now, aged.home.root / "cold")
        with aged.reader() as reader:
            assert reader.begin == 0
            assert reader.event(77).type == "job.run"
        assert take(aged, now).stop == minimum
        with pytest.raises(Conflict, match="nothing to prune"):
            decide(aged, now)
        with aged.reader() as reader, pytest.raises(PrunedError, match="Entry 77 was pruned, not archived"):
            reader.event(77)
    assert aged.check().good


def test_an_exchange_left_open_before_the_floor_is_interrupted_after_it(aged: World, clock: ClockFile) -> None:
    """What a producer had open is known without its entries: its end, by a writer that starts later, names the pruned opening."""
    now = open_clock()
    with aged.writer(grace_s=60):
        raw = Raw(aged.home)
        raw.say("hello", "n1/gateway/long", 0)
        assert raw.say("append", 1, rows("n1/gateway/long", 0, [opened("ex_long")], OLD))[0] == "ok"
        age(aged, clock, now)
        decide(aged, now)
        take(aged, now)
        raw.close()
    with aged.writer(grace_s=0.2):

        def interrupted() -> bool:
            with aged.reader() as reader:
                return [event.ref for _, event in reader.of_types("exchange.interrupted")] == ["ex_long"]

        until(interrupted)
    with aged.reader() as reader:
        [(_, event)] = reader.of_types("exchange.interrupted")
        assert event.body["opened"] < 256
    report = aged.check()
    assert report.good, "\n".join(report.lines())


class Served:
    """`affiant ledger serve`, asked as any tlog-tiles client asks."""

    def __init__(self, home: Home) -> None:
        words = [sys.executable, "-m", "affiant", "ledger", "serve", "--home", str(home.root), "--port", "0"]
        self.child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.child.stdout is not None
        self.url = json.loads(self.child.stdout.readline())["url"]
        self.host = self.url.removeprefix("http://")

    def ask(self, path: str, method: str = "GET") -> tuple[int, bytes, dict[str, str]]:
        with closing(http.client.HTTPConnection(self.host, timeout=20)) as link:
            link.request(method, path)
            answer = link.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}

    def get(self, path: str) -> bytes:
        status, data, headers = self.ask(path)
        assert status == 200, (path, status, data)
        assert ("immutable" in headers["cache-control"]) == path.startswith("/tile/")
        return data

    def close(self) -> None:
        self.child.send_signal(signal.SIGINT)
        self.child.wait(20)
        assert self.child.stdout is not None
        self.child.stdout.close()


def test_any_tlog_tiles_client_reads_it(aged: World, clock: ClockFile, tmp_path: Path) -> None:
    """Checkpoint, bundles and tiles are served under their names, byte for byte those of the tree; a verifier of others takes them."""
    now = open_clock()
    with aged.writer(), closing(Served(aged.home)) as served:
        age(aged, clock, now)
        signed = served.get("/checkpoint")
        head = Checkpoint.parse(Note.parse(signed).text)
        with aged.reader() as reader:
            entries = list(reader.entries(0, head.size))
            vkey = str(reader.vkey)
        wanted: dict[str, bytes] = {}
        tree = Tree(lambda path, data, full: wanted.__setitem__(path, data))
        tree.add(entries)
        tree.put_partial()
        assert tree.root() == head.root
        for path, data in wanted.items():
            assert served.get(f"/{path}") == data, path
            (tmp_path / "mirror" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "mirror" / path).write_bytes(data)
        (tmp_path / "mirror" / "checkpoint").write_bytes(signed)
        go_verify(tmp_path / "mirror", vkey, tmp_path)
        status, nothing, headers = served.ask("/tile/entries/000", "HEAD")
        assert (status, nothing, headers["content-length"]) == (200, b"", str(len(wanted["tile/entries/000"])))
        now_signed = Checkpoint.parse(Note.parse(served.get("/checkpoint")).text).size
        for path in (
            "/minimum-index", "/keys.json", "/", "/writer.lock", "/tile/0/999", "/tile/entries/x000/000", "/tile/0/000.p/0", "/tile/9/000",
            "/tile/0/000.p/300", "/../affiant.json", f"/tile/entries/{now_signed // 256:03d}", "/lasting/00000000000000000000",
        ):  # fmt: skip
            assert served.ask(path)[0] == 404, path
        minimum = decide(aged, now)
        take(aged, now)
        assert served.get("/minimum-index") == b"%d\n" % minimum
        for number in range(minimum // 256):
            assert served.ask(f"/tile/entries/{number:03d}")[0] == served.ask(f"/tile/0/{number:03d}")[0] == 404
        assert served.get(f"/tile/entries/{minimum // 256:03d}") == wanted[f"tile/entries/{minimum // 256:03d}"]
        assert served.get(f"/tile/0/{minimum // 256:03d}") == wanted[f"tile/0/{minimum // 256:03d}"]


def go_verify(folder: Path, vkey: str, build: Path) -> None:
    """What Go's own packages say of a log; where they are not installed, this part of the test is left out."""
    gopath = Path("/usr/share/gocode")
    if shutil.which("go") is None or not (gopath / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        return
    source = Path(__file__).parents[1] / "go" / "verify" / "main.go"
    environ = os.environ | {"GO111MODULE": "off", "GOPATH": str(gopath), "GOFLAGS": "", "GOCACHE": str(build / "cache")}
    subprocess.run(["go", "build", "-o", str(build / "verify"), str(source)], env=environ, check=True, timeout=200)
    words = [str(build / "verify"), "-dir", str(folder), "-vkey", vkey]
    done = subprocess.run(words, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert b"entries authenticated" in done.stdout
