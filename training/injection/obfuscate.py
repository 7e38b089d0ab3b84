"""Disguises of an attack, for measuring: what each letter or the whole text is turned into."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Callable

_HOMOGLYPHS = str.maketrans("aceopxyiACEHOPTX", "асеорхуіАСЕНОРТХ")
_LEET = str.maketrans("aeiostAEIOST", "431057431057")


def _tags(text: str) -> str:
    return "".join(chr(0xE0000 + ord(char)) if 0x20 <= ord(char) < 0x7F else char for char in text)


def _wide(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if 0x21 <= ord(char) < 0x7F else char for char in text)


def _mixed(text: str) -> str:
    return "".join(char.upper() if number % 2 else char.lower() for number, char in enumerate(text))


DISGUISES: dict[str, Callable[[str], str]] = {
    "homoglyph": lambda text: text.translate(_HOMOGLYPHS),
    "leet": lambda text: text.translate(_LEET),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "reversed": lambda text: text[::-1],
    "tag characters": _tags,
    "zero-width": "\u200b".join,
    "spaced letters": " ".join,
    "fullwidth": _wide,
    "mixed case": _mixed,
}
