"""What is not shown, and the state by category."""

from __future__ import annotations

from typing import Any

import pytest
from ledger_factory import CATALOG, DAY, HOUR, MIN, PERIOD, START, Story, company

from affiant.assurance import Evidence, Listed, Period, control_state, not_shown, results_of, run_all, size_as_of
from affiant.kit.errors import CouldNotLook
from affiant.ledger import Draft, decode, encode


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


def test_state_by_category_adds_up() -> None:
    """Results and controls without a run add up to the controls of each category."""
    with Evidence(Listed(company().entries())) as evidence:
        runs = run_all(evidence, CATALOG, PERIOD, sampled=False)
    states = control_state(CATALOG, results_of(runs[:5]))
    assert [state.key for state in states] == ["security", "availability", "processing_integrity", "confidentiality", "privacy"]
    assert all(sum(state.counts.values()) + state.not_run == state.total for state in states)
    assert sum(state.total for state in states) == 8 and sum(state.not_run for state in states) == 3
    assert "CC1.1" in states[0].uncovered


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
