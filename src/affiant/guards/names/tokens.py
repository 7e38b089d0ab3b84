"""Cuts text into the tokens that the tagger reads: words, digit runs, single marks, ideographs one by one.

A token keeps its offsets. Chinese and Japanese have no spaces, so each ideograph is a token of its own whose key also
names the longest known piece it lies in and its place there. Linear in the text's length; any str will do, lone
surrogates included. Leaves out: what a token means (`features`).
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

LONGEST_WORD = 48
LONGEST_PIECE = 6
WEB_KEY = "\x01web"
GLUED, SPACED, NEW_LINE, FIRST = range(4)
PIECE_MARK = "\x02"

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々〆ヶ"
_TOKEN = re.compile(
    rf"(?P<web>https?://[^\s<>\"]{{1,200}}|[\w.+-]{{1,64}}@[\w-]{{1,64}}(?:\.[\w-]{{1,24}}){{1,4}}|@\w[\w.]{{0,38}}\w)"
    rf"|(?P<han>[{_HAN}]+)"
    r"|(?P<kana>[\u30a1-\u30fa\u30fc-\u30ff]{1,24})"
    r"|(?P<hira>[\u3041-\u309f])"
    rf"|(?P<word>(?:[^\W\d_{_HAN}\u3041-\u309f\u30a1-\u30ff][\u0300-\u036f]*){{1,{LONGEST_WORD}}})"
    r"|(?P<number>\d{1,24})"
    r"|(?P<mark>\S)"
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text's tokens, as parallel lists.

    Args:
        keys: what each token is to the model; equal keys have equal features.
        starts: str offsets, inclusive.
        ends: str offsets, exclusive.
        glue: per token `GLUED` to the one before, `SPACED`, on a `NEW_LINE`, or `FIRST` in the text.
    """

    keys: list[str]
    starts: list[int]
    ends: list[int]
    glue: list[int]


def cut(text: str, pieces: Container[str] = frozenset()) -> Tokens:
    """Tokens of `text`; runs of ideographs are read by longest match against `pieces`."""
    keys: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    glue: list[int] = []
    last = -1
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        if start == last:
            glue.append(GLUED)
        elif last < 0:
            glue.append(FIRST)
        else:
            glue.append(NEW_LINE if "\n" in text[last:start] else SPACED)
        last = end
        kind = match.lastgroup
        if kind == "han":
            for key in _ideographs(match.group(), pieces):
                keys.append(key)
                starts.append(start)
                start += 1
                ends.append(start)
            glue.extend([GLUED] * (len(match.group()) - 1))
            continue
        keys.append(WEB_KEY if kind == "web" else match.group() if kind != "number" else "0" * min(end - start, 6))
        starts.append(start)
        ends.append(end)
    return Tokens(keys, starts, ends, glue)


def _ideographs(run: str, pieces: Container[str]) -> list[str]:
    """Keys of the ideographs of one run: `<character> MARK <piece> MARK <place>`, places S(ingle) B(egin) I(nside) E(nd)."""
    keys: list[str] = []
    position = 0
    while position < len(run):
        width = next((w for w in range(min(LONGEST_PIECE, len(run) - position), 1, -1) if run[position : position + w] in pieces), 1)
        piece = run[position : position + width]
        for index, char in enumerate(piece):
            place = "S" if width == 1 else "B" if index == 0 else "E" if index == width - 1 else "I"
            keys.append(f"{char}{PIECE_MARK}{piece}{PIECE_MARK}{place}")
        position += width
    return keys
