"""Redaction: what stands in place of a span, and pseudonyms that can be undone within one exchange.

`mask` `[EMAIL]` · `hash` `[EMAIL:3f9a1c2d]`, keyed, so equal values stay equal under one key · `remove` nothing ·
`pseudonymize` `[EMAIL_1]`, undone in the answer for the caller. The mapping lives in memory for one exchange and nowhere else.
"""

from __future__ import annotations

import hmac
import re

MASK, HASH, REMOVE, PSEUDONYMIZE = "mask", "hash", "remove", "pseudonymize"
_EXISTING = re.compile(r"\[[A-Z_]+_(\d{1,6})\]")


def value_key(type_: str, folded: str) -> str:
    """What makes two spans the same value: digits of numbers, the folded text of anything else."""
    return folded if type_ == "EMAIL" else "".join(char for char in folded if char.isdigit()) or folded


class Pseudonyms:
    """Placeholders of one exchange. Owned by its request; never stored.

    Args:
        texts: every text of the request; a placeholder already written there is never given out.
    """

    def __init__(self, texts: tuple[str, ...] = ()) -> None:
        self._texts = texts
        self._floor = -1
        self._by_value: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        self.originals: dict[str, str] = {}
        self.undone = False

    def assign(self, type_: str, key: str, original: str) -> str:
        """The placeholder of a value: the same one each time."""
        known = self._by_value.get((type_, key))
        if known:
            return known
        if self._floor < 0:
            self._floor = max((int(number) for text in self._texts if "[" in text for number in _EXISTING.findall(text)), default=0)
        number = self._counts.get(type_, self._floor) + 1
        self._counts[type_] = number
        placeholder = f"[{type_}_{number}]"
        self._by_value[(type_, key)] = placeholder
        self.originals[placeholder] = original
        return placeholder

    def restore(self, text: str) -> str:
        """The text with every placeholder of this exchange undone."""
        if not self.originals or "[" not in text:
            return text
        for placeholder, original in self.originals.items():
            if placeholder in text:
                self.undone = True
                text = text.replace(placeholder, original)
        return text

    def holdback(self, text: str) -> int:
        """Length of the longest suffix that may still become a placeholder of this exchange."""
        open_at = text.rfind("[")
        if open_at < 0 or not self.originals:
            return 0
        suffix = text[open_at:]
        return len(suffix) if any(len(suffix) < len(known) and known.startswith(suffix) for known in self.originals) else 0


class Restorer:
    """Undoes placeholders in a stream, holding only what may still become one."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self._held = ""

    def feed(self, text: str) -> str:
        """What can be released after this piece."""
        text = self._held + text
        keep = self._pseudonyms.holdback(text)
        self._held = text[len(text) - keep :] if keep else ""
        return self._pseudonyms.restore(text[: len(text) - keep] if keep else text)

    def finish(self) -> str:
        """The rest."""
        text, self._held = self._held, ""
        return text


def replacement(how: str, type_: str, key: str, original: str, pseudonyms: Pseudonyms | None, secret: bytes) -> str:
    """What stands in place of a span.

    Args:
        how: one of the four ways; `pseudonymize` without `pseudonyms`, or an unknown way, masks.
        key: from `value_key`.
        secret: key of `hash`.
    """
    label = type_.partition("/")[0]
    if how == REMOVE:
        return ""
    if how == HASH:
        return f"[{label}:{hmac.digest(secret or b'affiant', f'{label}|{key}'.encode(), 'sha256').hex()[:12]}]"
    if how == PSEUDONYMIZE and pseudonyms is not None:
        return pseudonyms.assign(label, key, original)
    return f"[{label}]"
