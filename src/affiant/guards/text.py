"""Text as detectors read it: compatibility forms undone, look-alikes mapped, invisible characters dropped.

A `Folded` text has two readings. `text` is lower case without accents, for phrases; `plain` keeps case, accents and scripts,
for values and names. Both remember where each of their characters stood in the source, so that what is found in them can
be cut out of the original. Folding is for matching only and is never forwarded. Leaves out: decoding of payloads
(`injection.decode`), and what is taken out of a text that is forwarded (`sanitize`).
"""

from __future__ import annotations

import re
import unicodedata

TAG_FIRST, TAG_LAST = 0xE0020, 0xE007E
_CACHE_LIMIT = 65_536

_FOREIGN = {
    "a": "аα", "b": "ьвβ", "c": "сϲ", "d": "ԁ", "e": "еε", "g": "ԍց", "h": "һнħհ", "i": "іӏι", "j": "јϳ", "k": "кκ",
    "m": "м", "n": "ηпո", "o": "оοօ", "p": "рρ", "q": "ԛզ", "r": "г", "s": "ѕ", "t": "тτ", "u": "υս", "v": "νѵ",
    "w": "ԝω", "x": "хχ", "y": "уγү",
    "A": "АΑᎪ", "B": "ВΒᏴ", "C": "СϹᏟ", "D": "Ꭰ", "E": "ЕΕᎬ", "G": "ԌᏀ", "H": "НΗᎻ", "I": "ІΙӀ", "J": "ЈᎫ", "K": "КΚᏦ", "L": "Ꮮ",
    "M": "МΜᎷ", "N": "Ν", "O": "ОΟՕ", "P": "РΡᏢ", "Q": "Ԛ", "R": "Ꭱ", "S": "ЅՏᏚ", "T": "ТΤᎢ", "U": "Ս", "V": "ѴᏙ", "W": "ԜᏔ",
    "X": "ХΧ", "Y": "УΥҮ", "Z": "ΖᏃ",
}  # fmt: skip
"""Letters of other scripts that look Latin: ordinary within their own script."""
_ODD = {
    "a": "ɑ", "d": "đ", "f": "ƒ", "g": "ɡ", "i": "ıɩ", "l": "łɭ", "o": "ø", "u": "ʋ", "y": "ʏ", "z": "ʐ",
    "-": "‐‑‒–—―−⁃﹣➖", "'": "‘’‛′´`ʼ", '"': "“”‟″«»„", ".": "․‥。", "/": "⁄∕", ":": "ː∶",
}  # fmt: skip
_SMALL_CAPS = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True))
_LATIN = {odd: plain for plain, odds in _FOREIGN.items() for odd in odds}
_LOOKALIKES = {odd.casefold(): plain.lower() for odd, plain in _LATIN.items()}
_LOOKALIKES.update({odd: plain for plain, odds in _ODD.items() for odd in odds if odd not in "`。"})
_LOOKALIKES.update(_SMALL_CAPS)
_PUNCTUATION = {odd: plain for plain, odds in _ODD.items() for odd in odds if not plain.isalpha() and odd not in "`。«»"}
_STYLED = {**_PUNCTUATION, **_SMALL_CAPS, "ɑ": "a", "ɡ": "g", "ɩ": "i"}

_WORD = re.compile(r"\w+")
_LATIN_LETTER = re.compile("[A-Za-z]")
_FOREIGN_CLASS = "[" + "".join(_LATIN) + "]"
_LOOKS_LATIN = re.compile(_FOREIGN_CLASS)
_ALL_LOOK_LATIN = re.compile(_FOREIGN_CLASS + "+")
_TO_LATIN = str.maketrans(_LATIN)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_MARK = re.compile(f"[{_MARKS}]")
_MARKED = re.compile(f"[^{_MARKS}][{_MARKS}]+")


def _letter(code: int) -> str:
    """The letter inside an enclosed one, in upper case; "" for any other character."""
    if 0x1F130 <= code <= 0x1F149 or 0x1F150 <= code <= 0x1F169 or 0x1F170 <= code <= 0x1F189:
        return chr(ord("A") + (code - 0x1F130) % 32)
    return chr(ord("A") + code - 0x1F1E6) if 0x1F1E6 <= code <= 0x1F1FF else ""


def _dropped(char: str) -> bool:
    """Whether a character is invisible: format and control characters, variation selectors, fillers that show nothing."""
    if char in "\u115f\u1160\u17b4\u17b5\u3164\uffa0\u034f\u180b\u180c\u180d\u180f":
        return True
    code = ord(char)
    if 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:
        return True
    return unicodedata.category(char) in ("Cf", "Cc") and not char.isspace()


def _accent(char: str) -> bool:
    """Whether a mark only decorates a letter; vowel signs and the like of other scripts are part of the word."""
    category = unicodedata.category(char)
    if category not in ("Mn", "Me"):
        return False
    code = ord(char)
    return code < 0x0900 or 0x1AB0 <= code <= 0x1AFF or 0x1DC0 <= code <= 0x1DFF or 0x20D0 <= code <= 0x20FF or 0xFE20 <= code <= 0xFE2F


def _blank(char: str) -> str:
    return char if char in "\n\r\t" else " "


def _fold_code(code: int) -> str:
    if TAG_FIRST <= code <= TAG_LAST:
        return chr(code - 0xE0000).lower()
    letter = _letter(code)
    if letter:
        return letter.lower()
    if _dropped(chr(code)):
        return ""
    pieces = []
    for char in unicodedata.normalize("NFKD", chr(code)).casefold():
        if _dropped(char) or _accent(char):
            continue
        if char.isspace():
            pieces.append(_blank(char))
            continue
        digit = unicodedata.decimal(char, -1)
        pieces.append(str(digit) if digit >= 0 else _LOOKALIKES.get(char, char))
    return unicodedata.normalize("NFC", "".join(pieces))


def _plain_code(code: int) -> str:
    if TAG_FIRST <= code <= TAG_LAST:
        return chr(code - 0xE0000)
    char = chr(code)
    if _dropped(char):
        return ""
    if char in _STYLED:
        return _STYLED[char]
    if char.isspace():
        return _blank(char)
    if not 0x1F1E6 <= code <= 0x1F1FF and (letter := _letter(code)):
        return letter
    digit = unicodedata.decimal(char, -1)
    if digit >= 0:
        return str(digit)
    form = unicodedata.normalize("NFKC", char)
    return char if form.startswith(" ") else "".join(_STYLED.get(one, one) for one in form)


class _Table(dict[int, str]):
    """Folds code points when first met; bounded."""

    def __init__(self, plain: bool) -> None:
        super().__init__()
        self._plain = plain

    def __missing__(self, code: int) -> str:
        folded = _plain_code(code) if self._plain else _fold_code(code)
        if len(self) < _CACHE_LIMIT:
            self[code] = folded
        return folded


_TABLE = _Table(plain=False)
_PLAIN = _Table(plain=True)


def fold_char(char: str) -> str:
    """What one character reads as: "" for an invisible one, else one or more folded characters."""
    return _TABLE[ord(char)]


class Folded:
    """A text and its folded readings.

    Args:
        source: the text as it came.
    """

    __slots__ = ("_offsets", "_plain", "_plain_offsets", "_same", "source", "text")

    def __init__(self, source: str) -> None:
        self.source = source
        self._offsets: list[int] | None = None
        self._plain: str | None = None
        self._plain_offsets: list[int] | None = None
        self._same = source.isascii() and _CONTROL.search(source) is None
        self.text = source.lower() if self._same else source.translate(_TABLE)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the source of a non-empty span of the folded text."""
        if self._same:
            return start, end
        if self._offsets is None:
            self._offsets = _offsets(self.source, _TABLE)
        return self._offsets[start], self._offsets[end - 1] + 1

    def index(self, source_offset: int) -> int:
        """The folded offset at which the source character at `source_offset` begins."""
        if self._same:
            return source_offset
        return len(self.source[:source_offset].translate(_TABLE))

    @property
    def plain(self) -> str:
        """The reading that keeps case, accents and scripts.

        Letters of other scripts turn Latin only in words that mix them with Latin ones, and in words made of nothing but
        look-alikes within a Latin text. A letter and its combining accents read as one character.
        """
        if self._plain is None:
            self._plain = self.source if self._same else _unmix(_compose(self.source).translate(_PLAIN))
        return self._plain

    def plain_span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the source of a non-empty span of `plain`; combining accents belong to the letter before them."""
        if self._same:
            return start, end
        if self._plain_offsets is None:
            self._plain_offsets = _offsets(_compose(self.source), _PLAIN)
        first, last = self._plain_offsets[start], self._plain_offsets[end - 1] + 1
        source = self.source
        while last < len(source) and _MARK.match(source[last]) is not None and first < last:
            last += 1
        return first, last


def _offsets(source: str, table: _Table) -> list[int]:
    """For each character of the reading, where it stood."""
    if all(len(table[ord(char)]) == 1 for char in set(source)):
        return list(range(len(source)))
    offsets: list[int] = []
    for position, char in enumerate(source):
        width = len(table[ord(char)])
        if width == 1:
            offsets.append(position)
        elif width:
            offsets.extend([position] * width)
    return offsets


def _compose(source: str) -> str:
    """Letters with their combining accents as one character each; what no letter takes becomes invisible.

    Keeps every character's place: a taken mark leaves a zero-width space behind.
    """
    if _MARK.search(source) is None:
        return source
    return _MARKED.sub(_one_letter, source)


def _one_letter(match: re.Match[str]) -> str:
    run = match.group()
    composed = unicodedata.normalize("NFC", run[:2])
    first = composed if len(composed) == 1 else run[0]
    return first + "\u200b" * (len(run) - 1)


def _unmix(text: str) -> str:
    """Foreign look-alikes as Latin letters where they pretend to be; keeps the length."""
    if _LOOKS_LATIN.search(text) is None:
        return text
    text = _WORD.sub(_mixed, text)
    if _LOOKS_LATIN.search(text) is None or not _mostly_latin(text):
        return text
    return _WORD.sub(_pretended, text)


def _mixed(match: re.Match[str]) -> str:
    """A word that holds letters of both kinds, as Latin."""
    word = match.group()
    return word if word.isascii() or _LATIN_LETTER.search(word) is None else word.translate(_TO_LATIN)


def _pretended(match: re.Match[str]) -> str:
    """A word of nothing but look-alikes, as Latin."""
    word = match.group()
    return word if _ALL_LOOK_LATIN.fullmatch(word) is None else word.translate(_TO_LATIN)


def _mostly_latin(text: str) -> bool:
    """Whether Latin letters outnumber those of other scripts."""
    latin = len(_LATIN_LETTER.findall(text))
    return latin > sum(char.isalpha() for char in text if char > "\u024f")
