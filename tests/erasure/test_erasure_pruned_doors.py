"""A pruned home through its doors: the command, the Parquet copy, control runs, the console's lists, a verifier that others wrote."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from pruned_world import DAY, NOW, OLD, OPTIONS, decide, good, note, old_home, put, take

from affiant.app import main
from affiant.assurance import Evidence
from affiant.catalog import LIBRARY
from affiant.console.index import Index
from affiant.console.visit import catch_up
from affiant.kit.clock import CLOCK_ENV, ClockFile, open_clock
from affiant.kit.home import Home, open_home
from affiant.kit.keyring import open_keyring
from affiant.ledger import LedgerReader, Writer, period_open_drafts
from affiant.ledger.columnar.store import ColumnStore
from affiant.ledger.floor import PrunedError, read_floor

VIEWS = (LIBRARY / "views.json").read_bytes()
PEOPLE = "people:\n  - {id: ann, roles: [admin]}\n  - {id: bo, roles: [compliance]}\n  - {id: cy, roles: [compliance]}\n"


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that had a Parquet copy when it was pruned."""
    home = old_home(tmp_path_factory.mktemp("doors") / "home")
    store = ColumnStore(LedgerReader(home), VIEWS)
    store.catch_up(0)
    assert store.stop >= 3_000
    decide(home, OLD + 2 * DAY + DAY // 2)
    take(home)
    return home


def test_the_parquet_copy_begins_with_what_is_held(pruned: Home) -> None:
    """Partitions of pruned days are gone, the day that was cut is made again, look-ups and the check agree with the entries."""
    begin = read_floor(pruned).begin
    reader = LedgerReader(pruned)
    assert len(reader.find("job_3_3")) == 1
    store = ColumnStore(reader, VIEWS)
    assert store.partitions[0].start > begin
    store.catch_up(0)
    assert (store.partitions[0].start, store.check()) == (begin, [])
    assert [path for path in (pruned.derived / "parquet").rglob("*.parquet") if int(path.name.partition("-")[0]) < begin] == []
    reader = LedgerReader(pruned)
    assert len(reader.find("job_3_3")) == 1
    assert reader.find("job_0_3") == []
    assert [index for index, _ in reader.of_types("ledger.created")] == [0]
    assert reader.first_since(0) == begin
    assert sum(reader.counts().values()) == reader.size - begin
    store.rebuild()
    assert store.partitions[0].start == begin
    good(pruned, begin)


def test_control_runs_read_later_periods_and_say_so_of_earlier_ones(pruned: Home) -> None:
    """Evidence from the open period on is whole in both engines; what needs pruned entries could not be looked at."""
    reader = LedgerReader(pruned)
    [(opening, _)] = reader.of_types("period.opened")
    for engine in ("duckdb", "sqlite"):
        with Evidence(reader, view_from=opening, engine=engine, views=VIEWS, due_at=0) as evidence:
            assert evidence.sequence_fault == ""
            assert sum(evidence.counts.values()) == reader.size - opening
        with pytest.raises(PrunedError, match="were pruned"):
            Evidence(reader, view_from=0, engine=engine, views=VIEWS)


def test_the_lists_of_the_console_begin_with_what_is_held(pruned: Home) -> None:
    """An index that is made anew passes over what was pruned."""
    reader = LedgerReader(pruned)
    with closing(Index(":memory:", pruned.origin)) as index:
        assert catch_up(SimpleNamespace(reader=reader), index) == 0  # type: ignore[arg-type]
        with index.reading() as db:
            assert db.execute("SELECT min(idx), count(*) FROM entry").fetchone()[:] == (reader.begin, reader.size - reader.begin)


def test_the_command_decides_takes_away_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command prunes and frees; it wants to know what becomes of the entries; broken off behind its decision, it goes on."""
    monkeypatch.setenv("AFFIANT_UNLOCK", f"file:{tmp_path / 'unlock'}")
    monkeypatch.setenv(CLOCK_ENV, str(tmp_path / "clock"))
    clock = ClockFile(tmp_path / "clock")
    clock.fix(OLD)
    (tmp_path / "people.yaml").write_text(PEOPLE)
    root = str(tmp_path / "home")
    assert main(["init", "--home", root, "--origin", "test.example/doors"]) == 0
    assert main(["apply", str(tmp_path / "people.yaml"), "--home", root, "--as", "ann"]) == 0
    home = open_home(Path(root))
    with Writer.open(home, open_keyring(home), open_clock(), OPTIONS) as writer:
        put(writer, "n1/gateway/a", 0, [note(f"{n}", f"job_{n}") for n in range(1_500)])
        writer.checkpoint()
        clock.fix(NOW)
        writer.append(list(period_open_drafts(LedgerReader(home), "2", NOW)))
        put(writer, "n1/gateway/a", 1_500, [note(f"{n}") for n in range(400)])
        writer.checkpoint()

    def prune(*words: str, person: str = "bo") -> tuple[int, dict[str, int], str]:
        capsys.readouterr()
        code = main(["ledger", "prune", "--before", "2023-12-01", *words, "--home", root, "--as", person])
        said = capsys.readouterr()
        return code, json.loads(said.out.splitlines()[-1]) if said.out else {}, said.err

    code, plan, _ = prune("--dry-run")
    assert (code, plan["minimum"] % 256, plan["held"]) == (0, 0, 0)
    assert "becomes of the entries" in prune()[2]
    assert "may not do" in prune("--for-good", person="ann")[2]
    assert prune("--archive-to", str(home.root / "x"))[0] == 2
    assert read_floor(home).begin == 0  # decided, recorded, and nothing was removed
    assert main(["ledger", "hold", "place", "--why", "x", "--home", root, "--as", "cy"]) == 0
    assert "legal hold" in prune("--for-good")[2]
    hold = next(event.ref for _, event in LedgerReader(home).of_types("hold.placed"))
    assert main(["ledger", "hold", "release", hold, "--why", "x", "--home", root, "--as", "bo"]) == 0
    code, done, _ = prune("--archive-to", str(tmp_path / "cold"))
    assert (code, done["held"]) == (0, plan["minimum"])
    assert done["removed_bytes"] > 100_000
    assert "nothing to prune" in prune("--for-good")[2]
    assert main(["ledger", "show", "--index", "700", "--home", root]) == 3
    assert f"archived at {tmp_path / 'cold'}" in capsys.readouterr().err
    assert main(["ledger", "show", "--exchange", "job_3", "--home", root]) == 2
    assert "were pruned" in capsys.readouterr().err
    assert main(["ledger", "verify", "--home", root]) == 0
    assert "10. What was pruned is recorded" in capsys.readouterr().err
    main(["doctor", "--home", root])
    assert "✓ ledger" in capsys.readouterr().err


def test_a_verifier_that_others_wrote_reads_a_pruned_home(pruned: Home, tmp_path: Path) -> None:
    """Go's packages authenticate what is published, older heads are consistent, and a changed hash tile below is found."""
    gopath = Path("/usr/share/gocode")
    if shutil.which("go") is None or not (gopath / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("needs Debian's golang-go and golang-golang-x-mod-dev")
    source = Path(__file__).parents[1] / "go" / "verify" / "main.go"
    environ = os.environ | {"GO111MODULE": "off", "GOPATH": str(gopath), "GOFLAGS": "", "GOCACHE": str(tmp_path / "cache")}
    subprocess.run(["go", "build", "-o", str(tmp_path / "verify"), str(source)], env=environ, check=True, timeout=200)
    vkey = str(LedgerReader(pruned).vkey)

    def run(ledger: Path) -> subprocess.CompletedProcess[str]:
        words = [str(tmp_path / "verify"), "-dir", str(ledger), "-vkey", vkey]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    found = run(pruned.ledger)
    assert found.returncode == 0, found.stderr
    assert f"{read_floor(pruned).begin} before them pruned" in found.stdout
    shutil.copytree(pruned.ledger, tmp_path / "ledger")
    tile = tmp_path / "ledger" / "tile/0/001"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    assert run(tmp_path / "ledger").returncode == 1
