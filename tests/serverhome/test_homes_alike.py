"""What a ledger does, whichever home it has: the same tests on a home of its own and on servers."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest
from server_world import NOW, RING, Process, World, closed, note, opened, rows

from affiant.kit.clock import SystemClock
from affiant.kit.errors import LedgerUnavailable
from affiant.kit.home import Home
from affiant.ledger import Draft, LedgerClient, LedgerClientSync, LedgerReader, encode
from affiant.ledger.wire import Frames, pack_frame
from affiant.proof.hashes import leaf_hash, root_of, verify_consistency, verify_inclusion
from affiant.proof.note import Checkpoint, Note
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
