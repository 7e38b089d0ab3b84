"""The shipped library: sound, mapped, hashed the same everywhere, and true to its page and to the registry."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from affiant.catalog import CATEGORIES, LIBRARY, check, load
from affiant.catalog.grammar import check_query
from affiant.catalog.reference import controls_page
from affiant.ledger import REGISTRY
from affiant.proof.recompute import Definition
from affiant.proof.views import Views

CATALOG = load()
ROOT = Path(__file__).parents[2]


def test_the_library_has_no_fault() -> None:
    """Sixty-one criteria, eight controls, no fault."""
    found = check()
    assert (found["criteria"], found["controls"], found["faults"]) == (61, 8, [])
    assert found["risks"] == len(CATALOG.risks) and "CC8.1" not in found["uncovered"]


def test_a_category_follows_the_first_criterion() -> None:
    """Each control stands in the category of the criterion that it lists first; every category has one."""
    for control in CATALOG.controls.values():
        assert control.category == CATALOG.criteria[control.criteria[0]].category
    assert {key: len(controls) for key, controls in CATALOG.by_category().items()} == dict(zip(CATEGORIES, (3, 1, 2, 1, 1), strict=True))


def test_the_criteria_are_the_sixty_one() -> None:
    """Thirty-three common criteria, three, five, two and eighteen."""
    counts = dict.fromkeys(CATEGORIES, 0)
    for criterion in CATALOG.criteria.values():
        counts[criterion.category] += 1
    assert list(counts.values()) == [33, 3, 5, 2, 18]


def test_canonical_bytes_are_what_the_verifier_reads() -> None:
    """The verifier parses each control's canonical bytes to the same queries, parameters and hash."""
    for control in CATALOG.controls.values():
        definition = Definition.parse(control.canonical)
        assert control.population is not None
        assert (definition.sha, definition.query, definition.procedure) == (control.sha, control.population.query, control.procedure)
        assert definition.params == dict(control.params) and definition.version == control.version
        assert load().controls[control.id].sha == control.sha


def test_views_follow_the_registry() -> None:
    """Every view reads a declared type and declared fields, and repeats carried records exactly where the registry carries them."""
    for view in Views.parse(CATALOG.views).by_name.values():
        declared = REGISTRY[view.type]
        fields = {name.rstrip("?") for name in declared.fields}
        assert view.carried == declared.carried, view.name
        for path in [view.each, *(column.path for column in view.columns)]:
            if path.startswith("body."):
                assert path.split(".")[1] in fields, (view.name, path)
        if view.each:
            members = set(re.findall(r"[a-z_]+", declared.fields[view.each.split(".")[1]]))
            for column in view.columns:
                if column.path.startswith("each."):
                    assert column.path.split(".")[1] in members, (view.name, column.path)


def test_every_query_is_inside_the_grammar_of_both_readers() -> None:
    """The parsing reader and the verifier's textual one accept each query of the library."""
    for control in CATALOG.controls.values():
        assert control.population is not None
        for text in (control.population.query, control.population.reconcile, control.procedure):
            if text:
                check_query(text)


def test_sample_sizes_never_exceed_the_population() -> None:
    """A rule gives all of a small population and never more than there is."""
    for rule in CATALOG.samples.values():
        sizes = [rule.size_for(rows) for rows in range(0, 2000)]
        assert all(0 <= n <= rows for rows, n in enumerate(sizes)) and sizes[1] == 1
    assert [CATALOG.samples["event"].size_for(n) for n in (4, 12, 250, 100_000)] == [4, 8, 25, 60]


def test_the_page_of_controls_is_current() -> None:
    """docs/reference/controls.md is what the catalog gives."""
    page = (ROOT / "docs/reference/controls.md").read_text(encoding="utf-8")
    assert page == controls_page(CATALOG), "run: python -m affiant.catalog.reference > docs/reference/controls.md"


def test_texts_do_not_use_words_that_only_auditors_may() -> None:
    """Nothing in the library says compliant, certified or effective."""
    for path in LIBRARY.rglob("*.yaml"):
        if path.parent.name != "policies":
            text = path.read_text(encoding="utf-8").lower()
            assert not re.search(r"\b(compliant|certified|effective|violation)\b", text), path.name


def test_files_are_plain() -> None:
    """Every file of the library is YAML or JSON that an ordinary reader opens."""
    for path in LIBRARY.rglob("*"):
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.is_file():
            assert path.suffix == ".yaml" and yaml.safe_load(path.read_text(encoding="utf-8")) is not None
