"""Sentences that frame an answer and claim nothing: *Here is a summary:*, *Let me know if you have questions.* Seven languages.

Leaves out: framing that carries a fact; a sentence with a number in it, or a long one, is always a claim.
"""

from __future__ import annotations

import re

_MAX_CHARS = 140
_FRAME = re.compile(
    r"[\s>*#_\-]*(?:"
    r"(?:sure|certainly|of course|absolutely|great question|thank you|thanks|you're welcome|no problem|hello|hi)(?: there| you)?[\s.!,:]*$"
    r"|(?:(?:sure|certainly|of course|absolutely|okay|ok)[!,.]?\s+)?(?:here(?:'s| is| are)|below (?:is|are)|the following (?:is|are))"
    r"\b[^.!?:]*:$"
    r"|(?:please )?(?:let me know|feel free|don't hesitate|do not hesitate)\b"
    r"|(?:i )?hope (?:this|that) (?:helps|clarifies|answers)\b"
    r"|is there anything else\b|if you (?:have|need) (?:any )?(?:more|further|other|additional)?\s*(?:questions|help|information|details)\b"
    r"|(?:natürlich|gerne|klar|selbstverständlich)[\s.!,:]*$|hier (?:ist|sind|findest|finden)\b[^.!?:]*:$"
    r"|(?:lass|lassen sie) (?:es )?mich wissen\b|ich hoffe, das hilft\b|wenn (?:du|sie) (?:noch |weitere )+fragen\b"
    r"|(?:bien sûr|certainement|avec plaisir)[\s.!,:]*$|voici\b[^.!?:]*:$|n'hésite[zs]? pas\b|j'espère que cela\b"
    r"|(?:claro|por supuesto|con gusto)[\s.!,:]*$|aquí (?:está|están|tienes|tiene)\b[^.!?:]*:$"
    r"|no dud[ea]s? en\b|espero que (?:esto|te|le)\b"
    r"|(?:certo|certamente|volentieri)[\s.!,:]*$|ecco\b[^.!?:]*:$|fammi sapere\b|spero che (?:questo|ti|sia)\b|non esitare\b"
    r"|(?:claro|com certeza|com prazer)[\s.!,:]*$|aqui (?:está|estão)\b[^.!?:]*:$|não hesite\b|espero que (?:isso|isto)\b"
    r"|(?:natuurlijk|zeker|graag)[\s.!,:]*$|hier (?:is|zijn|vind)\b[^.!?:]*:$|laat het me weten\b|ik hoop dat dit\b"
    r")",
    re.IGNORECASE,
)


def frames(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` only frames an answer."""
    if end - start > _MAX_CHARS:
        return False
    sentence = text[start:end].replace("’", "'")
    return _FRAME.match(sentence) is not None and not any(char.isdecimal() for char in sentence)
