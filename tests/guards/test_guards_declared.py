"""Detectors that a policy declares: read with every fault, judged, and run beside the built-in ones in requests and answers."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from affiant.gateway.policies import judge_detectors, read_policy
from affiant.guards import Action, AnswerContext, Exchange, GuardChain, Kind, Mode, Part, Policy, Role
from affiant.guards.builtin import scanner
from affiant.guards.redact import Pseudonyms
from affiant.kit.clock import SystemClock
from affiant.kit.errors import BadInput
from affiant.kit.home import create_home
from affiant.kit.keyring import Keyring
from affiant.records import FaultyInput, Records, load_policy_file, parse_yaml, policy_snap
from affiant.records.detectors import CHECKS
from affiant.records.policies import read_policy as read_file
from affiant.records.snapshot import PolicySnap

CHAIN = GuardChain(b"secret")
POLICY = """
id: own
detectors:
  - id: badge
    patterns:
      - rule: number
        type: EMPLOYEE_BADGE
        regex: "EB-[0-9]{6}"
        context: [badge, Ausweis, 社員証]
        score: 0.6
        examples: ["my badge is EB-104233", "EB-104233"]
        counterexamples: ["EB-10", "EB-1042339", "xEB-104233"]
      - rule: desk
        type: DESK
        regex: "[0-9]{3}"
        context: [desk]
        needs_context: true
        examples: ["desk 104"]
        counterexamples: ["room 104"]
  - id: project
    patterns:
      - rule: name
        type: PROJECT
        regex: "[Pp]roject Blue Falcon of the northern division"
        examples: ["Project Blue Falcon of the northern division"]
      - {rule: token, type: SECRET/acme, regex: "acme_[a-z]{12}", examples: ["acme_abcdefghijkl"]}
      - rule: member
        type: MEMBER
        regex: "[0-9]{12}"
        check: luhn
        examples: ["member 401288888886"]
        counterexamples: ["member 401288888887"]
guards:
  pii: {action: redact, types: {DESK: flag}}
  secrets: {action: block}
  output: {action: redact, types: {DESK: allow}}
"""


def _policy(text: str = POLICY) -> Policy:
    return read_policy(policy_snap(*read_file(parse_yaml(text, "own.yaml"), "own.yaml")))


def _inbound(text: str, policy: Policy) -> Any:
    part = Part("messages[0]", Role.USER, Kind.TEXT, text)
    return CHAIN.inbound(Exchange("x", "chat.completions", "r", "t", "internal", False, (part,)), policy, Mode.ENFORCE)


def test_own_detectors_run_beside_the_built_in_ones() -> None:
    """Each type follows the policy: redacted, flagged, blocked; what the built-in detectors find is found as before."""
    policy = _policy()
    seen = _inbound("Badge EB-104233 of dana@example.org at desk 104, member 401288888886.", policy)
    assert seen.exchange.parts[0].text == "Badge [EMPLOYEE_BADGE] of [EMAIL] at desk 104, member [MEMBER]."
    flagged = next(each for each in seen.decisions if each.action is Action.FLAG)
    assert [(hit.type, hit.rule) for hit in flagged.hits] == [("DESK", "badge/desk")]
    assert _inbound("token acme_abcdefghijkl", policy).blocked.reason == "secret_detected"
    assert not _inbound("member 401288888887 in room 104", policy).decisions[0].hits


def test_a_stream_holds_back_as_much_as_the_longest_own_span() -> None:
    """However an answer is cut into pieces, a span of several words is redacted whole, and the decisions are the same."""
    policy = _policy()
    words = "It was told that Project Blue Falcon of the northern division begins, badge EB-104233 in hand. "
    text = words * 30 + "x" * 1500 + " " + words
    wanted = text.replace("Project Blue Falcon of the northern division", "[PROJECT]").replace("EB-104233", "[EMPLOYEE_BADGE]")
    rng = random.Random(5)
    for _ in range(12):
        guard = CHAIN.answer(AnswerContext((), Pseudonyms()), policy, Mode.ENFORCE)
        scan, out, at = guard.scanner(), "", 0
        while at < len(text):
            size = rng.choice((1, 3, 17, 90, 700))
            out += scan.feed(text[at : at + size])
            at += size
        assert out + scan.finish() == wanted
        assert sum(each.found for each in guard.decisions()) == 62


def test_what_is_flagged_never_hides_what_is_redacted() -> None:
    """Of spans that overlap, the one about which the policy does more stays, however much longer the other is."""
    wide = """
id: wide
detectors:
  - {id: line, patterns: [{rule: all, type: LINE, regex: "note: [a-z@. ]{1,60}", examples: ["note: hello"]}]}
guards:
  pii: {action: redact, types: {LINE: flag}}
"""
    assert _inbound("note: write to dana@example.org now", _policy(wide)).exchange.parts[0].text == "note: write to [EMAIL] now"
    assert _inbound("note: write to them", _policy(wide)).decisions[0].hits[0].type == "LINE"
    redacted = _policy(wide.replace("LINE: flag", "LINE: redact"))
    assert _inbound("note: write to dana@example.org now", redacted).exchange.parts[0].text == "[LINE]"


def test_joining_changes_nothing_where_a_policy_finds_nothing() -> None:
    """The joined scan gives what the built-in one gives on texts without own spans."""
    own = _policy().own
    assert own is not None
    text = "Call 030 901820 or write to dana@example.org; card 4111 1111 1111 1111, AKIAIOSFODNN7EXAMPLE."
    assert own.beside(scanner()).find(text) == scanner().find(text)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("id",), "Bad Id", "lower-case"),
        (("rank",), "101", "from 0"),
        (("patterns",), [], "at least one"),
        (("patterns", 0, "rule"), None, "is required"),
        (("patterns", 0, "type"), "lower", "upper-case"),
        (("patterns", 0, "type"), "LEAK/x", "none that guards use"),
        (("patterns", 0, "regex"), "a(", "no valid pattern"),
        (("patterns", 0, "regex"), " ab", "begins or ends with a blank"),
        (("patterns", 0, "exact"), "a(", "no valid pattern"),
        (("patterns", 0, "width"), "2000", "256"),
        (("patterns", 0, "score"), "2", "share"),
        (("patterns", 0, "score"), "0", "above 0"),
        (("patterns", 0, "context"), "badge", "list of texts"),
        (("patterns", 0, "context"), [""], "1 to 64 characters"),
        (("patterns", 0, "check"), "sum", "one of"),
        (("patterns", 0, "ignore_case"), "perhaps", "true or false"),
        (("patterns", 0, "colour"), "red", "not a known field"),
        (("patterns", 1, "rule"), "number", "two of one rule"),
        (("patterns", 1, "context"), [], "without any word"),
        (("patterns", 0, "regex"), "(EB-){0,3}", "empty string"),
        (("patterns", 0, "regex"), "(?<=a)EB", "not accepted"),
        (("patterns", 0, "regex"), "EB-[0-9]+", "no upper bound"),
        (("patterns", 0, "regex"), "(?:E{1,30}){1,30}B", "steps on"),
        (("patterns", 0, "regex"), r"(E)B-[0-9]{6}", ""),
        (("patterns", 0, "examples"), [], "has no example"),
        (("patterns", 0, "examples"), ["EB-1"], "finds nothing in its example"),
        (("patterns", 0, "counterexamples"), ["EB-104233"], "finds something in its counterexample"),
    ],
)
def test_every_fault_names_its_place_and_what_to_do(place: tuple[Any, ...], value: Any, words: str, tmp_path: Path) -> None:
    """A faulty detector never comes into a policy; the message begins with where it stands."""
    raw = copy.deepcopy(parse_yaml(POLICY, "own.yaml"))
    holder = raw["detectors"][0]
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    file = tmp_path / "own.yaml"
    file.write_text(json.dumps(raw), encoding="utf-8")
    if not words:
        assert load_policy_file(file, judge_detectors).detectors
        return
    with pytest.raises(FaultyInput, match=r"policy\.detectors") as raised:
        load_policy_file(file, judge_detectors)
    assert words in str(raised.value)


def test_without_a_judge_no_detector_is_taken_in(tmp_path: Path) -> None:
    """A program that cannot run patterns says so; it does not let them through."""
    file = tmp_path / "own.yaml"
    file.write_text(POLICY, encoding="utf-8")
    with pytest.raises(FaultyInput, match="cannot be judged"):
        load_policy_file(file)


def test_what_is_recorded_reads_back_as_it_is() -> None:
    """Normalized content is a fixed point, and a check that a later version invents stops the snapshot instead of being left out."""
    from affiant.records.content import read_content
    from affiant.records.faults import Faults
    from affiant.records.network import resolve_host

    _, content = read_file(parse_yaml(POLICY, "own.yaml"), "own.yaml")
    faults = Faults("x")
    assert read_content("policy", content, "policy", faults, resolve_host)[1] == content and not faults.items
    assert content["guards"]["pii"]["types"]["EMPLOYEE_BADGE"] == "redact" and "PROJECT" in content["guards"]["pii"]["types"]
    content["detectors"][0]["patterns"][0]["check"] = "later"
    with pytest.raises(BadInput, match="cannot be followed"):
        read_policy(policy_snap("own", content))


def test_records_and_guards_know_the_same_checks() -> None:
    """Though neither imports the other."""
    from affiant.guards.detectors import declared

    assert set(CHECKS) == set(declared.CHECKS)


def test_detectors_come_into_force_with_their_policy(tmp_path: Path) -> None:
    """Applied, compiled and pushed they run; a change to a slow pattern is refused before anybody is asked to approve it."""
    home = create_home(tmp_path / "home", "test.example/log", 1)
    records = Records(home, Keyring(b"l" * 32, b"m" * 32, "local"), SystemClock(), create=True, judge=judge_detectors)
    try:
        raw = parse_yaml(POLICY, "own.yaml")
        records.apply({"people": [{"id": "ann", "roles": ["admin"]}, {"id": "cy", "roles": ["developer"]}], "policies": [raw]}, "ann")
        snap = next(each for each in records.compile().policies if each.id == "own")
        wired = msgspec.msgpack.decode(msgspec.msgpack.encode(snap), type=PolicySnap)
        assert _inbound("EB-104233", read_policy(wired)).exchange.parts[0].text == "[EMPLOYEE_BADGE]"
        raw["detectors"][0]["patterns"][0]["regex"] = "EB-[0-9]+"
        with pytest.raises(FaultyInput, match="no upper bound"):
            records.propose("policy", "own", {key: value for key, value in raw.items() if key != "id"}, "cy")
        with pytest.raises(FaultyInput, match=r"policies\[0\]\.detectors\[0\]\.patterns\[0\]"):
            records.apply({"policies": [raw]}, "cy", dry_run=True)
    finally:
        records.close()
