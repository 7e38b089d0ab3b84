"""The query subset and its fences, views as tables, computed tables: what is let in, what comes out, what is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from affiant.catalog import load
from affiant.proof import grammar
from affiant.proof.errors import Malformed
from affiant.proof.expected import DAY_US, Adoptions
from affiant.proof.passes import population_pass
from affiant.proof.pledges import Pledges
from affiant.proof.tables import Digest
from affiant.proof.views import SqliteEvidence, Views

VIEWS = b"""{"format": "affiant-views/1", "views": [
 {"name": "route_model", "type": "route.set", "carried": 1, "each": "body.models",
  "columns": [["route", "TEXT", "ref"], ["model", "TEXT", "each"], ["n", "BIGINT", "body.n"]], "indexes": [["route", "idx"]]},
 {"name": "hour", "type": "service.hour",
  "columns": [["served", "BIGINT", "body.served"], ["note", "TEXT", "body.note"]], "indexes": []}]}"""

HOSTILE = {
    "two statements": "SELECT 1 AS a ORDER BY a; DROP TABLE hour",
    "no select": "DELETE FROM hour",
    "pragma": "PRAGMA table_info(hour)",
    "attach": "ATTACH 'x' AS y",
    "comment": "SELECT idx FROM hour -- x\nORDER BY idx",
    "block comment": "SELECT idx /* x */ FROM hour ORDER BY idx",
    "division": "SELECT idx / 2 AS a FROM hour ORDER BY a",
    "modulo": "SELECT idx % 2 AS a FROM hour ORDER BY a",
    "concatenation": "SELECT tenant || 'x' AS a FROM hour ORDER BY a",
    "like": "SELECT idx FROM hour WHERE note LIKE 'a' ORDER BY idx",
    "glob": "SELECT idx FROM hour WHERE note GLOB 'a' ORDER BY idx",
    "cast": "SELECT CAST(idx AS TEXT) AS a FROM hour ORDER BY a",
    "collate": "SELECT idx FROM hour ORDER BY note COLLATE NOCASE",
    "float": "SELECT 1.5 AS a FROM hour ORDER BY a",
    "float with point first": "SELECT .5 AS a FROM hour ORDER BY a",
    "exponent": "SELECT 1e5 AS a FROM hour ORDER BY a",
    "blob": "SELECT x'41' AS a FROM hour ORDER BY a",
    "quoted name": 'SELECT "idx" FROM hour ORDER BY idx',
    "bracket name": "SELECT [idx] FROM hour ORDER BY idx",
    "load extension": "SELECT load_extension('x') AS a FROM hour ORDER BY a",
    "random": "SELECT random() AS a FROM hour ORDER BY a",
    "date": "SELECT date('now') AS a FROM hour ORDER BY a",
    "zeroblob": "SELECT zeroblob(1000000000) AS a FROM hour ORDER BY a",
    "readfile": "SELECT readfile('/etc/passwd') AS a FROM hour ORDER BY a",
    "full join": "SELECT h.idx FROM hour h FULL JOIN hour g ON h.idx = g.idx ORDER BY idx",
    "recursion": "WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x) SELECT n FROM x ORDER BY n",
    "window": "SELECT count(*) OVER () AS a FROM hour ORDER BY a",
    "limit": "SELECT idx FROM hour ORDER BY idx LIMIT 1",
    "no order": "SELECT idx FROM hour",
    "order inside only": "SELECT idx FROM (SELECT idx FROM hour ORDER BY idx) x",
    "descending": "SELECT idx FROM hour ORDER BY idx DESC",
    "two arguments": "SELECT max(idx, 2) AS a FROM hour ORDER BY a",
    "open parenthesis": "SELECT (idx FROM hour ORDER BY idx",
    "nested too deeply": "SELECT " + "(" * 60 + "1" + ")" * 60 + " AS a FROM hour ORDER BY a",
    "too long": "SELECT idx FROM hour WHERE " + "idx = 1 OR " * 3000 + "idx = 2 ORDER BY idx",
    "beyond 64 bits": "SELECT 99999999999999999999 AS a FROM hour ORDER BY a",
    "positional parameter": "SELECT ? AS a FROM hour ORDER BY a",
    "backslash": "SELECT '\\' AS a, \\ FROM hour ORDER BY a",
    "nul in a string": "SELECT '\x00' AS a FROM hour ORDER BY a",
    "empty": "",
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_query_is_refused_by_its_text(text: str) -> None:
    """Nothing outside the subset passes the check of the text."""
    with pytest.raises(Malformed):
        grammar.check(text)


def tables() -> SqliteEvidence:
    evidence = SqliteEvidence(Views.parse(VIEWS), ":memory:")
    evidence.add(4, {"type": "route.set", "at": 7, "ref": "r", "tenant": "t", "body": {"models": ["a", "b"], "n": 3}})
    evidence.add(5, {"type": "service.hour", "at": 8, "body": {"served": 60}})
    carried = {"of": "route.set", "of_version": 1, "origin": 1, "origin_at": 2, "body": {"models": ["c"]}}
    evidence.add(6, {"type": "state.carried", "at": 9, "ref": "q", "body": carried})
    evidence.add(7, {"type": "state.carried", "at": 9, "ref": "h", "body": {**carried, "of": "service.hour", "body": {"served": 1}}})
    evidence.add(8, {"type": "unknown.type", "at": 9})
    evidence.flush()
    return evidence


def ask(evidence: SqliteEvidence, text: str, **params: int) -> list[tuple[Any, ...]]:
    return grammar.run(evidence.connection, grammar.check(text), params, evidence.views.by_name_and_computed())[1]


def test_views_make_rows_of_events_lists_and_carried_entries() -> None:
    """Each element is a row with its ordinal; what is absent is '' or 0; a carried entry keeps its own index and the original's time."""
    with tables() as evidence:
        assert ask(evidence, "SELECT idx, ord, at, tenant, route, model, n FROM route_model ORDER BY idx, ord") == [
            (4, 0, 7, "t", "r", "a", 3), (4, 1, 7, "t", "r", "b", 3), (6, 0, 2, "", "q", "c", 0),
        ]  # fmt: skip
        assert ask(evidence, "SELECT idx, served, note FROM hour ORDER BY idx") == [(5, 60, "")]


def test_a_field_of_another_type_is_refused() -> None:
    """Text where a view has BIGINT is an error, never a guess."""
    with SqliteEvidence(Views.parse(VIEWS), ":memory:") as evidence, pytest.raises(Malformed):
        evidence.add(1, {"type": "service.hour", "at": 8, "body": {"served": "60"}})


@pytest.mark.parametrize("bad", [b"{}", b"[]", b"x", VIEWS.replace(b'"hour"', b'"route_model"'),
                                 VIEWS.replace(b'"TEXT", "ref"', b'"BLOB", "ref"'),
                                 VIEWS.replace(b"body.note", b"body.note; DROP"), VIEWS.replace(b'["served"', b'["idx"'),
                                 VIEWS.replace(b'"hour"', b'"expected"')])  # fmt: skip
def test_a_views_file_is_read_strictly(bad: bytes) -> None:
    """A views file that could name something else than columns and paths is refused."""
    with pytest.raises(Malformed):
        Views.parse(bad)


def test_the_fences_hold_behind_the_text() -> None:
    """Where the text passes, SQLite itself still refuses other tables, missing parameters, other types and endless work."""
    with tables() as evidence:
        for text in (
            "SELECT name FROM sqlite_master ORDER BY name", "SELECT count(*) AS n FROM sqlite_schema ORDER BY n",
            "SELECT idx FROM nowhere ORDER BY idx", "SELECT served FROM hour WHERE idx = :missing ORDER BY served",
            "SELECT h.served FROM route_model r LEFT JOIN hour h ON h.idx = r.idx ORDER BY served",
        ):  # fmt: skip
            with pytest.raises(Malformed):
                ask(evidence, text)
        endless = "SELECT count(*) AS n FROM " + ", ".join(f"route_model a{n}" for n in range(40)) + " ORDER BY n"
        with pytest.raises(Malformed, match="steps"):
            grammar.run(evidence.connection, grammar.check(endless), {}, ["route_model"], max_steps=3_000_000)
        assert ask(evidence, "SELECT count(*) AS n FROM hour ORDER BY n") == [(1,)]


def test_what_is_inside_the_subset_runs() -> None:
    """Common table expressions, anti-joins, CASE, aggregates and integer parameters give integers and text."""
    text = """WITH last AS (SELECT route, max(idx) AS at_idx FROM route_model GROUP BY route)
              SELECT r.idx AS idx, CASE WHEN count(*) >= :least THEN 'many' ELSE 'few' END AS w, coalesce(sum(r.n), 0) - 1 AS s
              FROM route_model r INNER JOIN last l ON l.at_idx = r.idx
              WHERE NOT EXISTS (SELECT 1 FROM hour h WHERE h.idx = r.idx) AND r.model IN ('a', 'b', 'it''s') GROUP BY r.idx ORDER BY idx"""
    with tables() as evidence:
        assert ask(evidence, text, least=2) == [(4, "many", 5)]


def test_every_shipped_query_lies_inside_the_subset_and_runs() -> None:
    """Each population, reconciliation and procedure of the catalog passes the verifier's own check."""
    catalog = load()
    for control in catalog.controls.values():
        assert control.population is not None
        for text in (control.population.query, control.population.reconcile, control.procedure):
            if text:
                grammar.check(text)


def adopted(*schedule: dict[str, Any]) -> dict[str, Any]:
    return {"type": "control.adopted", "at": DAY_US, "ref": "C-1", "body": {"schedule": list(schedule)}}


def test_expected_occurrences_follow_the_schedule_in_force() -> None:
    """Due times begin with adoption and end with the next version; windows are calendar hours, days and months."""
    adoptions = Adoptions()
    adoptions.add(3, adopted({"item": "a", "every": "day", "minute": 30}))
    adoptions.add(9, {**adopted({"item": "b", "every": "hour", "minute": 5}), "at": 4 * DAY_US})
    rows = adoptions.rows(0, 4 * DAY_US + 2 * 3_600_000_000)
    assert [(row[1], row[2], row[3] // 60_000_000) for row in rows] == [
        ("a", 3, 1470), ("a", 3, 2910), ("a", 3, 4350), ("b", 9, 5765), ("b", 9, 5825),
    ]  # fmt: skip
    assert rows[0][5:] == (DAY_US, 2 * DAY_US, 19700102, 197001)
    monthly = Adoptions()
    monthly.add(1, {**adopted({"item": "m", "every": "month", "minute": 0}), "at": 0})
    assert [row[7] for row in monthly.rows(0, 100 * DAY_US)] == [19700101, 19700201, 19700301, 19700401]


@pytest.mark.parametrize("bad", [{"every": "day"}, {"item": "a", "every": "week", "minute": 0},
                                 {"item": "a", "every": "hour", "minute": 60},
                                 {"item": "a", "every": "day", "minute": -1}])  # fmt: skip
def test_a_schedule_that_cannot_be_read_is_refused(bad: dict[str, Any]) -> None:
    """A schedule is never guessed."""
    adoptions = Adoptions()
    adoptions.add(1, adopted(bad))
    with pytest.raises(Malformed):
        adoptions.rows(0, 10 * DAY_US)


def probe_events() -> list[dict[str, Any]]:
    import hashlib
    import hmac

    from affiant.proof.pledges import pledge_digest

    request, salt = hashlib.sha256(b"request").digest(), b"s" * 32
    body = {"nonce": "aa", "request": request.hex(), "key": "k", "due": 60, "expected": "blocked", "salt": salt.hex(), "exchange": "xc"}
    commitment = hmac.new(salt, request, hashlib.sha256).hexdigest()
    return [
        {"type": "probe.pledged", "at": 100, "ref": "pl", "body": {"pledge": pledge_digest("aa", request.hex(), "k", 60, "blocked")}},
        {"type": "exchange.refused", "at": 200, "ref": "xc", "body": {"commit_received": commitment}},
        {"type": "probe.opened", "at": 300, "ref": "pl", "body": body},
    ]


def pledge_row(events: list[dict[str, Any]]) -> tuple[Any, ...]:
    pledges = Pledges()
    for idx, envelope in enumerate(events):
        pledges.add(idx, envelope)
    return pledges.rows()[0]


def test_a_pledge_is_kept_only_as_promised() -> None:
    """Hash, time, order, exchange and number of openings must all be right."""
    events = probe_events()
    assert pledge_row(events) == (0, "pl", 2, 1)
    assert pledge_row(events[:2]) == (0, "pl", 0, 0)
    assert pledge_row([*events, events[2]])[3] == 0
    assert pledge_row([events[0], events[2]])[3] == 0
    for change in ({"nonce": "ab"}, {"due": 61}, {"expected": "allowed"}, {"salt": "00"}, {"exchange": "other"}, {"request": "zz"}):
        altered = {**events[2], "body": {**events[2]["body"], **change}}
        assert pledge_row([*events[:2], altered])[3] == 0
    assert pledge_row([*events[:2], {**events[2], "at": 300_000_101}])[3] == 0
    assert pledge_row([events[2], events[1], events[0]])[3] == 0


def test_sqlite_here_is_recent_enough() -> None:
    """The tables use nothing that the SQLite of Python 3.9 lacks."""
    assert sqlite3.sqlite_version_info >= (3, 31)


def test_populations_of_many_rows_stream_as_they_would_be_fetched(tmp_path: Path) -> None:
    """Rows that come in parts, while `pop` is made and filled beside the query that gives them, are those that one fetch gives."""
    catalog = load()
    views = Views.parse(catalog.views)
    with SqliteEvidence(views, str(tmp_path / "rows")) as evidence:
        evidence.add(1, {"type": "route.set", "at": 1, "ref": "r", "body": {"models": ["m"], "label": "internal", "redacts": ["EMAIL"]}})
        for number in range(6_000):
            ref, at = f"x{number}", 10_000_000 + number
            opened = {
                "route": "r",
                "label": "internal",
                "key": "k",
                "mode": "enforce",
                "links": [{"provider": "p", "model": "m", "cap": 1}],
            }
            evidence.add(2 * number + 2, {"type": "exchange.opened", "at": at, "ref": ref, "policy": "d", "body": opened})
            evidence.add(2 * number + 3, {"type": "exchange.closed", "at": at, "ref": ref, "body": {"attempts": [{"provider": "p"}]}})
        evidence.flush()
    params = {"from_us": 0, "to_us": 10**15, "end_size": 10**9}
    with SqliteEvidence(views, str(tmp_path / "rows"), there=True) as evidence:
        sizes = []
        for control in catalog.controls.values():
            assert control.population is not None
            query, given = grammar.check(control.population.query), {**control.params, **params}
            tables = evidence.views.by_name_and_computed()
            whole = grammar.run(evidence.connection, query, given, tables)[1]
            evidence.drop_population()
            columns, parts = grammar.stream(evidence.connection, query, given, tables)
            rows, _ = population_pass(columns, parts, evidence, lambda indexes: [bytes(32)] * len(indexes), None, Digest())
            assert rows == len(whole)
            sizes.append(rows)
            assert evidence.connection.execute("SELECT * FROM main.pop ORDER BY idx, ord").fetchall() == whole
        assert sum(size >= 6_000 for size in sizes) == 4


def test_an_index_over_nothing_is_refused() -> None:
    """A views file whose index names no column is malformed, not a fault of the verifier."""
    columns = '[["a", "TEXT", "ref"]]'
    for indexes in ("[[]]", '[["b"]]', '[["a"], []]'):
        text = f'{{"format": "affiant-views/1", "views": [{{"name": "v", "type": "t", "columns": {columns}, "indexes": {indexes}}}]}}'
        with pytest.raises(Malformed, match="indexes none"):
            Views.parse(text.encode())
