"""Detectors that a policy declares: a name, and patterns with context words, check digits, scores and examples.

    detectors:
      - id: badge
        rank: 50                   # of own detectors whose spans overlap, the lower wins
        patterns:
          - rule: number
            type: EMPLOYEE_BADGE   # a type of the guard pii; SECRET/name is one of the guard secrets
            regex: "EB-[0-9]{6}"   # no look-around, no back-references, no end to a repetition left open
            check: luhn            # digits must fit: luhn, mod97, verhoeff, damm, mod11_2
            context: [badge, Ausweis]
            needs_context: false   # true: nothing is found without one of these words before it
            score: 0.6             # without a context word
            context_score: 0.95
            examples: ["my badge is EB-104233"]
            counterexamples: ["EB-10"]

Reads and normalizes; whether a pattern is slow, empty or shown by no example is for whoever can run it to say (`Judge`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from affiant.records.faults import Faults
from affiant.records.fields import Fields
from affiant.records.model import Content
from affiant.records.snapshot import DetectorSnap, PatternSnap

MAX_DETECTORS, MAX_PATTERNS, MAX_LISTED = 16, 32, 64
MAX_WIDTH = 256
"""Characters of the longest span: as many as a stream must hold back for it."""
CHECKS = ("luhn", "mod97", "verhoeff", "damm", "mod11_2")
RESERVED = ("LEAK", "INJECTION", "QUALITY", "UNSUPPORTED", "FORGED_PLACEHOLDER", "SYSTEM_TEXT", "CANARY", "EXFIL_LINK")
"""Types that guards give to what they find by other means."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_TYPE = re.compile(r"[A-Z][A-Z0-9_]{0,47}(?:/[a-z0-9_]{1,47})?")
_FULL = 1_000_000

Judge = Callable[[Sequence[DetectorSnap], Sequence[Content]], Sequence[tuple[str, str]]]
"""What is wrong with detectors, as (place below `detectors`, what to change); takes them compiled and as they are recorded."""


def no_judge(detectors: Sequence[DetectorSnap], contents: Sequence[Content]) -> Sequence[tuple[str, str]]:
    """Stands in where guards are not at hand: nothing unjudged is taken in, and that is said."""
    return [("", "cannot be judged by this program; apply the policy through `affiant serve` or `affiant apply`.")] if detectors else []


def read_detectors(fields: Fields) -> list[Content]:
    """The field `detectors` of a policy, normalized; faults are noted."""
    made: list[Content] = []
    for number, raw in enumerate(fields.sequence("detectors", MAX_DETECTORS)):
        detector = _detector(Fields(raw, f"{fields.path}.detectors[{number}]", fields.faults, fields.recorded))
        if any(each["id"] == detector["id"] for each in made):
            fields.fault(f"detectors[{number}].id", f"`{detector['id']}` stands twice; give each detector a name of its own.")
        made.append(detector)
    return made


def own_types(detectors: Sequence[Content], guard: str) -> tuple[str, ...]:
    """Types that a policy's own detectors find for a guard (`pii` or `secrets`)."""
    types = dict.fromkeys(pattern["type"] for detector in detectors for pattern in detector["patterns"])
    return tuple(name for name in types if name.startswith("SECRET/") == (guard == "secrets"))


def detector_snaps(detectors: Sequence[Content]) -> tuple[DetectorSnap, ...]:
    """Normalized detectors as workers get them; examples stay behind."""
    return tuple(DetectorSnap(each["id"], each["rank"], tuple(_pattern_snap(raw) for raw in each["patterns"])) for each in detectors)


def note_faults(content: Content | None, path: str, faults: Faults, judge: Judge) -> None:
    """Have a normalized policy's detectors judged, and note what is wrong below `path`."""
    detectors = (content or {}).get("detectors", [])
    if not detectors or faults.items:
        return
    for place, text in judge(detector_snaps(detectors), detectors):
        faults.add(f"{path}.detectors{place}", text)


def _detector(fields: Fields) -> Content:
    name, rank = _name(fields, "id"), fields.count("rank", default=50)
    if rank > 100:
        fields.fault("rank", "must be a whole number from 0 (wins) to 100.")
    raws = fields.sequence("patterns", MAX_PATTERNS)
    if not raws:
        fields.fault("patterns", "must hold at least one pattern.")
    patterns = [_pattern(Fields(raw, f"{fields.path}.patterns[{n}]", fields.faults, fields.recorded)) for n, raw in enumerate(raws)]
    rules = [pattern["rule"] for pattern in patterns]
    if len(set(rules)) < len(rules):
        fields.fault("patterns", "hold two of one rule; give each a name of its own.")
    fields.done()
    return {"id": name, "rank": rank, "patterns": patterns}


def _pattern(fields: Fields) -> Content:
    type_ = fields.text("type", max_chars=97)
    if type_ and (not _TYPE.fullmatch(type_) or type_.partition("/")[0] in RESERVED):
        fields.fault("type", "must be upper-case letters, digits and _, such as EMPLOYEE_BADGE or SECRET/acme, and none that guards use.")
    width = fields.count("width", 1, MAX_WIDTH)
    if width > MAX_WIDTH:
        fields.fault("width", f"must be from 1 to {MAX_WIDTH} characters.")
    context = _listed(fields, "context", 64)
    needs = fields.flag("needs_context", 0)
    if needs and not context:
        fields.fault("needs_context", "is set without any word in `context`.")
    score = _score(fields, "score", _FULL)
    content: Content = {
        "rule": _name(fields, "rule"), "type": type_, "regex": _regex(fields, "regex"), "exact": _regex(fields, "exact", ""),
        "ignore_case": fields.flag("ignore_case", 0), "width": width, "whole": fields.flag("whole", 1), "context": context,
        "needs_context": needs, "score_ppm": score, "context_score_ppm": _score(fields, "context_score", max(score, 950_000)),
        "check": fields.choice("check", ("", *CHECKS), ""), "examples": _listed(fields, "examples", 1000),
        "counterexamples": _listed(fields, "counterexamples", 1000),
    }  # fmt: skip
    fields.done()
    return content


def _pattern_snap(raw: dict[str, Any]) -> PatternSnap:
    return PatternSnap(
        raw["rule"], raw["type"], raw["regex"], raw["exact"], raw["ignore_case"], raw["width"], raw["whole"], tuple(raw["context"]),
        raw["needs_context"], raw["score_ppm"], raw["context_score_ppm"], raw["check"],
    )  # fmt: skip


def _name(fields: Fields, name: str) -> str:
    value = fields.text(name, max_chars=48)
    if value and not _NAME.fullmatch(value):
        fields.fault(name, "must be lower-case letters, digits and _, such as `badge`.")
    return value


def _listed(fields: Fields, name: str, most_chars: int) -> list[str]:
    values = fields.texts(name, default=())
    if len(values) > MAX_LISTED or any(not each.strip() or len(each) > most_chars for each in values):
        fields.fault(name, f"must be at most {MAX_LISTED} texts of 1 to {most_chars} characters.")
        return []
    return values


def _regex(fields: Fields, name: str, default: str | None = None) -> str:
    value = fields.exact(name, default)
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        fields.fault(name, f"is no valid pattern: {error}.")
    return value


def _score(fields: Fields, name: str, default: int) -> int:
    value = fields.count(f"{name}_ppm") if fields.has_recorded(f"{name}_ppm") else fields.ppm(name, default)
    if not value or value > _FULL:
        fields.fault(name, "must be above 0 and at most 1.")
    return value or default
