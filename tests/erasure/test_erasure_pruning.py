"""Pruned entries leave the disk: what stays verifies, starts, reads and goes on; killed anywhere, asking again finishes it."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from pruned_world import DAY, GATEWAY, NOW, OLD, OPTIONS, RING, append, decide, good, note, old_home, put, sizes, take

from affiant.kit.clock import FixedClock
from affiant.kit.errors import BadInput, Conflict, CouldNotLook, LedgerFault
from affiant.kit.home import Home, open_home
from affiant.ledger import LedgerReader, Writer, period_open_drafts, segment, verify_home
from affiant.ledger.archive import Archive
from affiant.ledger.archiving import archive_days
from affiant.ledger.fileops import FileOps
from affiant.ledger.floor import NOTHING_PRUNED, PrunedError, floor_path, read_floor, save_floor
from affiant.ledger.opening import holdings_of
from affiant.ledger.pruning import left, take_away
from affiant.ledger.retention import plan_prune
from affiant.ledger.segment import segment_firsts
from affiant.proof.hashes import leaf_hash, verify_consistency, verify_inclusion
from affiant.proof.tiles import bundle_path, unpack_bundle
from affiant.proof.tlogproof import TlogProof

STEPS = (
    "copies kept", "packs made", "recorded", "derived removed", "pruned.json written", "bundles removed", "packs cut", "a segment removed",
    "segment blanked",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return old_home(tmp_path_factory.mktemp("pruned") / "home")


@pytest.fixture
def home(made: Home, tmp_path: Path) -> Home:
    """A copy of the old home."""
    shutil.copytree(made.root, tmp_path / "home")
    return open_home(tmp_path / "home")


def goes_on(home: Home, text: str = "after") -> LedgerReader:
    """It starts, writes and signs, with and without what is derived."""
    for derived in (True, False):
        if not derived:
            shutil.rmtree(home.derived)
            home.derived.mkdir()
        with Writer.open(home, RING, FixedClock(NOW + 2 * DAY), OPTIONS) as writer:
            known = writer.producers.live[GATEWAY]
            put(writer, GATEWAY, known.last + 1, [note(f"{text} {n}") for n in range(3)])
            writer.checkpoint()
    return good(home, read_floor(home).begin)


def test_bytes_leave_the_disk_and_what_stays_is_whole(home: Home, tmp_path: Path) -> None:
    """Bundles and segments go, hash tiles stay; every proof holds; what was pruned is named and lies where it was put."""
    reader = LedgerReader(home)
    before, head = sizes(home), reader.checkpoint()
    entries = list(reader.entries(0, head.size))
    heads = reader.checkpoints()
    minimum = decide(home)
    assert minimum == 3072
    assert left(home) == minimum
    folder = tmp_path / "cold"
    taken = take(home, folder)
    assert (taken.start, taken.stop, taken.packs) == (0, minimum, 1)
    assert taken.bytes > before // 3
    assert sizes(home) < before - before // 3
    assert left(home) == 0
    assert not (home.ledger / bundle_path(0)).exists()
    assert (home.ledger / "tile/0/000").exists()
    reader = good(home, minimum)
    assert list(reader.entries(minimum, head.size)) == entries[minimum:]
    for old in heads[:3]:
        verify_consistency(old.size, head.size, reader.consistency(old.size, head.size), old.root, head.root)
    for index in (0, 5, minimum - 1, minimum):
        proof = TlogProof.parse(reader.prove(index).encode())
        now = reader.checkpoint()
        verify_inclusion(index, now.size, leaf_hash(entries[index]), list(proof.path), now.root)
    with pytest.raises(PrunedError, match=f"Entry 77 was pruned, archived at {folder}"):
        reader.event(77)
    with pytest.raises(PrunedError, match=f"Entries 70 to {minimum - 1} were pruned"):
        list(reader.entries(70, head.size))
    assert [index for index, _ in reader.of_types("ledger.created", "subject_key.destroyed")] == [0, 3004]
    assert reader.vkey == LedgerReader(home).vkey
    assert reader.find("job_0_3") == []
    assert len(reader.find("new_3")) == 1
    archive = Archive(folder)
    packed = [entry for number in range(minimum // 256) for entry in unpack_bundle(archive.bundle(number) or b"")]
    archive.close()
    assert packed == entries[:minimum]
    said = json.loads((folder / f"pruned-{minimum:015d}.json").read_text())
    assert (said["below"], said["root"]) == (minimum, reader.root(minimum).hex())
    goes_on(home)


def test_without_a_folder_entries_are_gone_for_good(home: Home) -> None:
    """The entry says that no copy was kept, and so does whoever is asked for a pruned entry."""
    decide(home)
    taken = take(home)
    reader = good(home, taken.stop)
    event = reader.event(taken.index)
    assert (event.type, event.body["packs"], "archived" in event.body) == ("ledger.removed", [], False)
    with pytest.raises(PrunedError, match="Entry 77 was pruned, not archived"):
        reader.event(77)
    for path in home.root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"job_0_77" not in data, path
    with pytest.raises(PrunedError, match="pruned"):
        list(reader.export(OLD, NOW))
    assert len(list(reader.export(NOW, NOW + DAY))) > 400


def test_an_exchange_left_open_before_the_floor_is_still_interrupted_after_it(home: Home) -> None:
    """What a producer had open is known without its entries: its end names the pruned opening."""
    decide(home)
    take(home)
    shutil.rmtree(home.derived)
    home.derived.mkdir()
    with Writer.open(home, RING, FixedClock(NOW + 2 * DAY), OPTIONS) as writer:
        assert writer.producers.live[GATEWAY].open == {"ex_open": 2}
        writer.end_all()
        writer.checkpoint()
    reader = good(home, read_floor(home).begin)
    [(_, event)] = reader.of_types("exchange.interrupted")
    assert (event.ref, event.body["opened"]) == ("ex_open", 2)


@pytest.mark.parametrize("keep_days", [0, 690])
def test_an_archived_home_is_pruned_and_archived_again(home: Home, tmp_path: Path, keep_days: int) -> None:
    """Packs below go, one that reaches beyond is cut, and the archive goes on from there."""
    archive_days(home, keep_days)
    packs = Archive(home.root / "archive").packs()
    assert packs
    minimum = decide(home, OLD + 2 * DAY + DAY // 2)
    assert minimum == 1280
    entries = list(LedgerReader(home).entries(minimum, 3_000))
    taken = take(home, tmp_path / "cold")
    assert taken.pack_bytes > 0
    reader = good(home, minimum)
    assert list(reader.entries(minimum, 3_000)) == entries
    assert Archive(home.root / "archive").begin == minimum // 256
    archive_days(home, 0)
    goes_on(home)
    second = decide(home)
    assert take(home, tmp_path / "cold").start == minimum
    reader = goes_on(home)
    assert [part.start for part in read_floor(home).parts] == [0, minimum]
    assert [path.name for path in sorted((tmp_path / "cold").glob("*.pack"))] == ["000000000000-5.pack", "000000000005-7.pack"]
    with pytest.raises(PrunedError):
        reader.entry(second - 1)


def test_pruning_twice_in_place_moves_the_floor(home: Home) -> None:
    """A second pruning within a blanked segment begins where the first ended."""
    first = decide(home, OLD + DAY // 2)
    take(home)
    assert read_floor(home).begin == first == 256
    goes_on(home)
    second = decide(home)
    taken = take(home)
    assert (taken.start, taken.stop) == (first, second)
    assert len(list(LedgerReader(home).of_types("ledger.removed"))) == 2
    goes_on(home)
    with pytest.raises(Conflict, match="nothing to prune"):
        decide(home)
    assert take(home).bytes == 0


def _in_child(work: Callable[[], None]) -> bool:
    """Run in a process of its own; whether it was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize("stop", STEPS)
def test_killed_after_each_step(home: Home, tmp_path: Path, stop: str, archived: bool) -> None:
    """A home killed after a step starts, verifies, writes; asking again finishes, and the entry stands once."""
    if archived:
        archive_days(home, 698)
    minimum = decide(home)

    def told(step: str) -> None:
        if step == stop:
            os.kill(os.getpid(), signal.SIGKILL)

    assert _in_child(lambda: take(home, tmp_path / "cold", told) and None)
    if stop in ("pruned.json written", "bundles removed"):  # the command sees that there is something to go on with
        assert holdings_of(LedgerReader(home)).left() > 0
    goes_on(home, "between")
    taken = take(home, tmp_path / "cold")
    assert taken.stop == read_floor(home).begin == minimum
    reader = goes_on(home)
    assert len(list(reader.of_types("ledger.removed"))) == 1
    assert holdings_of(reader).left() == 0
    assert segment_firsts(home.segments)[0] > 2_000
    assert not (home.ledger / bundle_path(minimum // 256 - 1)).exists()


def test_killed_while_a_pack_is_cut(home: Home, tmp_path: Path) -> None:
    """The rest of a pack beside the whole one is no overlap: the home reads, and the whole one goes the next time."""
    archive_days(home, 0)
    minimum = decide(home, OLD + 2 * DAY + DAY // 2)
    directory = home.root / "archive"
    before = {path: path.read_bytes() for path in directory.glob("*.pack")}
    take(home)
    cut = next(path for path in directory.glob("*.pack") if path not in before)
    whole = next(path for path in before if not path.exists() and Archive(directory).packs()[0].stop == _stop(path))
    whole.write_bytes(before[whole])
    assert Archive(directory).begin == minimum // 256
    goes_on(home)
    take(home)
    assert cut.exists() and not whole.exists()
    goes_on(home)


def _stop(path: Path) -> int:
    first, _, count = path.stem.partition("-")
    return int(first) + int(count)


def test_nothing_goes_before_it_is_decided_recorded_and_free_of_holds(home: Home, tmp_path: Path) -> None:
    """A minimum index that no entry names, a hold, or a folder within the home: nothing was removed."""
    before = sizes(home)
    with pytest.raises(Conflict, match="nothing to take"):
        take(home)
    (home.ledger / "minimum-index").write_text("512\n")
    with pytest.raises(Conflict, match="No entry says"):
        take(home)
    (home.ledger / "minimum-index").unlink()
    decide(home)
    with pytest.raises(Conflict, match="lh_1"):
        take_away(home, append(home), None, "person:bo", lambda: ["lh_1"])
    with pytest.raises(BadInput, match="lies in the home"):
        take(home, home.root / "cold")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        take(home, tmp_path / "file")
    assert read_floor(home) == NOTHING_PRUNED
    assert sizes(home) >= before - 40_960
    good(home, 0)


def test_a_period_that_was_opened_late_keeps_what_its_runs_read(tmp_path: Path) -> None:
    """Runs over a period read from the opening before its first instant: what they need does not go."""
    home = old_home(tmp_path / "home")
    with Writer.open(home, RING, FixedClock(NOW + 5 * DAY), OPTIONS) as writer:
        writer.append(list(period_open_drafts(LedgerReader(home), "3", NOW + 4 * DAY)))
        writer.checkpoint()
    plan = plan_prune(LedgerReader(home), holdings_of(LedgerReader(home)), OLD + 30 * DAY, NOW + 6 * DAY, [])
    assert (plan.minimum, plan.refused) == (3072, ())
    other = old_home(tmp_path / "other")
    with Writer.open(other, RING, FixedClock(NOW + 5 * DAY), OPTIONS) as writer:
        writer.append(list(period_open_drafts(LedgerReader(other), "3", OLD + DAY)))
        writer.checkpoint()
    plan = plan_prune(LedgerReader(other), holdings_of(LedgerReader(other)), OLD + 30 * DAY, NOW + 6 * DAY, [])
    assert (plan.minimum, plan.refused) == (0, ("the open period's control runs and package read from entry 0 on",))


@pytest.mark.parametrize("harm", ["producers", "begin", "gone", "text", "tile", "lasting", "copy lost"])
def test_harm_to_what_pruning_left_is_named(home: Home, harm: str) -> None:
    """A changed or missing pruned.json, hash tile or copy is contradicted by the tree or by the entry, and nothing is guessed."""
    decide(home)
    take(home)
    path = floor_path(home)
    raw = json.loads(path.read_text())
    if harm == "producers":
        raw["producers"]["live"][0][1] += 1
    elif harm == "begin":
        raw["begin"] -= 256
    if harm in ("producers", "begin"):
        path.write_text(json.dumps(raw))
    elif harm == "gone":
        path.unlink()
    elif harm == "text":
        path.write_text("{}")
    elif harm == "tile":
        tile = home.ledger / "tile/0/003"
        tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    elif harm == "lasting":
        copy = home.files / "lasting" / "0.json"
        copy.write_text(copy.read_text().replace("ledger.created", "ledger.creator"))
    else:
        (home.files / "lasting" / "3004.json").unlink()
    report = verify_home(home)
    assert report.exit_code == 1, report.lines()
    shutil.rmtree(home.derived)
    home.derived.mkdir()
    if harm in ("producers", "begin", "gone", "text"):
        with pytest.raises(LedgerFault, match=r"pruned\.json"):
            Writer.open(home, RING, FixedClock(NOW + 2 * DAY), OPTIONS)


def test_a_floor_that_the_ledger_does_not_name_is_contradicted(home: Home) -> None:
    """Whoever writes a pruned.json of his own that holds by itself is betrayed by the entry that says what was pruned."""
    decide(home)
    take(home)
    floor = read_floor(home)
    producers = json.loads(json.dumps(floor.producers))
    for live in producers["live"]:
        live[2] = {}  # as if no exchange had been open
    save_floor(home, dataclasses.replace(floor, producers=producers), FileOps())
    report = verify_home(home)
    assert report.exit_code == 1
    assert "as pruned.json has it" in report.steps[-1].detail


def test_a_disk_that_makes_no_holes_gets_zeros(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where blocks cannot be given back out of a file, the bytes are overwritten all the same."""
    monkeypatch.setattr(segment, "_HOLE_KEEPING_SIZE", 1 << 20)  # a mode that no system knows, so that the call is refused
    decide(home)
    take(home)
    floor = read_floor(home)
    assert floor.offset > 8
    data = (home.segments / f"{floor.segment:020d}.seg").read_bytes()
    assert not any(data[: floor.offset])
    goes_on(home)


class _Failing(FileOps):
    """A disk whose n-th write or sync fails."""

    def __init__(self, left: int) -> None:
        self.left = left

    def _maybe(self) -> None:
        self.left -= 1
        if self.left == -1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        self._maybe()
        return super().write(fd, data, offset)

    def sync(self, fd: int) -> None:
        self._maybe()
        super().sync(fd)


def test_an_error_at_each_write_and_sync_is_told_and_made_up_for(made: Home, tmp_path: Path) -> None:
    """Whichever call fails, the caller is told, the home starts, and asking again finishes."""
    shutil.copytree(made.root, tmp_path / "decided")
    archive_days(open_home(tmp_path / "decided"), 698)
    decide(open_home(tmp_path / "decided"))
    for number in range(200):
        shutil.copytree(tmp_path / "decided", tmp_path / f"home{number}")
        home = open_home(tmp_path / f"home{number}")
        ops = _Failing(number)
        try:
            take(home, tmp_path / "cold", ops=ops)
        except (CouldNotLook, BadInput):
            append(home)(note("between"))
            assert take(home, tmp_path / "cold").stop == 3072
        else:
            assert ops.left >= 0
            break
        good(home, 3072)
        shutil.rmtree(home.root)
        shutil.rmtree(tmp_path / "cold")
    else:
        raise AssertionError("more calls than expected")
    assert number > 10
