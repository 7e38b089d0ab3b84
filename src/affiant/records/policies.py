"""The built-in policies: `default`, `strict` and `measure`, plain files in `catalog/library/policies/`.

They become records at the first apply, so that a newer version of Affiant never changes a policy in force silently.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from affiant.records.content import digest_of, read_content
from affiant.records.detectors import Judge, detector_snaps, no_judge, note_faults
from affiant.records.faults import Faults
from affiant.records.model import Content
from affiant.records.network import resolve_host
from affiant.records.rules import LABELS_IN, ON_BUSY
from affiant.records.snapshot import AlertSnap, OverrideSnap, PlaceSnap, PolicySnap, RuleSnap
from affiant.records.yamlfile import load_yaml

LIBRARY = Path(__file__).resolve().parents[1] / "catalog" / "library" / "policies"
BUILT_IN = ("default", "strict", "measure")


def read_policy(raw: Any, path: str) -> tuple[str, Content]:
    """Normalize a policy as it stands in a file ({id, guards, on_evidence_loss}).

    Raises:
        FaultyInput: with every fault.
    """
    faults = Faults(path)
    found, content = read_content("policy", raw, "policy", faults, resolve_host, with_id=True)
    faults.stop()
    return found, content


def load_policy_file(path: Path, judge: Judge = no_judge) -> PolicySnap:
    """A policy from a YAML file.

    Args:
        judge: of the detectors that it declares.

    Raises:
        NotFound: no such file.
        FaultyInput: with every fault.
    """
    policy, content = read_policy(load_yaml(path), path.name)
    faults = Faults(path.name)
    note_faults(content, "policy", faults, judge)
    faults.stop()
    return policy_snap(policy, content)


def built_in_policies() -> dict[str, Content]:
    """Normalized content of each built-in policy."""
    return dict(read_policy(load_yaml(LIBRARY / f"{name}.yaml"), f"{name}.yaml") for name in BUILT_IN)


def policy_snap(policy: str, content: Content) -> PolicySnap:
    """A policy as workers see it."""
    return PolicySnap(
        policy, digest_of(content), _rule_snaps(content["guards"]), content["on_evidence_loss"],
        detector_snaps(content.get("detectors", [])),
        tuple(OverrideSnap(each["risk"], each["tenant"], _rule_snaps(each["guards"])) for each in content.get("overrides", [])),
        content.get("on_busy", ON_BUSY[0]),
        tuple(
            AlertSnap(each["id"], each["of"], each["guard"], each["type"], each["over_ppm"], each["window_s"], each["least"])
            for each in content.get("alerts", [])
        ),
        content.get("labels", {}), content.get("on_label", "flag"), content.get("keep_pseudonyms_s", 0),
        content.get("labels_in", LABELS_IN[0]),
    )  # fmt: skip


def _rule_snaps(guards: dict[str, Content]) -> tuple[RuleSnap, ...]:
    made = []
    for guard, rule in sorted(guards.items()):
        at = {place: PlaceSnap(*_told(each)) for place, each in rule.get("at", {}).items()}
        made.append(RuleSnap(guard, *_told(rule), at))
    return tuple(made)


def _told(rule: Content) -> tuple[str, str, int, dict[str, str]]:
    return rule["action"], rule["how"], rule["threshold_ppm"], rule["types"]
