"""SQLite, DuckDB, PostgreSQL and Spark give equal answers to the same query texts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from ledger_factory import CATALOG, DAY, START, Story, company
from troubled_company import DAYS, shaken, troubled

from affiant.assurance import ControlRun, Elsewhere, Evidence, Listed, Period, run_all
from affiant.assurance.elsewhere import translate
from affiant.catalog import LIBRARY
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.kit.home import Home
from affiant.kit.keyring import Keyring
from affiant.ledger import LedgerReader
from affiant.ledger.synth import synthesize
from affiant.ledger.synthworld import START_US
from affiant.proof.results import DEVIATIONS
from affiant.proof.views import COMPUTED, Views

PERIOD = Period(START, START + (DAYS + 1) * DAY)
SEEDS = (1, 2)
STORIES: dict[str, Callable[[], Story]] = {"troubled": troubled, **{f"shaken {seed}": lambda seed=seed: shaken(seed) for seed in SEEDS}}
ANYWHERE = [
    pytest.param("duckdb"),
    pytest.param("postgres_engine", marks=pytest.mark.server),
    pytest.param("spark_engine", marks=pytest.mark.server),
]
ELSEWHERE = ANYWHERE[1:]
_told: dict[str, list[dict[str, object]]] = {}


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str | Elsewhere:
    """An engine by its name, or by the fixture that starts it."""
    found: str | Elsewhere = request.getfixturevalue(request.param) if request.param.endswith("_engine") else request.param
    return found


def told(run: ControlRun) -> dict[str, object]:
    """Everything that a run says, each row and item of it."""
    frozen = run.frozen
    assert frozen is not None
    return {
        "control": run.control.id, "result": run.result, "columns": frozen.columns, "rows": frozen.rows, "root": frozen.root,
        "unmatched": (frozen.unmatched_columns, frozen.unmatched, frozen.unmatched_root), "items": run.items,
        "deviations": run.deviations, "untested": run.untested, "notes": run.notes,
    }  # fmt: skip


def runs(story: Story, engine: str | Elsewhere) -> list[dict[str, object]]:
    with Evidence(Listed(story.entries()), engine=engine) as evidence:
        return [told(run) for run in run_all(evidence, CATALOG, PERIOD, sampled=False)]


def of_the_verifier(name: str) -> list[dict[str, object]]:
    """What SQLite, the verifier's own engine, tells of a story."""
    if name not in _told:
        _told[name] = runs(STORIES[name](), "sqlite")
    return _told[name]


def test_every_control_has_deviations_and_every_reconciliation_unmatched_rows() -> None:
    """The shared evidence is not trivial: equality over nothing found would show nothing."""
    for run in of_the_verifier("troubled"):
        control = CATALOG.controls[str(run["control"])]
        assert run["result"] == DEVIATIONS and run["deviations"]
        assert control.population and bool(control.population.reconcile) == bool(run["unmatched"][1])  # type: ignore[index]


@pytest.mark.parametrize("engine", ANYWHERE, indirect=True)
@pytest.mark.parametrize("name", STORIES)
def test_engines_agree_to_the_last_item(name: str, engine: str | Elsewhere) -> None:
    """Populations, reconciliations, procedures: the same rows, roots, items and words on every engine, whatever the company does."""
    assert runs(STORIES[name](), engine) == of_the_verifier(name)


@pytest.mark.parametrize("engine", ELSEWHERE, indirect=True)
def test_nothing_happened_is_the_same_nothing(engine: Elsewhere) -> None:
    """Populations without a row, whose columns nobody can tell the kind of by looking at rows, are judged without one."""
    story = company(1)
    kinds = {fact.draft.type for fact in story.facts} - {"ledger.created", "control.adopted", "producer.started"}
    for kind in kinds:
        story.drop(kind)
    assert runs(story, engine) == runs(story, "sqlite")


# -- words and numbers

TEXTS = ("it's", 'say "x"', "back\\slash \\n", "line\nbreak", "", "N", "n", "é", "z", "ｚ", "😀", "%s {x} :from_us")


def asked(engine: str | Elsewhere, story: Story, text: str, **params: int) -> list[tuple[object, ...]]:
    with Evidence(Listed(story.entries()), engine=engine) as evidence:
        evidence.prepare(PERIOD)
        return evidence.query(text, params)[1]


def texts(*more: str) -> Story:
    story = Story()
    for number, text in enumerate((*TEXTS, *more)):
        story.tell(START + number, "job.run", {"due": number, "ok": 1, "note": text}, "job")
    return story


@pytest.mark.parametrize("engine", ANYWHERE, indirect=True)
def test_text_is_compared_and_ordered_by_its_bytes(engine: str | Elsewhere) -> None:
    """Quotes, backslashes, breaks, case and other alphabets: equal, less and in order as in SQLite."""
    for query in (
        "SELECT j.note AS note, COUNT(m.idx) AS less FROM job_run j LEFT JOIN job_run m ON m.note < j.note GROUP BY j.note ORDER BY note",
        "SELECT MIN(j.note) AS least, MAX(j.note) AS most FROM job_run j WHERE j.note <> '' ORDER BY least",
        "SELECT j.idx AS idx FROM job_run j WHERE j.note = 'back\\slash \\n' OR j.note = ':from_us' OR j.note > 'n' ORDER BY idx",
    ):
        assert asked(engine, texts(), query) == asked("sqlite", texts(), query)


def test_postgresql_says_that_it_has_no_nul(postgres_engine: Elsewhere, spark_engine: Elsewhere) -> None:
    """A text that an engine cannot hold could not be looked at; one that can holds it whole."""
    story, query = texts("a\0b"), "SELECT j.note AS note FROM job_run j ORDER BY note"
    assert asked(spark_engine, story, query) == asked("sqlite", story, query)
    with pytest.raises(CouldNotLook, match="cannot hold"):
        asked(postgres_engine, story, query)


@pytest.mark.parametrize("engine", ELSEWHERE, indirect=True)
def test_numbers_do_not_go_round(engine: Elsewhere) -> None:
    """Sums and products beyond 64 bits are exact or refused, never another number; what fits is exact."""
    story, most = Story(), 2**53 - 1
    for number in range(3):
        story.tell(START + number, "job.run", {"due": most, "ok": 1}, "job")
    query = "SELECT SUM(j.due * 1000000) AS total, SUM(j.due) * :factor - 1 AS more, MAX(j.due) * 3 AS much FROM job_run j ORDER BY total"
    assert asked(engine, story, query, factor=2**40) == [(3 * most * 10**6, 3 * most * 2**40 - 1, 3 * most)]
    query = "SELECT SUM(DISTINCT j.due) * 9223372036854775807 AS total FROM job_run j ORDER BY total"
    assert asked(engine, story, query) == [(most * (2**63 - 1),)]
    for query, due in (
        ("SELECT j.due + 9223372036854775807 AS huge FROM job_run j ORDER BY huge", most + 2**63 - 1),
        ("SELECT j.due * j.due * j.due * j.due AS huge FROM job_run j ORDER BY huge", most**4),
    ):
        try:
            assert asked(engine, story, query) == [(due,)] * 3
        except CouldNotLook as error:
            assert "verflow" in str(error) or "out of range" in str(error).lower().replace("_", " ")


# -- refusals


@pytest.mark.parametrize("engine", ELSEWHERE, indirect=True)
def test_what_may_not_be_asked_is_refused(engine: Elsewhere) -> None:
    """Tables that are no view, columns that are not there, absent values, missing parameters: refused, with a next step."""
    for query in (
        "SELECT r.a AS a FROM pg_roles r ORDER BY a",
        "SELECT p.idx AS idx FROM pop p ORDER BY idx",
        "SELECT j.nothing AS nothing FROM job_run j ORDER BY nothing",
        "SELECT MAX(j.idx) AS idx FROM job_run j WHERE j.idx < 0 ORDER BY idx",
        "SELECT j.idx AS idx FROM job_run j ORDER BY at",
        "SELECT j.idx AS idx FROM job_run j WHERE j.at > :absent ORDER BY idx",
        "SELECT j.idx / 2 AS idx FROM job_run j ORDER BY idx",
    ):
        with pytest.raises(BadInput) as caught:
            asked(engine, texts(), query)
        assert caught.value.next_step


@pytest.mark.parametrize(("kind", "package"), [("spark", "pyspark"), ("postgres", "asyncpg")])
def test_an_engine_that_is_not_there_could_not_be_looked_at(kind: str, package: str) -> None:
    """Nobody listening is said within seconds, not tried for minutes."""
    pytest.importorskip(package, reason=f"the package {package} is not installed")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        place = Elsewhere(kind, {"spark": f"sc://{address}/;token=secret", "postgres": f"postgresql://u:secret@{address}/d"}[kind])
        with pytest.raises(CouldNotLook) as caught:
            Evidence(Listed([]), engine=place)
    assert caught.value.next_step and "secret" not in str(caught.value)


@pytest.mark.parametrize(("kind", "package"), [("spark", "pyspark"), ("postgres", "asyncpg")])
def test_a_client_that_is_not_installed_is_named(kind: str, package: str) -> None:
    """Without the extra the rest works, and who asks for the engine is told what to install."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from affiant.assurance import Elsewhere, Evidence, Listed\n"
        "Evidence(Listed([]), engine='sqlite').close()\n"
        f"Evidence(Listed([]), engine=Elsewhere({kind!r}, 'env:NOWHERE'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "CouldNotLook" in done.stderr and "pip install 'affiant[" in done.stderr


def test_a_place_is_checked_and_not_repeated() -> None:
    """An engine needs a URL of its kind; what was given may hold a password and is not printed."""
    for kind, where in (("spark", "postgresql://u:secret@h/d"), ("postgres", "sc://secret:1"), ("postgres", "secret")):
        with pytest.raises(BadInput) as caught:
            Elsewhere(kind, where)
        assert "secret" not in str(caught.value)
    assert "secret" not in repr(Elsewhere("postgres", "postgresql://u:secret@h/d"))
    for wrong in (("trino", "sc://h:1", ""), ("postgres", "postgresql://h/d", "s3a://b/p"), ("spark", "sc://h:1", "s3a://b/*")):
        with pytest.raises(BadInput):
            Elsewhere(*wrong)
    with pytest.raises(BadInput, match="no engine"):
        Evidence(Listed([]), engine="spark")


@pytest.mark.parametrize("kind", ["spark", "postgres"])
def test_the_shipped_queries_can_be_said_in_both_tongues(kind: str) -> None:
    """Each query of the catalog is translated without one being connected to, and keeps no order of the engine's own."""
    names = {*Views.parse((LIBRARY / "views.json").read_bytes()).by_name, *COMPUTED, "pop"}
    for control in CATALOG.controls.values():
        assert control.population
        for text in filter(None, (control.population.query, control.population.reconcile, control.procedure)):
            found = translate(text, {**control.params, "from_us": 1, "to_us": 2}, kind, names)
            assert "ORDER BY" not in found.text and ":" not in found.text and found.order


@pytest.mark.server
def test_postgresql_keeps_nothing_and_reads_nothing_else(postgres_engine: Elsewhere) -> None:
    """Tables that bear a view's name are not read, and when the evidence is closed nothing of it is left in the database."""
    import asyncio

    import asyncpg

    async def tell(*texts: str) -> list[object]:
        connection = await asyncpg.connect(postgres_engine.url())
        try:
            return [await connection.fetch(text) for text in texts]
        finally:
            await connection.close()

    asyncio.run(tell("CREATE TABLE IF NOT EXISTS job_run (idx BIGINT, note TEXT)", "INSERT INTO job_run VALUES (99, 'planted')"))
    try:
        assert len(asked(postgres_engine, texts(), "SELECT j.idx AS idx FROM job_run j ORDER BY idx")) == len(TEXTS)
        left = "SELECT relname FROM pg_class WHERE relname IN ('exchange_opened', 'job_run', 'expected') AND relkind = 'r'"
        assert [row["relname"] for row in asyncio.run(tell(left))[0]] == ["job_run"]  # type: ignore[attr-defined]
    finally:
        asyncio.run(tell("DROP TABLE job_run"))


# -- the same Parquet


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Four days of traffic in a home, three of them closed."""
    adopted = [(control.id, dict(control.adopted_body)) for control in CATALOG.controls.values()]
    root = tmp_path_factory.mktemp("columns") / "home"
    return synthesize(root, 6_000, 4, "engines", adopted, lambda home, seed: Keyring(bytes(32), seed, "local"), processes=1).home


@pytest.fixture(scope="module")
def due(home: Home) -> list[dict[str, object]]:
    """What SQLite and DuckDB tell of it; DuckDB makes the Parquet on the way."""
    found = over_home(home, "duckdb")
    assert found == over_home(home, "sqlite")
    return found


def over_home(home: Home, engine: str | Elsewhere) -> list[dict[str, object]]:
    with Evidence(LedgerReader(home), engine=engine, due_at=1) as evidence:
        assert evidence._store is None or len(evidence._store.partitions) >= 3
        return [told(run) for run in run_all(evidence, CATALOG, Period(START_US, START_US + 5 * DAY), sampled=False)]


@pytest.mark.server
def test_spark_reads_the_parquet_of_closed_days_and_what_came_since(
    home: Home, due: list[dict[str, object]], spark_engine: Elsewhere
) -> None:
    """Closed days from the files that DuckDB reads, the rest sent along: together every entry, with equal results."""
    assert over_home(home, spark_engine) == due


@pytest.mark.server
@pytest.mark.skipif("AFFIANT_TEST_SPARK" in os.environ, reason="this test's storage is known to its own Spark only")
def test_spark_reads_parquet_in_object_storage(home: Home, due: list[dict[str, object]], stored_columns: tuple[Elsewhere, Any]) -> None:
    """A copy in real S3-compatible storage gives the same results; one that lacks a file could not be looked at."""
    engine, client = stored_columns
    folder = home.derived / "parquet"
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.parquet"))
    for name in names:
        client.put_object(Bucket="columns", Key=f"copy/{name}", Body=(folder / name).read_bytes())
    assert over_home(home, engine) == due
    lost = next(name for name in names if name.startswith("exchange_opened/"))
    client.delete_object(Bucket="columns", Key=f"copy/{lost}")
    with Evidence(LedgerReader(home), engine=engine) as evidence, pytest.raises(CouldNotLook, match="rows of exchange_opened"):
        evidence.query("SELECT o.idx AS idx FROM exchange_opened o ORDER BY idx", {})
