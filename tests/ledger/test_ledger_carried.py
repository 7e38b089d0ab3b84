"""Opening balances of a period."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_world import NOW, RING, check, create

from affiant.kit.clock import FixedClock
from affiant.kit.errors import BadInput, Conflict
from affiant.kit.home import Home
from affiant.ledger import Draft, Writer, period_open_drafts, verify_home
from affiant.ledger.reader import LedgerReader

DAY = 86_400_000_000


def append(home: Home, at_us: int, *drafts: Draft) -> None:
    with Writer.open(home, RING, FixedClock(at_us)) as writer:
        writer.append(list(drafts))
        writer.checkpoint()


def key(ref: str, owner: str) -> Draft:
    return Draft("key.created", {"owner": owner, "scope": ["*"]}, ref=ref, tenant="t1", actor="person:ann")


def test_live_records_are_carried(tmp_path: Path) -> None:
    """Each live record is carried once, as its last event before the period left it; ended ones are not."""
    home = create(tmp_path / "h")
    append(home, NOW, key("k1", "ann"), key("k2", "bob"), key("k3", "eve"))
    append(home, NOW + 1, Draft("key.revoked", {"requested": 1, "effective": 1, "elapsed_ms": 1, "epoch": 1, "workers": 1}, ref="k2"))
    append(home, NOW + 2, key("k1", "cid"))
    append(home, NOW + DAY, key("k4", "too late"), Draft("key.revoked", {"epoch": 2}, ref="k3"))
    reader = LedgerReader(home)
    drafts = period_open_drafts(reader, "q3", NOW + DAY)
    assert drafts[0].type == "period.opened" and drafts[0].body["carried"] == len(drafts) - 1
    carried = {draft.ref: draft for draft in drafts[1:]}
    assert sorted(carried) == ["k1", "k3"]
    assert carried["k1"].body["body"]["owner"] == "cid" and carried["k1"].tenant == "t1"
    assert reader.event(carried["k1"].body["origin"]).body == carried["k1"].body["body"]
    append(home, NOW + DAY, *drafts)
    check(home)


def test_carried_again_into_the_next_period(tmp_path: Path) -> None:
    """A record that nothing touched is carried from period to period with its first origin."""
    home = create(tmp_path / "h")
    append(home, NOW, key("k1", "ann"), key("k2", "bob"))
    append(home, NOW + DAY, *period_open_drafts(LedgerReader(home), "p1", NOW + DAY))
    append(home, NOW + DAY + 5, Draft("key.revoked", {"epoch": 2}, ref="k2"))
    drafts = period_open_drafts(LedgerReader(home), "p2", NOW + 2 * DAY)
    assert [(draft.ref, draft.body["origin_at"]) for draft in drafts[1:]] == [("k1", NOW)]
    append(home, NOW + 2 * DAY, *drafts)
    check(home)


def test_a_period_opens_once(tmp_path: Path) -> None:
    """A name is needed, and used once; an empty opening balance is one too."""
    home = create(tmp_path / "h")
    with pytest.raises(BadInput):
        period_open_drafts(LedgerReader(home), "", NOW)
    drafts = period_open_drafts(LedgerReader(home), "p1", NOW)
    assert len(drafts) == 1
    append(home, NOW, *drafts)
    with pytest.raises(Conflict):
        period_open_drafts(LedgerReader(home), "p1", NOW)
    check(home)


def test_false_opening_balance_is_found(tmp_path: Path) -> None:
    """An announced count or root that the entries do not bear out is a fault."""
    home = create(tmp_path / "h")
    append(home, NOW, key("k1", "ann"))
    opening, *carried = period_open_drafts(LedgerReader(home), "p1", NOW + DAY)
    append(home, NOW + DAY, Draft(opening.type, opening.body | {"root": "00" * 32}), *carried)
    assert [step.ok for step in verify_home(home).steps][-1] == 0
