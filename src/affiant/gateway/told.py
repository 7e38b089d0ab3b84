"""Decisions of guards as events carry them: counts, rules and offsets. Leaves out: the events (`evidence`)."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from affiant.guards import Action, Decision
from affiant.ledger import Ready, ready

MAX_PLACES = 16
"""Places that a decision names of what it found."""


def decisions_body(decisions: Iterable[Decision]) -> list[dict[str, Any]] | Ready:
    """Decisions as events carry them: counts per type, rules and offsets, never what was found. Scores stand beside them: `scores_body`."""
    known = tuple(decisions)
    quiet = tuple((each.guard, each.control, each.enforced) for each in known if each.action is Action.ALLOW)
    return _quiet(quiet) if len(quiet) == len(known) else _told(known)


@lru_cache(maxsize=1024)
def _quiet(decisions: tuple[tuple[str, str, bool], ...]) -> Ready:
    """Decisions that all allow: the same few again and again."""
    return ready([{"guard": guard, "control": control, "action": "allow", "enforced": int(on)} for guard, control, on in decisions])


def scores_body(decisions: Iterable[Decision]) -> dict[str, int]:
    """Guard -> the score that it gave, parts per million."""
    return {each.guard: each.score_ppm for each in decisions if each.score_ppm >= 0}


def _told(decisions: tuple[Decision, ...]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for decision in decisions:
        body: dict[str, Any] = {
            "guard": decision.guard, "control": decision.control, "action": str(decision.action), "enforced": int(decision.enforced),
        }  # fmt: skip
        if decision.action is not Action.ALLOW:
            types = Tally(hit.type for hit in decision.hits)
            body["reason"] = decision.reason
            body["found"] = decision.found or len(decision.hits)
            body["acted"] = decision.acted
            if decision.how:
                body["how"] = decision.how
            if types:
                body["types"] = [{"type": name, "n": n} for name, n in sorted(types.items())]
                body["at"] = [
                    {"rule": hit.rule, "part": hit.part, "start": hit.start, "end": hit.end} for hit in decision.hits[:MAX_PLACES]
                ]
            if decision.version:
                body["version"] = decision.version
            if decision.stage:
                body["stage"] = decision.stage
        made.append(body)
    return made
