"""A run as events: freeze before seed, samples that redraw, results that the verifier's own code recomputes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from ledger_factory import CATALOG, DAY, HOUR, MIN, PERIOD, START, Story, company

from affiant.assurance import Evidence, Listed, Period, given_seed, occurrences, run_all, run_control, run_line, witness_seed
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.ledger import Draft, decode, encode
from affiant.proof.expected import Adoptions
from affiant.proof.hashes import leaf_hash
from affiant.proof.pledges import Pledges
from affiant.proof.recompute import Definition, Recorded, recompute
from affiant.proof.results import DESIGN_GAP, NO_DEVIATIONS, NOT_IMPLEMENTED, NOT_TESTED
from affiant.proof.views import SqliteEvidence, Views


class Book:
    """A ledger in memory that takes appends."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.entries = list(entries)
        self._seq = 0

    def append(self, drafts: Sequence[Draft]) -> int:
        first = len(self.entries)
        for draft in drafts:
            self.entries.append(encode(draft, "n1/control/9", self._seq, START + 40 * DAY, 0))
            self._seq += 1
        return first


def broken() -> Story:
    """A company with deviations in several controls."""
    story = company()
    story.change(START + 2 * DAY, "c2", "route", "help", approver="ana")
    story.exchange(START + DAY, "bad", link={"provider": "elsewhere"}, outcome="")
    story.tell(START + DAY + MIN, "exchange.interrupted", {"producer": "n1/gateway/1", "opened": 1}, "bad")
    story.drop("service.hour", hour=START + 3 * DAY)
    return story


def test_the_verifier_recomputes_every_recorded_run() -> None:
    """What DuckDB found and the ledger records is what the proof room's SQLite path recomputes from the same bytes."""
    book = Book(broken().entries())
    with Evidence(Listed(book.entries)) as evidence:
        runs = run_all(evidence, CATALOG, PERIOD, book.append)
    views = Views.parse(CATALOG.views)
    kept = {}
    for index in range(runs[0].end_size, len(book.entries)):
        event = decode(book.entries[index])
        kept[event.ref] = (index, {"ref": event.ref, "body": event.body, "type": event.type})
    for run in runs:
        assert run.recorded and run.frozen
        with SqliteEvidence(views, ":memory:") as tables:
            adoptions, pledges = Adoptions(), Pledges()
            for index, data in enumerate(book.entries[: run.end_size]):
                envelope = msgspec.json.decode(data)
                tables.add(index, envelope)
                adoptions.add(index, envelope)
                pledges.add(index, envelope)
            tables.flush()
            tables.replace("expected", adoptions.rows(PERIOD.from_us, PERIOD.to_us))
            tables.replace("pledge", pledges.rows())
            recorded = Recorded(kept[run.id], kept[run.frozen.id], kept[run.sample.id] if run.sample else None)
            outcome = recompute(Definition.parse(run.control.canonical), recorded, tables, lambda i: leaf_hash(book.entries[i]))
        assert outcome.result == run.result and outcome.counts == run.counts


def test_the_seed_is_asked_for_after_the_freeze() -> None:
    """The population is an entry before the seed exists, and the sample names rows of it."""
    book = Book(company().entries())
    asked: list[int | None] = []

    def seed(index: int | None) -> Any:
        asked.append(index)
        assert decode(book.entries[-1]).type == "population.frozen" and index == len(book.entries) - 1
        return given_seed("auditor's own", "auditor-chosen")(index)

    with Evidence(Listed(book.entries)) as evidence:
        run = run_control(evidence, CATALOG.controls["PI-6.1"], PERIOD, book.append, seed_of=seed, sample_n=7)
    assert len(asked) == 1 and run.sample and run.sample.n == 7 and run.frozen
    assert set(run.sample.rows) <= {(row[0], row[1]) for row in run.frozen.rows}
    assert [decode(data).type for data in book.entries[-3:]] == ["population.frozen", "sample.drawn", "procedure.run"]
    assert "agree with your auditor" in run.sample.note


def test_the_same_seed_draws_the_same_rows_on_both_engines() -> None:
    """A sample hangs on seed and rows alone."""
    entries = company().entries()
    drawn = set()
    for engine in ("duckdb", "sqlite"):
        with Evidence(Listed(entries), engine=engine) as evidence:
            run = run_control(evidence, CATALOG.controls["GOV-3.1"], PERIOD, seed_of=given_seed("s", "management-chosen"))
            assert run.sample
            drawn.add(run.sample.rows)
    assert len(drawn) == 1


@dataclass(frozen=True)
class Cosigned:
    size: int
    witness: str
    note: bytes


def test_a_witness_seed_is_the_cosignature_of_the_checkpoint_behind_the_freeze() -> None:
    """The first cosignature for size freeze + 1 is the seed; without it nothing is drawn."""
    signature = base64.b64encode(b"x" * 76).decode()
    note = f"o\n5\nAAAA\n\n— log AAAA\n— harbor {signature}\n".encode()
    seed = witness_seed(lambda: [Cosigned(5, "harbor", note)], "harbor")
    assert seed(4).text == signature and seed(4).kind == "witness"
    with pytest.raises(CouldNotLook, match="size 6"):
        seed(5)


def test_one_line_a_run() -> None:
    """The line that scripts read names control, version, result, population and each deviation."""
    with Evidence(Listed(broken().entries())) as evidence:
        lines = {line["control"]: line for line in map(run_line, run_all(evidence, CATALOG, PERIOD))}
    assert list(lines) == sorted(CATALOG.controls)
    missing: Any = lines["AV-1.1"]["deviations"]
    assert missing[0]["index"] is None and "2026-10-04T00:00:00Z" in missing[0]["why"]
    change: Any = lines["PI-5.1"]["deviations"]
    assert type(change[0]["index"]) is int and "c2" in change[0]["why"]
    population: Any = lines["PI-5.1"]["population"]
    assert population["rows"] == 2 and len(population["root"]) == 64


def test_a_gap_in_a_producers_numbers_leaves_every_control_untested() -> None:
    """A failed sequence check outranks "no deviations noted" and is named."""
    entries = company().entries()
    del entries[500]
    with Evidence(Listed(entries)) as evidence:
        run = run_control(evidence, CATALOG.controls["SEC-1.2"], PERIOD)
    assert run.result == NOT_TESTED and "jumps" in run.notes[0] and run.frozen and "failed" in run.frozen.boundary[1]


def test_another_version_than_the_one_in_force_is_not_tested_and_not_recorded() -> None:
    """A catalog that differs from what was adopted gives no result that could be mistaken for one."""
    book = Book(company().entries())
    edited = replace(CATALOG.controls["PI-6.1"], version=2)
    with Evidence(Listed(book.entries)) as evidence:
        run = run_control(evidence, edited, PERIOD, book.append)
    assert run.result == NOT_TESTED and not run.recorded and "adopt" in run.notes[0] and len(book.entries) == run.end_size


def test_a_control_without_a_procedure_is_a_design_gap_and_one_without_a_producer_is_not_implemented() -> None:
    """Both are recorded as what they are, without a population."""
    book = Book(company().entries())
    with Evidence(Listed(book.entries)) as evidence:
        gap = run_control(evidence, replace(CATALOG.controls["PI-6.1"], procedure=""), PERIOD, book.append)
        later = run_control(evidence, replace(CATALOG.controls["PI-6.1"], implemented=False), PERIOD, book.append)
    assert (gap.result, later.result) == (DESIGN_GAP, NOT_IMPLEMENTED) and gap.frozen is None and gap.recorded
    assert "freeze" not in decode(book.entries[-1]).body


def test_a_schedule_that_nothing_adopted_expects_nothing() -> None:
    """A scheduled control that is not in force is not implemented."""
    story = company()
    story.drop("control.adopted")
    with Evidence(Listed(story.entries())) as evidence:
        assert run_control(evidence, CATALOG.controls["AUD-4.1"], PERIOD).result == NOT_IMPLEMENTED


def test_occurrences_by_day_cover_the_period() -> None:
    """One entry a day, deviations on their own day, and the sums are the run's."""
    with Evidence(Listed(broken().entries())) as evidence:
        run = run_control(evidence, CATALOG.controls["AV-1.1"], PERIOD)
    days = occurrences(run)
    assert len(days) == 31 and sum(day.met for day in days) == run.counts.met
    assert [day.day_us for day in days if day.deviations] == [START + 3 * DAY]


def test_evidence_read_on_equals_evidence_read_at_once() -> None:
    """Reading in two steps gives the populations of reading in one."""
    entries = company().entries()
    with Evidence(Listed(entries), 800) as grown, Evidence(Listed(entries)) as whole:
        grown.extend(Listed(entries), len(entries))
        for control in CATALOG.controls.values():
            first, second = (run_control(evidence, control, PERIOD, sampled=False).frozen for evidence in (grown, whole))
            assert first and second and first.root == second.root


def test_opening_balances_stand_for_what_came_before() -> None:
    """From a `period.opened` with its carried records a run finds what it finds over the whole history."""
    story = company()
    entries = story.entries()
    cut = START + 10 * DAY
    later = [fact for fact in sorted(story.facts, key=lambda fact: fact.at) if fact.at >= cut]
    fresh = Story()
    fresh.facts = [f for f in story.facts if f.at < cut] + later
    carried = [
        f
        for f in story.facts
        if f.at < cut and f.draft.type in ("control.adopted", "provider.set", "model.approved", "route.set", "commitment.set")
    ]
    carried += [f for f in story.find("key.created") if f.draft.ref != "k2"]
    fresh.tell(cut - 2000, "period.opened", {"name": "p", "from": cut, "carried": len(carried), "root": "00"}, producer="n1/control/2")
    for number, fact in enumerate(carried):
        body = {"of": fact.draft.type, "of_version": 1, "origin": number, "origin_at": fact.at, "body": fact.draft.body}
        fresh.tell(cut - 1000 + number, "state.carried", body, fact.draft.ref, "n1/control/2")
    entries = fresh.entries()
    opening = next(i for i, data in enumerate(entries) if decode(data).type == "period.opened")
    period = Period(cut, START + 31 * DAY)
    with Evidence(Listed(entries)) as whole, Evidence(Listed(entries), view_from=opening) as part:
        for control in CATALOG.controls.values():
            all_of_it, from_opening = (run_control(evidence, control, period, sampled=False) for evidence in (whole, part))
            assert from_opening.result == all_of_it.result, control.id
            assert from_opening.items == all_of_it.items, control.id
        assert run_control(part, CATALOG.controls["GOV-3.1"], period).result == NO_DEVIATIONS


def test_a_change_proposed_before_the_entries_read_cannot_be_tested() -> None:
    """Its proposal is not carried, so that its absence is no deviation near the opening."""
    story = Story()
    story.tell(START, "period.opened", {"name": "p", "from": START, "carried": 1, "root": "00"})
    body = {
        "of": "control.adopted",
        "of_version": 1,
        "origin": 1,
        "origin_at": START - DAY,
        "body": dict(CATALOG.controls["PI-5.1"].adopted_body),
    }
    story.tell(START + 1, "state.carried", body, "PI-5.1")
    story.change(START + DAY, "c1", "route", "help")
    story.drop("change.proposed")
    first = encode(Draft("job.run", {"due": 1, "ok": 1}, ref="x"), "n1/writer/1", 0, START - DAY, 0)
    with Evidence(Listed([first, *story.entries()]), view_from=1) as evidence:
        run = run_control(evidence, CATALOG.controls["PI-5.1"], PERIOD)
    assert run.result == NOT_TESTED and run.untested[0].code == "before_evidence"


def test_a_running_period_counts_only_what_was_due() -> None:
    """Half-way through, occurrences still to come are neither met nor missed."""
    story = company(days=10)
    with Evidence(Listed(story.entries())) as evidence:
        for run in run_all(evidence, CATALOG, PERIOD):
            assert run.result == NO_DEVIATIONS, run.control.id
            if run.control.id == "AUD-4.1":
                assert run.counts.rows == 10 * 4 * 2


def test_text_of_any_kind_survives_the_way_into_duckdb() -> None:
    """Quotes, line breaks, NUL, backslashes and empty text are the same in both engines."""
    nasty = ["", "a,b", 'q"q', "l\nl", "cr\r\nlf", "NULL", "\x00x", "é☃𝄞", " lead", "\\N", "''", "#c", "1", "\\", "\r", '"']
    story = Story()
    for number, text in enumerate(nasty):
        story.tell(START + number, "model.withdrawn", {"why": text}, f"m{number}", tenant=text)
    query = "SELECT w.idx AS idx, w.tenant AS tenant, w.why AS why FROM model_withdrawn w ORDER BY idx"
    for engine in ("duckdb", "sqlite"):
        with Evidence(Listed(story.entries()), engine=engine) as evidence:
            assert evidence.query(query, {})[1] == [(number, text, text) for number, text in enumerate(nasty)]


def test_unknown_controls_and_engines_are_refused() -> None:
    """A name that does not exist is an error that lists the ones that do."""
    with Evidence(Listed(company(days=1).entries())) as evidence, pytest.raises(BadInput, match=r"no control X-1\.1"):
        run_all(evidence, CATALOG, PERIOD, only=["X-1.1"])
    with pytest.raises(BadInput, match="no engine"):
        Evidence(Listed([]), engine="spark")
    with pytest.raises(BadInput, match="no entries"):
        Evidence(Listed([]), 5)


def test_periods() -> None:
    """Dates are inclusive, instants half-open; anything else is refused with the right form."""
    assert Period.parse("2026-10-01..2026-10-31") == PERIOD and str(PERIOD) == "2026-10-01..2026-10-31"
    half = Period.parse("2026-10-01T00:00:00Z..2026-10-01T12:00:00+02:00")
    assert half == Period(START, START + 10 * HOUR) and str(half) == "2026-10-01T00:00:00Z..2026-10-01T10:00:00Z"
    for bad in ("2026-10-01", "2026-10-02..2026-10-01", "2026-10-01..2026-10-01T00:00:00Z", "a..b", "..", "2026-13-01..2026-13-02"):
        with pytest.raises(BadInput):
            Period.parse(bad)
