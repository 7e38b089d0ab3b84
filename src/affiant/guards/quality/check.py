"""All checks of one answer in one call: what was found, how risky the answer is, what may be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affiant.guards.quality import citations, degenerate, form, links, phrases
from affiant.guards.quality.language import identify
from affiant.guards.quality.model import DEFAULT_ADVICE, FULL, Advice, Asked, Code, Finding, Validate, advise
from affiant.guards.quality.repair import repair
from affiant.guards.quality.risk import contradictions, risk, unsourced_numbers

RISK_THRESHOLD_PPM = 700_000
_SURE = 0.2


@dataclass(frozen=True, slots=True)
class Report:
    """What was found out about one answer.

    Args:
        found: in the order of the checks.
        risk_ppm: how likely the answer is made up, as an order, not a probability.
        advice: what the caller may do.
        repaired: a mended text that satisfies what was asked, where there is one and the answer did not.
    """

    found: tuple[Finding, ...]
    risk_ppm: int
    advice: Advice
    repaired: str | None = None


class Quality:
    """Checks answers. Pure: nothing is looked up, no state is kept.

    Args:
        validate: checks a value against a JSON Schema; None: schemas are reported as not checked.
        advice: what to do on which finding.
    """

    def __init__(self, validate: Validate | None = None, advice: Mapping[Code, Advice] = DEFAULT_ADVICE) -> None:
        self._validate, self._advice = validate, advice

    def check(self, answer: str, asked: Asked) -> list[Finding]:
        """Everything that is wrong with an answer, without its risk.

        Raises:
            BadForm: `asked.form` is not an expression that runs in linear time.
        """
        found = list(degenerate.empty(answer))
        if found:
            return [*found, *form.check(answer, asked, self._validate)] if asked.structured else found
        found += form.check(answer, asked, self._validate)
        found += degenerate.truncated(answer, asked.finish, asked.structured)
        if not asked.structured or any(finding.code is Code.NOT_JSON for finding in found):
            found += degenerate.repetition(answer)
        found += phrases.refusal(answer)
        found += phrases.placeholders(answer)
        found += links.unsafe(answer, asked.domains)
        found += citations.impossible(answer)
        if asked.language and not asked.structured:
            found += self._language(answer, asked.language)
        if not asked.structured:
            found += contradictions(answer)
            found += unsourced_numbers(answer, asked.context)
        return found

    def report(self, answer: str, asked: Asked, ungrounded_ppm: int | None = None, retried: bool = False) -> Report:
        """The findings, the risk and the advice.

        Args:
            answer: the text.
            asked: what it has to be.
            ungrounded_ppm: what `grounded` gave, None where no context was supplied.
            retried: whether this is already the second try.
        """
        found = self.check(answer, asked)
        score = risk(answer, found, ungrounded_ppm)
        if score > RISK_THRESHOLD_PPM:
            found.append(Finding(Code.RISK, 0, len(answer), score))
        mended = None
        if any(finding.code in (Code.NOT_JSON, Code.AGAINST_SCHEMA) for finding in found):
            mended = self.repair(answer, asked)
        return Report(tuple(found), score, advise(found, retried, self._advice), mended)

    def repair(self, answer: str, asked: Asked) -> str | None:
        """A mended JSON text that satisfies what was asked, or None."""
        return repair(answer, asked, self._validate)

    @staticmethod
    def _language(answer: str, wanted: str) -> list[Finding]:
        language, sure = identify(answer)
        if not language or sure < _SURE or language == wanted.partition("-")[0].lower():
            return []
        return [Finding(Code.WRONG_LANGUAGE, 0, len(answer), min(FULL, round(FULL * (0.5 + sure / 2))), language)]
