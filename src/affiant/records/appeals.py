"""Appeals: whoever was refused says that a guard was wrong; somebody else decides. Each verb is one transaction of rows and events.

An appeal changes no policy and lets nothing pass: it is what a false block leaves behind, for the next version of the policy. Leaves
out: which exchanges there are and whose (the caller looks into the ledger).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from affiant.kit.errors import BadInput, Conflict, NotFound
from affiant.ledger import Draft
from affiant.records.unit import Units, actor_of

OPEN, UPHELD, REJECTED = "open", "upheld", "rejected"
OUTCOMES = (UPHELD, REJECTED)
MAX_WHY = 1_000


@dataclass(frozen=True, slots=True)
class Appeal:
    """One appeal.

    Args:
        state: open, upheld (the guard was wrong) or rejected (it was right).
        decided_by: "" while it is open.
    """

    id: str
    exchange: str
    why: str
    by: str
    at_us: int
    state: str = OPEN
    decided_by: str = ""
    decided_us: int = 0
    decision: str = ""


class Appeals:
    """Verbs over appeals.

    Args:
        units: transactions over `records.db`.
        require: lets an action pass or raises.
    """

    def __init__(self, units: Units, require: Callable[[str, str], None]) -> None:
        self._units, self._require = units, require

    def list(self, exchange: str = "") -> list[Appeal]:
        """Appeals, newest first: all, or those of one exchange."""
        with self._units.read() as store:
            return [Appeal(*row) for row in store.appeals() if not exchange or row[1] == exchange]

    def raise_appeal(self, exchange: str, why: str, by: str) -> Appeal:
        """Say that an exchange was refused or altered wrongly.

        Raises:
            Forbidden: as `require`. BadInput: no reason. Conflict: an appeal about it is open.
        """
        self._require(by, "appeal.raise")
        _check_why(why)
        with self._units.write() as unit:
            if any(row[1] == exchange and row[5] == OPEN for row in unit.store.appeals()):
                raise Conflict(f"An appeal about {exchange} is open.", "Wait until it is decided.")
            appeal = Appeal(unit.new_id("ap"), exchange, why, by, unit.now_us)
            unit.store.put_appeal(appeal.id, exchange, why, by, unit.now_us)
            unit.emit(Draft("appeal.raised", {"exchange": exchange, "by": by}, ref=appeal.id, actor=actor_of(by)))
        return appeal

    def decide(self, appeal: str, outcome: str, why: str, by: str) -> Appeal:
        """Decide an open appeal of somebody else.

        Raises:
            Forbidden: as `require`. BadInput: no reason or no outcome. NotFound: no such appeal. Conflict: decided, or one's own.
        """
        self._require(by, "appeal.decide")
        _check_why(why)
        if outcome not in OUTCOMES:
            raise BadInput(f"{outcome[:40]!r} is no outcome.", f"One of: {', '.join(OUTCOMES)}.")
        with self._units.write() as unit:
            found = next((Appeal(*row) for row in unit.store.appeals() if row[0] == appeal), None)
            if found is None:
                raise NotFound(f"There is no appeal {appeal[:60]}.", "See `affiant guard appeals`.")
            if found.state != OPEN:
                raise Conflict(f"The appeal {appeal} is {found.state} already.", "Raise another one, with what is new.")
            if found.by == by:
                raise Conflict("Nobody decides their own appeal.", "Let another person decide it.")
            unit.store.end_appeal(appeal, outcome, by, unit.now_us, why)
            body = {"exchange": found.exchange, "outcome": outcome, "raised_by": found.by, "by": by}
            unit.emit(Draft("appeal.decided", body, ref=appeal, actor=actor_of(by)))
        return Appeal(found.id, found.exchange, found.why, found.by, found.at_us, outcome, by, unit.now_us, why)


def _check_why(why: str) -> None:
    if not why.strip() or len(why) > MAX_WHY:
        raise BadInput("A reason is needed.", f"Give --why with at most {MAX_WHY} characters.")
