"""Starting over what is on disk: whole, damaged, rolled back, forked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from ledger_world import NOW, RING, FailingOps, check, copy_home, create, flip, note, open_writer, opened, put

from affiant.kit.clock import FixedClock
from affiant.kit.errors import Conflict, LedgerFault
from affiant.kit.home import Home
from affiant.kit.keyring import Keyring
from affiant.ledger import LedgerReader, Writer, verify_home
from affiant.ledger.segment import segment_name


def grow(home: Home, count: int, first: int = 0, ops: FailingOps | None = None, text: str = "entry", **options: object) -> None:
    with open_writer(home, ops, **options) as writer:
        for begin in range(first, first + count, 50):
            put(writer, "n1/gateway/a", begin, [note(f"{text} {n}") for n in range(begin, min(begin + 50, first + count))])
            if begin % 150 == 0:
                writer.checkpoint()
        writer.checkpoint()


def test_creation_is_explicit_and_once(tmp_path: Path) -> None:
    """A new ledger names itself in entry 0 and is signed; a second creation is refused."""
    home = create(tmp_path / "h")
    reader = check(home, 2)
    assert reader.event(0).type == "ledger.created"
    assert reader.event(0).body["origin"] == reader.checkpoint().note.decode().split("\n")[0]
    assert str(reader.vkey) == reader.event(0).body["log_vkey"]
    with pytest.raises(Conflict):
        Writer.create(home, RING, FixedClock(NOW))


def test_two_writers_are_refused(tmp_path: Path) -> None:
    """While one writer holds a home, another is refused."""
    home = create(tmp_path / "h")
    with open_writer(home), pytest.raises(Conflict, match="Another writer"):
        open_writer(home)


@pytest.mark.parametrize("state_every", [10, 10**9])
def test_every_step_reopens_the_same(tmp_path: Path, state_every: int) -> None:
    """With a state file and without one, a start finds the same tree, and the whole tree verifies after each step."""
    home = create(tmp_path / "h")
    size = 2
    for step, count in enumerate([1, 3, 250, 2, 256, 511, 100]):
        grow(home, count, size - 2, state_every=state_every, segment_bytes=20_000)
        size += count
        reader = check(home, size)
        assert reader.checkpoint().size == size
        assert (home.derived / "writer.state").exists() == (state_every == 10 and size >= 10 and step != 0)
        if step == 4:
            shutil.rmtree(home.derived)
            home.derived.mkdir()


def test_missing_and_damaged_tiles_are_rebuilt(tmp_path: Path) -> None:
    """Tiles and bundles come back from the segments; the signed root decides."""
    home = create(tmp_path / "h")
    grow(home, 700)
    shutil.rmtree(home.ledger / "tile" / "0")
    assert verify_home(home).exit_code == 1
    with open_writer(home):
        pass
    check(home, 702)
    flip(home.ledger / "tile" / "entries" / "001", 900)
    assert verify_home(home).exit_code == 1
    shutil.rmtree(home.derived)
    home.derived.mkdir()
    with open_writer(home):
        pass
    check(home, 702)


def test_truncated_segments_are_refused(tmp_path: Path) -> None:
    """Segments that end before the signed head are named as truncated."""
    home = create(tmp_path / "h")
    grow(home, 100)
    path = home.segments / segment_name(0)
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(LedgerFault, match="truncated"):
        open_writer(home)
    assert verify_home(home).exit_code == 1


def test_rolled_back_checkpoint_is_refused(tmp_path: Path) -> None:
    """An older head beside newer kept heads is named as rolled back; so is one older than what this home signed."""
    home = create(tmp_path / "h")
    grow(home, 10)
    old = (home.ledger / "checkpoint").read_bytes()
    grow(home, 10, 10, state_every=1)
    (home.ledger / "checkpoint").write_bytes(old)
    with pytest.raises(LedgerFault, match="rolled back"):
        open_writer(home)
    home.checkpoints_log.unlink()
    with pytest.raises(LedgerFault, match="rolled back"):
        open_writer(home)


def test_fork_under_the_real_key_is_refused(tmp_path: Path) -> None:
    """A history regenerated with the real key does not go with the head that was signed before."""
    home = create(tmp_path / "h")
    other = copy_home(home, tmp_path / "other")
    grow(home, 20)
    grow(other, 20, text="forged")
    shutil.rmtree(home.segments)
    shutil.copytree(other.segments, home.segments)
    shutil.rmtree(home.derived)
    home.derived.mkdir()
    with pytest.raises(LedgerFault, match="another root"):
        open_writer(home)
    assert verify_home(home).exit_code == 1


def test_head_signed_by_another_key_is_refused(tmp_path: Path) -> None:
    """A keyring that does not belong to the home cannot go on with its log."""
    home = create(tmp_path / "h")
    with pytest.raises(LedgerFault, match="not signed by"):
        Writer.open(home, Keyring(bytes(32), bytes(32), ""), FixedClock(NOW))


def test_missing_head_is_refused(tmp_path: Path) -> None:
    """A ledger without its signed head is not started as if it were new."""
    home = create(tmp_path / "h")
    (home.ledger / "checkpoint").unlink()
    with pytest.raises(LedgerFault, match="cannot be read"):
        open_writer(home)


def test_missing_segment_is_refused(tmp_path: Path) -> None:
    """A segment missing in the middle is named."""
    home = create(tmp_path / "h")
    grow(home, 200, segment_bytes=2_000)
    middle = sorted(home.segments.iterdir())[2]
    middle.unlink()
    shutil.rmtree(home.derived)
    home.derived.mkdir()
    with pytest.raises(LedgerFault):
        open_writer(home, segment_bytes=2_000)
    assert verify_home(home).exit_code == 1


def test_tampered_state_file_is_ignored(tmp_path: Path) -> None:
    """A state file that this keyring did not write changes nothing."""
    home = create(tmp_path / "h")
    grow(home, 300, state_every=1)
    flip(home.derived / "writer.state", 90)
    with open_writer(home) as writer:
        assert writer.size == 302
        assert writer.producers.live["n1/gateway/a"].last == 299
    check(home, 302)


def test_open_exchanges_survive_a_start(tmp_path: Path) -> None:
    """What a producer left open is known after a start, with its index, and ends as interrupted."""
    home = create(tmp_path / "h")
    with open_writer(home) as writer:
        index = put(writer, "n1/gateway/a", 0, [note("x"), opened("ex_1"), opened("ex_2")])
        writer.checkpoint()
    with open_writer(home) as writer:
        assert writer.producers.live["n1/gateway/a"].open == {"ex_1": index + 1, "ex_2": index + 2}
        assert writer.end_all() == 2
        writer.checkpoint()
    reader = check(home)
    bodies = [event.body for _, event in reader.of_types("exchange.interrupted")]
    assert [body["opened"] for body in bodies] == [index + 1, index + 2]
    ended = [event.body for _, event in reader.of_types("producer.ended")]
    assert {"producer": "n1/gateway/a", "last_seq": 2, "interrupted": 2, "why": "restarted"} in ended


def test_crash_between_tiles_and_head(tmp_path: Path) -> None:
    """A stop at any system call of a publication leaves a home that starts and verifies."""
    calls = 0
    while True:
        home = create(tmp_path / f"h{calls}")
        ops = FailingOps()
        writer = open_writer(home, ops)
        put(writer, "n1/gateway/a", 0, [note(str(n)) for n in range(600)])
        before = len(ops.calls)
        ops.fail = ("write", calls, 5)
        try:
            writer.checkpoint()
            finished = True
        except Exception:
            finished = False
        made = len(ops.calls) - before
        writer.close()
        grow(home, 10, 600)
        check(home, 612)
        if finished:
            assert made > 8
            return
        calls += 1


def test_publication_without_room_is_made_up_for(tmp_path: Path) -> None:
    """A full disk while tiles are written delays the head; the next publication completes it."""
    home = create(tmp_path / "h")
    ops = FailingOps()
    with open_writer(home, ops) as writer:
        for turn in range(6):
            put(writer, "n1/gateway/a", turn * 300, [note(str(n)) for n in range(300)])
            ops.fail = ("write", turn, 28)
            with pytest.raises(Exception, match="no room"):
                writer.checkpoint()
        ops.fail = None
        writer.checkpoint()
    assert check(home, 1802).checkpoint().size == 1802


def test_partial_files_of_published_heads_stay_until_full(tmp_path: Path) -> None:
    """A reader of an earlier head finds its partial tiles while the tile is not full."""
    home = create(tmp_path / "h")
    with open_writer(home) as writer:
        for number in range(40):
            put(writer, "n1/gateway/a", number, [note("x")])
            writer.checkpoint()
    names = {int(path.name) for path in (home.ledger / "tile" / "0" / "000.p").iterdir()}
    assert names == set(range(2, 43))


def test_replaced_checkpoint_is_never_signed_over(tmp_path: Path) -> None:
    """A head on disk that this writer did not put there stops it."""
    home = create(tmp_path / "h")
    with open_writer(home) as writer:
        put(writer, "n1/gateway/a", 0, [note("x")])
        path = home.ledger / "checkpoint"
        path.write_bytes(path.read_bytes().replace(b"\n2\n", b"\n3\n"))
        with pytest.raises(LedgerFault, match="replaced"):
            writer.checkpoint()


def test_kept_heads(tmp_path: Path) -> None:
    """The first head in each wall minute and each that was asked for is kept; an unfinished last line is cut."""
    home = create(tmp_path / "h")
    clock = FixedClock(NOW)
    with open_writer(home, clock=clock) as writer:
        for number in range(10):
            put(writer, "n1/gateway/a", number, [note("x")])
            clock.value_us += 20_000_000
            writer.publish(writer.cut(), keep=False)
        put(writer, "n1/gateway/a", 10, [note("x")])
        writer.publish(writer.cut(), keep=True)
        writer.publish(writer.cut(), keep=True)
    heads = LedgerReader(home).checkpoints()
    assert [head.size for head in heads] == [2, 4, 7, 10, 13]
    with open(home.checkpoints_log, "ab") as file:
        file.write(b'{"at":1,"si')
    assert len(LedgerReader(home).checkpoints()) == 5
    with open_writer(home):
        pass
    check(home, 13)


@pytest.mark.parametrize(
    "body",
    [
        b'{"b":1,"a":2}',
        b'{"a":1.5}',
        b'{"a":true}',
        b'{"a":null}',
        b'{"a": 1}',
        b'{"a":1,"a":2}',
        b'{"A":1}',
        b'{"a":9007199254740992}',
        b'{"a":"\\u0041"}',
    ],
)
def test_entries_that_are_not_canonical_are_found(tmp_path: Path, body: bytes) -> None:
    """Verification refuses an entry that is written in any but the one canonical way."""
    home = create(tmp_path / "h")
    data = b'{"at":1,"body":%b,"mono":0,"producer":"n1/gateway/a","seq":0,"tv":1,"type":"job.run","v":1}' % body
    with open_writer(home) as writer:
        batch = writer.stage("n1/gateway/a", [[0, 0, "", data]])
        writer.write([batch])
        writer.applied([batch])
        writer.checkpoint()
    faults = [step for step in verify_home(home).steps if step.ok == 0]
    assert [step.number for step in faults] == [3]
    assert "canonical" in faults[0].detail
