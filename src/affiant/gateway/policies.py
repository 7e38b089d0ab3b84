"""Policies as guards take them, and what is wrong with the detectors that one declares.

Leaves out: reading files (records), and what guards do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from affiant.guards import Action, GuardRule, Policy
from affiant.guards.detectors.declared import DeclaredPattern, OwnScan, declared, longest
from affiant.guards.lint import Examples, lint
from affiant.guards.model import SEVERITY
from affiant.guards.scan import Detector, Scanner
from affiant.guards.types import action_of
from affiant.kit.errors import BadInput
from affiant.records.snapshot import DEFAULT_RISK, DetectorSnap, PlaceSnap, PolicySnap, RuleSnap

_SCANS = ("secrets", "pii", "output")
"""Guards that act on what the scan finds."""


def read_policy(snap: PolicySnap, risk: str = DEFAULT_RISK, tenant: str = "") -> Policy:
    """A pushed policy as guards take it, with the overrides that fit.

    Args:
        risk: of the route.
        tenant: of the exchange; "": only what holds for every tenant.

    Raises:
        BadInput: an action that this version does not know, or a detector that it cannot run; the snapshot must not be used.
    """
    try:
        rules = {rule.guard: _rule(rule) for rule in snap.rules_for(risk, tenant)}
        own = _own(snap.detectors, rules) if snap.detectors else None
    except (ValueError, re.error) as error:
        raise BadInput(f"The policy {snap.id} cannot be followed: {error}.", "Correct the policy.") from None
    return Policy(
        snap.id, snap.digest, rules, snap.on_evidence_loss, own, snap.on_busy, dict(snap.labels), Action(snap.on_label),
        snap.keep_pseudonyms_s, snap.labels_in == "both",
    )  # fmt: skip


def judge_detectors(snaps: Sequence[DetectorSnap], contents: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What is wrong with declared detectors: empty, slow or unbounded patterns, and examples that do not hold; `records.Judge`."""
    faults = []
    for number, (snap, content) in enumerate(zip(snaps, contents, strict=True)):
        places = {pattern.rule: place for place, pattern in enumerate(snap.patterns)}
        shown = {raw["rule"]: Examples(tuple(raw["examples"]), tuple(raw["counterexamples"])) for raw in content["patterns"]}
        for fault in lint(_detector(snap), shown):
            faults.append((f"[{number}].patterns[{places[fault.rule.partition('/')[2]]}]", fault.text))
    return faults


def _rule(rule: RuleSnap) -> GuardRule:
    return replace(_place(rule), at={place: _place(each) for place, each in rule.at.items()})


def _place(rule: RuleSnap | PlaceSnap) -> GuardRule:
    return GuardRule(Action(rule.action), rule.how, rule.threshold_ppm, {name: Action(act) for name, act in rule.types.items()})


def _own(snaps: tuple[DetectorSnap, ...], rules: Mapping[str, GuardRule]) -> OwnScan:
    scan, reach = _scan(snaps)
    acting = [rule for name in _SCANS if name in rules for rule in (rules[name], *rules[name].at.values())]
    return OwnScan(scan, reach, lambda type_: max((SEVERITY[action_of(rule, type_)] for rule in acting), default=0))


@lru_cache(maxsize=64)
def _scan(snaps: tuple[DetectorSnap, ...]) -> tuple[Scanner, int]:
    """One scan of some detectors and the length of its longest span; kept, since most pushes change no policy."""
    detectors = [_detector(snap) for snap in snaps]
    return Scanner(detectors), longest(detectors)


def _detector(snap: DetectorSnap) -> Detector:
    patterns = [
        DeclaredPattern(
            each.rule, each.type, each.regex, each.exact, bool(each.ignore_case), each.width, bool(each.whole), each.context,
            bool(each.needs_context), each.score_ppm, each.context_score_ppm, each.check,
        )
        for each in snap.patterns
    ]  # fmt: skip
    return declared(snap.id, patterns, snap.rank)
