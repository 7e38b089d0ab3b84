"""What tells a supported claim from an unsupported one, as numbers: one vector per claim or sentence.

A claim is read sentence by sentence (`sentence_features`); a claim's vector holds each feature's mean and worst over its
sentences, then what concerns the whole (`claim_features`). The order of `NAMES` is that of the vectors and part of the
weights' format. Leaves out: the model over them (`trees`, `line`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from affiant.guards.grounded.align import Alignment, ContextIndex, align, fragments
from affiant.guards.grounded.lexicon import (
    ABSOLUTES,
    ANTONYMS,
    CHATTER,
    FIRST,
    HEDGES,
    MODALS,
    NEGATIONS,
    PARTIALS,
    POLAR,
    RELATIONS,
    SECOND,
    TEMPORAL,
    THIRD,
    WH_NAME,
    WH_NUMBER,
)
from affiant.guards.grounded.together import nearness, pair_weight, share, two_apart, unbound, window
from affiant.guards.grounded.words import Kind, Word

RARE = 0.6
_WINDOW = 4
_REMARKS = HEDGES | CHATTER

# name, and which side is the worst: +1 the largest, -1 the smallest over sentences, 0 only the mean counts
SENTENCE: tuple[tuple[str, int], ...] = (
    ("recall", -1), ("recall_plain", -1), ("recall_best", -1), ("recall_two", -1), ("bigrams", -1), ("trigrams", -1), ("fourgrams", -1),
    ("lcs", -1), ("longest", -1), ("fragment_rate", 1), ("fragment_mean", -1), ("switches", 1), ("jumps", 1), ("near_pairs", -1),
    ("near_worst", -1), ("novel", 1), ("novel_max", 1), ("novel_sum", 1), ("novel_rare", 1), ("inserted_max", 1), ("swaps", 1),
    ("swap_max", 1), ("swap_number", 1), ("swap_name", 1), ("antonyms", 1), ("numbers", 0), ("numbers_novel", 1), ("numbers_off", 1),
    ("names", 0), ("names_novel", 1), ("names_off", 1), ("negation", 1), ("absolute", 1), ("partial", 1), ("modal", 1), ("temporal", 1),
    ("relation", 1), ("order", 1), ("third", 1), ("first", 1), ("second", 1), ("chatter", 1), ("hedges", 1), ("asks", 1),
    ("covered", -1), ("length", 0), ("content", 0), ("soft", 0), ("pronoun_name", 1), ("place", 0), ("end_cut", 1),
    ("meant", -1), ("strange_max", 1), ("strange_sum", 1), ("left_out", 0), ("left_names", 1), ("left_limits", 1), ("unrelated", 1),
    ("small", 0), ("unbound", 1), ("near_two", -1), ("window", -1),
)  # fmt: skip
CLAIM: tuple[str, ...] = (
    "sentences", "words", "context_words", "context_sentences", "ratio", "repeats", "has_question", "question_shared", "answer_share",
    "answer_recall", "answer_near", "wants_number", "wants_name", "gives_number", "gives_name", "polar", "spread", "cased", "supported_min",
    "unasked",
)  # fmt: skip
NAMES: tuple[str, ...] = tuple(f"{name}.mean" for name, _ in SENTENCE) + tuple(f"{name}.worst" for name, side in SENTENCE if side) + CLAIM


@dataclass(frozen=True)
class Reading:
    """One claim sentence held against a context.

    Args:
        vector: its features, in the order of `SENTENCE`.
        supported: weight share of its content words that the context holds.
        best: number of the context sentence that holds most of it, -1 for none.
    """

    vector: list[float]
    supported: float
    best: int


def _support(words: Sequence[Word], index: ContextIndex) -> list[float]:
    """How far each word is found in the context: 1 by stem, 0.6 by its beginning or as a rounded number, else 0."""
    found = []
    for word in words:
        if word.stem in index.places:
            found.append(1.0)
        elif word.kind is Kind.NUMBER:
            found.append(0.6 if index.has_value(word.value) else 0.0)
        elif len(word.stem) >= 5 and word.stem[:5] in index.prefixes:
            found.append(0.6)
        else:
            found.append(0.0)
    return found


def read(words: list[Word], index: ContextIndex, asks: bool) -> Reading:
    """Hold one claim sentence against a context."""
    stems = [word.stem for word in words]
    support = _support(words, index)
    content = [number for number, word in enumerate(words) if word.content and not _small_talk(word, index)]
    weights = {number: index.weigh(stems[number]) for number in content}
    total = sum(weights.values())
    best, distinct = index.best([stems[number] for number in content])
    first = best[0][1] if best else -1
    aligned = align(words, index.sentences[first]) if best else Alignment(inserted=[words[number] for number in content])
    recall = share(sum(weights[number] * support[number] for number in content), total) if content else 1.0
    pair = pair_weight(stems, content, index, best, weights, total)
    near = nearness(stems, content, index)
    novel = [number for number in content if not support[number]]
    vector = [
        recall,
        share(sum(support[number] for number in content), len(content)) if content else 1.0,
        share(best[0][0], distinct) if best else 0.0,
        pair,
        *_gram_shares(stems, index),
        share(len(aligned.matched), min(len(words), 80)),
        *_fragment_features(stems, index),
        share(sum(near), len(near)) if near else recall,
        min(near) if near else recall,
        share(len(novel), len(content)),
        max((weights[number] for number in novel), default=0.0),
        sum(weights[number] for number in novel),
        float(sum(weights[number] > RARE for number in novel)),
        _inserted(novel, support, weights),
        *_swap_features(aligned, index),
        *_fact_features(words, content, support, index, first),
        *_tone_features(words, index, first),
        _disorder(words, aligned, index, first),
        *_voice_features(words),
        float(asks),
        _covered(words, index, first),
        float(len(words)),
        float(len(content)),
        share(sum(support[number] == 0.6 for number in content), len(content)),
        _pronoun_swaps(aligned),
        share(first, len(index.sentences)) if best else 1.0,
        float(bool(words) and words[-1].kind is Kind.STOP and words[-1].folded in RELATIONS | {"the", "a", "an", "and"}),
        *_meaning_features([words[number] for number in novel], recall, total, index),
        *_left_features(aligned, index),
        _unrelated(words, support, index),
        share(sum(_small_talk(word, index) for word in words), len(words)),
        unbound(words, content, support, index),
        two_apart(stems, content, index, recall),
        window(stems, content, index, first, weights, total),
    ]
    return Reading(vector, recall, first)


def _gram_shares(stems: Sequence[str], index: ContextIndex) -> tuple[float, float, float]:
    two = list(pairwise(stems))
    three = list(zip(stems, stems[1:], stems[2:], strict=False))
    four = list(zip(stems, stems[1:], stems[2:], stems[3:], strict=False))
    pairs = share(sum(gram in index.pairs for gram in two), len(two))
    triples = share(sum(gram in index.grams[0] for gram in three), len(three)) if three else pairs
    return pairs, triples, share(sum(gram in index.grams[1] for gram in four), len(four)) if four else triples


def _fragment_features(stems: Sequence[str], index: ContextIndex) -> tuple[float, float, float, float, float]:
    """Longest copied run, runs a word, mean run, changes of source sentence a run, and how far these jump (log)."""
    runs = fragments(stems, index)
    if not runs or not stems:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    changes = [abs(a.sentence - b.sentence) for a, b in pairwise(runs)]
    return (
        max(run.length for run in runs) / len(stems),
        len(runs) / len(stems),
        sum(run.length for run in runs) / len(runs),
        float(sum(change > 0 for change in changes)),
        math.log1p(max(changes, default=0)),
    )


def _inserted(novel: Sequence[int], support: Sequence[float], weights: dict[int, float]) -> float:
    """The mark of a wrong fact put among true ones: the heaviest word without support times the support of its neighbours."""
    worst = 0.0
    for number in novel:
        around = [*support[max(0, number - _WINDOW) : number], *support[number + 1 : number + 1 + _WINDOW]]
        worst = max(worst, weights[number] * share(sum(around), len(around)))
    return worst


def _swap_features(aligned: Alignment, index: ContextIndex) -> tuple[float, float, float, float, float]:
    """Swaps, the heaviest, those of numbers, of names, and of words with opposite meaning."""
    heaviest = numbers = names = antonyms = 0.0
    for ours, theirs in aligned.swaps:
        their_words = {word.folded for word in theirs}
        for word in ours:
            heaviest = max(heaviest, index.weigh(word.stem))
            if word.kind is Kind.NUMBER and any(other.kind is Kind.NUMBER for other in theirs):
                numbers += 1
            elif index.is_name(word.stem) and any(index.is_name(other.stem) for other in theirs):
                names += 1
            antonyms += bool(ANTONYMS.get(word.folded, frozenset()) & their_words)
    return float(len(aligned.swaps)), heaviest, numbers, names, antonyms


def _small_talk(word: Word, index: ContextIndex) -> bool:
    """Whether a word is a remark of the speaker's (*sure*, *guess*, *cool*) and not one of the context's."""
    return word.folded in _REMARKS and word.stem not in index.places


def _meaning_features(novel: Sequence[Word], recall: float, total: float, index: ContextIndex) -> tuple[float, float, float]:
    """Recall with words of like meaning counted in; the heaviest strange word, and all strangeness."""
    likeness = [
        0.0 if _is_name(word, index) or word.kind is not Kind.WORD else near
        for word, near in zip(novel, index.likeness(novel), strict=True)
    ]
    weights = [index.weigh(word.stem) for word in novel]
    gained = sum(weight * max(0.0, near - 0.4) / 0.6 for weight, near in zip(weights, likeness, strict=True))
    strange = [weight * (1 - near) for weight, near in zip(weights, likeness, strict=True)]
    return recall + share(gained, total), max(strange, default=0.0), sum(strange)


def _left_features(aligned: Alignment, index: ContextIndex) -> tuple[float, float, float]:
    """What the claim leaves out between words it repeats: words, names and numbers, and words that limit what is said."""
    names = sum(word.kind is Kind.NUMBER or _is_name(word, index) for word in aligned.left_out)
    limits = sum(word.folded in PARTIALS or word.folded in MODALS for word in aligned.left_out)
    return float(len(aligned.left_out)), float(names), float(limits)


def _unrelated(words: Sequence[Word], support: Sequence[float], index: ContextIndex) -> float:
    """Supported words that a relation word leads (*in Reykjavik*), as the context never does."""
    count = 0
    for number, word in enumerate(words):
        if not word.content or support[number] < 1:
            continue
        leading = [before.stem for before in words[max(0, number - 2) : number] if before.folded in RELATIONS]
        if leading and not index.related(leading[-1], word.stem):
            count += 1
    return float(count)


def _is_name(word: Word, index: ContextIndex) -> bool:
    if word.kind is not Kind.WORD:
        return False
    return index.is_name(word.stem) if word.stem in index.places else word.capital and not word.opens


def _fact_features(
    words: Sequence[Word], content: Sequence[int], support: Sequence[float], index: ContextIndex, best: int
) -> tuple[float, float, float, float, float, float]:
    """Numbers and names: how many, how many the context lacks, how many its best sentence lacks."""
    here = {word.stem for word in index.sentences[best]} if best >= 0 else set()
    numbers = [number for number in content if words[number].kind is Kind.NUMBER]
    names = [number for number in content if _is_name(words[number], index)]
    counts = []
    for group in (numbers, names):
        counts.append(float(len(group)))
        counts.append(float(sum(not support[number] for number in group)))
        counts.append(float(sum(words[number].stem not in here for number in group)))
    return counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]


def _tone_features(words: Sequence[Word], index: ContextIndex, best: int) -> tuple[float, ...]:
    """Negation, quantifiers, modality, time and relation words that the claim and its best sentence do not share."""
    ours = {word.folded for word in words}
    theirs = {word.folded for word in index.sentences[best]} if best >= 0 else set()
    negated = len(ours & NEGATIONS) % 2 - len(theirs & NEGATIONS) % 2
    return (
        float(abs(negated)) + 0.5 * (negated > 0),
        float(len((ours & ABSOLUTES) - theirs)),
        float(len((theirs & PARTIALS) - ours)),
        float(len((theirs & MODALS) - ours)) + 0.25 * len((ours & MODALS) - theirs),
        float(len((ours & TEMPORAL) - theirs)),
        float(len((ours & RELATIONS) - theirs)),
    )


def _disorder(words: Sequence[Word], aligned: Alignment, index: ContextIndex, best: int) -> float:
    """Share of the words shared with the best sentence that stand in another order there: the mark of swapped roles."""
    if best < 0:
        return 0.0
    theirs = {word.stem for word in index.sentences[best] if word.content}
    shared = {word.stem for word in words if word.content and word.stem in theirs}
    in_order = {words[number].stem for number, _ in aligned.matched if words[number].content}
    return share(len(shared - in_order), len(shared))


def _voice_features(words: Sequence[Word]) -> tuple[float, ...]:
    """Who speaks, and how: pronouns of the third, first and second person, small talk, hedges; counts."""
    return tuple(float(sum(word.folded in group for word in words)) for group in (THIRD, FIRST, SECOND, CHATTER, HEDGES))


def _covered(words: Sequence[Word], index: ContextIndex, best: int) -> float:
    """Share of the best sentence's content that the claim repeats."""
    if best < 0:
        return 0.0
    ours = {word.stem for word in words}
    theirs = [word.stem for word in index.sentences[best] if word.content]
    return share(sum(stem in ours for stem in theirs), len(theirs))


def _pronoun_swaps(aligned: Alignment) -> float:
    """Names of the claim that stand where nothing of the best sentence does: who acts was filled in."""
    return float(sum(word.capital and not word.opens for word in aligned.inserted))


def claim_features(
    readings: Sequence[Reading], sentences: Sequence[list[Word]], index: ContextIndex, question: Sequence[Word]
) -> list[float]:
    """The vector of a whole claim, in the order of `NAMES`."""
    columns = list(zip(*(reading.vector for reading in readings), strict=True))
    means = [sum(column) / len(column) for column in columns]
    worsts = [max(column) if side > 0 else min(column) for column, (_, side) in zip(columns, SENTENCE, strict=True) if side]
    words = [word for sentence in sentences for word in sentence]
    bests = [reading.best for reading in readings if reading.best >= 0]
    stems = [word.stem for word in words]
    triples = list(zip(stems, stems[1:], stems[2:], strict=False))
    whole = [
        float(len(readings)),
        math.log1p(len(words)),
        math.log1p(len(index.words)),
        math.log1p(len(index.sentences)),
        math.log((1 + len(words)) / (1 + len(index.words))),
        1 - share(len(set(triples)), len(triples)) if triples else 0.0,
        *_question_features(words, index, question),
        math.log1p(max(bests) - min(bests)) if bests else 0.0,
        share(sum(word.capital for word in words), len(words)),
        min(reading.supported for reading in readings),
        _unasked(words, index, question),
    ]
    return means + worsts + whole


def _unasked(words: Sequence[Word], index: ContextIndex, question: Sequence[Word]) -> float:
    """Weight of content that stands neither in the context nor in the question."""
    asked = {word.stem for word in question}
    missing = {word.stem for word in words if word.content and word.stem not in index.places and word.stem not in asked}
    return sum(index.weigh(stem) for stem in missing)


def _question_features(words: Sequence[Word], index: ContextIndex, question: Sequence[Word]) -> tuple[float, ...]:
    """How the claim answers the question: what it adds to it, whether that is in the context and near what was asked."""
    if not question:
        return (0.0, 0.0, 1.0, *_answer_support([word for word in words if word.content], index, frozenset()), 0.0, 0.0, 0.0, 0.0, 0.0)
    asked = frozenset(word.stem for word in question if word.content)
    folded = {word.folded for word in question}
    content = [word for word in words if word.content and not _small_talk(word, index)]
    answer = [word for word in content if word.stem not in asked]
    return (
        1.0,
        share(len(content) - len(answer), len(content)),
        share(len(answer), len(content)),
        *_answer_support(answer, index, asked),
        float(bool(folded & WH_NUMBER)),
        float(bool(folded & WH_NAME)),
        float(any(word.kind is Kind.NUMBER for word in answer)),
        float(any(_is_name(word, index) for word in answer)),
        float(question[0].folded in POLAR),
    )


def _answer_support(answer: Sequence[Word], index: ContextIndex, asked: frozenset[str]) -> tuple[float, float]:
    """Share of the answer's words in the context, and how much of what was asked stands in the sentence that holds most of them."""
    if not answer:
        return 1.0, 0.0
    recall = share(sum(word.stem in index.places for word in answer), len(answer))
    best, _ = index.best([word.stem for word in answer])
    near = max((share(len(asked & {word.stem for word in index.sentences[number]}), len(asked)) for _, number in best), default=0.0)
    return recall, near
