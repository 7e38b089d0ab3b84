"""The writer process and its clients over the socket."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ledger_world import (
    RING,
    FailingOps,
    WriterProcess,
    add_outbox,
    check,
    closed,
    create,
    make_records,
    note,
    opened,
    outbox_left,
    writer_process,
)

from affiant.kit.clock import ClockFile, FileClock, SystemClock
from affiant.kit.errors import BadInput, LedgerUnavailable, NoRoom
from affiant.kit.home import Home
from affiant.ledger import Draft, LedgerClient, LedgerClientSync, LedgerReader, Writer, WriterOptions
from affiant.ledger.server import WriterServer
from affiant.ledger.wire import Frames, pack_frame, reachable
from affiant.proof.note import Checkpoint, Note

CLOCK = SystemClock()


async def connect(home: Home, role: str = "gateway", timeout_s: float = 2.0) -> LedgerClient:
    return await LedgerClient.connect(home.run / "writer.sock", "n1", role, CLOCK, timeout_s)


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


class InProcess:
    """A writer server in the test's own loop, with a disk that fails where told."""

    def __init__(self, home: Home, ops: FailingOps | None = None, **options: float) -> None:
        self.writer = Writer.open(home, RING, CLOCK, WriterOptions(**options), ops)  # type: ignore[arg-type]
        self.server = WriterServer(self.writer)
        self._home = home

    async def __aenter__(self) -> InProcess:
        ready = asyncio.Event()
        self.task = asyncio.create_task(self.server.run(self._home.run / "writer.sock", ready.set))
        await ready.wait()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.server.stop()
        await asyncio.gather(self.task, return_exceptions=True)
        self.writer.close()


def test_append_gives_indexes_and_checkpoints_follow(tmp_path: Path) -> None:
    """Events of several callers get distinct indexes in order, and a signed head covers them within a second."""
    home = create(tmp_path / "h")

    async def work() -> None:
        client = await connect(home)
        first = await client.append([note("a"), note("b")])
        found = await asyncio.gather(*(client.append([note(str(n)), note(str(n))]) for n in range(50)))
        assert sorted(found) == list(range(first + 2, first + 102, 2))
        reader = LedgerReader(home)
        assert reader.size == first + 102
        for n, index in enumerate(found):
            assert [reader.event(index + k).body["note"] for k in (0, 1)] == [str(n)] * 2
        started = time.monotonic()
        await until(lambda: reader.checkpoint().size >= first + 102)
        assert time.monotonic() - started < 1.2
        text = Note.parse(await client.checkpoint()).text
        assert Checkpoint.parse(text).size >= first + 102
        status = await client.status()
        assert status["room"] == 1 and status["fault"] == "" and client.available
        await client.close()

    with writer_process(home):
        asyncio.run(work())
    reader = check(home)
    last = reader.event(reader.size - 1)
    assert last.type == "producer.ended" and last.body["why"] == "stopped"
    assert {event.body["why"] for _, event in reader.of_types("producer.ended")} >= {"stopped", "restarted"}


def test_first_entry_of_a_client_is_its_start(tmp_path: Path) -> None:
    """Each incarnation begins with `producer.started` under number 0."""
    home = create(tmp_path / "h")

    async def work() -> str:
        client = await connect(home, "control")
        await client.append([note("x")])
        await client.close()
        return client.producer

    with writer_process(home):
        producer = asyncio.run(work())
    reader = check(home)
    mine = [event for event in map(reader.event, range(reader.size)) if event.producer == producer]
    assert [(event.type, event.seq) for event in mine] == [("producer.started", 0), ("job.run", 1)]
    assert mine[0].body["role"] == "control"


def test_bad_draft_hurts_only_its_caller(tmp_path: Path) -> None:
    """A draft that cannot be written is refused without a number being lost."""
    home = create(tmp_path / "h")

    async def work() -> None:
        client = await connect(home)
        bad = Draft("job.run", {"due": 1.5})
        results = await asyncio.gather(client.append([note("a")]), client.append([bad]), client.append([note("b")]), return_exceptions=True)
        assert isinstance(results[1], BadInput)
        assert isinstance(results[0], int) and results[2] == results[0] + 1
        with pytest.raises(BadInput):
            await client.append([Draft("job.run", {"note": "x" * 70_000})])
        with pytest.raises(BadInput):
            await client.append([opened("ex_1")], marks=[0])
        await client.close()

    with writer_process(home):
        asyncio.run(work())
    check(home)


def test_dropped_producer_is_ended_after_grace(tmp_path: Path) -> None:
    """A connection that drops leaves its exchanges interrupted, once, and the producer ended."""
    home = create(tmp_path / "h")

    async def work() -> None:
        client = await connect(home)
        index = await client.append([opened("ex_1")])
        await client.append([opened("ex_2")])
        await client.append([closed("ex_2")])
        for task in client._tasks:
            task.cancel()
        assert client._transport is not None
        client._transport.abort()
        reader = LedgerReader(home)
        await until(lambda: any(e.body["producer"] == client.producer for _, e in reader.of_types("producer.ended")))
        interrupted = [event for _, event in reader.of_types("exchange.interrupted")]
        assert [(event.ref, event.body) for event in interrupted] == [("ex_1", {"producer": client.producer, "opened": index})]

    with writer_process(home, grace_s=0.3):
        asyncio.run(work())
    check(home)


def test_a_stop_ends_who_is_still_in_grace(tmp_path: Path) -> None:
    """A writer that stops while a dropped producer has grace left ends it: what it had open has an end in the ledger."""
    home = create(tmp_path / "h")

    async def work() -> None:
        client = await connect(home)
        await client.append([opened("ex_1")])
        for task in client._tasks:
            task.cancel()
        assert client._transport is not None
        client._transport.abort()
        await asyncio.sleep(0.1)

    with writer_process(home, grace_s=60):
        asyncio.run(work())
    reader = LedgerReader(home)
    assert [event.ref for _, event in reader.of_types("exchange.interrupted")] == ["ex_1"]
    assert {event.body["why"] for _, event in reader.of_types("producer.ended")} >= {"disconnected", "stopped"}
    check(home)


def test_ended_producer_begins_anew(tmp_path: Path) -> None:
    """A client that comes back too late is told, loses what it had open, and goes on as another incarnation."""
    home = create(tmp_path / "h")

    async def work() -> None:
        process = WriterProcess(home, grace_s=0.2)
        client = await connect(home)
        told: list[tuple[str, frozenset[str]]] = []
        client.on_ended = lambda name, refs: told.append((name, refs))
        before = client.producer
        await client.append([opened("ex_1")])
        process.end(signal.SIGKILL)
        await until(lambda: not client.available)
        client._ready = False
        path = home.run / "writer.sock"
        hidden = path.with_name("hidden")
        client._path = hidden
        process = WriterProcess(home, grace_s=0.2)
        reader = LedgerReader(home)
        await until(lambda: any(e.body["producer"] == before for _, e in reader.of_types("producer.ended")))
        client._path = path
        await until(lambda: client.available)
        await client.append([note("again")])
        assert told == [(before, frozenset({"ex_1"}))]
        assert client.producer != before
        with pytest.raises(LedgerUnavailable, match="interrupted"):
            await client.append([closed("ex_1")])
        await client.close()
        process.end()

    asyncio.run(work())
    check(home)


def test_away_writer_is_told_promptly(tmp_path: Path) -> None:
    """While the writer is away callers are refused within the timeout, later ones at once; afterwards it goes on."""
    home = create(tmp_path / "h")

    async def work() -> None:
        process = WriterProcess(home)
        client = await connect(home, timeout_s=0.5)
        await client.append([note("before")])
        process.end(signal.SIGKILL)
        started = time.monotonic()
        with pytest.raises(LedgerUnavailable):
            await client.append([note("away")])
        assert time.monotonic() - started < 1.0
        await asyncio.sleep(0.5)
        started = time.monotonic()
        with pytest.raises(LedgerUnavailable):
            await client.append([note("away still")])
        assert time.monotonic() - started < 0.05
        process = WriterProcess(home)
        await until(lambda: client.available)
        await client.append([note("after")])
        await client.close()
        process.end()

    asyncio.run(work())
    check(home)


def test_no_writer_at_all(tmp_path: Path) -> None:
    """Connecting where nothing listens fails in time and leaves nothing running."""
    home = create(tmp_path / "h")

    async def work() -> None:
        with pytest.raises(LedgerUnavailable):
            await connect(home, timeout_s=0.2)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(work())


def test_late_event_can_be_followed(tmp_path: Path) -> None:
    """An exchange opened after its caller had given up is closed by what the process says then."""
    home = create(tmp_path / "h")

    async def work() -> None:
        process = WriterProcess(home)
        client = await connect(home, timeout_s=0.3)
        late: list[tuple[str, int]] = []

        def follow(draft: Draft, index: int) -> Draft | None:
            late.append((draft.ref, index))
            return closed(draft.ref)

        client.on_late = follow
        process.process.send_signal(signal.SIGSTOP)
        with pytest.raises(LedgerUnavailable):
            await client.append([opened("ex_late")])
        process.process.send_signal(signal.SIGCONT)
        reader = LedgerReader(home)
        await until(lambda: len(reader.find("ex_late")) == 2)
        assert [ref for ref, _ in late] == ["ex_late"]
        await client.close()
        process.end()

    asyncio.run(work())
    check(home)


def test_no_room_refuses_openings_only(tmp_path: Path) -> None:
    """Below the reserve an opening is refused although closings of the same batch go through."""
    home = create(tmp_path / "h")

    async def work() -> None:
        ops = FailingOps()
        async with InProcess(home, ops):
            client = await connect(home)
            await client.append([opened("ex_1")])
            ops.free = 1000
            results = await asyncio.gather(
                client.append([opened("ex_2")]), client.append([closed("ex_1")]), client.append([note("refused")]), return_exceptions=True
            )
            assert isinstance(results[0], NoRoom)
            assert isinstance(results[1], int) and isinstance(results[2], int)
            ops.free = None
            await client.append([opened("ex_3")])
            await client.append([closed("ex_3")])
            await client.close()

    asyncio.run(work())
    assert check(home).find("ex_2") == []


def test_full_disk_on_write(tmp_path: Path) -> None:
    """A write without room refuses the opening, takes the rest again, and loses nothing."""
    home = create(tmp_path / "h")

    async def work() -> None:
        ops = FailingOps()
        async with InProcess(home, ops):
            one, two = await connect(home), await connect(home)
            await one.append([opened("ex_1")])
            ops.fail, ops.partial = ("write", 0, 28), 33
            results = await asyncio.gather(one.append([closed("ex_1")]), two.append([opened("ex_2")]), return_exceptions=True)
            assert isinstance(results[0], int)
            assert isinstance(results[1], NoRoom | int)
            await one.close()
            await two.close()

    asyncio.run(work())
    check(home)


def test_sync_error_ends_the_writer(tmp_path: Path) -> None:
    """After a failed sync nothing is answered and the writer ends; a new one has what was acknowledged."""
    home = create(tmp_path / "h")

    async def work() -> None:
        ops = FailingOps()
        world = InProcess(home, ops)
        async with world:
            client = await connect(home, timeout_s=0.4)
            await client.append([note("kept")])
            ops.fail = ("datasync", 0, 5)
            with pytest.raises(LedgerUnavailable):
                await client.append([note("unknown")])
            await until(world.task.done)
            assert world.task.exception() is not None
        async with InProcess(home):
            await until(lambda: client.available)
            await client.append([note("after")])
            await client.close()

    asyncio.run(work())
    notes = [event.body["note"] for _, event in check(home).of_types("job.run")]
    assert notes == ["kept", "unknown", "after"]


def test_outbox_over_the_socket(tmp_path: Path) -> None:
    """Asked or not, committed record events reach the ledger; the answer comes when they are there."""
    home = create(tmp_path / "h")
    make_records(home)

    async def work() -> None:
        client = await connect(home, "control")
        add_outbox(home, 3)
        assert await client.outbox() == 3
        reader = LedgerReader(home)
        assert len(reader.find("ch_2")) == 1 and outbox_left(home) == 0
        add_outbox(home, 2)
        await until(lambda: len(reader.find("ch_4")) == 1)
        assert await client.outbox() in (0, 5)
        await client.close()

    with writer_process(home):
        asyncio.run(work())
    check(home)


def test_raw_protocol_refuses_nonsense(tmp_path: Path) -> None:
    """Whatever a local process sends, it is answered with an error or cut off, and nothing is written."""
    home = create(tmp_path / "h")
    name = "n1/gateway/raw"

    async def talk(*messages: bytes) -> list[list[object]]:
        with reachable(home.run / "writer.sock") as path:
            reader, writer = await asyncio.open_unix_connection(path)
        answers: list[list[object]] = []
        frames = Frames()
        for message in messages:
            writer.write(message)
            data = await asyncio.wait_for(reader.read(65_536), 3)
            answers += frames.feed(data)
        writer.close()
        await writer.wait_closed()
        return answers

    async def work() -> None:
        hello = pack_frame(("hello", name, 0))
        assert (await talk(pack_frame(("append", 1, []))))[0][2] == "bad_seq"
        assert (await talk(hello, pack_frame(("append", 1, []))))[1][2] == "bad_entry"
        assert (await talk(hello, pack_frame(("append", 1, [[0, 0, "", b"{}"]]))))[1][2] == "bad_entry"
        assert (await talk(hello, pack_frame(("append", 1, [[0, 0, "", b"x" * 65_536]]))))[1][2] == "too_large"
        other = b'{"at":1,"producer":"n1/gateway/other","seq":0,"tv":1,"type":"job.run","v":1}'
        assert (await talk(hello, pack_frame(("append", 1, [[0, 0, "", other]]))))[1][2] == "bad_seq"
        assert (await talk(pack_frame(("nonsense", 1))))[0][0] == "error"
        assert (await talk(pack_frame(("hello",))))[0][0] == "error"
        assert (await talk(b"\xff\xff\xff\xff"))[0][0] == "error"
        assert (await talk(b"\x00\x00\x00\x01\xc1"))[0][0] == "error"
        assert await talk(pack_frame(("hello", "n1/gateway/unknown", 7))) == [["ended"]]
        client = await connect(home)
        await client.close()

    with writer_process(home):
        asyncio.run(work())
    assert name not in {event.producer for _, event in check(home).of_types("job.run")}


def test_resend_is_answered_and_not_doubled(tmp_path: Path) -> None:
    """The same numbers sent again get the same index."""
    home = create(tmp_path / "h")
    data = b'{"at":1,"producer":"n1/gateway/raw","seq":0,"tv":1,"type":"job.run","v":1}'

    async def send() -> object:
        with reachable(home.run / "writer.sock") as path:
            reader, writer = await asyncio.open_unix_connection(path)
        frames = Frames()
        writer.write(pack_frame(("hello", "n1/gateway/raw", 0)) + pack_frame(("append", 9, [[0, 0, "", data]])))
        answers: list[list[object]] = []
        while len(answers) < 2:
            answers += frames.feed(await asyncio.wait_for(reader.read(65_536), 3))
        writer.close()
        await writer.wait_closed()
        return answers[1]

    process = WriterProcess(home)
    first = asyncio.run(send())
    assert asyncio.run(send()) == first
    process.end(signal.SIGKILL)
    with writer_process(home):
        assert asyncio.run(send()) == first
    check(home)


def test_sync_client(tmp_path: Path) -> None:
    """The blocking client does the same."""
    home = create(tmp_path / "h")
    with writer_process(home):
        with LedgerClientSync(home.run / "writer.sock", "n1", "supervisor", CLOCK) as client:
            index = client.append([note("x")])
            assert client.status()["size"] == index + 1
            assert client.checkpoint().startswith(b"test.example/log\n")
        with LedgerClientSync(home.run / "writer.sock", "n1", "supervisor", CLOCK):
            pass
    check(home)


def test_injected_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock file, entries and kept heads carry its time while syncs and heads keep real time."""
    home = create(tmp_path / "h")
    file = tmp_path / "clock"
    ruler = ClockFile(file)
    monkeypatch.setenv("AFFIANT_CLOCK_FILE", str(file))
    clock = FileClock(file)

    async def work() -> None:
        client = await LedgerClient.connect(home.run / "writer.sock", "n1", "control", clock)
        for hour in range(5):
            ruler.fix(1_700_000_000_000_000 + hour * 3_600_000_000)
            await client.append([note(str(hour))])
            await client.checkpoint()
        await client.close()

    ruler.fix(1_700_000_000_000_000)
    with writer_process(home):
        asyncio.run(work())
    reader = check(home)
    assert [event.at_us for _, event in reader.of_types("job.run")] == [1_700_000_000_000_000 + h * 3_600_000_000 for h in range(5)]
    assert {head.at_us for head in reader.checkpoints()} >= {1_700_000_000_000_000 + h * 3_600_000_000 for h in range(5)}


def test_deep_home(tmp_path: Path) -> None:
    """A home deeper than a socket's name allows works all the same."""
    home = create(tmp_path / ("d" * 60) / ("e" * 60))

    async def work() -> None:
        client = await connect(home)
        await client.append([note("x")])
        await client.close()

    with writer_process(home):
        asyncio.run(work())
    check(home)
