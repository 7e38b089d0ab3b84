"""What is asked of an answer, what was found in it, and what a caller may do about it.

Leaves out: the checks themselves; each has a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

FULL = 1_000_000

Validate = Callable[[Mapping[str, Any], Any], Sequence[str]]
"""Checks a value against a JSON Schema: gives the place in the schema of each fault, empty where there is none.

`app` passes in a library's. A place is such as `properties/age/type`; never a message, which would quote the answer. The library
must not fetch schemas that a `$ref` names.
"""


class Code(StrEnum):
    """What can be wrong with an answer."""

    EMPTY = "empty"
    TRUNCATED = "truncated"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    NOT_JSON = "not_json"
    AGAINST_SCHEMA = "against_schema"
    SCHEMA_NOT_CHECKED = "schema_not_checked"
    NOT_A_CHOICE = "not_a_choice"
    AGAINST_FORM = "against_form"
    WRONG_LANGUAGE = "wrong_language"
    REFUSAL = "refusal"
    REPETITION = "repetition"
    PLACEHOLDER = "placeholder"
    UNSAFE_LINK = "unsafe_link"
    BAD_CITATION = "bad_citation"
    CONTRADICTION = "contradiction"
    UNSOURCED_NUMBER = "unsourced_number"
    RISK = "risk"


class Advice(StrEnum):
    """What the caller may do; a caller's policy decides."""

    PASS = "pass"  # noqa: S105 - not a password
    FLAG = "flag"
    RETRY = "retry"
    WITHHOLD = "withhold"


SEVERITY = {Advice.PASS: 0, Advice.FLAG: 1, Advice.RETRY: 2, Advice.WITHHOLD: 3}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in an answer.

    Args:
        code: what it is.
        start: str offset in the answer, inclusive.
        end: exclusive.
        score_ppm: confidence, parts per million.
        detail: which kind, in a word or two; never text of the answer.
    """

    code: Code
    start: int
    end: int
    score_ppm: int = FULL
    detail: str = ""


@dataclass(frozen=True)
class Asked:
    """What an answer has to be; what is not named is not checked.

    Args:
        schema: JSON Schema that the answer, as JSON, has to satisfy.
        json: whether it has to be JSON of any shape.
        choices: texts of which it has to be one.
        form: regular expression that has to match the whole of it; in the subset that runs in linear time.
        min_chars: fewest characters.
        max_chars: most characters.
        language: ISO 639-1 code of the language it has to be in.
        domains: hosts that links may lead to, with what lies below them; None: any.
        finish: why the provider stopped: `length` means that it was cut.
        context: what the answer may take its numbers from; "": not supplied.
    """

    schema: Mapping[str, Any] | None = None
    json: bool = False
    choices: tuple[str, ...] = ()
    form: str = ""
    min_chars: int = 0
    max_chars: int = 0
    language: str = ""
    domains: tuple[str, ...] | None = None
    finish: str = ""
    context: str = ""

    @property
    def structured(self) -> bool:
        """Whether the answer is data and not prose."""
        return self.schema is not None or self.json or bool(self.choices) or bool(self.form)


DEFAULT_ADVICE: Mapping[Code, Advice] = {
    Code.EMPTY: Advice.RETRY,
    Code.TRUNCATED: Advice.RETRY,
    Code.TOO_SHORT: Advice.RETRY,
    Code.TOO_LONG: Advice.FLAG,
    Code.NOT_JSON: Advice.RETRY,
    Code.AGAINST_SCHEMA: Advice.RETRY,
    Code.SCHEMA_NOT_CHECKED: Advice.FLAG,
    Code.NOT_A_CHOICE: Advice.RETRY,
    Code.AGAINST_FORM: Advice.RETRY,
    Code.WRONG_LANGUAGE: Advice.RETRY,
    Code.REFUSAL: Advice.FLAG,
    Code.REPETITION: Advice.RETRY,
    Code.PLACEHOLDER: Advice.FLAG,
    Code.UNSAFE_LINK: Advice.WITHHOLD,
    Code.BAD_CITATION: Advice.FLAG,
    Code.CONTRADICTION: Advice.FLAG,
    Code.UNSOURCED_NUMBER: Advice.FLAG,
    Code.RISK: Advice.FLAG,
}


def advise(found: Sequence[Finding], retried: bool = False, table: Mapping[Code, Advice] = DEFAULT_ADVICE) -> Advice:
    """What to do about findings: the most severe; after one retry, what would be retried again is withheld."""
    worst = max((table.get(finding.code, Advice.FLAG) for finding in found), key=SEVERITY.__getitem__, default=Advice.PASS)
    return Advice.WITHHOLD if worst is Advice.RETRY and retried else worst
