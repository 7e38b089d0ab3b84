"""Grammars: texts match as a whole or not, hostile grammars are refused, hostile texts are bounded, streams decide like whole answers."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any

import pytest

from affiant.guards import Action, GuardRule
from affiant.guards.quality import grammar as grammars
from affiant.guards.quality.grammar import LARK, MAX_BYTES, MAX_TEXT_BYTES, REGEX, choices, grammar
from affiant.guards.quality.grammar_read import MAX_LEVELS, _named_before
from affiant.guards.quality.schema import Expected, SchemaRefused
from affiant.guards.structured import MAX_GRAMMARS, Output, decided, decided_on_request, expected_of, fault_of, look
from affiant.guards.structured_stream import Arriving

SUM = """
// A sum of numbers.
start: sum
sum: item | sum "+" item
item: INT | "(" sum ")"
%import common.INT
%ignore / +/
"""
QUERY = r"""
start: "select " columns " from " NAME ";"
columns: "*" | NAME ("," NAME)~0..3
NAME: /[a-zé_][a-z0-9é_]*/i
"""
PATCH = r"""
start: begin hunk+ end
begin: "*** Begin Patch" LF
end: "*** End Patch" LF?
hunk: "*** Delete File: " filename LF | "*** Add File: " filename LF add_line+ | "*** Update File: " filename LF change
filename: /(.+)/
add_line: "+" /(.*)/ LF -> line
change: (context | change_line)+
context: ("@@" | "@@ " /(.+)/) LF
change_line: ("+" | "-" | " ") /(.*)/ LF
%import common.LF
"""
_HUNK = "*** Begin Patch\n*** Update File: a/é.py\n@@ def f():\n" + " x = 1\n-y\n+z\n" * 200
DATE = r"\d{4}-(0[1-9]|1[0-2])-[0-3]\d"


@pytest.mark.parametrize(
    ("syntax", "definition", "text", "right"),
    [
        (LARK, SUM, "1 + (2+3)", True),
        (LARK, SUM, "1 +", False),
        (LARK, SUM, "", False),
        (LARK, SUM, "1 + 2 = 3", False),
        (LARK, QUERY, "select a,B,é_1 from t;", True),
        (LARK, QUERY, "select * from t; drop table t;", False),
        (LARK, QUERY, "select a,b,c,d,e from t;", False),
        (LARK, PATCH, _HUNK + "*** End Patch", True),
        (LARK, PATCH, _HUNK + "*** End Patch\nDone.", False),
        (LARK, PATCH, _HUNK + "z = 2\n*** End Patch", False),
        (LARK, 'start: "a" | /b"#:[(]/ "~&<"  # not read as more than it is', 'b"#:(~&<', True),
        (LARK, '%llguidance {}\nstart: "a"~2..3', "aaaa", False),
        (REGEX, DATE, "2026-11-30", True),
        (REGEX, DATE, "2026-11-30 ", False),
        (REGEX, DATE, "On 2026-11-30", False),
        (REGEX, DATE, "2026-13-30", False),
        (REGEX, "(?i)[a-zé ]+", "É a", True),
        (REGEX, "", "", True),
        (REGEX, "(?s).*", "a\nb\U0001f600", True),
        (REGEX, "(?s).*", "half \ud83d", False),
    ],
)
def test_a_text_matches_as_a_whole(syntax: str, definition: str, text: str, right: bool) -> None:
    """From its first character to its last; the rule that is told says nothing of the text."""
    assert grammar(syntax, definition).fault(text) == ("" if right else "grammar")


def test_choices() -> None:
    """One of them as it stands, and nothing near it."""
    made = choices(["yes", "no"])
    assert (made.fault("yes"), made.fault("Yes"), made.fault("yes ")) == ("", "choice", "choice")


def _chain(length: int, rule: str = "r", body: str = "{}") -> str:
    rules = "".join(f"{rule}{n}: {body.format(f'{rule}{n + 1}')}\n" for n in range(length))
    return f'start: {rule}0\n{rules}{rule}{length}: "a"'


def _circle(length: int) -> str:
    return "start: r0\n" + "\n".join(f'r{n}: ("x" r{(n + 1) % length} | "y") | "z"' for n in range(length))


def _doubling(length: int) -> str:
    return "start: T0\n" + "\n".join(f"T{n}: T{n + 1} T{n + 1}" for n in range(length)) + f'\nT{length}: "a"'


@pytest.mark.parametrize(
    ("code", "syntax", "definition"),
    [
        ("too_large", LARK, "start: " + '"a" ' * MAX_BYTES),
        ("too_large", REGEX, "é" * (MAX_BYTES // 2 + 1)),
        ("too_deep", LARK, _chain(MAX_LEVELS)),
        ("too_deep", LARK, _chain(2_500)),
        ("too_deep", LARK, _circle(MAX_LEVELS // 2 + 1)),
        ("too_deep", LARK, "start: " + "(" * 5_000 + '"a"' + ")" * 5_000),
        ("not_usable", REGEX, "(" * 5_000 + "a" + ")" * 5_000),
        ("not_usable", LARK, _doubling(40)),
        ("not_usable", LARK, 'root ::= "a"'),
        ("not_usable", LARK, "start: missing"),
        ("not_usable", LARK, 'start: "a'),
        ("not_usable", LARK, ""),
        ("not_usable", LARK, 'start: %json {"type": "object"}'),
        ("not_usable", LARK, 'start: %regex {"substring_chars": "abc"}'),
        ("not_usable", LARK, 'start: %lark {\nstart: "a"\n}'),
        ("not_usable", LARK, "start: T\nT: /a/ & /b/"),
        ("not_usable", LARK, 'start: T\nT: ~"a"'),
        ("not_usable", LARK, "start: <[97]>"),
        ("not_usable", LARK, "start: @other"),
        ("not_usable", LARK, "start: a::1\na::_: /x/"),
        ("not_usable", LARK, "start[max_tokens=3]: /a*/"),
        ("not_usable", LARK, 'start[stop=";"]: /a*/'),
        ("not_usable", LARK, '{"grammars": [{"json_schema": {}}]}'),
        ("not_usable", LARK, 'start: "\ud800"'),
        ("not_usable", LARK, "a" + "[]" * 6_000 + ": " * 9_000),
        ("not_usable", REGEX, "(a)\\1"),
        ("not_usable", REGEX, "(?=a)b"),
        ("not_usable", REGEX, "["),
        ("not_usable", "ebnf", 'start: "a"'),
    ],
)
def test_what_is_not_safe_to_check_is_refused(code: str, syntax: str, definition: str) -> None:
    """With a stable code, and each time alike."""
    for _ in range(2):
        with pytest.raises(SchemaRefused) as refused:
            grammar(syntax, definition)
        assert refused.value.code == f"grammar_{code}"


class _Counted(list[tuple[str, str]]):
    """Words that say how often one of them was looked at."""

    looks = 0

    def __getitem__(self, at: Any) -> Any:
        self.looks += 1
        return super().__getitem__(at)


def test_no_word_is_looked_at_for_two_colons() -> None:
    """Finding the name before a colon never goes beyond the colon before it: thousands of them cost what their words do."""
    words = _Counted([("name", "a"), *[("open", "["), ("close", "]")] * 100, ("colon", ":"), ("colon", ":")])
    assert _named_before(words, 201) == 0 and words.looks == 201
    with pytest.raises(SchemaRefused, match="no name"):
        _named_before(words, 202)
    assert words.looks == 202


def test_refusals_are_kept_like_grammars() -> None:
    """A grammar that somebody sends again is not compiled again, whether it can be used or not."""
    grammars._kept.cache_clear()
    for definition in ("start: missing", SUM) * 3:
        try:
            grammar(LARK, definition)
        except SchemaRefused:
            continue
    assert grammars._kept.cache_info()[:2] == (4, 2)


def test_the_deepest_grammars_fit_a_small_stack() -> None:
    """The engine follows rules on the machine's stack: what is let through takes less than an eighth of what a thread has."""
    nested = '"x" ("a" ("b" ("c" ("d" {}?)*)+ | "y"))'
    deep = [_chain(MAX_LEVELS - 2, rule, body) for rule in "rT" for body in ("{}", '{} "b"')]
    deep += [_chain(MAX_LEVELS // 5 - 1, rule, nested) for rule in "rT"]
    deep += [_circle(MAX_LEVELS // 2 - 1), f"start: {'(' * 25}'a'{')' * 25}".replace("'", '"'), f"start: /{'(' * 240}a{')' * 240}/"]
    code = (
        "import json, sys, threading\nfrom affiant.guards.quality.grammar import grammar\n"
        "def all():\n  for each in json.load(sys.stdin):\n    print(repr(grammar('lark', each).fault('xa')))\n"
        "threading.stack_size(1_500_000)\none = threading.Thread(target=all)\none.start()\none.join()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps(deep), capture_output=True, text=True, timeout=60)
    assert (done.returncode, len(done.stdout.split()), done.stderr) == (0, len(deep), "")


_A = "a" * 60_000
HOSTILE = {
    "ambiguous": (LARK, 'start: s\ns: s s | "a" | ', _A),
    "ambiguous in a window": (LARK, 'start: a*\na: b{1,60}\nb: "a"', _A),
    "many readings": (LARK, "start: (" + "|".join(f"r{n}" for n in range(60)) + ")*\n" + "\n".join(f'r{n}: "a"' for n in range(60)), _A),
    "recursive to the right": (LARK, 'start: l\nl: i "," l | i\ni: /a+/', "aaaa," * 12_000),
    "states without end": (REGEX, "[ab]*a[ab]{2000}", "abba" * 5_000),
    "repeated repetition": (REGEX, "(a{1,1000}){1,1000}", _A),
    "an expression in Lark": (LARK, "start: /[ab]*a[ab]{2000}/", "abba" * 5_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_takes_too_much_is_told(name: str) -> None:
    """The work that a text takes is counted, so that it ends, and always at the same place."""
    syntax, definition, text = HOSTILE[name]
    made = grammar(syntax, definition)
    with pytest.raises(SchemaRefused) as refused:
        made.fault(text)
    assert refused.value.code == "too_much_work"
    assert fault_of(Output(text, tool="t", custom=True), Expected(inputs={"t": made})) == "too_much_work"


def test_what_must_follow_without_an_end_is_not_waited_for() -> None:
    """A definition that forces one character after another for ever, under which no text ends, is read like any other."""
    assert grammar(LARK, 'start: r\nr: r /a+/ "ab" | "a"').fault("a" * 2_000) == "grammar"


@pytest.mark.parametrize(("syntax", "definition"), [(LARK, "start: /(.|\\n)*/"), (REGEX, "(?s).*")])
def test_huge_texts(syntax: str, definition: str) -> None:
    """A text up to the bound is read, one beyond it is told as too long."""
    most, made = MAX_TEXT_BYTES[syntax], grammar(syntax, definition)
    assert made.fault("a" * most) == ""
    with pytest.raises(SchemaRefused) as refused:
        made.fault("é" * (most // 2 + 1))
    assert refused.value.code == "too_long"


def test_one_grammar_serves_several_threads() -> None:
    """What one text made the engine build is no other's, also not of one that took too much."""
    made, told = grammar(REGEX, "[ab]*a[ab]{2000}|c+"), []
    texts = ["c" * 500, "abba" * 5_000, "c" * 499 + "d"] * 4

    def check(text: str) -> None:
        told.append((text[:2] + text[-1], fault_of(Output(text), Expected(form=made))))

    threads = [threading.Thread(target=check, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(told) == {("ccc", ""), ("aba", "too_much_work"), ("ccd", "grammar")} and len(told) == len(texts)


# -- requests and answers


def _chat_tool(definition: str = SUM, syntax: str = LARK, name: str = "calc") -> dict[str, Any]:
    wanted = {"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}}
    return {"type": "custom", "custom": {"name": name, "format": wanted}}


def _flat_tool(definition: str = SUM, syntax: str = LARK, name: str = "calc") -> dict[str, Any]:
    return {"type": "custom", "name": name, "format": {"type": "grammar", "syntax": syntax, "definition": definition}}


@pytest.mark.parametrize("tool", [_chat_tool(), _flat_tool()], ids=["nested", "flat"])
def test_grammars_of_custom_tools_are_read(tool: dict[str, Any]) -> None:
    """As Chat Completions and as Responses write them; tools whose input is free have none."""
    free = [{"type": "custom", "name": "free"}, {"type": "custom", "custom": {"name": "text", "format": {"type": "text"}}}]
    expected = expected_of({"tools": [tool, *free]})
    assert list(expected.inputs) == ["calc"] and expected.asks and not expected.of_text and not expected.refused


@pytest.mark.parametrize(
    ("body", "right", "wrong"),
    [
        ({"guided_regex": DATE}, "2026-11-30", "today"),
        ({"guided_choice": ["yes", "no"]}, "no", "maybe"),
        ({"guided_json": '{"type": "integer"}'}, "3", '"three"'),
        ({"structured_outputs": {"regex": DATE}}, "2026-11-30", "today"),
        ({"structured_outputs": {"choice": ["yes", "no"]}}, "no", "maybe"),
        ({"structured_outputs": {"json": {"type": "integer"}}}, "3", "three"),
    ],
)
def test_what_servers_of_models_take(body: dict[str, Any], right: str, wrong: str) -> None:
    """Expressions, choices and schemas of the text that stand beside `response_format`."""
    expected = expected_of(body)
    assert expected.of_text and not fault_of(Output(right), expected) and fault_of(Output(wrong), expected)


def test_grammars_that_are_not_safe_are_told_on_the_request() -> None:
    """Each code once; a request may send so many and no more; as the policy says, it is refused or flagged."""
    tools = [_flat_tool("start: missing"), _chat_tool("(", REGEX, "b"), _flat_tool("x", "ebnf", "c"), _flat_tool(_chain(400), LARK, "d")]
    expected = expected_of({"tools": tools})
    assert expected.refused == ("grammar_not_usable", "grammar_too_deep") and not expected.asks
    decision = decided_on_request(GuardRule(Action.BLOCK), expected, True)
    assert (decision.reason, decision.acted, decision.hits[0].rule) == ("schema_unusable", 2, "schema/grammar_not_usable")
    assert decided_on_request(GuardRule(Action.FLAG), expected, True).action is Action.FLAG
    many = expected_of({"tools": [_flat_tool(name=f"t{n}") for n in range(MAX_GRAMMARS + 1)]})
    assert many.refused == ("grammar_too_many",) and len(many.inputs) == MAX_GRAMMARS
    large = expected_of({"tools": [_flat_tool("a" * 30_000 + str(n), REGEX, f"t{n}") for n in range(3)]})
    assert large.refused == ("grammar_too_many",) and len(large.inputs) == 2


def _chat_answer(text: str) -> dict[str, Any]:
    call = {"id": "c", "type": "custom", "custom": {"name": "calc", "input": text}}
    return {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}]
    }


def _flat_answer(text: str) -> dict[str, Any]:
    return {"output": [{"type": "custom_tool_call", "call_id": "c", "name": "calc", "input": text}], "status": "completed"}


@pytest.mark.parametrize("answer", [_chat_answer, _flat_answer])
@pytest.mark.parametrize(("text", "faults"), [("1+2", ()), ("1+", ((0, "grammar"),)), ("```\n1+2\n```", ((0, "grammar"),))])
def test_inputs_of_custom_tools_are_checked(answer: Any, text: str, faults: Any) -> None:
    """Nothing is mended: a form that is no JSON has no reading but one."""
    body = json.dumps(answer(text)).encode()
    formed = look(body, expected_of({"tools": [_flat_tool()]}), True)
    assert formed.faults == faults and formed.body == body and not formed.mended
    if faults:
        decision = decided(GuardRule(Action.BLOCK), formed.faults, 0, True)[0]
        assert (decision.action, decision.hits[0].type, decision.hits[0].rule) == (Action.BLOCK, "SCHEMA/grammar", "schema/grammar")


def test_tools_of_one_name_and_two_kinds_are_not_confused() -> None:
    """A function's schema is asked of arguments, a custom tool's grammar of input."""
    function = {"type": "function", "name": "calc", "parameters": {"type": "object", "required": ["n"]}}
    expected = expected_of({"tools": [function, _flat_tool()]})
    assert (
        fault_of(Output("{}", tool="calc"), expected) == "required"
        and fault_of(Output("{}", tool="calc", custom=True), expected) == "grammar"
    )


# -- streams


def _chat_events(pieces: list[str]) -> list[dict[str, Any]]:
    def choice(delta: Any, finish: str | None = None) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    head = {"index": 0, "id": "c", "type": "custom", "custom": {"name": "calc", "input": ""}}
    made = [choice({"tool_calls": [head]})]
    made += [choice({"tool_calls": [{"index": 0, "custom": {"input": each}}]}) for each in pieces]
    return [*made, choice({}, "tool_calls")]


def _flat_events(pieces: list[str]) -> list[dict[str, Any]]:
    item = {"type": "custom_tool_call", "id": "i", "call_id": "c", "name": "calc", "input": ""}
    whole, prefix = "".join(pieces), "response.custom_tool_call_input"
    return [
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        *({"type": f"{prefix}.delta", "output_index": 0, "delta": each} for each in pieces),
        {"type": f"{prefix}.done", "output_index": 0, "input": whole},
        {"type": "response.output_item.done", "output_index": 0, "item": {**item, "input": whole}},
        {"type": "response.completed", "response": {"output": [{**item, "input": whole}]}},
    ]


def _splits(text: str) -> list[list[str]]:
    at = range(len(text) + 1)
    return [[text[:n], text[n:]] for n in at] + [list(text), [text]] + [[text[:n], text[n:m], text[m:]] for n in at for m in at if n < m]


@pytest.mark.parametrize("events", [_chat_events, _flat_events])
@pytest.mark.parametrize(("syntax", "definition"), [(LARK, SUM), (REGEX, r"[\d+é ]+")])
@pytest.mark.parametrize("text", ["1 + (2+3)", "1 + é", "1 + (2"])
def test_splitting_a_stream_decides_like_the_whole(events: Any, syntax: str, definition: str, text: str) -> None:
    """Wherever it is cut, in one place, in two, or at each character."""
    expected = expected_of({"tools": [_flat_tool(definition, syntax)]})
    whole = look(json.dumps(_flat_answer(text)).encode(), expected, True).faults
    for pieces in _splits(text):
        arriving = Arriving(expected)
        for event in events(pieces):
            arriving.note(event)
        arriving.finish()
        taken = arriving.take()
        assert [(each.text, each.tool, each.custom) for each in taken] == [(text, "calc", True)]
        assert tuple((0, fault) for fault in [fault_of(taken[0], expected)] if fault) == whole


def test_a_call_is_whole_before_the_stream_ends() -> None:
    """With the event that says so: what follows from it comes before anybody can carry it out."""
    expected = expected_of({"tools": [_flat_tool()]})
    for events, end in ((_chat_events(["1", "+"]), -1), (_flat_events(["1", "+"]), -3)):
        arriving = Arriving(expected)
        for event in events[:end]:
            arriving.note(event)
            assert not arriving.waiting
        arriving.note(events[end])
        assert arriving.waiting and fault_of(arriving.take()[0], expected) == "grammar"


def test_a_response_that_comes_whole_is_checked_at_its_end() -> None:
    """A provider that sends no event of the item still has its input looked at."""
    expected = expected_of({"tools": [_flat_tool()]})
    arriving = Arriving(expected)
    arriving.note(_flat_events(["1+"])[-1])
    taken = arriving.take()
    assert [each.custom for each in taken] == [True] and fault_of(taken[0], expected) == "grammar"
