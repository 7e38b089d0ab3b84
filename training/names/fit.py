"""One whole training run: texts, passes, weights."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from affiant.guards.names.features import Featurizer, Lexicon
from affiant.guards.names.model import NamesModel
from affiant.guards.names.sieve import Sieve
from affiant.guards.names.tokens import PIECE_MARK, cut
from training.names.batches import Encoded, Hiding, batches, encode
from training.names.examples import Example, capitalize, join, make, recase, swap
from training.names.fillers import Filler
from training.names.learn import Learner, Size
from training.names.lists import LANGUAGES, Lists


@dataclass(frozen=True)
class Settings:
    """Of one run.

    Args:
        passes: over the data; texts are drawn anew for each.
        made: texts from templates per pass.
        swapped: share of real texts whose names are exchanged.
        recased: share of texts in another case.
        capitalized: share of texts some of whose ordinary words get a capital.
        plain: share of the plain texts read per pass.
        unlisted: share of texts read as if there were no list of ordinary words for their language, as there is none for most.
        batch: tokens a step.
        rate: first learning rate, falling to nothing.
        frequent: how often a word must occur in the real texts to get a row of its own.
        most_words: such rows at most.
    """

    passes: int = 5
    made: int = 6000
    swapped: float = 0.5
    recased: float = 0.12
    capitalized: float = 0.15
    plain: float = 0.4
    unlisted: float = 0.3
    batch: int = 2048
    rate: float = 0.003
    frequent: int = 4
    most_words: int = 6000
    seed: int = 7
    size: Size = field(default_factory=Size)
    hiding: Hiding = field(default_factory=Hiding)


def frequent_words(examples: Sequence[Example], made: Sequence[Example], settings: Settings, lexicon: Lexicon) -> list[str]:
    """Words met often outside of names, in lower case; ideographs and marks too."""
    counts: Counter[str] = Counter()
    for example in (*examples, *made):
        tokens = cut(example.text, lexicon.han)
        names = [(span.start, span.end) for span in example.spans]
        for key, start in zip(tokens.keys, tokens.starts, strict=True):
            if not any(low <= start < high for low, high in names):
                counts[key.split(PIECE_MARK)[0].lower()] += 1
    common = [word for word, count in counts.most_common(settings.most_words) if count >= settings.frequent and "\n" not in word]
    return sorted(common)


def draw(examples: Sequence[Example], plain: Sequence[Example], filler: Filler, settings: Settings) -> list[Example]:
    """The texts of one pass: real ones, as they are or with other names or case, and made ones."""
    rng = filler.rng
    latin = [language for language in LANGUAGES if language not in ("zh", "ja")]
    drawn: list[Example] = []
    nouns = frozenset(filler.lists.english_nouns)
    for example in join(rng.sample(list(examples), len(examples)), rng):
        if rng.random() >= settings.swapped:
            drawn.append(example)
            continue
        own = example.lang if rng.random() < 0.7 or example.lang in ("zh", "ja") else rng.choice(latin)
        drawn.append(swap(example, filler, own))
    drawn += make(settings.made, filler)
    drawn += join(rng.sample(list(plain), int(len(plain) * settings.plain)), rng)
    for index, example in enumerate(drawn):
        dice = rng.random()
        if dice < settings.recased:
            drawn[index] = recase(example, rng)
        elif dice < settings.recased + settings.capitalized:
            drawn[index] = capitalize(example, rng, nouns)
    return drawn


def train(
    examples: Sequence[Example],
    plain: Sequence[Example],
    lists: Lists,
    lexicon: Lexicon,
    settings: Settings,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[Featurizer, Learner]:
    """Trains on annotated `examples`, on `plain` texts and on templates; the same arguments give the same weights."""
    filler = Filler(lists, random.Random(settings.seed))
    words = frequent_words(examples, make(settings.made // 2, filler), settings, lexicon)
    featurize = Featurizer(lexicon, {word: row for row, word in enumerate(words, 1)}, limit=400_000)
    unlisted = Featurizer(replace(lexicon, ordinary=Sieve(b"")), featurize.words, limit=400_000)
    learner = Learner(len(words), featurize.dims, settings.size, settings.seed)
    done, whole = 0.0, float(settings.passes)
    for number in range(settings.passes):
        texts: list[Encoded] = [
            encode(example, unlisted if filler.rng.random() < settings.unlisted else featurize)
            for example in draw(examples, plain, filler, settings)
        ]
        tokens = sum(len(text.features) for text in texts)
        losses: list[float] = []
        for batch in batches(texts, settings.batch, learner.row_count, settings.hiding, settings.seed + number):
            warm = min(1.0, (len(losses) + 1) / 50) if number == 0 else 1.0
            rate = settings.rate * warm * max(0.02, 1 - done / whole)
            losses.append(learner.step(batch, rate))
            done = min(whole, done + float(batch.real.sum()) / tokens)
        done = number + 1.0
        tell(f"pass {number + 1}: {tokens} tokens, loss {sum(losses) / max(1, len(losses)):.4f}")
    return featurize, learner


def model_of(featurize: Featurizer, learner: Learner, bias: dict[str, float] | None = None) -> NamesModel:
    """The trained tagger before it is stored."""
    return NamesModel.of(featurize, learner.network(), bias or {})
