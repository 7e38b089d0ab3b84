"""Wrong claims made from right ones, and right ones made from contexts: names, numbers and words exchanged, roles swapped, negation
put in or taken out, foreign clauses and sentences put in, halves of two sentences joined.

They teach what one wrong word in a good sentence looks like. A row made from a source is left out together with it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from affiant.guards.grounded import sentences
from affiant.guards.grounded.align import ContextIndex
from affiant.guards.grounded.lexicon import ANTONYMS, NEGATIONS
from affiant.guards.grounded.words import Kind, Reader, Word
from training.grounded.data import Row

_AUXILIARY = re.compile(r"\b(is|was|are|were|has|have|had|will|would|can|could|did|does)\b", re.IGNORECASE)
_NOT = re.compile(r"\s+(?:not|never)\b", re.IGNORECASE)
_MIN_CLAIM = 25
_TRIES = 2
_SHARE_RIGHT = 0.6
_SHARE_DENIED = 0.3
_KINDS = ("name", "name", "number", "number", "not", "opposite", "roles", "sentence", "clause", "word", "halves")


@dataclass(frozen=True)
class _Text:
    text: str
    index: ContextIndex

    def sentence(self, words: list[Word]) -> str:
        return self.text[words[0].start : words[-1].end] + "."


def spoiled(rows: list[Row], seed: int) -> Iterator[Row]:
    """Made rows, in an order that depends on the seed and the rows only."""
    rng = random.Random(seed)
    reader = Reader("en")
    other: _Text | None = None
    for row in sorted((row for row in rows if not row.unsupported and len(row.claim) >= _MIN_CLAIM), key=lambda row: row.context):
        index = ContextIndex([reader.words(row.context, *span) for span in sentences.split(row.context)], lambda _: 1.0)
        if not index.sentences:
            continue
        here = _Text(row.context, index)
        other = other or here
        full = [words for words in index.sentences if len(words) > 5]
        claims = [row.claim] * _TRIES + ([_like(here.sentence(rng.choice(full)), row.claim)] if full else [])
        denied = [words for words in full if any(word.folded in NEGATIONS for word in words)]
        if denied and rng.random() < _SHARE_DENIED:
            claim = _like(here.sentence(rng.choice(denied)), row.claim)
            yield from (replace(row, claim=made, unsupported=1) for made in [_affirm(claim)] if made != claim)
        for claim in claims:
            made = _spoil(claim, reader, here, other, rng)
            if made and made.strip() != claim.strip():
                yield replace(row, claim=made, unsupported=1)
        if full and rng.random() < _SHARE_RIGHT:
            picked = sorted(rng.sample(full, min(len(full), rng.choice((1, 1, 2, 3)))), key=lambda words: words[0].start)
            yield replace(row, claim=_like(" ".join(here.sentence(words) for words in picked), row.claim))
        if other.text[:100] != here.text[:100]:
            other = here


def _like(text: str, claim: str) -> str:
    return text.lower() if claim == claim.lower() else text


def _put(claim: str, word: Word, new: str) -> str:
    return claim[: word.start] + _like(new, claim) + claim[word.end :]


def _spoil(claim: str, reader: Reader, here: _Text, other: _Text, rng: random.Random) -> str | None:
    """The claim made wrong in a way drawn at random, or None where that way does not apply."""
    words = reader.words(claim)
    kind = rng.choice(_KINDS)
    if kind in ("name", "roles"):
        names = [word for word in words if word.kind is Kind.WORD and word.stem in here.index.places and here.index.is_name(word.stem)]
        return _name(claim, names, here if rng.random() < 0.5 else other, rng) if kind == "name" else _roles(claim, names, rng)
    if kind == "number":
        return _number(claim, [word for word in words if word.kind is Kind.NUMBER], here, rng)
    if kind == "not":
        places = list(_AUXILIARY.finditer(claim))
        if not places:
            return None
        end = rng.choice(places).end()
        negated = _NOT.match(claim, end)
        return claim[:end] + (claim[negated.end() :] if negated else rng.choice((" not", " never")) + claim[end:])
    if kind == "opposite":
        able = [word for word in words if word.folded in ANTONYMS]
        return _opposite(claim, able, rng)
    if kind == "word":
        ours = [word for word in words if word.kind is Kind.WORD and word.stem in here.index.places]
        pool = [word.folded for word in other.index.words if word.kind is Kind.WORD and word.stem not in here.index.places]
        return _put(claim, rng.choice(ours), rng.choice(pool)) if ours and pool else None
    return _foreign(claim, words, here, other, rng, kind)


def _affirm(claim: str) -> str:
    """The claim without its first negation."""
    return _NOT.sub("", claim, count=1)


def _opposite(claim: str, able: list[Word], rng: random.Random) -> str | None:
    if not able:
        return None
    word = rng.choice(able)
    return _put(claim, word, rng.choice(sorted(ANTONYMS[word.folded])))


def _name(claim: str, names: list[Word], pool: _Text, rng: random.Random) -> str | None:
    mine = {word.stem for word in names}
    others = [
        word.folded for word in pool.index.words if word.kind is Kind.WORD and word.stem not in mine and pool.index.is_name(word.stem)
    ]
    return _put(claim, rng.choice(names), rng.choice(others).title()) if names and others else None


def _roles(claim: str, names: list[Word], rng: random.Random) -> str | None:
    if len({word.stem for word in names}) < 2:
        return None
    one, two = sorted(rng.sample(names, 2), key=lambda word: word.start)
    if one.stem == two.stem:
        return None
    return claim[: one.start] + claim[two.start : two.end] + claim[one.end : two.start] + claim[one.start : one.end] + claim[two.end :]


def _number(claim: str, numbers: list[Word], here: _Text, rng: random.Random) -> str | None:
    if not numbers:
        return None
    word = rng.choice(numbers)
    if rng.random() < 0.4 and here.index.values:
        value = rng.choice(here.index.values)
    elif rng.random() < 0.7:
        value = word.value + rng.choice((-10, -3, -2, -1, 1, 2, 3, 10))
    else:
        value = word.value * rng.choice((0.5, 2, 10))
    return None if value == word.value or value < 0 else _put(claim, word, f"{value:g}")


def _foreign(claim: str, words: list[Word], here: _Text, other: _Text, rng: random.Random, kind: str) -> str | None:
    if kind == "halves":
        full = [words for words in here.index.sentences if len(words) > 8]
        if len(full) < 2:
            return None
        one, two = rng.sample(full, 2)
        first = here.text[one[0].start : one[len(one) // 2].end]
        return _like(f"{first} {here.text[two[len(two) // 2].start : two[-1].end]}", claim)
    sentence = rng.choice(other.index.sentences)
    if kind == "sentence":
        parts = [claim.strip(), _like(other.sentence(sentence), claim)]
        rng.shuffle(parts)
        return " ".join(parts)
    length = rng.randint(2, 5)
    if len(sentence) <= length or not words:
        return None
    start = rng.randrange(len(sentence) - length)
    clause = other.text[sentence[start].start : sentence[start + length].end]
    end = rng.choice(words).end
    return f"{claim[:end]} {_like(clause, claim)}{claim[end:]}"
