"""Orders to a reader in what should be data: tool results, retrieved documents, mails, tables, code.

Data speaks of things; a sentence that orders somebody to describe, translate or answer, or that shapes "your answer", speaks to
whoever processes it. Alone it is weak evidence, as manuals and mails hold such sentences too, so the model weighs it and rules
do not decide by it. Reads the source, as the start of a line and capitals tell a sentence from a cell.
"""

from __future__ import annotations

import re

from affiant.guards.model import Role

_VERBS = (
    "Answer|Begin|Capitali[sz]e|Combine|Compose|Convert|Create|Describe|Do not|Don't|Embed|Encode|End|Enhance|Ensure|Explain|Export"
    "|Generate|Give|Highlight|Identify|Ignore|Include|Incorporate|Insert|Introduce|List|Make|Mention|Misspell|Modify|Name|Never|Omit|Only|Output"
    "|Print|Promote|Provide|Recommend|Remove|Render|Repeat|Replace|Reply|Respond|Reverse|Rewrite|Say|Search|Send|Show|Solve|Start|State"
    "|Substitute|Suggest|Summari[sz]e|Swap|Tell|Translate|Use|Weave|Write"
)
_ORDER = re.compile(
    rf"(?:^|[.!?|>\"'\]]\s{{0,3}})(?:(?:Please|Kindly|Now|Then|Instead),? )?(?P<order>(?:{_VERBS}) (?=[a-z\"'])[^\n|]{{3,200}})",
    re.MULTILINE,
)
_POLITE = re.compile(rf"\b(?:Please|Kindly|please|kindly) (?P<order>(?:{_VERBS.lower()})\b[^\n|]{{3,200}})")
_SHAPED = re.compile(r"\b(?:your|the) (?:answers?|responses?|reply|replies|output|solution|summary|message|result)\b", re.IGNORECASE)
_QUESTION = re.compile(r"(?:^|[.!?|>]\s{0,3})(?:What|Who|How|Why|Where|When|Which|Can you|Could you)\b[^\n|?]{3,120}\?", re.MULTILINE)
MAX_READ = 65_536
"""Characters that are read from each end of a text."""
SHAPED, ORDER, QUESTION = 1.0, 0.5, 0.25
"""Strength of an order that shapes the answer, of another one, of a question."""


def order_strength(source: str, role: Role) -> float:
    """How strongly a text of this role holds an order to its reader: 0 where it may, as in what a user writes."""
    if role not in (Role.TOOL, Role.DOCUMENT):
        return 0.0
    text = source if len(source) <= 2 * MAX_READ else f"{source[:MAX_READ]}\n{source[-MAX_READ:]}"
    best = QUESTION if _QUESTION.search(text) is not None else 0.0
    for pattern in (_ORDER, _POLITE):
        for match in pattern.finditer(text):
            if _SHAPED.search(match.group("order")) is not None:
                return SHAPED
            best = ORDER
    return best
