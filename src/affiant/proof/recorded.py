"""The entries that record a control's run: found, checked to be the last for the period, and put in words.

Leaves out: recomputing them (`recompute`).
"""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence, Tuple

from .errors import Lie
from .rebuild import Range
from .recompute import Definition, Outcome, Recorded

MAX_SAMPLE = 1_000


def describe(outcome: Outcome, recorded: Recorded, runs: int) -> str:
    """One line that says what came out for a control."""
    parts = [outcome.result]
    if recorded.freeze is not None:
        counts = outcome.counts
        parts.append(
            f"{counts.rows:,} rows: {counts.met:,} met, {counts.deviations:,} deviating, {counts.could_not_test:,} could not be tested"
        )
    if outcome.definition.reconcile and recorded.freeze is not None:
        parts.append(f"{len(outcome.unmatched):,} unmatched")
    if recorded.sample is not None:
        body = recorded.sample[1].get("body", {})
        parts.append(f"sample of {len(outcome.sample):,} redrawn, seed {body.get('seed_kind')}")
    if runs > 1:
        parts.append(f"run {runs} times for this period, this is the last")
    return "; ".join(parts)


def check_seed(recorded: Recorded, cosignatures: Mapping[int, "list[str]"]) -> None:
    """A seed said to be a witness's must be a cosignature of the checkpoint that ends with the freeze.

    Raises:
        Lie: no such cosignature travels.
    """
    if recorded.sample is None or recorded.freeze is None:
        return
    body = recorded.sample[1].get("body", {})
    if body.get("seed_kind") == "witness" and body.get("seed") not in cosignatures.get(recorded.freeze[0] + 1, []):
        raise Lie(f"The seed of entry {recorded.sample[0]} is no witness's cosignature of the checkpoint of size {recorded.freeze[0] + 1}.")


def check_sample_size(definition: Definition, recorded: Recorded, rows: int) -> str:
    """A sample must have as many rows as the control's own rule asks for; gives what is to be said where an auditor asked for fewer.

    Raises:
        Lie: it has fewer, and the seed is not an auditor's.
    """
    if recorded.sample is None:
        return ""
    body, rule = recorded.sample[1].get("body", {}), definition.raw.get("sample") or {}
    wanted = min(rows, MAX_SAMPLE, rule_size(rule.get("sizes", []), rows))
    if body.get("n", 0) >= wanted:
        return ""
    if body.get("seed_kind") != "auditor-chosen":
        raise Lie(f"The sample of entry {recorded.sample[0]} has {body.get('n')} rows; the rule of {definition.id} asks for {wanted}.")
    return f"; the rule would ask for {wanted:,} rows"


def rule_size(sizes: "Sequence[Sequence[int]]", rows: int) -> int:
    """Rows to draw from a population of `rows`, by pairs of (largest population, rows): 0 as largest means no bound, 0 as rows all."""
    for largest, n in sizes:
        if largest == 0 or rows <= largest:
            return n or rows
    return rows if sizes else 0


def find_recorded(found: Range, control_id: str, listed: Mapping[str, Any], period: Mapping[str, int]) -> Tuple[Recorded, int]:
    """The entries of a control's run as the manifest names them; they must be the last such run in the package.

    Raises:
        Lie: they do not exist, belong to another control or period, or a later run was passed over.
    """
    runs = {
        idx: envelope for idx, envelope in found.kept["procedure.run"].items()
        if envelope["body"].get("control") == control_id and envelope["body"].get("from") == period["from"]
        and envelope["body"].get("to") == period["to"]
    }  # fmt: skip
    if listed["run"] not in runs:
        raise Lie(f"Entry {listed['run']} is no run of {control_id} for this period.")
    if listed["run"] != max(runs):
        raise Lie(f"{control_id} was run again for this period (entry {max(runs)}); the package shows entry {listed['run']}.")
    run = runs[listed["run"]]
    body = run["body"]
    if not found.view_from < body["end_size"] <= listed["run"]:
        raise Lie(f"The run of {control_id} ends at {body['end_size']}, which is not before its own entry.")
    freeze = _by_ref(found.kept["population.frozen"], str(body.get("freeze", "")), listed["run"])
    sample = _by_ref(found.kept["sample.drawn"], str(body.get("sample", "")), listed["run"])
    return Recorded((listed["run"], run), freeze, sample), len(runs)


def _by_ref(kept: Mapping[int, Mapping[str, Any]], ref: str, before: int) -> Optional[Tuple[int, Mapping[str, Any]]]:
    if not ref:
        return None
    matches = [(idx, envelope) for idx, envelope in kept.items() if envelope.get("ref") == ref]
    if len(matches) != 1 or matches[0][0] >= before:
        raise Lie(f"A run names {ref}, of which there are {len(matches)} entries before it.")
    return matches[0]
