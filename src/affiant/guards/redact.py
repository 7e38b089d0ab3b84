"""Redaction: what stands in place of a span, and pseudonyms that can be undone for the caller.

`mask` `[EMAIL]` · `partial` `d***@***.com`, last four digits of numbers · `hash` `[EMAIL:3f9a1c2d]`, keyed, so equal values stay equal
under one key · `remove` nothing · `pseudonymize` `[EMAIL_K7FQ3AXM]` · `pseudonymize_shape` the same in the value's shape where it has
one (`q7kd2m9xw@pseudonym.example`), for tools that validate. A keyed placeholder is determined by secret, type and value: parallel calls,
retries and later turns agree without sharing anything. Without a secret, placeholders are numbered. The mapping lives in memory, or
sealed for a stated time (`pseudonym_map`). Leaves out: finding placeholders again (`restore`).
"""

from __future__ import annotations

import hmac
import re

from affiant.guards import redact_shapes
from affiant.guards.restore import BODY, KEYED_BODY, Forms, Restorer, canonical
from affiant.guards.restore import restore as _restore
from affiant.guards.scan import Found

MASK, PARTIAL, HASH, REMOVE, PSEUDONYMIZE, SHAPE = "mask", "partial", "hash", "remove", "pseudonymize", "pseudonymize_shape"
HOWS = (MASK, PARTIAL, HASH, REMOVE, PSEUDONYMIZE, SHAPE)
FOREIGN, MADE_UP = "FORGED_PLACEHOLDER/foreign", "FORGED_PLACEHOLDER/made_up"
_NUMBERED = re.compile(r"\[[A-Z][A-Z_]{1,40}_(\d{1,6})\]")
_TYPED = re.compile(
    rf"(?i:\\?\[|%5B|\\u005B)(?P<bracketed>(?i:[A-Z][A-Z_ \\-]{{1,40}}?[_\\ -]{{1,3}}{KEYED_BODY}))(?i:\\?\]|%5D|\\u005D)"
    rf"|(?<![A-Za-z0-9])(?P<bare>[A-Z][A-Z_]{{1,40}}_{KEYED_BODY})(?![A-Za-z0-9])"
)
_LETTERS = "BCDFGHJKLMNPQRSTVWXYZ"
_ALPHABET = "0123456789" + _LETTERS
_VARIANTS = 64


def value_key(type_: str, folded: str) -> str:
    """What makes two spans the same value: digits of numbers, the folded text of anything else."""
    return folded if type_ == "EMAIL" else "".join(char for char in folded if char.isdigit()) or folded


def placeholder(secret: bytes, label: str, key: str, variant: int = 0) -> str:
    """The keyed placeholder of a value: `[LABEL_BODY]`, the body's last character a keyed check digit.

    Args:
        secret: of the tenant.
        label: entity type without its subtype.
        key: from `value_key`.
        variant: counts up where a placeholder is taken by another value, or was typed by the caller.
    """
    number = int.from_bytes(_digest(secret, "pseudonym", label, key, str(variant)), "big")
    body = ""
    for alphabet in (_LETTERS, "23456789", _ALPHABET, _ALPHABET, _LETTERS, "23456789", _ALPHABET):
        number, place = divmod(number, len(alphabet))
        body += alphabet[place]
    return f"[{label}_{body}{_check(secret, label, body)}]"


def genuine(secret: bytes, name: str) -> bool:
    """Whether a placeholder was made with this secret, as far as its check digit tells (one made up passes one time in 31)."""
    label, _, body = name[1:-1].rpartition("_")
    return len(body) == BODY and hmac.compare_digest(body[-1:].encode(), _check(secret, label, body[:-1]).encode())


def _digest(secret: bytes, *parts: str) -> bytes:
    return hmac.digest(secret, "\x1f".join(parts).encode("utf-8", "surrogatepass"), "sha256")


def _check(secret: bytes, label: str, body: str) -> str:
    return _ALPHABET[_digest(secret, "check", label, body)[0] % len(_ALPHABET)]


def forged(text: str, secret: bytes = b"") -> list[Found]:
    """Placeholders that a caller typed: of another exchange (`foreign`, its check digit fits this secret), or made up.

    Neither is ever undone: `Pseudonyms` never gives out a placeholder that stands in the request's texts.
    """
    if not any(char in text for char in "[_%\\-"):
        return []
    found = []
    for match in _TYPED.finditer(text):
        name = canonical(match["bracketed"] or match["bare"])
        ours = bool(secret) and genuine(secret, name)
        if ours or match["bracketed"]:
            found.append(
                Found(match.start(), match.end(), FOREIGN if ours else MADE_UP, rule=f"placeholder/{'foreign' if ours else 'made_up'}")
            )
    found += [Found(m.start(), m.end(), MADE_UP, rule="placeholder/numbered") for m in _NUMBERED.finditer(text)]
    return found


class Pseudonyms:
    """Placeholders of one exchange. Owned by its request.

    Args:
        texts: every text of the request; a placeholder already written there is never given out.
        secret: of the tenant, or of a tenant's conversation; b"": placeholders are numbered in this exchange.
    """

    def __init__(self, texts: tuple[str, ...] = (), secret: bytes = b"") -> None:
        self._texts, self._secret = texts, secret
        self._floor = -1
        self._typed: set[str] | None = None
        self._written: frozenset[str] | None = None
        self._by_value: dict[tuple[str, str, bool], str] = {}
        self._counts: dict[str, int] = {}
        self.originals: dict[str, str] = {}
        self.forms = Forms()
        self.undone = False
        self.made_up = 0

    def assign(self, type_: str, key: str, original: str, shape: bool = False) -> str:
        """The placeholder of a value: the same one each time.

        Args:
            type_: entity type without its subtype.
            key: from `value_key`.
            original: what is put back for the caller; of several spellings the first.
            shape: whether the value's shape is to be kept, where its type has one.
        """
        known = self._by_value.get((type_, key, shape))
        if known:
            return known
        name = self._shaped(type_, key, original) if shape else None
        if name is None:
            name = self._keyed(type_, key, original) if self._secret else self._numbered(type_)
        self._by_value[(type_, key, shape)] = name
        self.know(name, original)
        return name

    def know(self, name: str, original: str) -> None:
        """Undo a placeholder of an earlier turn too."""
        if name not in self.originals:
            (self.forms if name.startswith("[") else self.forms.shapes).add(name)
        self.originals[name] = original

    def restore(self, text: str) -> str:
        """The text with every placeholder of this exchange undone."""
        return _restore(self, text) if self.originals else text

    def stands_in(self, text: str) -> bool:
        """Whether a span of text is, or holds, a placeholder of this exchange."""
        return bool(self.originals) and any(form.name in self.originals for form in self.forms.find(text))

    def holdback(self, text: str) -> int:
        """Length of the longest suffix that may still become a placeholder of this exchange."""
        return self.forms.held(text) if self.originals else 0

    # -- names

    def _keyed(self, label: str, key: str, original: str) -> str:
        if self._typed is None:
            self._typed = {
                canonical(match["bracketed"] or match["bare"])
                for text in self._texts if any(char in text for char in "[_%\\-") for match in _TYPED.finditer(text)
            }  # fmt: skip
        for variant in range(_VARIANTS):
            name = placeholder(self._secret, label, key, variant)
            if self.originals.get(name) == original:  # of an earlier exchange of the conversation
                return name
            if name not in self._typed and name not in self.originals:
                return name
        return self._numbered(label)

    def _numbered(self, label: str) -> str:
        if self._floor < 0:
            self._floor = max((int(number) for text in self._texts if "[" in text for number in _NUMBERED.findall(text)), default=0)
        number = self._counts.get(label, self._floor) + 1
        self._counts[label] = number
        return f"[{label}_{number}]"

    def _shaped(self, type_: str, key: str, original: str) -> str | None:
        if self._written is None:
            self._written = redact_shapes.written(self._texts)
        for variant in range(_VARIANTS):
            number = int.from_bytes(_digest(self._secret or b"affiant", "shape", type_, key, str(variant)), "big")
            name = redact_shapes.stand_in(type_, original, number)
            if name is None or (not self.forms.shapes.taken(name) and redact_shapes.identity(name) not in self._written):
                return name
        return None


def partial(type_: str, original: str) -> str:
    """A value with most of it masked: first letter and last label of an address, last four digits of a number, first letter else."""
    if type_ == "EMAIL" and "@" in original:
        return f"{original[0]}***@***.{original.rpartition('.')[2]}"
    digits = sum(char.isdigit() for char in original)
    if digits < 8:
        return f"{original[:1]}***" if not digits else "***"
    seen, made = 0, []
    for char in original:
        seen += char.isdigit()
        made.append(char if not char.isalnum() or (char.isdigit() and seen > digits - 4) else "*")
    return "".join(made)


def replacement(how: str, type_: str, key: str, original: str, pseudonyms: Pseudonyms | None, secret: bytes) -> str:
    """What stands in place of a span.

    Args:
        how: one of `HOWS`; a pseudonym without `pseudonyms`, or an unknown way, masks.
        key: from `value_key`.
        secret: key of `hash`.
    """
    label = type_.partition("/")[0]
    if how == REMOVE:
        return ""
    if how == PARTIAL:
        return partial(label, original)
    if how == HASH:
        return f"[{label}:{hmac.digest(secret or b'affiant', f'{label}|{key}'.encode('utf-8', 'surrogatepass'), 'sha256').hex()[:12]}]"
    if how in (PSEUDONYMIZE, SHAPE) and pseudonyms is not None:
        return pseudonyms.assign(label, key, original, shape=how == SHAPE)
    return f"[{label}]"


__all__ = [
    "FOREIGN", "HASH", "HOWS", "MADE_UP", "MASK", "PARTIAL", "PSEUDONYMIZE", "REMOVE", "SHAPE", "Pseudonyms", "Restorer", "forged",
    "genuine", "partial", "placeholder", "replacement", "value_key",
]  # fmt: skip
