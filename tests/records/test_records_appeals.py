"""Appeals: raised once at a time, decided by somebody else, both in the ledger without their words."""

from __future__ import annotations

from pathlib import Path

import pytest
from records_world import world

from affiant.kit.errors import BadInput, Conflict, Forbidden, NotFound
from affiant.records.appeals import OPEN, REJECTED, UPHELD


def test_an_appeal_is_raised_and_decided_by_another_person(tmp_path: Path) -> None:
    """Two events, neither of which holds what was written."""
    with world(tmp_path) as w:
        appeal = w.records.appeals.raise_appeal("xc_1", "It quotes a manual.", "eve")
        assert appeal.state == OPEN
        with pytest.raises(Conflict, match="open"):
            w.records.appeals.raise_appeal("xc_1", "Again.", "cy")
        decided = w.records.appeals.decide(appeal.id, UPHELD, "A manual indeed.", "hal")
        assert (decided.state, decided.decided_by) == (UPHELD, "hal")
        assert [each.state for each in w.records.appeals.list("xc_1")] == [UPHELD]
        (raised,), (told,) = w.events("appeal.raised"), w.events("appeal.decided")
        assert raised.body["exchange"] == told.body["exchange"] == "xc_1"
        assert told.body["outcome"] == UPHELD and told.body["raised_by"] == "eve"
        assert "manual" not in str(raised.body) + str(told.body)
        w.records.appeals.raise_appeal("xc_1", "Something new.", "eve")  # a decided one may be followed by another


def test_who_may_not(tmp_path: Path) -> None:
    """An auditor raises none, a developer decides none, nobody decides their own, the local credential names a person."""
    with world(tmp_path) as w:
        with pytest.raises(Forbidden):
            w.records.appeals.raise_appeal("xc_1", "why", "gus")
        with pytest.raises(Forbidden):
            w.records.appeals.raise_appeal("xc_1", "why", "local")
        own = w.records.appeals.raise_appeal("xc_1", "why", "hal")
        with pytest.raises(Forbidden):
            w.records.appeals.decide(own.id, REJECTED, "why", "cy")
        with pytest.raises(Conflict, match="their own"):
            w.records.appeals.decide(own.id, REJECTED, "why", "hal")
        w.records.appeals.decide(own.id, REJECTED, "why", "bo")
        with pytest.raises(Conflict, match="already"):
            w.records.appeals.decide(own.id, UPHELD, "why", "fay")


@pytest.mark.parametrize("why", ["", "  ", "x" * 1001])
def test_a_reason_is_needed(tmp_path: Path, why: str) -> None:
    """None, or one too long, is refused; nothing is written."""
    with world(tmp_path) as w:
        with pytest.raises(BadInput, match="reason"):
            w.records.appeals.raise_appeal("xc_1", why, "eve")
        assert w.records.appeals.list() == []


def test_what_does_not_exist(tmp_path: Path) -> None:
    """An unknown appeal and an unknown outcome are named."""
    with world(tmp_path) as w:
        with pytest.raises(NotFound):
            w.records.appeals.decide("ap_none", UPHELD, "why", "bo")
        with pytest.raises(BadInput, match="outcome"):
            w.records.appeals.decide("ap_none", "perhaps", "why", "bo")
