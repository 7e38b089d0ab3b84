"""What is due, what is not shown, and the state by category."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ledger_factory import CATALOG, DAY, HOUR, MIN, PERIOD, START, Story, company

from affiant.assurance import Evidence, Findings, Listed, Period, control_state, due, not_shown, results_of, run_all, size_as_of
from affiant.kit.errors import CouldNotLook, NotFound
from affiant.ledger import Draft, decode, encode


class Ledger(Listed):
    """A ledger in memory with the reader's look-up by type."""

    def __init__(self, entries: list[bytes]) -> None:
        super().__init__(entries)
        self.events = [decode(data) for data in entries]

    def of_types(self, *types: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Any]]:
        return ((index, event) for index, event in enumerate(self.events) if event.type in types)


def limits_of(story: Story, period: Period = PERIOD) -> dict[str, tuple[int, int]]:
    with Evidence(Listed(story.entries())) as evidence:
        return {limit.key: (limit.value, limit.whole) for limit in not_shown(evidence, CATALOG, period)}


def test_what_is_not_shown_is_computed() -> None:
    """Bypass, uninspected parts, modes, interruptions, refusals without a record and hours without an anchor are figures."""
    story = company()
    usage = {"account": "stray", "requests": 37, "held": 0, "source": "ff", "day": 20261007}
    story.tell(START + 20 * DAY, "provider.usage", usage, "harbor")
    story.exchange(START + DAY, "img", uninspected=1)
    story.exchange(START + DAY + 1, "seen", mode="watch")
    story.exchange(START + DAY + 2, "cut", outcome="")
    story.tell(START + DAY + MIN, "exchange.interrupted", {"producer": "n1/gateway/1", "opened": 1}, "cut")
    story.tell(START + 2 * DAY, "exchange.unrecorded", {"from": START + 2 * DAY - 9, "to": START + 2 * DAY, "count": 12})
    for hour in range(0, 744, 2):
        at = START + hour * HOUR + 5 * MIN
        story.tell(at, "anchor.cosigned", {"size": hour + 1, "root": "00", "witness": "w", "time": 1, "checkpoint_at": at}, str(hour))
    found = limits_of(story)
    # The uninspected and the watched exchange were attempts of that day beyond its imported count of three.
    assert found["bypass"] == (37, 31 * 3 + 37)
    assert found["uninspected"] == (1, 96) and found["unenforced"] == (1, 96) and found["interrupted"] == (1, 96)
    assert found["unrecorded"] == (12, 0) and found["unanchored"] == (372, 744) and found["no_count"] == (0, 0)


def test_nothing_missing_is_zero_and_still_listed() -> None:
    """A limit that was looked for and not found is printed with 0, not left out."""
    found = limits_of(company())
    assert found["bypass"] == (0, 93) and found["uninspected"] == (0, 93) and "stale" not in found
    assert found["unanchored"][0] == found["unanchored"][1] == 744


def due_of(story: Story, now: int, period: Period | None = None) -> list[tuple[str, str, bool, bool]]:
    with Evidence(Listed(story.entries())) as evidence:
        return [(item.ref, item.text, item.final, item.overdue) for item in due(evidence, CATALOG, now, period)]


def anchored(days: int = 10) -> Story:
    story = company(days)
    at = START + days * DAY + 14 * HOUR
    story.tell(at, "anchor.cosigned", {"size": 1, "root": "00", "witness": "w", "time": 1, "checkpoint_at": at}, "1")
    return story


def test_a_company_in_order_has_nothing_due() -> None:
    """Probes done, changes in force, keys confirmed, usage imported, anchors fresh: an empty list."""
    story = anchored()
    for name, minute in {"unauthenticated": 187, "injection": 433, "pii": 611}.items():
        story.probe(START + 10 * DAY + minute * MIN, name)
    assert due_of(story, START + 10 * DAY + 14 * HOUR + MIN) == []


def test_a_probe_not_performed_becomes_unfixable_at_midnight() -> None:
    """What can no longer be repaired after its time stands first."""
    story = anchored()
    with Evidence(Listed(story.entries())) as evidence:
        items = due(evidence, CATALOG, START + 10 * DAY + 14 * HOUR + MIN)
    assert [item.about for item in items] == ["injection", "pii", "unauthenticated"]
    assert all(item.final and item.at_us == START + 11 * DAY and "permanent" in item.consequence for item in items)


def test_people_are_told_what_waits_for_them() -> None:
    """Open changes, emergency changes, expiring keys, leavers, missing counts and the period's end are listed."""
    story = anchored()
    now = START + 10 * DAY + 14 * HOUR + MIN
    for name, minute in {"unauthenticated": 187, "injection": 433, "pii": 611}.items():
        story.probe(START + 10 * DAY + minute * MIN, name)
    story.change(now - DAY, "open", "route", "help", approver="")
    story.drop("change.activated", "open")
    story.change(now - DAY, "hot", "route", "help", approver="ana", emergency=1)
    story.tell(now - DAY, "key.created", {"owner": "ana", "scope": ["*"], "expires": now + 3 * DAY}, "k9")
    story.tell(now - HOUR, "person.left", {"change": "c"}, "cat")
    assert story.drop("provider.usage", day=20261003) == 1
    texts = [text for _, text, _, _ in due_of(story, now, Period(START, now + 5 * DAY))]
    for words in ("open", "hot", "k9 expires", "cat left and still holds the key k3", "1 days of harbor", "The period"):
        assert any(words in text for text in texts), words
    assert len(texts) == 6


def test_silence_of_witnesses_is_due() -> None:
    """A ledger that no witness cosigned says so."""
    texts = [text for _, text, _, _ in due_of(company(3), START + 3 * DAY + 2 * MIN)]
    assert "No witness has cosigned this ledger" in texts


def test_state_by_category_adds_up() -> None:
    """Results and controls without a run add up to the controls of each category."""
    with Evidence(Listed(company().entries())) as evidence:
        runs = run_all(evidence, CATALOG, PERIOD, sampled=False)
    states = control_state(CATALOG, results_of(runs[:5]))
    assert [state.key for state in states] == ["security", "availability", "processing_integrity", "confidentiality", "privacy"]
    assert all(sum(state.counts.values()) + state.not_run == state.total for state in states)
    assert sum(state.total for state in states) == 8 and sum(state.not_run for state in states) == 3
    assert "CC1.1" in states[0].uncovered


def test_findings_recalculate_a_recorded_run() -> None:
    """Rows, days and reasons of a freeze come from the entries that it names; a freeze that does not exist is not found."""
    story = company()
    story.change(START + 2 * DAY, "c2", "route", "help", approver="ana")
    entries = story.entries()
    written: list[Draft] = []

    def append(drafts: Any) -> int:
        written.extend(drafts)
        return len(entries) + len(written) - len(drafts)

    with Evidence(Listed(entries)) as evidence:
        run = run_all(evidence, CATALOG, PERIOD, append, only=["PI-5.1"])[0]
    assert run.frozen
    later = [encode(draft, "n1/control/9", number, START + 33 * DAY, 0) for number, draft in enumerate(written)]
    with Findings(Ledger([*entries, *later]), CATALOG) as findings:
        page = findings.rows(run.frozen.id, item=1)
        assert page.total == 1 and "approved by its own author" in page.rows[0].text and page.columns[0] == "at"
        assert findings.rows(run.frozen.id, limit=1).total == 2
        assert sum(day.deviations for day in findings.days("PI-5.1", run.frozen.id)) == 1
        assert findings.due(START + 31 * DAY + MIN) and findings.not_shown(PERIOD.from_us, PERIOD.to_us)
        with pytest.raises(NotFound):
            findings.rows("fz_none")


def test_as_of_reads_up_to_the_last_checkpoint_before() -> None:
    """A checkpoint at the instant is too late; with none before, nothing can be said."""

    class Head:
        def __init__(self, at_us: int, size: int) -> None:
            self.at_us, self.size = at_us, size

    class Heads:
        def checkpoints(self) -> list[Head]:
            return [Head(100, 3), Head(200, 7), Head(0, 9)]

        def event(self, index: int) -> Any:
            return decode(encode(Draft("job.run"), "n1/control/1", 0, 300, 0))

    assert size_as_of(Heads(), 200) == 3 and size_as_of(Heads(), 201) == 7 and size_as_of(Heads(), 301) == 9
    with pytest.raises(CouldNotLook):
        size_as_of(Heads(), 100)
