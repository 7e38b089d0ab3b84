"""`affiant control recalculate`: what the ledger says of a run against what another engine finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ledger_factory import CATALOG, DAY, START, Story
from troubled_company import DAYS, troubled

from affiant.app import main
from affiant.assurance import Elsewhere, Evidence, Period, run_all
from affiant.kit.clock import FixedClock
from affiant.kit.home import Home, create_home
from affiant.kit.keyring import Keyring
from affiant.ledger import Draft, LedgerReader, Writer, encode
from affiant.ledger.wire import MARKS

RING = Keyring(bytes(range(32)), bytes(32), "local")
CLOCK = FixedClock(START + (DAYS + 2) * DAY)
PERIOD = Period(START, START + (DAYS + 1) * DAY)
FORGED = "n1/forger/1"


class Told:
    """Puts stored bytes into a ledger, as their producers would."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self._seq = 0

    def entries(self, entries: Sequence[bytes]) -> None:
        decoded = [(msgspec.json.decode(entry), entry) for entry in entries]
        for producer, some in groupby(decoded, key=lambda each: each[0]["producer"]):
            batch = self.writer.stage(producer, [_row(head, entry) for head, entry in some])
            self.writer.write([batch])
            self.writer.applied([batch])

    def append(self, drafts: Sequence[Draft]) -> int:
        """As a control run writes its events."""
        first = self.writer.size
        self.entries([encode(draft, FORGED, self._seq + number, CLOCK.now_us(), 0) for number, draft in enumerate(drafts)])
        self._seq += len(drafts)
        return first


def _row(head: dict[str, Any], entry: bytes) -> list[Any]:
    mark = MARKS.get(head["type"], 0)
    return [head["seq"], mark, head.get("ref", "") if mark else "", entry]


def story() -> Story:
    found = troubled()
    found.drop("ledger.created")
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which every control was run, and two false runs of PI-5.1 were written: other items, and another version."""
    made = create_home(tmp_path_factory.mktemp("recalculate") / "home", "test.example/log", START, "n1", ())
    with closing(Writer.create(made, RING, CLOCK)) as writer:
        told = Told(writer)
        told.entries(story().entries())
        writer.checkpoint()
        with Evidence(LedgerReader(made), engine="duckdb") as evidence:
            runs = {run.control.id: run for run in run_all(evidence, CATALOG, PERIOD, told.append)}
        ran = runs["PI-5.1"].drafts[-1]
        told.append([Draft(ran.type, {**ran.body, "deviations": 0, "result": "no deviations noted", "items_root": "00" * 32}, "run_false")])
        told.append([Draft(ran.type, {**ran.body, "sha": "00" * 32}, "run_other")])
        told.append([ran])
        writer.checkpoint()
    return made


@pytest.fixture
def command(home: Home, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command on that home; gives exit code, JSON lines and words."""

    def run(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        code = main(["control", "recalculate", "--home", str(home.root), *arguments])
        out, err = capsys.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], err

    return run


def check_equal(found: tuple[int, list[dict[str, Any]], str], engine: str) -> None:
    code, lines, words = found
    assert code == 0, words
    assert sorted(line["control"] for line in lines) == sorted(CATALOG.controls)
    assert all(line["equal"] and line["rows"] and line["engine"] == engine and line["differs"] == [] for line in lines)
    assert words.count(" equal · ") == len(lines)


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_each_run_is_found_again(command: Any, engine: str) -> None:
    """The newest run of each control comes out as it was recorded."""
    check_equal(command("--engine", engine), engine)


@pytest.mark.server
@pytest.mark.parametrize("kind", ["postgres", "spark"])
def test_each_run_is_found_again_elsewhere(
    command: Any, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same on PostgreSQL and Spark, whose places are given by reference or in clear."""
    place: Elsewhere = request.getfixturevalue(f"{kind}_engine")
    (tmp_path / "place").write_text(place.url(), encoding="utf-8")
    monkeypatch.setenv("PLACE_OF_ENGINE", place.url())
    check_equal(command("--engine", kind, "--at", f"file:{tmp_path / 'place'}"), kind)
    code, lines, _ = command("--engine", kind, "--at", "env:PLACE_OF_ENGINE", "run_false")
    assert code == 1 and lines[0]["control"] == "PI-5.1"


def test_a_false_run_is_found(command: Any) -> None:
    """A run whose recorded items, counts and result are not what the entries give is a finding that names them."""
    code, lines, words = command("run_false")
    assert code == 1 and lines[0]["run"] == "run_false" and lines[0]["equal"] is False
    assert lines[0]["differs"] == ["items_root", "deviations", "result"] and "differs in items_root" in words


def test_another_version_could_not_be_looked_at(command: Any) -> None:
    """A run of a control version that the catalog does not hold is neither equal nor different."""
    code, lines, words = command("run_other")
    assert code == 3 and lines[0]["equal"] is False and lines[0]["differs"] == [] and "another version" in words
    assert command("run_other", "run_false")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run_nobody_made"], 2, "no run run_nobody_made"),
        (["--engine", "spark"], 2, "do not go together"),
        (["--engine", "sqlite", "--at", "sc://127.0.0.1:1"], 2, "do not go together"),
        (["--engine", "postgres", "--at", "postgresql://h/d", "--parquet", "s3a://b/p"], 2, "do not go together"),
        (["--engine", "postgres", "--at", "secret"], 2, "no URL of postgres"),
        (["--engine", "postgres", "--at", "env:NOT_SET_ANYWHERE"], 2, "not set"),
    ],
)
def test_bad_use_is_said(command: Any, arguments: list[str], code: int, words: str) -> None:
    """Bad use is one sentence with a next step, and no line of JSON."""
    found = command(*arguments)
    assert found[0] == code and not found[1] and words in found[2]


def test_a_preview_counts_what_the_run_counted(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Same result, rows and deviations as the recorded runs, up to the entries that these read; the ledger has not grown."""
    reader = LedgerReader(home)
    size = reader.size
    forged = ("run_false", "run_other")
    ran = {event.body["control"]: event.body for _, event in reader.of_types("procedure.run") if event.ref not in forged}
    span = f"{datetime.fromtimestamp(PERIOD.from_us / 1e6, UTC):%Y-%m-%d}..{datetime.fromtimestamp(PERIOD.to_us / 1e6 - 1, UTC):%Y-%m-%d}"
    code = main(["control", "preview", "--all", "--period", span, "--home", str(home.root)])
    out, err = capsys.readouterr()
    lines = {line["control"]: line for line in map(json.loads, out.splitlines())}
    assert set(lines) == set(CATALOG.controls) and code == 1 and "No run was made" in err
    for name in ("CO-1.1", "GOV-3.1", "PR-1.1", "SEC-1.2"):
        line, body = lines[name], ran[name]
        assert (line["result"], line["rows"], line["deviations"]) == (body["result"], body["rows"], body["deviations"])
        assert sum(reason["rows"] for reason in line["reasons"]) == line["deviations"] + line["could_not_test"]
        assert len(line["first"]) == min(10, line["deviations"] + line["could_not_test"]) > 0
    assert LedgerReader(home).size == size


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "Nothing or too much"),
        (["XX-9.9"], 2, "no control XX-9.9"),
        (["--all", "--as-of", "1999-01-01"], 3, "No checkpoint was kept"),
    ],
)
def test_a_preview_of_nothing_is_refused(
    home: Home, arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with what to do next."""
    assert main(["control", "preview", "--period", "2026-01-01..2026-01-02", "--home", str(home.root), *arguments]) == code
    assert words in capsys.readouterr().err
