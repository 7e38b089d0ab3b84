"""A company's own catalog with one defect at a time: each is named with its file and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from affiant.catalog import LIBRARY, check, load
from affiant.kit.errors import BadInput


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    """A copy of the library to spoil."""
    shutil.copytree(LIBRARY, tmp_path / "catalog")
    return tmp_path / "catalog"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


DEFECTS = {
    "unknown criterion": ("controls/SEC-1.2.yaml", "CC6.2", "CC6.99", "unknown criterion CC6.99"),
    "no criterion": ("controls/SEC-1.2.yaml", "criteria: [CC6.2, CC6.3, CC6.1]", "criteria: []", "names no criterion"),
    "no risk": ("controls/SEC-1.2.yaml", "risks: [stale-access]", "risks: []", "names no risk"),
    "unknown risk": ("controls/SEC-1.2.yaml", "[stale-access]", "[stale-acces]", "unknown risk stale-acces"),
    "unknown population": ("controls/SEC-1.2.yaml", "population: key_removals", "population: keys", "unknown population keys"),
    "no population": ("controls/SEC-1.2.yaml", "population: key_removals\n", "", "a procedure and no population"),
    "wrong id": ("controls/SEC-1.2.yaml", "id: SEC-1.2", "id: sec12", "wrong form"),
    "id twice": ("controls/SEC-1.2.yaml", "id: SEC-1.2", "id: PI-6.1", "there twice"),
    "unknown field": ("controls/SEC-1.2.yaml", "kind: preventive", "kindd: preventive", "unknown field `kindd`"),
    "text for a number": ("controls/SEC-1.2.yaml", "limit_ms: 2000", "limit_ms: two", "no integer"),
    "unknown sample rule": ("controls/SEC-1.2.yaml", "sample: event", "sample: some", "unknown sample rule"),
    "division": ("controls/SEC-1.2.yaml", ":limit_ms * 1000", ":limit_ms / 1000", "uses Div"),
    "unknown column": ("controls/SEC-1.2.yaml", "v.elapsed_ms", "v.elapsed", "no such column"),
    "unknown parameter": ("controls/SEC-1.2.yaml", "j.elapsed_ms > :limit_ms", "j.elapsed_ms > :limit", "reads :limit"),
    "no order": ("controls/SEC-1.2.yaml", "  ORDER BY idx, ord\n", "\n", "no ORDER BY"),
    "unexplained reason": ("controls/SEC-1.2.yaml", "THEN 'used_after'", "THEN 'used_later'", "reason used_later"),
    "unused reason": ("controls/SEC-1.2.yaml", "whys:\n", "whys:\n  stray: {text: x}\n", "explains stray"),
    "unknown place": ("controls/SEC-1.2.yaml", "{person} left", "{human} left", "names {human}"),
    "other columns": ("controls/SEC-1.2.yaml", "END AS why", "END AS reason", "gives idx, ord, item, reason"),
    "no limits": ("controls/AV-1.1.yaml", "limits:\n", "miss2:\n", "unknown field `miss2`"),
    "two due at once": ("controls/AUD-4.1.yaml", "minute: 433", "minute: 187", "due in minute 187"),
    "no such day": ("controls/AUD-4.1.yaml", "every: day, minute: 187", "every: week, minute: 187", "every 'week'"),
    "a window function": ("populations/accepted_inputs.yaml", "o.ord AS ord", "ROW_NUMBER() OVER (ORDER BY o.idx) AS ord", "grammar"),
    "no time": ("populations/accepted_inputs.yaml", "o.at AS at, ", "", "gives idx, ord, tenant"),
    "no source": ("populations/key_removals.yaml", "source: ", "boundary2: ", "unknown field"),
    "an unanswered risk": (
        "risks/ai.yaml",
        "    without_control: Fairness tests",
        "    # Fairness tests",
        "No control answers the risk unfair-outcome",
    ),
    "not YAML": ("risks/ai.yaml", "risks:\n", "risks: [\n", "cannot be read as YAML"),
    "sizes that fall": ("samples.yaml", "[[2, 0], [6, 2]", "[[6, 2], [2, 0]", "do not rise"),
    "views of another kind": ("views.json", '"format": "affiant-views/1"', '"format": "other"', "format"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_named(fork: Path, name: str) -> None:
    """One defect gives a fault that says what is wrong, in which file, and what to do."""
    file, old, new, words = DEFECTS[name]
    edit(fork / file, old, new)
    faults = check(fork)["faults"]
    matching = [fault for fault in faults if words in fault["fault"]]
    assert matching, faults
    assert all(fault["next"] for fault in faults) and any(fault["file"].endswith(Path(file).name) for fault in matching)


def test_loading_a_faulty_catalog_is_refused(fork: Path) -> None:
    """Nothing is run on a catalog that cannot be read; the first fault is the message."""
    edit(fork / "controls/SEC-1.2.yaml", "CC6.2", "CC6.99")
    edit(fork / "controls/PI-6.1.yaml", "PI1.3", "PI9.9")
    with pytest.raises(BadInput, match=r"PI-6\.1\.yaml.*PI9\.9.*1 more"):
        load(fork)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """A catalog that is not there is no empty catalog."""
    with pytest.raises(BadInput, match="no catalog folder"):
        check(tmp_path / "none")


def test_a_fork_may_leave_criteria_samples_and_views_to_the_library(fork: Path) -> None:
    """A company's folder needs its own controls, risks and populations only, and gives the same hashes."""
    shutil.rmtree(fork / "criteria")
    (fork / "samples.yaml").unlink()
    (fork / "views.json").unlink()
    assert check(fork)["faults"] == []
    assert {c.id: c.sha for c in load(fork).controls.values()} == {c.id: c.sha for c in load().controls.values()}


def test_a_changed_threshold_changes_the_hash(fork: Path) -> None:
    """What decides a result is in the canonical bytes; owner and words are not."""
    before = load(fork).controls["SEC-1.2"].sha
    edit(fork / "controls/SEC-1.2.yaml", "owner: operator", "owner: somebody")
    assert load(fork).controls["SEC-1.2"].sha == before
    edit(fork / "controls/SEC-1.2.yaml", "limit_ms: 2000", "limit_ms: 2001")
    assert load(fork).controls["SEC-1.2"].sha != before
