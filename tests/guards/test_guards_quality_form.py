"""The form of an answer, and its mending."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.guards.quality import Advice, Asked, BadForm, Code, Quality, advise
from affiant.guards.quality.form import MAX_DEPTH, depth_of

SCHEMA: Mapping[str, Any] = {"type": "object", "required": ["name"]}


def validate(schema: Mapping[str, Any], value: Any) -> list[str]:
    """A stand-in for a library: an object with the required members; gives places in the schema."""
    if not isinstance(value, dict):
        return ["type"]
    return [f"required/{number}" for number, name in enumerate(schema["required"]) if name not in value]


def codes(answer: str, asked: Asked, checker: Quality | None = None) -> list[Code]:
    return [finding.code for finding in (checker or Quality(validate)).check(answer, asked)]


def test_an_answer_that_satisfies_its_schema_is_fine() -> None:
    assert codes('{"name": "Ada"}', Asked(schema=SCHEMA)) == []


def test_each_fault_of_the_schema_is_named() -> None:
    found = Quality(validate).check('{"age": 3}', Asked(schema=SCHEMA))
    assert [(finding.code, finding.detail) for finding in found] == [(Code.AGAINST_SCHEMA, "required/0")]


def test_a_schema_without_a_validator_is_said_not_to_be_checked() -> None:
    assert codes('{"name": 1}', Asked(schema=SCHEMA), Quality()) == [Code.SCHEMA_NOT_CHECKED]


@pytest.mark.parametrize("answer", ["nope", "[1,]", "NaN", "1e999", '"\ud800"', "[" * 100_000, '{"a":' * 5_000, "\ufeff{}"])
def test_what_is_no_json_is_named_whatever_it_is(answer: str) -> None:
    assert Code.NOT_JSON in codes(answer, Asked(json=True))


def test_brackets_in_strings_do_not_nest() -> None:
    assert depth_of('{"a": "[[[[\\"{{{"}') == 1
    assert codes(json.dumps({"a": "[" * 2 * MAX_DEPTH}), Asked(json=True)) == []


def test_a_choice_has_to_be_one_of_those_given() -> None:
    asked = Asked(choices=("yes", "no"))
    assert codes(" yes\n", asked) == []
    assert codes("yes, surely", asked) == [Code.NOT_A_CHOICE]


@pytest.mark.parametrize(("answer", "fits"), [("AB-123", True), ("xAB-123", False), ("AB-123\n", False), ("AB-123 ", False)])
def test_a_form_has_to_match_the_whole(answer: str, fits: bool) -> None:
    assert (codes(answer, Asked(form="[A-Z]{2}-[0-9]{3}")) == []) is fits


def test_a_form_with_an_alternative_is_anchored_as_a_whole() -> None:
    assert codes("ab", Asked(form="a|b")) == [Code.AGAINST_FORM]


def test_a_form_that_backtracks_is_matched_in_linear_time() -> None:
    assert codes("a" * 50_000 + "!", Asked(form="(a+)+")) == [Code.AGAINST_FORM]


@pytest.mark.parametrize("form", ["(?=a)b", r"(a)\1", "(", "*"])
def test_a_form_outside_of_the_subset_says_what_to_do(form: str) -> None:
    with pytest.raises(BadForm, match="linear time"):
        Quality().check("a", Asked(form=form))


def test_lengths_at_their_borders() -> None:
    asked = Asked(min_chars=3, max_chars=5)
    assert [codes("x" * length, asked) for length in (2, 3, 5, 6)] == [[Code.TOO_SHORT], [], [], [Code.TOO_LONG]]


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('```json\n{"name": 1}\n```', {"name": 1}),
        ('Sure, here it is:\n{"name": [1, 2,],}\nAnything else?', {"name": [1, 2]}),
        ("{'name': 'it''s'}", None),
        ("{'name': True, other: None}", {"name": True, "other": None}),
        ('{"name": "a\nb", // why\n "x": /* no */ 2}', {"name": "a\nb", "x": 2}),
        ('{"name": {"deep": [1, 2', {"name": {"deep": [1, 2]}}),
        ('{“name”: “Zoë”}', {"name": "Zoë"}),
        ('{"name": "open end', {"name": "open end"}),
        ('{"other": 1}', None),
        ("no data at all", None),
    ],
)  # fmt: skip
def test_mending(answer: str, value: Any) -> None:
    mended = Quality(validate).repair(answer, Asked(schema=SCHEMA))
    assert (None if mended is None else json.loads(mended)) == value


def test_nothing_is_mended_without_a_validator_for_the_schema() -> None:
    assert Quality().repair('```json\n{"name": 1}\n```', Asked(schema=SCHEMA)) is None


def test_prose_is_never_mended() -> None:
    assert Quality(validate).repair('{"name": 1,}', Asked()) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_json_that_is_right_is_left_as_it_is(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert Quality().repair(text, Asked(json=True)) == text


@given(st.dictionaries(st.text("abc", min_size=1), JSON, max_size=4))
def test_json_in_a_fence_is_found_again(value: dict[str, Any]) -> None:
    mended = Quality().repair(f"Here you are:\n```json\n{json.dumps(value, indent=1)}\n```\nDone.", Asked(json=True))
    assert mended is not None
    assert json.loads(mended) == value


@given(st.text(st.sampled_from("{}[]\"',:\\/#*`ab1 \n“”\ud800\0")))
def test_mending_gives_json_or_nothing(text: str) -> None:
    mended = Quality().repair(text, Asked(json=True))
    assert mended is None or Quality().check(mended, Asked(json=True)) == [] or json.loads(mended) is not Ellipsis


def test_the_report_carries_the_mended_text_and_the_advice() -> None:
    report = Quality(validate).report('{"name": 1,}', Asked(schema=SCHEMA))
    assert report.repaired == '{"name": 1}'
    assert report.advice is Advice.RETRY
    assert Quality(validate).report("nothing", Asked(schema=SCHEMA), retried=True).advice is Advice.WITHHOLD


def test_advice_is_that_of_the_worst_finding() -> None:
    assert advise([]) is Advice.PASS
    found = Quality().check("Dear [Your Name], see https://user:pw@host.example/x", Asked())
    assert [finding.code for finding in found] == [Code.PLACEHOLDER, Code.UNSAFE_LINK]
    assert advise(found) is Advice.WITHHOLD
    assert advise(found, table={Code.UNSAFE_LINK: Advice.PASS, Code.PLACEHOLDER: Advice.FLAG}) is Advice.FLAG
