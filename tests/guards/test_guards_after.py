"""What is judged of a whole answer: which text is the question, and an answer that consists of calls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from affiant.guards import Action, AnswerContext, GuardRule, Kind, Part, Policy, Role
from affiant.guards.after import judge
from affiant.guards.builtin import built_in
from affiant.guards.redact import Pseudonyms


@dataclass
class Seen:
    """What a model of groundedness says."""

    ungrounded_ppm: int = 0
    unsupported: tuple[Any, ...] = ()


@dataclass
class Asked:
    """Keeps the questions that it is given."""

    questions: list[str] = field(default_factory=list)

    def judge(self, text: str, context: str, question: str) -> Seen:
        self.questions.append(question)
        return Seen()


def policy(guard: str) -> Policy:
    return Policy("p", "d", {guard: GuardRule(Action.BLOCK, "", 500_000, {})})


def test_the_question_is_the_last_text_of_a_message() -> None:
    """Fields beside the messages hold texts of the user, too, and come after them in the body."""
    grounder = Asked()
    parts = (
        Part("messages[0].content", Role.USER, Kind.TEXT, "What does the lease say?"),
        Part("messages[1].content", Role.TOOL, Kind.TOOL_RESULT, "The lease ends in May."),
        Part("metadata.team", Role.USER, Kind.TEXT, "harbour"),
    )
    toolbox = replace(built_in(), grounder=grounder)  # type: ignore[arg-type]
    judge(AnswerContext(parts, Pseudonyms()), policy("groundedness"), True, "It ends in May.", toolbox)
    judge(AnswerContext(parts[1:], Pseudonyms()), policy("groundedness"), True, "It ends in May.", toolbox)
    assert grounder.questions == ["What does the lease say?", "harbour"]


def test_an_answer_of_calls_is_not_taken_for_an_empty_one() -> None:
    """Where tools are offered, no text is an answer; where none are, it is a poor one."""
    toolbox = built_in()
    said = Part("messages[0].content", Role.USER, Kind.TEXT, "Look it up.")
    tool = Part("tools[0].function.name", Role.SYSTEM, Kind.TOOL_DEFINITION, "look_up")
    found = [judge(AnswerContext(parts, Pseudonyms()), policy("quality"), True, "", toolbox)[0].action for parts in ((said,), (said, tool))]
    assert found == [Action.BLOCK, Action.ALLOW]
