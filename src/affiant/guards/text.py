"""Text as detectors read it: lower case, compatibility forms undone, look-alikes mapped, invisible characters dropped.

A `Folded` text remembers where each of its characters stood in the source, so that what is found in it can be cut out of
the original. Folding is for matching only and is never forwarded. Leaves out: decoding of payloads (`detectors.decode`).
"""

from __future__ import annotations

import unicodedata

TAG_FIRST, TAG_LAST = 0xE0020, 0xE007E
_CACHE_LIMIT = 65_536

_LOOKALIKE_SETS = {
    "a": "аαɑ", "b": "ьвβ", "c": "с", "d": "ԁđ", "e": "еε", "f": "ƒ", "g": "ԍɡ", "h": "һнħ", "i": "іӏιı", "j": "ј", "k": "кκ", "l": "ł",
    "m": "м", "n": "ηп", "o": "оοø", "p": "рρ", "q": "ԛ", "r": "г", "s": "ѕ", "t": "тτ", "u": "υ", "v": "νѵ", "w": "ԝω", "x": "хχ",
    "y": "уγ", "-": "‐‑‒–—―−⁃﹣", "'": "‘’‛′", '"': "“”‟″«»", ".": "․‥",
}  # fmt: skip
_LOOKALIKES = {odd: plain for plain, odds in _LOOKALIKE_SETS.items() for odd in odds}
_SMALL_CAPS = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True))


def _fold_code(code: int) -> str:
    if TAG_FIRST <= code <= TAG_LAST:
        return chr(code - 0xE0000).lower()
    if 0x1F130 <= code <= 0x1F149 or 0x1F150 <= code <= 0x1F169 or 0x1F170 <= code <= 0x1F189:
        return chr(ord("a") + (code - 0x1F130) % 32)
    pieces = []
    for char in unicodedata.normalize("NFKD", chr(code)).casefold():
        if unicodedata.category(char) in ("Mn", "Me", "Cf"):
            continue
        if char.isspace() and char not in "\n\r\t":
            pieces.append(" ")
            continue
        digit = unicodedata.decimal(char, -1)
        if digit >= 0:
            pieces.append(str(digit))
        else:
            pieces.append(_LOOKALIKES.get(char) or _SMALL_CAPS.get(char) or char)
    return "".join(pieces)


class _Table(dict[int, str]):
    """Folds code points when first met; bounded."""

    def __missing__(self, code: int) -> str:
        folded = _fold_code(code)
        if len(self) < _CACHE_LIMIT:
            self[code] = folded
        return folded


_TABLE = _Table()
for _code in range(128):
    _TABLE[_code] = chr(_code).lower()


def fold_char(char: str) -> str:
    """What one character reads as: "" for an invisible one, else one or more folded characters."""
    return _TABLE[ord(char)]


class Folded:
    """A text and its folded reading.

    Args:
        source: the text as it came.
    """

    __slots__ = ("_offsets", "source", "text")

    def __init__(self, source: str) -> None:
        self.source = source
        self._offsets: list[int] | None = None
        self.text = source.lower() if source.isascii() else source.translate(_TABLE)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the source of a non-empty span of the folded text."""
        if self.source.isascii():
            return start, end
        if self._offsets is None:
            offsets: list[int] = []
            for position, char in enumerate(self.source):
                width = len(_TABLE[ord(char)])
                if width == 1:
                    offsets.append(position)
                elif width:
                    offsets.extend([position] * width)
            self._offsets = offsets
        return self._offsets[start], self._offsets[end - 1] + 1

    def index(self, source_offset: int) -> int:
        """The folded offset at which the source character at `source_offset` begins."""
        if self.source.isascii():
            return source_offset
        return len(self.source[:source_offset].translate(_TABLE))
